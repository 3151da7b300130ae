"""The store: transactions, order, scopes, snapshots, and what survives the end of the process."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from albatross.model import arn
from albatross.model.arn import Scope
from albatross.model.function import Function, Package
from albatross.model.rule import FixedResponse, PathPattern, Rule
from albatross.model.target_group import TargetGroup
from albatross.model.version import Version
from albatross.store.keys import Keys
from albatross.store.packages import UNUSED_S, Packages
from albatross.store.store import Store

HERE = Scope("123456789012", "us-east-1")
LISTENER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/web/1/2"
OTHER_LISTENER = LISTENER + "a"


def group(name: str, scope: Scope = HERE, **fields: Any) -> TargetGroup:
    arn_ = arn.target_group(scope, name, "0123456789abcdef")
    return TargetGroup(arn=arn_, name=name, target_type="lambda", **fields)


def rule(priority: int, listener: str = LISTENER) -> Rule:
    return Rule(
        arn=arn.rule(listener, f"{priority:016x}"),
        listener_arn=listener,
        priority=priority,
        conditions=(PathPattern(values=("/",)),),
        action=FixedResponse(status_code=200),
    )


def zipped(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", text)
    return buffer.getvalue()


def function(package: Package) -> Function:
    return Function(
        arn=arn.function(HERE, "app"),
        name="app",
        runtime="python3.11",
        handler="app.handler",
        role="arn:aws:iam::123456789012:role/app",
        code=package,
        last_modified=datetime(2026, 1, 2, tzinfo=UTC),
        revision_id="0123456789abcdef",
    )


@pytest.fixture(params=["sqlite", "postgresql"], autouse=True)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Each test runs with each database. Where it is says a file: another process finds it too."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").schema()
        (tmp_path / "url").write_text(url)


def url_of(directory: Path) -> str:
    known = directory / "url"
    return known.read_text() if known.exists() else f"sqlite:///{directory}/albatross.db"


def open_store(
    directory: Path, on_commit: Callable[[int], None] = lambda _: None, **options: Any
) -> Store:
    stored = (Packages(directory), Keys(directory))
    return Store(url_of(directory), *stored, strict=False, on_commit=on_commit, **options)


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[Store], Awaitable[Any]]], Any]:
    """`run(scenario)` awaits `scenario(store)` with a store that is closed afterwards."""

    def run(scenario: Callable[[Store], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            store = open_store(tmp_path)
            try:
                return await scenario(store)
            finally:
                await store.close()

        return asyncio.run(main())

    return run


def test_a_read_sees_what_was_written(run):
    async def scenario(store):
        await store.write(HERE, lambda tx: tx.put(group("a", attributes={"k": "v"})))
        return await store.read(HERE, lambda tx: tx.get(TargetGroup, group("a").arn))

    assert run(scenario) == group("a", attributes={"k": "v"})


def test_resources_are_listed_in_order_of_creation_and_keep_their_place_when_replaced(run):
    async def scenario(store):
        for name in ("b", "c", "a"):
            await store.write(HERE, lambda tx, name=name: tx.put(group(name)))
        await store.write(HERE, lambda tx: tx.put(group("b", attributes={"new": "yes"})))
        return await store.read(HERE, lambda tx: [found.name for found in tx.list(TargetGroup)])

    assert run(scenario) == ["b", "c", "a"]


def test_a_list_is_narrowed_by_name_and_by_parent(run):
    def fill(tx):
        for found in (rule(1), rule(2), rule(1, OTHER_LISTENER)):
            tx.put(found)

    async def scenario(store):
        await store.write(HERE, fill)
        return await store.read(
            HERE,
            lambda tx: (
                tx.list(Rule, parent=LISTENER),
                tx.list(Rule, name="1"),
                tx.list(Rule, name="1", parent=OTHER_LISTENER),
                tx.list(TargetGroup, name="1"),
            ),
        )

    assert run(scenario) == (
        [rule(1), rule(2)],
        [rule(1), rule(1, OTHER_LISTENER)],
        [rule(1, OTHER_LISTENER)],
        [],
    )


def test_a_transaction_sees_its_own_writes(run):
    def both(tx):
        tx.put(group("a"))
        tx.put_tags(group("a").arn, {"k": "v"})
        return tx.get(TargetGroup, group("a").arn), tx.tags(group("a").arn)

    async def scenario(store):
        return await store.write(HERE, both)

    assert run(scenario) == (group("a"), {"k": "v"})


def test_a_write_that_raises_has_not_happened(run):
    def fail(tx):
        tx.put(group("a"))
        tx.put_tags(group("a").arn, {"k": "v"})
        raise LookupError("no")

    async def scenario(store):
        with pytest.raises(LookupError):
            await store.write(HERE, fail)
        return store.revision, await store.read(
            HERE, lambda tx: (tx.list(TargetGroup), tx.tags(group("a").arn))
        )

    assert run(scenario) == (0, ([], {}))


@pytest.mark.parametrize(
    "elsewhere",
    [
        pytest.param(Scope("999999999999", "us-east-1"), id="another account"),
        pytest.param(Scope("123456789012", "eu-west-1"), id="another Region"),
    ],
)
def test_a_scope_does_not_see_another(run, elsewhere):
    def fill(tx):
        tx.put(group("a"))
        tx.put_tags(group("a").arn, {"k": "v"})

    def look(tx):
        ours = group("a").arn
        return tx.get(TargetGroup, ours), tx.list(TargetGroup), tx.tags(ours)

    async def scenario(store):
        await store.write(HERE, fill)
        seen = await store.read(elsewhere, look)
        await store.write(elsewhere, lambda tx: tx.delete(group("a").arn))
        return seen, await store.read(HERE, look)

    assert run(scenario) == ((None, [], {}), (group("a"), [group("a")], {"k": "v"}))


def test_an_arn_names_a_resource_of_one_class(run):
    async def scenario(store):
        await store.write(HERE, lambda tx: tx.put(group("a")))
        return await store.read(HERE, lambda tx: tx.get(Rule, group("a").arn))

    assert run(scenario) is None


def test_deleting_a_resource_deletes_its_tags(run):
    def fill(tx):
        tx.put(group("a"))
        tx.put_tags(group("a").arn, {"k": "v"})

    async def scenario(store):
        await store.write(HERE, fill)
        await store.write(HERE, lambda tx: tx.delete(group("a").arn))
        await store.write(HERE, lambda tx: tx.put(group("a")))
        return await store.read(HERE, lambda tx: tx.tags(group("a").arn))

    assert run(scenario) == {}


def test_tags_are_replaced_and_keep_their_order(run):
    async def scenario(store):
        arn_ = group("a").arn
        await store.write(HERE, lambda tx: tx.put_tags(arn_, {"x": "1", "gone": "2"}))
        await store.write(HERE, lambda tx: tx.put_tags(arn_, {"z": "1", "a": "", "x": "3"}))
        return list((await store.read(HERE, lambda tx: tx.tags(arn_))).items())

    assert run(scenario) == [("z", "1"), ("a", ""), ("x", "3")]


def test_a_read_must_not_write(run):
    async def scenario(store):
        with pytest.raises(AssertionError):
            await store.read(HERE, lambda tx: tx.put(group("a")))

    run(scenario)


def test_the_revision_counts_commits_that_changed_something(tmp_path):
    committed: list[int] = []

    async def scenario():
        store = open_store(tmp_path, on_commit=committed.append)
        await store.write(HERE, lambda tx: (tx.put(group("a")), tx.put(group("b"))))
        await store.write(HERE, lambda tx: tx.put(group("a")))
        await store.write(HERE, lambda tx: tx.delete("arn:aws:no:us-east-1:123456789012:such"))
        await store.write(HERE, lambda tx: tx.list(TargetGroup))
        await store.write(HERE, lambda tx: tx.delete(group("a").arn))
        assert committed == [1, 2], "the last commit was told before its write returned"
        await store.close()
        return store.revision

    assert asyncio.run(scenario()) == 2


def test_a_commit_is_told_even_when_its_caller_has_given_up(tmp_path):
    async def scenario():
        committed = asyncio.Event()
        inside, go_on = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()
        store = open_store(tmp_path, on_commit=lambda _: committed.set())

        def slow(tx):
            loop.call_soon_threadsafe(inside.set)
            go_on.wait()
            tx.put(group("a"))

        task = asyncio.create_task(store.write(HERE, slow))
        await inside.wait()
        task.cancel()
        go_on.set()
        await committed.wait()
        snapshot = await store.snapshot()
        await store.close()
        return snapshot.target_groups

    assert asyncio.run(scenario()) == (group("a"),)


def test_a_transaction_has_one_time(tmp_path):
    times = iter([datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)])

    async def scenario():
        store = open_store(tmp_path, clock=lambda: next(times))
        seen = await store.write(HERE, lambda tx: (tx.now, tx.now))
        await store.close()
        return seen

    first, second = asyncio.run(scenario())
    assert first is second


def test_ids_are_sixteen_hexadecimal_digits(run):
    async def scenario(store):
        return await store.write(HERE, lambda tx: {tx.new_id() for _ in range(100)})

    ids = run(scenario)
    assert len(ids) == 100
    assert all(len(id_) == 16 and int(id_, 16) >= 0 for id_ in ids)


def test_a_snapshot_holds_all_scopes_in_order_of_creation(run):
    elsewhere = Scope("999999999999", "eu-west-1")

    async def scenario(store):
        await store.write(HERE, lambda tx: (tx.put(group("b")), tx.put(rule(7))))
        await store.write(elsewhere, lambda tx: tx.put(group("c", elsewhere)))
        await store.write(HERE, lambda tx: tx.put(group("a")))
        return await store.snapshot()

    snapshot = run(scenario)
    assert snapshot.revision == 3
    assert snapshot.target_groups == (group("b"), group("c", elsewhere), group("a"))
    assert [one.rules for one in snapshot.by_listener.values()] == [(rule(7),)]


def test_a_snapshot_follows_every_kind_of_change(run):
    def swap(tx):
        tx.delete(group("b").arn)
        tx.put(group("d"))

    def recreate(tx):
        tx.delete(group("a").arn)
        tx.put(group("a"))

    async def scenario(store):
        seen = []
        for change in (
            lambda tx: (tx.put(group("a")), tx.put(group("b")), tx.put(rule(1))),
            lambda tx: tx.put(group("a", attributes={"k": "v"})),
            swap,
            recreate,
        ):
            await store.write(HERE, change)
            seen.append(await store.snapshot())
        return seen

    snapshots = run(scenario)
    names = [
        [(found.name, dict(found.attributes)) for found in snapshot.target_groups]
        for snapshot in snapshots
    ]
    assert names == [
        [("a", {}), ("b", {})],
        [("a", {"k": "v"}), ("b", {})],
        [("a", {"k": "v"}), ("d", {})],
        [("d", {}), ("a", {})],
    ]
    assert snapshots[0].by_listener is snapshots[-1].by_listener, "the same is not built anew"


def test_a_snapshot_of_the_same_revision_is_the_same_object(run):
    async def scenario(store):
        await store.write(HERE, lambda tx: tx.put(group("a")))
        return await store.snapshot(), await store.snapshot()

    first, second = run(scenario)
    assert first is second


def test_a_reopened_store_has_everything(tmp_path):
    async def first():
        store = open_store(tmp_path)
        await store.write(
            HERE, lambda tx: (tx.put(group("a")), tx.put_tags(group("a").arn, {"k": "v"}))
        )
        await store.close()

    async def second():
        store = open_store(tmp_path)
        found = await store.read(HERE, lambda tx: (tx.list(TargetGroup), tx.tags(group("a").arn)))
        revision = store.revision
        await store.close()
        return found, revision

    asyncio.run(first())
    assert asyncio.run(second()) == (([group("a")], {"k": "v"}), 1)


_WRITER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.store.test_store import HERE, group, open_store

async def main():
    store = open_store(Path({directory!r}))
    for number in range(1_000_000):
        await store.write(HERE, lambda tx: tx.put(group(f"g{{number}}")))
        sys.stdout.write(f"{{number}}\\n")
        sys.stdout.flush()

asyncio.run(main())
"""


def test_what_was_acknowledged_survives_sigkill(tmp_path):
    root = str(Path(__file__).parents[2])
    script = _WRITER.format(root=root, directory=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(100)]
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout.read().split(b"\n")[:-1]]

    async def look():
        store = open_store(tmp_path)
        found = await store.read(HERE, lambda tx: [found.name for found in tx.list(TargetGroup)])
        await store.close()
        return found

    found = asyncio.run(look())
    assert found[: len(acknowledged)] == [f"g{number}" for number in acknowledged]
    assert len(found) - len(acknowledged) in (0, 1), "at most the write under way is there as well"


def test_the_package_of_a_published_version_stays(tmp_path):
    packages = Packages(tmp_path)

    async def publish() -> Package:
        store = open_store(tmp_path)
        old, new = function(packages.add(zipped("old"))), function(packages.add(zipped("new")))
        version = Version(arn=f"{old.arn}:1", function=old.snapshot("1"))
        for resource in (new, version):
            await store.write(HERE, lambda tx, resource=resource: tx.put(resource))
        await store.close()
        assert isinstance(old.code, Package)
        return old.code

    published = asyncio.run(publish())
    asyncio.run(open_store(tmp_path).close())
    assert packages.archive(published).exists()


def test_opening_removes_the_packages_of_no_function(tmp_path):
    packages = Packages(tmp_path)

    async def deploy() -> tuple[Package, Package]:
        store = open_store(tmp_path)
        added = packages.add(zipped("old")), packages.add(zipped("new"))
        for package in added:
            await store.write(HERE, lambda tx, package=package: tx.put(function(package)))
        await store.close()
        return added

    old, new = asyncio.run(deploy())
    assert packages.archive(old).exists()
    asyncio.run(open_store(tmp_path).close())
    assert not packages.archive(old).exists()
    assert packages.archive(new).exists()


def test_while_it_runs_packages_of_no_function_are_removed_after_a_while(tmp_path):
    """Also when the control plane is replaced: then functions may be running on them."""
    now_s = [0.0]
    packages = Packages(tmp_path, clock=lambda: now_s[0])

    async def scenario() -> list[bool]:
        old, new = packages.add(zipped("old")), packages.add(zipped("new"))
        store = Store(
            url_of(tmp_path),
            packages,
            Keys(tmp_path),
            strict=False,
            on_commit=lambda _: None,
            is_fresh=False,
        )
        await store.write(HERE, lambda tx: tx.put(function(new)))
        there = []
        for pause_s in (0, UNUSED_S - 1, 1):
            now_s[0] += pause_s
            await store.collect_packages()
            there.append(packages.archive(old).exists())
        assert packages.archive(new).exists()
        await store.close()
        return there

    assert asyncio.run(scenario()) == [True, True, False]


def test_a_name_or_arn_with_a_zero_byte_is_nobodys(run):
    def look(tx):
        return (
            tx.get(TargetGroup, group("a").arn + "\0"),
            tx.list(TargetGroup, name="a\0", parent="\0"),
            tx.tags(group("a").arn + "\0"),
            tx.users("\0"),
            tx.used_below(["\0"]),
            tx.count(TargetGroup, parent="\0"),
        )

    async def scenario(store):
        await store.write(HERE, lambda tx: tx.put(group("a")))
        return await store.read(HERE, look), await store.write(HERE, look)

    nothing = (None, [], {}, [], set(), 0)
    assert run(scenario) == (nothing, nothing)
