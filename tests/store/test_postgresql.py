"""What is particular to PostgreSQL: durability, lost connections, one server at a time."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from albatross.model.target_group import TargetGroup
from albatross.store import database, engine, ownership
from albatross.store.database import Database, DatabaseAway
from albatross.store.engine import UnusableData
from albatross.store.keys import Keys
from albatross.store.packages import Packages
from albatross.store.schema import state
from albatross.store.store import Store
from tests.store.test_store import HERE, group
from tests.support.postgresql import Postgresql, postgresql


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgresql]:
    """A server of these tests alone: they stop it."""
    with postgresql() as server:
        yield server


@pytest.fixture
def url(postgres: Postgresql) -> str:
    return postgres.schema()


def open_store(url: str, directory: Path, **options: Any) -> Store:
    stored = (Packages(directory), Keys(directory))
    options.setdefault("on_commit", lambda _: None)
    return Store(url, *stored, strict=False, **options)


def put(name: str) -> Any:
    return lambda tx: tx.put(group(name))


def names(store: Store) -> Any:
    return store.read(HERE, lambda tx: [found.name for found in tx.list(TargetGroup)])


def setting(connection: Any, name: str) -> str:
    return str(connection.exec_driver_sql(f"SHOW {name}").scalar_one())


def test_commits_are_durable_and_serializable_whatever_the_database_says(postgres, url):
    postgres.execute("ALTER ROLE albatross SET synchronous_commit = off")
    try:
        opened = engine.open_engine(url, writes=True)
        with opened.begin() as connection:
            assert setting(connection, "synchronous_commit") == "on"
            assert setting(connection, "transaction_isolation") == "serializable"
        opened.dispose()
        reading = engine.open_engine(url, writes=False)
        with reading.begin() as connection:
            assert setting(connection, "transaction_isolation") == "repeatable read"
            assert setting(connection, "transaction_read_only") == "on"
        reading.dispose()
    finally:
        postgres.execute("ALTER ROLE albatross RESET synchronous_commit")


def test_a_second_server_is_refused_and_told_of_the_first(url, tmp_path, monkeypatch):
    monkeypatch.setattr(ownership, "_STRANGER_S", 0)
    store = open_store(url, tmp_path, name="albatross 17 on here: /data/one")
    with pytest.raises(UnusableData, match=r"in use by .*albatross 17 on here: /data/one.*stop it"):
        open_store(url, tmp_path, name="albatross 18 on there: /data/two")
    asyncio.run(store.close())
    asyncio.run(open_store(url, tmp_path, name="albatross 18 on there: /data/two").close())


def test_the_successor_of_a_killed_server_waits_for_its_session(url, tmp_path, monkeypatch):
    monkeypatch.setattr(ownership, "_STRANGER_S", 0)
    first = open_store(url, tmp_path, name="albatross 17 on here: /data")
    end = threading.Timer(0.2, lambda: asyncio.run(first.close()))
    end.start()
    asyncio.run(open_store(url, tmp_path, name="albatross 18 on here: /data").close())
    end.join()


def test_servers_in_other_schemas_do_not_meet(postgres, tmp_path):
    stores = [open_store(postgres.schema(), tmp_path / str(number)) for number in range(2)]
    for store in stores:
        asyncio.run(store.close())


def test_a_lost_connection_is_made_anew(postgres, url, tmp_path):
    async def scenario():
        store = open_store(url, tmp_path)
        await store.write(HERE, put("a"))
        await asyncio.to_thread(postgres.kill_sessions)
        read = await names(store)
        await store.write(HERE, put("b"))
        found = read, await names(store), store.revision, store.problem
        await store.close()
        return found

    assert asyncio.run(scenario()) == (["a"], ["a", "b"], 2, None)


def test_writes_wait_for_a_server_that_starts_again_and_lose_nothing(postgres, url, tmp_path):
    async def scenario():
        store = open_store(url, tmp_path)
        await store.write(HERE, put("before"))
        await asyncio.to_thread(postgres.kill)
        restarting = asyncio.create_task(asyncio.to_thread(postgres.start))
        await store.write(HERE, put("meanwhile"))
        await restarting
        found = await names(store)
        snapshot = await store.snapshot()
        await store.close()
        return found, [one.name for one in snapshot.target_groups]

    everything = ["before", "meanwhile"]
    assert asyncio.run(scenario()) == (everything, everything)


def test_an_absent_database_is_said_and_found_again(postgres, url, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE_S", 0.1)

    async def scenario():
        told = asyncio.Queue()
        store = open_store(url, tmp_path, on_commit=told.put_nowait)
        await store.write(HERE, put("a"))
        await told.get()
        await asyncio.to_thread(postgres.stop)
        with pytest.raises(DatabaseAway, match=r"does not answer.*Nothing has been changed"):
            await store.write(HERE, put("b"))
        with pytest.raises(DatabaseAway):
            await names(store)
        assert store.problem
        await asyncio.to_thread(postgres.start)
        revision = await told.get()  # it looks for the database by itself
        found = revision, await names(store), store.problem
        await store.close()
        return found

    assert asyncio.run(scenario()) == (1, ["a"], None)


@pytest.mark.parametrize("committed", [True, False], ids=["committed", "not committed"])
def test_a_connection_lost_while_committing_is_cleared_up(postgres, url, committed, monkeypatch):
    """The commit's answer is lost: before the commit, or right after it."""
    opened = Database(url, name="albatross", reconnected=lambda: None)
    dialect = opened._write_engine.dialect
    commit, ran = dialect.do_commit, []

    def lose(connection):
        monkeypatch.undo()
        if committed:
            commit(connection)
        postgres.kill_sessions()
        commit(connection)  # raises: the server has gone
        connection.execute("SELECT 1")

    def attempt(connection, mark):
        ran.append(mark)
        connection.execute(state.update().values(revision=state.c.revision + 1, last_write=mark))
        monkeypatch.setattr(dialect, "do_commit", lose)
        if len(ran) > 1:
            monkeypatch.undo()
        return len(ran)

    result = opened.write(attempt)
    revision = opened.recover()
    opened.close()
    assert revision == 1, "once, not twice and not never"
    assert result == len(ran) == (1 if committed else 2)


def test_a_transaction_that_loses_against_another_runs_again(postgres, url):
    opened = Database(url, name="albatross", reconnected=lambda: None)
    other = engine.open_engine(url, writes=True)
    ran = []

    def attempt(connection, mark):
        ran.append(mark)
        connection.execute(state.select()).one()
        if len(ran) == 1:
            with other.begin() as meddler:
                meddler.execute(state.update().values(revision=state.c.revision + 10))
        connection.execute(state.update().values(revision=state.c.revision + 1))

    opened.write(attempt)
    revision = opened.recover()
    opened.close()
    other.dispose()
    assert (len(ran), revision) == (2, 11)


def test_what_the_other_end_of_a_lost_connection_changed_is_seen(postgres, url, tmp_path):
    """The view knows of deletions by this process: after a gap it reads everything anew."""

    async def scenario():
        store = open_store(url, tmp_path)
        await store.write(HERE, put("a"))
        await store.write(HERE, put("b"))
        await store.snapshot()
        schema = url.rpartition("%3D")[2]
        postgres.execute(
            f"DELETE FROM {schema}.resources WHERE name = 'a';"
            f"UPDATE {schema}.state SET revision = revision + 1"
        )
        postgres.kill_sessions()
        await store.write(HERE, put("c"))
        snapshot = await store.snapshot()
        await store.close()
        return [one.name for one in snapshot.target_groups]

    assert asyncio.run(scenario()) == ["b", "c"]


def test_the_password_is_in_no_message(postgres, url, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    secret = url.replace("albatross@/", "albatross:hunter2@/").replace("postgres?", "missing?")
    with pytest.raises(UnusableData, match="missing") as raised:
        open_store(secret, tmp_path)
    assert "hunter2" not in str(raised.value) + caplog.text


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        pytest.param("postgresql://127.0.0.1:1/none", "onnection refused", id="nobody listens"),
        pytest.param("postgresql://127.0.0.1:port/none", "is not a URL", id="no URL"),
    ],
)
def test_a_database_that_cannot_be_reached_is_refused(tmp_path, url, fault):
    with pytest.raises(UnusableData, match=fault):
        open_store(url, tmp_path)
