"""Databases as they are found: older, newer, none of ours, another's."""

import asyncio
import errno
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from albatross.store import migrations
from albatross.store.engine import UnusableData, is_full, open_engine
from albatross.store.keys import Keys
from albatross.store.migrations import version_3
from albatross.store.packages import Packages
from albatross.store.schema import SCHEMA_VERSION, metadata, prepare
from albatross.store.store import Store
from tests.store.test_store import HERE

ACCOUNT = "123456789012"
ELB = f"arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}"
GROUP = f"{ELB}:targetgroup/a/0123456789abcdef"
LISTENER = f"{ELB}:listener/app/web/0123456789abcdef/0123456789abcdef"
RULE = f"{ELB}:listener-rule/app/web/0123456789abcdef/0123456789abcdef/0000000000000001"

# What the first version made, by database.
TABLES_OF_VERSION_1 = """
CREATE TABLE state (
    id INTEGER NOT NULL, schema_version INTEGER NOT NULL, revision {big} NOT NULL, PRIMARY KEY (id)
);
CREATE TABLE resources (
    seq {serial} NOT NULL, arn VARCHAR NOT NULL, kind VARCHAR NOT NULL, account VARCHAR NOT NULL,
    region VARCHAR NOT NULL, name VARCHAR NOT NULL, parent VARCHAR, document TEXT NOT NULL,
    revision {big} NOT NULL, PRIMARY KEY (seq), UNIQUE (arn)
);
CREATE INDEX resources_by_name ON resources (kind, account, region, name);
CREATE INDEX resources_by_parent ON resources (parent);
CREATE INDEX resources_by_revision ON resources (revision);
CREATE TABLE tags (
    arn VARCHAR NOT NULL, "key" VARCHAR NOT NULL, value VARCHAR NOT NULL,
    position INTEGER NOT NULL, PRIMARY KEY (arn, "key")
)
"""
ROWS_OF_VERSION_1 = f"""
INSERT INTO state VALUES (1, 1, 7);
INSERT INTO resources (arn, kind, account, region, name, parent, document, revision) VALUES
    ('{RULE}', 'rule', '{ACCOUNT}', 'us-east-1', '7', '{LISTENER}',
     '{{"arn":"{RULE}","listener_arn":"{LISTENER}","priority":7,
        "conditions":[{{"type":"PathPattern","values":["/a"]}}],
        "action":{{"type":"Forward","target_group_arn":"{GROUP}","order":null}}}}', 7);
INSERT INTO tags VALUES ('{RULE}', 'team', 'blue', 0)
"""
TYPES = {
    "sqlite": {"big": "INTEGER", "serial": "INTEGER"},
    "postgresql": {"big": "BIGINT", "serial": "BIGSERIAL"},
}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        found: str = request.getfixturevalue("postgres").schema()
        return found
    return f"sqlite:///{tmp_path}/state.db"


def run(url: str, script: str) -> None:
    engine = open_engine(url, writes=True)
    with engine.begin() as connection:
        for statement in script.split(";"):
            # Not text(): what stands after a colon is no parameter.
            connection.exec_driver_sql(statement.replace("%", "%%"))
    engine.dispose()


def make_version_1(url: str) -> None:
    run(url, TABLES_OF_VERSION_1.format(**TYPES[url.partition(":")[0]]) + ";" + ROWS_OF_VERSION_1)


def open_store(url: str, directory: Path) -> Store:
    stored = (Packages(directory), Keys(directory))
    return Store(url, *stored, strict=False, on_commit=lambda _: None)


def layout(url: str) -> dict[str, object]:
    """Return the columns and indexes of each table."""
    engine = open_engine(url, writes=False)
    with engine.begin() as connection:
        found = inspect(connection)
        seen: dict[str, object] = {
            table: (
                {
                    (one["name"], str(one["type"]), one["nullable"])
                    for one in found.get_columns(table)
                },
                {(one["name"], *one["column_names"]) for one in found.get_indexes(table)},
                found.get_pk_constraint(table)["constrained_columns"],
            )
            for table in found.get_table_names()
        }
    engine.dispose()
    return seen


def version_in(url: str) -> int:
    engine = open_engine(url, writes=False)
    with engine.begin() as connection:
        found: int = connection.execute(text("SELECT schema_version FROM state")).scalar_one()
    engine.dispose()
    return found


def test_data_of_version_1_is_brought_up_to_date(url, tmp_path):
    make_version_1(url)
    store = open_store(url, tmp_path)

    def look(tx):
        return tx.users(GROUP), tx.tags(RULE), store.revision

    found = asyncio.run(store.read(HERE, look))
    snapshot = asyncio.run(store.snapshot())
    asyncio.run(store.close())
    assert found == ([RULE], {"team": "blue"}, 7)
    assert [one.target_group_arns for one in snapshot.by_listener.values()] == [(GROUP,)]


def test_migrations_end_with_the_tables_that_are_made_today(url, tmp_path, request):
    make_version_1(url)
    engine = open_engine(url, writes=True)
    prepare(engine)
    migrated = layout(url)
    with engine.begin() as connection:
        metadata.drop_all(connection)
    prepare(engine)
    engine.dispose()
    assert migrated == layout(url)
    assert set(migrated) == set(metadata.tables)


def test_there_is_a_step_to_every_version():
    assert list(migrations.STEPS) == list(range(2, SCHEMA_VERSION + 1))


def test_a_crash_in_a_migration_leaves_the_version_before(url, tmp_path, monkeypatch):
    make_version_1(url)
    before = layout(url)

    def fail(op):
        version_3.upgrade(op)
        raise SystemExit("as if killed")

    monkeypatch.setitem(migrations.STEPS, 3, fail)
    with pytest.raises(SystemExit):
        open_store(url, tmp_path)
    assert layout(url) == before
    assert version_in(url) == 1
    monkeypatch.undo()
    store = open_store(url, tmp_path)
    assert asyncio.run(store.read(HERE, lambda tx: tx.users(GROUP))) == [RULE]
    asyncio.run(store.close())


def test_data_of_a_newer_version_is_refused(url, tmp_path):
    asyncio.run(open_store(url, tmp_path).close())
    run(url, f"UPDATE state SET schema_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(UnusableData, match=r"written by a newer Albatross .*choose another"):
        open_store(url, tmp_path)


def test_the_database_file_is_for_its_owner_only(tmp_path):
    asyncio.run(open_store(f"sqlite:///{tmp_path}/state.db", tmp_path).close())
    assert (tmp_path / "state.db").stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "state.db").write_bytes(b"something else entirely" * 100)
    with pytest.raises(UnusableData, match=r"not a database: .* albatross restore"):
        open_store(f"sqlite:///{tmp_path}/state.db", tmp_path)


def test_a_missing_directory_is_said(tmp_path):
    with pytest.raises(UnusableData, match=r"missing/state\.db.*No such file"):
        open_store(f"sqlite:///{tmp_path}/missing/state.db", tmp_path)


def test_a_commit_is_flushed_before_it_returns(tmp_path):
    path = tmp_path / "state.db"
    asyncio.run(open_store(f"sqlite:///{path}", tmp_path).close())
    engine = open_engine(f"sqlite:///{path}", writes=True)
    with engine.begin() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
    engine.dispose()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_program_that_looks_into_the_file_of_a_running_server_takes_nothing_away(tmp_path):
    """SQLite's log must survive when another program closes what it holds for the last connection.

    It was removed once: opening the file a second time had released the server's locks.
    """
    store = open_store(f"sqlite:///{tmp_path}/state.db", tmp_path)
    script = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM state')"
    subprocess.run([sys.executable, "-c", script, tmp_path / "state.db"], check=True)
    assert (tmp_path / "state.db-wal").exists()
    asyncio.run(store.close())


def test_a_disk_without_room_is_told_from_other_failures(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'state.db'}", writes=True)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE large (value BLOB)"))
    with engine.connect() as connection:
        connection.execute(text("PRAGMA max_page_count = 4"))
        with pytest.raises(DBAPIError, match="full") as caught:
            connection.execute(text("INSERT INTO large VALUES (zeroblob(1000000))"))
        connection.rollback()
        with pytest.raises(DBAPIError) as other:
            connection.execute(text("INSERT INTO none VALUES (1)"))
    engine.dispose()
    assert is_full(caught.value)
    assert not is_full(other.value)
    assert is_full(OSError(errno.ENOSPC, "No space left on device"))
    assert not is_full(OSError(errno.EACCES, "Permission denied"))
