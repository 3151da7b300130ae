"""The pool's decisions, stepped with a clock of the test's own and environments that do nothing."""

import datetime
from dataclasses import replace
from typing import Any

import pytest

from albatross.host import pool as pools
from albatross.host.concurrency import Account, Allowance
from albatross.host.failures import InitFailure
from albatross.host.invocation import Invocation, Outcome
from albatross.host.pool import Pool
from albatross.model.function import Directory, Function


class FakeEnvironment:
    def __init__(
        self, owner: Pool, clock: "Clock", init_limit_s: float | None, provisioned: bool = False
    ) -> None:
        self.owner, self.clock, self.init_limit_s = owner, clock, init_limit_s
        self.started_s = self.freed_s = clock.now_s
        self.retired = self.stopped = self.is_resetting = False
        self.provisioned = provisioned
        self.invocation: Invocation | None = None

    def assign(self, invocation: Invocation) -> None:
        assert self.invocation is None
        self.invocation = invocation

    def finish(self) -> None:
        invocation, self.invocation = self.invocation, None
        assert invocation is not None
        self.owner.finished(invocation, Outcome(b"done"))
        self.freed_s = self.clock.now_s
        if self.retired:
            self.owner.gone(self, None)
        else:
            self.owner.ready(self)

    def stop(self) -> None:
        self.stopped = self.retired = True

    def retire(self) -> None:
        self.retired = True
        if self.invocation is None:
            self.stop()


class FakeEngine:
    def __init__(self, clock: "Clock") -> None:
        self.clock = clock
        self.room = True
        self.started: list[FakeEnvironment] = []

    def start(
        self,
        function: Function,
        owner: Pool,
        *,
        init_limit_s: float | None,
        provisioned: bool = False,
    ) -> Any:
        self.started.append(FakeEnvironment(owner, self.clock, init_limit_s, provisioned))
        return self.started[-1]

    def has_room(self) -> bool:
        return self.room

    def forget(self, function: Function) -> None:
        pass


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0
        self.timers: list[tuple[float, Any]] = []

    def __call__(self) -> float:
        return self.now_s

    def call_later(self, delay_s: float, callback: Any) -> None:
        self.timers.append((self.now_s + delay_s, callback))

    def advance(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while due := [timer for timer in self.timers if timer[0] <= end_s]:
            first = min(due, key=lambda timer: timer[0])
            self.timers.remove(first)
            self.now_s = max(self.now_s, first[0])
            first[1]()
        self.now_s = end_s


FUNCTION = Function(
    arn="arn:aws:lambda:us-east-1:123456789012:function:f",
    name="f",
    runtime="python3.11",
    handler="app.handler",
    role="r",
    code=Directory(path="/nowhere"),
    last_modified=datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
    revision_id="1",
)


class Scene:
    def __init__(self, **changes: Any) -> None:
        self.clock = Clock()
        self.engine = FakeEngine(self.clock)
        self.account = Account()
        self.allowance = Allowance(self.account)
        function = replace(FUNCTION, **changes)
        self.allowance.limit(function.reserved_concurrency, 0)
        self.failures: list[InitFailure] = []
        self.outcomes: list[Outcome] = []
        self.pool = Pool(
            function,
            self.allowance,
            self.engine,
            clock=self.clock,
            call_later=self.clock.call_later,
            on_init_failure=lambda _, failure: self.failures.append(failure),
        )

    def submit(self, count: int = 1) -> None:
        for _ in range(count):
            self.pool.submit(Invocation(b"{}", lambda _, outcome: self.outcomes.append(outcome)))

    def ready(self, index: int = -1) -> FakeEnvironment:
        environment = self.engine.started[index]
        self.pool.ready(environment)
        return environment


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_the_first_request_starts_an_environment_at_once(scene: Scene) -> None:
    scene.submit()
    assert len(scene.engine.started) == 1
    environment = scene.ready()
    environment.finish()
    assert scene.outcomes == [Outcome(b"done")]
    assert scene.pool.idle == [environment]


def test_an_idle_environment_is_reused_the_newest_first(scene: Scene) -> None:
    scene.submit(2)
    scene.clock.advance(0.02)
    first, second = scene.ready(0), scene.ready(1)
    first.finish()
    second.finish()
    scene.submit()
    assert second.invocation is not None
    assert first.invocation is None


def test_a_waiting_request_takes_a_freed_environment_before_a_new_one(scene: Scene) -> None:
    scene.submit(2)
    environment = scene.ready()
    environment.finish()
    assert environment.invocation is not None
    assert len(scene.engine.started) == 1


def test_a_request_after_a_timeout_waits_for_what_the_reset_leaves(scene: Scene) -> None:
    scene.submit()
    environment = scene.ready()
    environment.finish()
    scene.pool.idle.clear()
    environment.is_resetting = True
    scene.submit()
    scene.clock.advance(1)
    assert len(scene.engine.started) == 1
    scene.pool.gone(environment, None)
    assert len(scene.engine.started) == 2
    scene.submit(2)
    scene.clock.advance(1)
    assert len(scene.engine.started) > 2


def test_sixteen_clients_of_a_fast_function_do_not_start_sixteen_environments(scene: Scene) -> None:
    scene.submit(16)
    scene.clock.advance(0.15)
    for environment in list(scene.engine.started):
        scene.pool.ready(environment)
    for _ in range(1000):  # each of the 16 comes back as soon as it has its answer
        scene.clock.advance(0.001)
        for environment in [e for e in scene.engine.started if e.invocation]:
            environment.finish()
            scene.submit()
    assert len(scene.engine.started) <= max(2, pools.CORES)


def test_a_function_that_calls_itself_gets_a_second_environment(scene: Scene) -> None:
    scene.submit()
    scene.ready()
    scene.clock.advance(1)  # it is running, and calls itself
    scene.submit()
    scene.clock.advance(pools.STALL_S * 1.5)
    assert len(scene.engine.started) == 2


def test_a_slow_function_gets_as_many_environments_as_there_are_requests(scene: Scene) -> None:
    scene.submit(10)
    for _ in range(20):
        scene.clock.advance(0.2)
        for environment in list(scene.engine.started):
            if environment in scene.pool._starting:
                scene.pool.ready(environment)
    assert len(scene.engine.started) == 10
    assert not scene.pool.waiting


def test_only_as_many_as_cores_start_at_once(scene: Scene) -> None:
    scene.submit(50)
    scene.clock.advance(5)
    assert len(scene.engine.started) == pools.STARTS_MAX


def test_requests_over_the_reserved_concurrency_are_throttled() -> None:
    scene = Scene(reserved_concurrency=2)
    scene.submit(3)
    reason = b"ReservedFunctionConcurrentInvocationLimitExceeded"
    assert scene.outcomes == [Outcome(reason, api_error="TooManyRequestsException")]
    scene.ready().finish()
    scene.submit()
    assert len(scene.outcomes) == 2  # one more had room


def test_a_reservation_of_zero_throttles_every_request() -> None:
    scene = Scene(reserved_concurrency=0)
    scene.submit()
    assert scene.outcomes[0].api_error == "TooManyRequestsException"


def test_unreserved_functions_share_what_reservations_leave_of_a_thousand(scene: Scene) -> None:
    scene.account.reserved = 990
    scene.submit(11)
    reason = b"ConcurrentInvocationLimitExceeded"
    assert scene.outcomes == [Outcome(reason, api_error="TooManyRequestsException")]


def test_when_none_lives_an_init_error_fails_all_that_wait(scene: Scene) -> None:
    scene.submit(3)
    scene.pool.gone(scene.engine.started[0], InitFailure(b"no module"))
    assert scene.outcomes == [Outcome(b"no module", function_error="Unhandled")] * 3
    assert scene.failures == [InitFailure(b"no module")]
    scene.submit()
    assert len(scene.engine.started) == 2  # retried at the next invocation


def test_an_init_error_beside_a_living_environment_fails_only_the_oldest(scene: Scene) -> None:
    scene.submit()
    scene.ready()
    scene.submit(2)
    scene.clock.advance(pools.STALL_S * 1.5)
    scene.pool.gone(scene.engine.started[1], InitFailure(b"flaky"))
    assert scene.outcomes == [Outcome(b"flaky", function_error="Unhandled")]
    assert len(scene.pool.waiting) == 1


def test_an_init_phase_that_runs_over_is_run_again_within_the_function_timeout() -> None:
    scene = Scene(timeout_s=7)
    scene.submit()
    scene.pool.gone(scene.engine.started[0], InitFailure(b"slow", timed_out=True))
    assert scene.outcomes == []
    assert scene.engine.started[1].init_limit_s == 7
    failure = InitFailure(b"slow", timed_out=True, within_invoke=True)
    scene.pool.gone(scene.engine.started[1], failure)
    assert scene.outcomes[0].function_error == "Unhandled"
    assert b"Task timed out after 7.00 seconds" in scene.outcomes[0].payload


def test_a_new_configuration_replaces_environments_and_loses_no_request(scene: Scene) -> None:
    scene.submit(2)
    scene.clock.advance(0.02)
    busy, idle = scene.ready(0), scene.ready(1)
    idle.finish()
    scene.pool.update(replace(FUNCTION, memory_mb=256))
    assert idle.stopped
    assert not busy.stopped
    scene.submit()
    assert len(scene.engine.started) == 3
    scene.ready(2).finish()
    busy.finish()
    assert scene.outcomes == [Outcome(b"done")] * 3


def test_a_change_that_no_environment_sees_keeps_them(scene: Scene) -> None:
    scene.submit()
    environment = scene.ready()
    environment.finish()
    scene.pool.update(replace(FUNCTION, description="other", reserved_concurrency=5))
    assert scene.pool.idle == [environment]


def test_a_deleted_function_fails_what_waits_and_finishes_what_runs(scene: Scene) -> None:
    scene.submit(2)
    environment = scene.ready()
    scene.pool.close()
    assert scene.outcomes == [Outcome(b"", api_error="ResourceNotFoundException")]
    environment.finish()
    assert scene.outcomes[1] == Outcome(b"done")


def test_environments_idle_for_too_long_are_ended(scene: Scene) -> None:
    scene.submit()
    environment = scene.ready()
    environment.finish()
    scene.pool.stop_idle(scene.clock.now_s - 1)
    assert not environment.stopped
    scene.pool.stop_idle(scene.clock.now_s)
    assert environment.stopped


def test_without_room_a_request_waits_until_there_is(scene: Scene) -> None:
    scene.engine.room = False
    scene.submit()
    assert scene.engine.started == []
    scene.engine.room = True
    scene.clock.advance(pools.STALL_S * 1.5)
    assert len(scene.engine.started) == 1


def test_concurrency_is_counted_back_whatever_the_end(scene: Scene) -> None:
    scene.submit(2)
    scene.ready().finish()
    scene.pool.close()
    scene.engine.started[0].finish()
    assert (scene.pool.running, scene.account.running) == (0, 0)


# Provisioned concurrency


def provisioned(scene: Scene, count: int) -> list[FakeEnvironment]:
    """Let the pool keep `count` environments ready, and be there."""
    scene.pool.provision(count)
    while starting := [each for each in scene.engine.started if each in scene.pool._starting]:
        for environment in starting:
            scene.pool.ready(environment)
    return [each for each in scene.engine.started if each.provisioned]


def ready_of(scene: Scene) -> tuple[int, int]:
    found = scene.pool.statistics()
    return found.provisioned, found.provisioned_ready


def test_environments_are_started_ahead_a_few_at_once(scene: Scene) -> None:
    scene.pool.provision(pools.STARTS_MAX + 3)
    assert len(scene.engine.started) == pools.STARTS_MAX
    assert ready_of(scene) == (pools.STARTS_MAX + 3, 0)
    scene.ready(0)
    assert len(scene.engine.started) == pools.STARTS_MAX + 1
    assert ready_of(scene) == (pools.STARTS_MAX + 3, 1)


def test_provisioned_environments_come_first_and_are_not_reaped(scene: Scene) -> None:
    scene.submit()
    scene.ready().finish()  # one on demand
    first, second = provisioned(scene, 2)
    scene.submit(2)
    assert first.invocation is not None
    assert second.invocation is not None
    first.finish()
    second.finish()
    scene.clock.advance(1000)
    scene.pool.stop_idle(scene.clock.now_s)
    assert [each.stopped for each in scene.engine.started] == [True, False, False]
    assert scene.pool.longest_idle() is None


def test_more_than_what_is_provisioned_runs_on_demand_and_within_limits() -> None:
    scene = Scene(reserved_concurrency=3)
    scene.allowance.limit(3, 2)
    provisioned(scene, 2)
    scene.submit(4)
    assert [outcome.api_error for outcome in scene.outcomes] == ["TooManyRequestsException"]
    assert scene.pool.running == 3
    scene.clock.advance(pools.STALL_S * 1.5)
    assert scene.engine.started[-1].provisioned is False


def test_an_environment_that_has_crashed_is_replaced_at_once(scene: Scene) -> None:
    (first,) = provisioned(scene, 1)
    scene.submit()
    first.invocation = None
    scene.pool.gone(first, None)
    assert [each.provisioned for each in scene.engine.started] == [True, True]


def test_one_that_cannot_start_is_tried_again_ever_later(scene: Scene) -> None:
    scene.pool.provision(1)
    for pause_s in (1, 2, 4):
        scene.pool.gone(scene.engine.started[-1], InitFailure(b"no module"))
        assert scene.pool.statistics().provisioned_failure == "FUNCTION_ERROR_INIT_FAILURE"
        started = len(scene.engine.started)
        scene.clock.advance(pause_s * 0.9)
        assert len(scene.engine.started) == started
        scene.clock.advance(pause_s * 0.2)
        assert len(scene.engine.started) == started + 1
    scene.ready()
    assert scene.pool.statistics().provisioned_failure == ""
    assert ready_of(scene) == (1, 1)


def test_one_that_takes_too_long_to_start_leaves_invocations_their_10_s(scene: Scene) -> None:
    scene.pool.provision(1)
    scene.pool.gone(scene.engine.started[0], InitFailure(timed_out=True))
    scene.submit()
    (on_demand,) = [each for each in scene.engine.started if not each.provisioned]
    assert on_demand.init_limit_s is None


def test_what_has_no_room_is_started_when_there_is(scene: Scene) -> None:
    scene.engine.room = False
    scene.pool.provision(1)
    assert scene.engine.started == []
    scene.engine.room = True
    scene.clock.advance(2)
    assert len(scene.engine.started) == 1


def test_fewer_environments_are_kept_when_fewer_are_wanted(scene: Scene) -> None:
    provisioned(scene, 3)
    scene.submit()
    scene.pool.provision(1)
    assert sum(each.retired for each in scene.engine.started) == 2
    assert ready_of(scene) == (1, 1)
    scene.pool.provision(0)
    assert all(each.retired for each in scene.engine.started)
    busy = next(each for each in scene.engine.started if each.invocation)
    busy.finish()
    assert scene.outcomes == [Outcome(b"done")]
    assert (scene.pool.running, scene.allowance.running) == (0, 0)


def test_a_closed_pool_starts_nothing_more(scene: Scene) -> None:
    (first,) = provisioned(scene, 1)
    scene.pool.close()
    scene.pool.gone(first, None)
    scene.clock.advance(120)
    assert len(scene.engine.started) == 1


def test_requests_come_before_what_waits_in_the_background(scene: Scene) -> None:
    scene.submit()
    environment = scene.ready()
    order: list[str] = []

    def submit(name: str, *, background: bool) -> None:
        invocation = Invocation(b"{}", lambda *_: order.append(name))
        invocation.background = background
        scene.pool.submit(invocation)

    for name in ("b1", "b2"):
        submit(name, background=True)
    for name in ("r1", "r2"):
        submit(name, background=False)
    environment.finish()
    environment.finish()  # r1
    submit("b3", background=True)
    submit("r3", background=False)
    for _ in range(5):
        environment.finish()
    assert order == ["r1", "r2", "r3", "b1", "b2", "b3"]
    submit("r4", background=False)
    environment.finish()
    assert order[-1] == "r4"
