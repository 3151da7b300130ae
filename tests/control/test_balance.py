"""The loop that changes weights: what it asks, when, and whom it tells."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from albatross.control.balance import Balance
from albatross.health.anomalies import Counts
from albatross.model.health import HEALTHY, Anomaly
from albatross.model.target_group import TargetGroup
from tests.support.targets import make_group, make_snapshot

SLOW = {"slow_start.duration_seconds": "100"}
MITIGATING = {
    "load_balancing.algorithm.type": "weighted_random",
    "load_balancing.algorithm.anomaly_mitigation": "on",
}


class Checks:
    """Health checks, of which a test says whom they find healthy."""

    def __init__(self) -> None:
        self.found: set[tuple[str, int | None]] = set()

    def healthy(self, _: TargetGroup) -> frozenset[tuple[str, int | None]]:
        return frozenset(self.found)

    def health(self, _: str, key: tuple[str, int | None]) -> Any:
        return HEALTHY if key in self.found else None


class Stage:
    def __init__(self) -> None:
        self.checks, self.now_s, self.changes = Checks(), 0.0, 0
        self.counts: Callable[[], Mapping[str, Mapping[str, Counts]]] = dict
        self.balance = Balance(
            self.checks,  # type: ignore[arg-type]
            count=self._count,
            changed=self._changed,
            clock=lambda: self.now_s,
        )

    def serve(self, group: TargetGroup, healthy: int) -> dict[tuple[str, int | None], int]:
        """Publish `group`, of which the first targets are healthy, and return the weights."""
        self.checks.found = {target.key for target in group.targets[:healthy]}
        self.balance.follow(make_snapshot(group))
        return self.balance.weights(group)

    def _changed(self) -> None:
        self.changes += 1

    async def _count(self) -> Mapping[str, Mapping[str, Counts]]:
        return self.counts()


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_target_in_slow_start_gets_more_by_and_by(stage: Stage) -> None:
    group = make_group(1, 2, attributes=SLOW)
    assert stage.serve(make_group(1, attributes=SLOW), 1) == {}
    key = group.targets[1].key
    seen = []
    for stage.now_s in (0, 20, 50, 99, 100):
        seen.append(stage.serve(group, 2).get(key))
    assert seen == [5, 20, 50, 100, None]


def test_its_steps_are_published(stage: Stage) -> None:
    stage.serve(make_group(1, attributes=SLOW), 1)
    stage.serve(make_group(1, 2, attributes=SLOW), 2)

    stage.now_s = 6

    async def until_changed() -> None:
        async with asyncio.timeout(5):
            running = asyncio.ensure_future(stage.balance.run())
            while not stage.changes:  # noqa: ASYNC110
                await asyncio.sleep(0)
            running.cancel()

    asyncio.run(until_changed())
    assert stage.changes == 1


def failing(group: TargetGroup, failed: int, all_: int) -> Mapping[str, Mapping[str, Counts]]:
    """Return the counts of a proxy where the first target fails."""
    first, *others = (f"{target.host}:{target.port}" for target in group.targets)
    return {group.arn: {first: Counts(failed, all_)} | {other: Counts(0, all_) for other in others}}


def test_a_target_that_fails_is_anomalous_and_gets_less(stage: Stage) -> None:
    group = make_group(1, 2, 3, attributes=MITIGATING)
    first = group.targets[0].key
    assert stage.serve(group, 3) == {}
    for failed in (0, 20):
        stage.counts = lambda failed=failed: failing(group, failed, failed)
        asyncio.run(stage.balance.look())
    assert stage.balance.anomaly(group.arn, first) == Anomaly(is_anomalous=True, is_mitigated=True)
    assert stage.balance.anomaly(group.arn, group.targets[1].key) == Anomaly()
    assert stage.serve(group, 3) == {first: 50}
    assert stage.changes == 1


def test_without_mitigation_it_is_only_shown(stage: Stage) -> None:
    group = make_group(1, 2, 3)
    stage.serve(group, 3)
    for failed in (0, 20):
        stage.counts = lambda failed=failed: failing(group, failed, failed)
        asyncio.run(stage.balance.look())
    found = stage.balance.anomaly(group.arn, group.targets[0].key)
    assert found == Anomaly(is_anomalous=True, is_mitigated=False)
    assert stage.serve(group, 3) == {}
    assert stage.changes == 0


def test_a_proxy_that_is_away_changes_nothing(stage: Stage) -> None:
    def away() -> Mapping[str, Mapping[str, Counts]]:
        raise FileNotFoundError("envoy-admin.sock")

    group = make_group(1, 2, 3, attributes=MITIGATING)
    stage.serve(group, 3)
    stage.counts = away
    asyncio.run(stage.balance.look())
    assert stage.changes == 0


def test_a_group_that_nobody_uses_is_forgotten(stage: Stage) -> None:
    group = make_group(1, 2, 3, attributes=MITIGATING)
    stage.serve(group, 3)
    for failed in (0, 20):
        stage.counts = lambda failed=failed: failing(group, failed, failed)
        asyncio.run(stage.balance.look())
    stage.balance.follow(make_snapshot(group, used=False))
    assert stage.balance.anomaly(group.arn, group.targets[0].key) == Anomaly()
