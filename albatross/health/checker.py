"""Checks the targets of every target group in use, and knows what was found.

One loop owns the schedule; a check is a task of it. The loop's thread alone writes; any thread may
read, as what it reads is immutable.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import uniform

from albatross.health import probe, routing
from albatross.health.outcome import Fault, Outcome
from albatross.health.probe import Probe, ServerProbe
from albatross.health.progress import Progress
from albatross.health.resumption import Resumption
from albatross.health.routing import Key
from albatross.health.schedule import Schedule
from albatross.model.health import HEALTHY, HealthCheckRecord, TargetHealth, shown
from albatross.model.snapshot import Snapshot
from albatross.model.target_group import Target, TargetGroup

# AWS is silent: a target's first check follows its registration at once; of many targets that are
# registered together the first checks are spread over the interval.
FIRST_CHECKS_APART_S = 0.02
# AWS is silent: intervals vary by up to 5 %, so that checks of many targets spread.
JITTER = 0.05
# Checks are due at so many moments of an interval: many at once cost half as much processor time as
# one by one, for each of which the processor has to wake up.
MOMENTS = 25

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Watch:
    """A target that is checked."""

    group: TargetGroup
    target: Target
    progress: Progress = field(default_factory=Progress)
    known: Resumption = field(default_factory=Resumption)
    task: asyncio.Task[None] | None = None  # the check that runs

    def cancel(self) -> None:
        """Forget the check that runs."""
        if self.task is not None:
            self.task.cancel()
            self.task = None


class Health:
    """Call `update` with each snapshot that is published, and keep `run` running.

    `invoke` checks functions. `changed` is called when a target's state changes that may change
    where requests go; `record` with each check. Tests pass other clocks: `clock` in seconds, `now`.
    """

    def __init__(
        self,
        *,
        invoke: Probe,
        changed: Callable[[], None],
        record: Callable[[HealthCheckRecord], None] | None = None,
        connect: ServerProbe = probe.check_server,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._invoke = invoke
        self._connect = connect
        self._changed = changed
        self._record = record
        self._clock = clock
        self._now = now
        self.snapshot = Snapshot(revision=-1)  # the one it goes by
        self._groups: dict[str, TargetGroup] = {}
        self._used: frozenset[str] = frozenset()
        self._watches: dict[tuple[str, Key], _Watch] = {}
        self._schedule: Schedule[_Watch] = Schedule()
        self._wake = asyncio.Event()

    def health(self, target_group_arn: str, key: Key) -> TargetHealth | None:
        """Return what checks have found of a target; None of one that is not checked."""
        watch = self._watches.get((target_group_arn, key))
        return watch.progress.health if watch is not None else None

    def state(self, target_group_arn: str, key: Key) -> TargetHealth:
        """Return the health of a target of the last snapshot. Raises KeyError where it has none."""
        group = self._groups[target_group_arn]
        target = next((target for target in group.targets if target.key == key), None)
        if target is None:
            raise KeyError(key)
        return self._state(group, target)

    def healthy(self, group: TargetGroup) -> frozenset[Key]:
        """Return the keys of `group`'s targets that are healthy now."""
        keys = (target.key for target in group.targets)
        return frozenset(key for key in keys if self.health(group.arn, key) == HEALTHY)

    def routable(self, group: TargetGroup) -> frozenset[Key]:
        """Return the keys of `group`'s targets that get requests now."""
        states = {target.key: self._state(group, target) for target in group.targets}
        return routing.routable(group, states)

    def update(self, snapshot: Snapshot) -> None:
        """Go by `snapshot` from now on: check new targets, forget those that are gone."""
        before, self.snapshot = self.snapshot, snapshot
        if (
            snapshot.target_groups is before.target_groups
            and snapshot.balancer_of_group is before.balancer_of_group
        ):
            return
        self._groups = {group.arn: group for group in snapshot.target_groups}
        self._used = frozenset(snapshot.balancer_of_group)
        wanted = {
            (group.arn, target.key): (group, target)
            for group in snapshot.target_groups
            if group.arn in self._used
            for target in _checked(group)
        }
        for place in self._watches.keys() - wanted.keys():
            self._forget(place)
        new = [
            _Watch(group, target)
            for place, (group, target) in wanted.items()
            if not self._keep(place, group, target)
        ]
        for position, watch in enumerate(new):
            apart_s = min(FIRST_CHECKS_APART_S, watch.group.health_check.interval_s / len(new))
            self._watches[watch.group.arn, watch.target.key] = watch
            self._schedule.add(watch, self._clock() + position * apart_s)
        self._wake.set()

    async def run(self) -> None:
        """Check for ever."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                for watch, due_s in self._schedule.pop(self._clock()):
                    # From the time it was due, not from now: no drift, unless checks are late.
                    next_s = _next_s(due_s, watch.group.health_check.interval_s)
                    self._schedule.add(watch, max(next_s, self._clock()))
                    if watch.task is None:  # else the last one takes nearly the whole interval
                        watch.task = tasks.create_task(self._check(watch))
                await self._sleep()

    async def _sleep(self) -> None:
        """Sleep until a check is due or the schedule is another one."""
        next_s = self._schedule.next_s()
        with suppress(TimeoutError):
            async with asyncio.timeout(None if next_s is None else next_s - self._clock()):
                await self._wake.wait()
        self._wake.clear()

    async def _check(self, watch: _Watch) -> None:
        group, target, before = watch.group, watch.target, watch.progress
        time_, began_s = self._now(), self._clock()
        watch.progress = before.begin()
        try:
            async with asyncio.timeout(group.health_check.timeout_s):
                if group.target_type == "lambda":
                    outcome = await self._invoke(group, target)
                else:
                    outcome = await self._connect(group, target, watch.known)
        except TimeoutError:
            outcome = Outcome(fault=Fault.TIMEOUT)
        watch.task = None
        if self._record is not None:
            self._record(_record(group, target, outcome, time_, self._clock() - began_s))
        watch.progress = watch.progress.end(outcome, group.health_check)
        self._tell(watch, before.health)

    def _tell(self, watch: _Watch, before: TargetHealth) -> None:
        after = watch.progress.health
        if after.state == before.state:
            return
        log.info(
            "target %s of %s is %s%s",
            *(_address(watch.group, watch.target), watch.group.name, after.state),
            f": {after.description}" if after.description else "",
        )
        if watch.group.target_type != "lambda":  # a function is invoked, healthy or not
            self._changed()

    def _state(self, group: TargetGroup, target: Target) -> TargetHealth:
        found = self.health(group.arn, target.key)
        return shown(group, target, found, used=group.arn in self._used, now=self._now())

    def _keep(self, place: tuple[str, Key], group: TargetGroup, target: Target) -> bool:
        """Return whether the target is checked already; if so, let it go by `group`."""
        watch = self._watches.get(place)
        if watch is None:
            return False
        before, watch.group, watch.target = watch.group, group, target
        # AWS is silent: when the settings of health checks change, targets keep their state; checks
        # in a row are counted anew.
        if before.health_check != group.health_check:
            watch.cancel()
            watch.progress = watch.progress.restart()
            watch.known = Resumption()  # another port is perhaps another server
            self._schedule.add(watch, self._clock())
        return True

    def _forget(self, place: tuple[str, Key]) -> None:
        watch = self._watches.pop(place)
        self._schedule.remove(watch)
        watch.cancel()


def _next_s(due_s: float, interval_s: float) -> float:
    """Return when the check is due that follows the one of `due_s`."""
    moment_s = interval_s / MOMENTS
    varies = JITTER - 1 / MOMENTS / 2  # and then by half a moment
    next_s = due_s + interval_s * uniform(1 - varies, 1 + varies)
    return round(next_s / moment_s) * moment_s


def _checked(group: TargetGroup) -> Iterator[Target]:
    """Yield the targets of `group` that are checked."""
    # AWS is silent: a target that drains is not checked.
    if group.health_check.enabled:
        yield from (target for target in group.targets if target.draining_until is None)


def _address(group: TargetGroup, target: Target) -> str:
    return target.id if group.target_type == "lambda" else probe.address(group, target)


def _record(
    group: TargetGroup, target: Target, outcome: Outcome, time_: datetime, latency_s: float
) -> HealthCheckRecord:
    return HealthCheckRecord(
        type=probe.kind(group),
        time=time_,
        latency_s=latency_s,
        target_address=_address(group, target),
        target_group_arn=group.arn,
        target_group_name=group.name,
        passed=outcome.fault is None,
        status_code=outcome.code,
        reason_code=outcome.fault.logged if outcome.fault is not None else None,
    )
