"""The end of deregistration delays, by a clock that tests set, and over a restart."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from albatross.control.draining import Draining
from albatross.elbv2.targets import deregister_targets
from albatross.model import arn as arns
from albatross.model.arn import Scope
from albatross.model.target_group import Target, TargetGroup
from albatross.store.keys import Keys
from albatross.store.packages import Packages
from albatross.store.store import Store

HERE = Scope("123456789012", "us-east-1")
ARN = arns.target_group(HERE, "web", "0123456789abcdef")
START = datetime(2026, 1, 1, tzinfo=UTC)
DELAY = {"deregistration_delay.timeout_seconds": "60"}


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def after(self, seconds: float) -> None:
        self.now = START + timedelta(seconds=seconds)


def open_store(path: Path, clock: Clock, on_commit: Callable[[int], None]) -> Store:
    return Store(
        f"sqlite:///{path / 'state.db'}",
        Packages(path),
        Keys(path),
        strict=False,
        on_commit=on_commit,
        clock=clock,
    )


def group(*ports: int) -> TargetGroup:
    targets = tuple(Target(id="127.0.0.1", port=port) for port in ports)
    return TargetGroup(
        arn=ARN, name="web", target_type="ip", port=80, targets=targets, attributes=DELAY
    )


async def ports(store: Store) -> list[int | None]:
    (found,) = (await store.snapshot()).target_groups
    return [target.port for target in found.targets]


def params(port: int) -> dict[str, object]:
    return {"TargetGroupArn": ARN, "Targets": [{"Id": "127.0.0.1", "Port": port}]}


def test_each_target_goes_when_its_delay_is_over(tmp_path: Path) -> None:
    clock = Clock()

    async def scenario() -> None:
        store = open_store(tmp_path, clock, lambda _: None)
        draining = Draining(lambda: store, clock)
        await store.write(HERE, lambda tx: tx.put(group(1, 2, 3)))
        assert await draining.remove() is None
        await store.write(HERE, lambda tx: deregister_targets(tx, params(1)))
        clock.after(30)
        await store.write(HERE, lambda tx: deregister_targets(tx, params(2)))
        assert await draining.remove() == START + timedelta(seconds=60)
        assert await ports(store) == [1, 2, 3]
        clock.after(60)
        assert await draining.remove() == START + timedelta(seconds=90)
        assert await ports(store) == [2, 3]
        await store.close()

    asyncio.run(scenario())


def test_a_delay_that_ended_while_nothing_ran_is_noticed_at_the_start(tmp_path: Path) -> None:
    clock = Clock()

    async def before() -> None:
        store = open_store(tmp_path, clock, lambda _: None)
        await store.write(HERE, lambda tx: tx.put(group(1, 2)))
        await store.write(HERE, lambda tx: deregister_targets(tx, params(1)))
        await store.close()

    async def after() -> None:
        committed = asyncio.Event()
        store = open_store(tmp_path, clock, lambda _: committed.set())
        running = asyncio.create_task(Draining(lambda: store, clock).run())
        await asyncio.wait_for(committed.wait(), 5)
        assert await ports(store) == [2]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await store.close()

    asyncio.run(before())
    clock.after(100)
    asyncio.run(after())
