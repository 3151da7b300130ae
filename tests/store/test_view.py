"""What a snapshot shares with the one before it."""

import asyncio
from dataclasses import replace
from pathlib import Path

from albatross.model.arn import Scope
from albatross.model.rule import FixedResponse, Forward
from albatross.model.snapshot import Snapshot
from albatross.store.keys import Keys
from albatross.store.packages import Packages
from albatross.store.store import Store
from albatross.store.transaction import Transaction
from tests.support.envoy import TARGET_GROUP, Balancer, to_snapshot

HERE = Scope("123456789012", "us-east-1")
WORLD = to_snapshot(Balancer(default=FixedResponse(status_code=200)))
(BALANCER,), (LISTENER,), (GROUP,) = WORLD.load_balancers, WORLD.listeners, WORLD.target_groups
(DEFAULT,) = WORLD.by_listener[LISTENER.arn].rules


def add(tx: Transaction) -> None:
    for resource in (GROUP, BALANCER, LISTENER, DEFAULT):
        tx.put(resource)


def forward(tx: Transaction) -> None:
    tx.put(replace(DEFAULT, action=Forward.to(TARGET_GROUP)))


def tag(tx: Transaction) -> None:
    tx.put_tags(DEFAULT.arn, {"k": "v"})


async def snapshots(directory: Path) -> list[Snapshot]:
    store = Store(
        f"sqlite:///{directory / 'state.db'}",
        Packages(directory),
        Keys(directory),
        strict=False,
        on_commit=lambda _: None,
    )
    seen = []
    for change in (add, forward, tag, add):
        await store.write(HERE, change)
        seen.append(await store.snapshot())
    await store.close()
    return seen


def test_who_uses_which_target_group_is_worked_out_where_it_may_have_changed(
    tmp_path: Path,
) -> None:
    unused, used, same, unused_again = asyncio.run(snapshots(tmp_path))
    assert unused.balancer_of_group == unused_again.balancer_of_group == {}
    assert used.balancer_of_group == {GROUP.arn: BALANCER}
    assert same.revision > used.revision
    assert same.balancer_of_group is used.balancer_of_group
    assert same.by_listener[LISTENER.arn] is used.by_listener[LISTENER.arn]
