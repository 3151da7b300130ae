"""All targets of a snapshot: which are checked, when, and who is told."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from albatross.health.checker import JITTER, MOMENTS, Health
from albatross.health.outcome import Fault, Outcome
from albatross.health.resumption import Resumption
from albatross.model.health import HealthCheckRecord
from albatross.model.target_group import HealthCheck, Target, TargetGroup
from tests.support.targets import (
    OK,
    answering,
    listening,
    make_group,
    make_snapshot,
    with_check,
)

FAST: dict[str, Any] = {"interval_s": 0.02, "timeout_s": 0.015}
FAILED = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"


class Bench:
    """A `Health` that runs, whose checks end as `outcomes` says, by port (or function)."""

    def __init__(self, **options: Any) -> None:
        self.outcomes: dict[Any, Outcome | asyncio.Event] = {}
        self.asked: list[Any] = []
        self.records: list[HealthCheckRecord] = []
        self.changes = 0
        self.progress = asyncio.Event()
        self.health = Health(
            **{
                "invoke": self._ask,
                "connect": self._ask,
                "changed": self._changed,
                "record": self._record,
                **options,
            }
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                self.progress.clear()
                await self.progress.wait()
        await asyncio.sleep(0)

    def state(self, group: TargetGroup, port: int | None = 1) -> str:
        return self.health.state(group.arn, (group.targets[0].id, port)).state

    async def _ask(self, _: TargetGroup, target: Target, *__: Resumption) -> Outcome:
        self.asked.append(target.port or target.id)
        self.progress.set()
        outcome = self.outcomes.get(self.asked[-1], Outcome(200))
        if isinstance(outcome, asyncio.Event):
            await outcome.wait()
            return Outcome(200)
        return outcome

    def _changed(self) -> None:
        self.changes += 1

    def _record(self, record: HealthCheckRecord) -> None:
        self.records.append(record)
        self.progress.set()


def run(scenario: Callable[[Bench], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        bench = Bench(**options)
        running = asyncio.create_task(bench.health.run())
        await scenario(bench)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())


def test_a_new_target_is_checked_at_once_and_made_healthy() -> None:
    group = make_group(1)  # every 5 s

    async def scenario(bench: Bench) -> None:
        bench.health.update(make_snapshot(group))
        assert bench.state(group) == "initial"
        await bench.until(lambda: len(bench.records) == 1)
        assert bench.state(group) == "healthy"
        assert bench.changes == 1

    run(scenario)


def test_a_target_is_checked_again_every_interval_and_changes_are_told_once() -> None:
    group = make_group(1, check=FAST)

    async def scenario(bench: Bench) -> None:
        bench.health.update(make_snapshot(group))
        await bench.until(lambda: len(bench.records) == 3)
        assert (bench.state(group), bench.changes) == ("healthy", 1)
        bench.outcomes[1] = Outcome(404, Fault.CODE)
        await bench.until(lambda: bench.state(group) == "unhealthy")
        await bench.until(lambda: len(bench.records) > 8)
        assert bench.changes == 2
        assert bench.health.state(group.arn, group.targets[0].key).description == (
            "Health checks failed with these codes: [404]"
        )

    run(scenario)


def test_a_check_that_gets_no_answer_times_out() -> None:
    group = make_group(1, check=FAST)

    async def scenario(bench: Bench) -> None:
        bench.outcomes[1] = asyncio.Event()
        bench.health.update(make_snapshot(group))
        await bench.until(lambda: bench.state(group) == "unhealthy")
        assert bench.health.state(group.arn, group.targets[0].key).reason == "Target.Timeout"
        assert {record.reason_code for record in bench.records} == {"TimedOut"}

    run(scenario)


@pytest.mark.parametrize(
    ("changes", "used", "reason"),
    [
        pytest.param({}, False, "Target.NotInUse", id="an unused group"),
        pytest.param(
            {"target_type": "lambda", "health_check": HealthCheck(), "targets": (Target(id="f"),)},
            True,
            "Target.HealthCheckDisabled",
            id="a function without checks",
        ),
        pytest.param(
            {
                "targets": (
                    Target(
                        id="127.0.0.1",
                        port=1,
                        draining_until=datetime.now(UTC) + timedelta(hours=1),
                    ),
                )
            },
            True,
            "Target.DeregistrationInProgress",
            id="a target that drains",
        ),
    ],
)
def test_what_is_not_checked(changes: dict[str, Any], used: bool, reason: str) -> None:
    group = replace(make_group(1), **changes)

    async def scenario(bench: Bench) -> None:
        bench.health.update(make_snapshot(group, used=used))
        key = group.targets[0].key
        assert bench.health.health(group.arn, key) is None
        assert bench.health.state(group.arn, key).reason == reason
        await asyncio.sleep(0)
        assert bench.asked == []

    run(scenario)


def test_a_target_that_is_gone_is_checked_no_more_and_starts_anew_when_it_is_back() -> None:
    group = make_group(1, 2, check=FAST)
    smaller = replace(group, targets=group.targets[1:])

    async def scenario(bench: Bench) -> None:
        bench.health.update(make_snapshot(group))
        await bench.until(lambda: {1, 2} <= set(bench.asked))
        bench.health.update(make_snapshot(smaller))
        bench.asked.clear()
        await bench.until(lambda: len(bench.asked) == 3)
        assert set(bench.asked) == {2}
        assert bench.health.health(group.arn, ("127.0.0.1", 1)) is None
        bench.outcomes[1] = asyncio.Event()
        bench.health.update(make_snapshot(group))
        assert bench.state(group) == "initial"
        assert bench.health.state(group.arn, ("127.0.0.1", 2)).state == "healthy"

    run(scenario)


def test_a_check_that_runs_is_forgotten_with_its_target() -> None:
    group = make_group(1)

    async def scenario(bench: Bench) -> None:
        bench.outcomes[1] = gate = asyncio.Event()
        bench.health.update(make_snapshot(group))
        await bench.until(lambda: bench.asked == [1])
        bench.health.update(make_snapshot())
        gate.set()
        await asyncio.sleep(0.01)
        assert bench.records == []
        assert bench.changes == 0

    run(scenario)


def test_other_settings_keep_the_state_and_are_checked_at_once() -> None:
    group = make_group(1)  # every 5 s

    async def scenario(bench: Bench) -> None:
        bench.health.update(make_snapshot(group))
        await bench.until(lambda: bench.state(group) == "healthy")
        bench.outcomes[1] = Outcome(404, Fault.CODE)
        bench.health.update(make_snapshot(with_check(group, path="/other")))
        await bench.until(lambda: len(bench.records) == 2)
        assert bench.state(group) == "healthy"

    run(scenario)


def test_what_is_known_of_a_target_is_kept_until_settings_change() -> None:
    group = make_group(1, check=FAST)
    known: list[Resumption] = []

    async def connect(_: TargetGroup, __: Target, resumption: Resumption) -> Outcome:
        known.append(resumption)
        return Outcome(200)

    async def scenario(bench: Bench) -> None:
        bench.health.update(make_snapshot(group))
        await bench.until(lambda: len(bench.records) == 2)
        bench.health.update(make_snapshot(with_check(group, port="8080")))
        await bench.until(lambda: len(bench.records) == 4)
        assert known[0] is known[1]
        assert known[3] is not known[0]

    run(scenario, connect=connect)


def test_settings_that_are_the_same_change_nothing() -> None:
    group = make_group(1)

    async def scenario(bench: Bench) -> None:
        bench.health.update(make_snapshot(group))
        await bench.until(lambda: len(bench.records) == 1)
        bench.health.update(
            make_snapshot(replace(group, attributes={"stickiness.enabled": "true"}))
        )
        await asyncio.sleep(0.01)
        assert len(bench.records) == 1

    run(scenario)


def test_first_checks_of_many_targets_are_spread_over_the_interval() -> None:
    group = make_group(*range(1, 1001))  # every 5 s
    now_s = 0.0
    bench_due: list[float] = []

    async def main() -> None:
        bench = Bench(clock=lambda: now_s)
        bench.health.update(make_snapshot(group))
        bench_due.extend(due for _, due in bench.health._schedule.pop(10))

    asyncio.run(main())
    steps = [later - sooner for sooner, later in pairwise(bench_due)]
    assert len(bench_due) == 1000
    assert bench_due[-1] < 5
    assert max(steps) == pytest.approx(min(steps)) == pytest.approx(0.005)


def test_checks_of_many_targets_are_due_at_a_few_moments() -> None:
    group = make_group(*range(1, 1001))  # every 5 s
    now_s = 100.0

    async def scenario(bench: Bench) -> None:
        bench.health.update(make_snapshot(group))
        await bench.until(lambda: bench.asked == [1])
        nonlocal now_s
        now_s = 105.0
        bench.health._wake.set()
        await bench.until(lambda: len(bench.records) >= 1000)
        due = [due_s for _, due_s in bench.health._schedule.pop(1000)]
        assert len(due) == 1000
        assert len(set(due)) <= 1.1 * MOMENTS + 1
        assert all(105.0 <= due_s <= 110.3 for due_s in due)

    run(scenario, clock=lambda: now_s)


def test_intervals_vary_a_little_and_are_counted_from_when_a_check_was_due() -> None:
    group = make_group(1)
    now_s = 100.0

    async def scenario(bench: Bench) -> None:
        bench.health.update(make_snapshot(group))
        await bench.until(lambda: len(bench.records) == 1)
        ((_, due),) = bench.health._schedule.pop(1000)
        assert 5 * (1 - JITTER) <= due - now_s <= 5 * (1 + JITTER)

    run(scenario, clock=lambda: now_s)


def test_a_function_is_invoked_and_its_state_changes_no_route() -> None:
    function = Target(id="arn:aws:lambda:us-east-1:123456789012:function:f")
    group = replace(make_group(), target_type="lambda", targets=(function,))

    async def scenario(bench: Bench) -> None:
        bench.health.update(make_snapshot(group))
        await bench.until(lambda: bench.state(group, None) == "healthy")
        assert bench.asked == [function.id]
        assert bench.changes == 0
        assert bench.records[0].type == "lambda"
        assert bench.records[0].target_address == function.id

    run(scenario, connect=None)


def test_a_record_tells_a_check_as_the_log_does() -> None:
    group = make_group(8080)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    clock = iter(range(1000))

    async def scenario(bench: Bench) -> None:
        bench.outcomes[8080] = Outcome(502, Fault.SERVER_ERROR)
        bench.health.update(make_snapshot(group))
        await bench.until(lambda: len(bench.records) == 1)
        assert bench.records[0] == HealthCheckRecord(
            type="http",
            time=now,
            latency_s=1,
            target_address="127.0.0.1:8080",
            target_group_arn=group.arn,
            target_group_name="web",
            passed=False,
            status_code=502,
            reason_code="TargetError",
        )

    run(scenario, now=lambda: now, clock=lambda: float(next(clock)))


def test_requests_go_where_checks_pass() -> None:
    group = make_group(1, 2, 3)

    def ports(bench: Bench) -> set[int | None]:
        return {port for _, port in bench.health.routable(group)}

    async def scenario(bench: Bench) -> None:
        bench.outcomes = {
            1: Outcome(200),
            2: Outcome(404, Fault.CODE),
            3: Outcome(404, Fault.CODE),
        }
        assert ports(bench) == {1, 2, 3}
        bench.health.update(make_snapshot(group))
        assert ports(bench) == {1, 2, 3}
        await bench.until(lambda: len(bench.records) == 3)
        assert ports(bench) == {1}

    run(scenario)


def test_a_target_that_is_not_in_the_snapshot_has_no_state() -> None:
    group = make_group(1)

    async def scenario(bench: Bench) -> None:
        bench.health.update(make_snapshot(group))
        with pytest.raises(KeyError):
            bench.health.state(group.arn, ("127.0.0.1", 2))

    run(scenario)


def test_real_servers_go_down_and_come_back() -> None:
    answers = [OK]

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering(answers[0])(reader, writer)

    async def main() -> None:
        states: list[str] = []
        async with asyncio.timeout(5), listening(handle) as port, asyncio.TaskGroup() as tasks:
            group = make_group(port, check={"interval_s": 0.01, "timeout_s": 1})
            changed = asyncio.Event()
            health = Health(invoke=_no_function, changed=changed.set)
            running = tasks.create_task(health.run())
            health.update(make_snapshot(group))
            for answer in (OK, FAILED, OK):
                answers[0] = answer
                await changed.wait()
                changed.clear()
                states.append(health.state(group.arn, group.targets[0].key).state)
            running.cancel()
        assert states == ["healthy", "unhealthy", "healthy"]

    asyncio.run(main())


async def _no_function(_: TargetGroup, __: Target) -> Outcome:
    raise AssertionError
