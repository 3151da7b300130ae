"""Which weight each server has in its target group: slow start, anomalies and their mitigation.

The decisions are in health/slow_start.py and health/anomalies.py. Here is what they go by: health
checks, the clock, and the proxy's counts of requests. One loop writes; any thread may read, as what
it reads is immutable.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from albatross.health.anomalies import HEALTHY_MIN, PERIOD_S, Anomalies, Counts, Standing
from albatross.health.checker import Health
from albatross.health.routing import Key
from albatross.health.slow_start import WEIGHT_FULL, SlowStart
from albatross.model import attributes
from albatross.model.health import Anomaly, TargetHealth
from albatross.model.snapshot import Snapshot
from albatross.model.target_group import Target, TargetGroup

# Target group's ARN -> address:port of a target -> its requests.
CountsByAddress = Mapping[str, Mapping[str, Counts]]

log = logging.getLogger(__name__)


class Balance:
    """Call `follow`, then `weights` with each publication, and keep `run` running.

    `count` asks the proxy. `changed` is called when weights have become others. Tests pass another
    clock, in seconds.
    """

    def __init__(
        self,
        health: Health,
        *,
        count: Callable[[], Awaitable[CountsByAddress]],
        changed: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._health = health
        self._count = count
        self._changed = changed
        self._clock = clock
        self._groups: dict[str, TargetGroup] = {}
        self._slow_starts: dict[str, SlowStart] = {}
        self._anomalies: dict[str, Anomalies] = {}
        self._steps: dict[str, float] = {}  # when the weights of a group in slow start change
        self._wake = asyncio.Event()

    def health(self, target_group_arn: str, key: Key) -> TargetHealth | None:
        """Return what checks have found of a target; None of one that is not checked."""
        return self._health.health(target_group_arn, key)

    def anomaly(self, target_group_arn: str, key: Key) -> Anomaly:
        """Return how a target does. One that nobody has looked at is normal."""
        found = self._anomalies.get(target_group_arn, Anomalies()).standings.get(key, Standing())
        return Anomaly(is_anomalous=found.anomalous, is_mitigated=found.weight < WEIGHT_FULL)

    def follow(self, snapshot: Snapshot) -> None:
        """Go by `snapshot` from now on: forget groups that are gone or not in use."""
        used = snapshot.balancer_of_group
        self._groups = {
            group.arn: group
            for group in snapshot.target_groups
            if group.arn in used and group.target_type != "lambda"
        }
        for known in (self._slow_starts, self._anomalies, self._steps):
            for arn in known.keys() - self._groups.keys():
                del known[arn]

    def weights(self, group: TargetGroup) -> dict[Key, int]:
        """Return the weights of `group`'s targets; those that are not there have WEIGHT_FULL."""
        now_s, duration_s = self._clock(), int(attributes.get(group, "slow_start.duration_seconds"))
        registered = [target.key for target in group.targets if target.draining_until is None]
        state = self._slow_starts.get(group.arn, SlowStart())
        state = state.at(now_s, registered, self._health.healthy(group), duration_s)
        self._slow_starts[group.arn] = state
        pause_s = state.next_s(now_s, duration_s)
        if pause_s is not None:
            self._steps[group.arn] = now_s + pause_s
        self._wake.set()
        anomalies = self._anomalies.get(group.arn, Anomalies())
        return {**anomalies.weights(), **state.weights(now_s, duration_s)}

    async def run(self) -> None:
        """Change weights for ever."""
        look_s = self._clock() + PERIOD_S
        while True:
            self._wake.clear()
            due = [*self._steps.values(), *([look_s] if self._watched() else [])]
            with suppress(TimeoutError):
                async with asyncio.timeout(min(due) - self._clock() if due else None):
                    await self._wake.wait()
            now_s = self._clock()
            if self._watched() and now_s >= look_s:
                await self.look()
                look_s = now_s + PERIOD_S
            if any(step_s <= now_s for step_s in self._steps.values()):
                self._steps = {arn: step_s for arn, step_s in self._steps.items() if step_s > now_s}
                self._changed()

    async def look(self) -> None:
        """Judge the targets by the requests since the last look."""
        try:
            counted = await self._count()
        except OSError as error:  # the proxy is away
            log.info("the proxy does not tell what became of requests: %s", error)
            return
        before = self._mitigations()
        self._anomalies = {
            group.arn: self._anomalies.get(group.arn, Anomalies()).look(
                _by_key(group, counted.get(group.arn, {})),
                self._health.healthy(group),
                mitigates=_mitigates(group),
            )
            for group in self._watched()
        }
        if before != self._mitigations():
            self._changed()

    def _mitigations(self) -> dict[str, dict[Key, int]]:
        found = {arn: one.weights() for arn, one in self._anomalies.items()}
        return {arn: weights for arn, weights in found.items() if weights}

    def _watched(self) -> list[TargetGroup]:
        """Return the groups in which there may be anomalies, or were."""
        return [
            group
            for group in self._groups.values()
            if len(group.targets) >= HEALTHY_MIN or group.arn in self._anomalies
        ]


def _mitigates(group: TargetGroup) -> bool:
    return attributes.get(group, "load_balancing.algorithm.anomaly_mitigation") == "on"


def _by_key(group: TargetGroup, counts: Mapping[str, Counts]) -> dict[Key, Counts]:
    found = {}
    for target in group.targets:
        if (count := counts.get(_address(target))) is not None:
            found[target.key] = count
    return found


def _address(target: Target) -> str:
    """Return the address of `target` as Envoy writes it."""
    return (
        f"[{target.host}]:{target.port}" if ":" in target.host else f"{target.host}:{target.port}"
    )
