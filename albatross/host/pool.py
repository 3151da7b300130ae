"""The environments of one version of a function, and the invocations that wait for one.

A request that finds none idle takes whichever comes first, a freed environment or a new one. New
ones are started by the measured wait: at once when there is none, else when nothing has been freed
for `STALL_S` while somebody waits, when the queue would take longer to drain than a start takes,
or when it has not been empty for `BACKLOG_S` and a core is left. So 16 clients of a 1 ms function
share as many environments as there are cores, and a function that calls itself never waits for
itself. Every decision is synchronous and takes its clock from outside.
"""

import logging
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from albatross.host.concurrency import Allowance
from albatross.host.environment import Environment
from albatross.host.failures import InitFailure, timeout_document
from albatross.host.invocation import Invocation, Outcome
from albatross.host.provisioned import RETRY_S, Readiness
from albatross.model.function import Function

log = logging.getLogger(__name__)

# differs from AWS: a request that finds every environment busy waits for one to be freed, and only
# after some milliseconds for a new one, so that fewer are started than in AWS.
STALL_S = 0.010
BACKLOG_S = 0.100
CORES = os.cpu_count() or 1
STARTS_MAX = max(2, CORES)  # at once: starting an interpreter keeps a core busy
INIT_S_GUESS = 0.15
_SMOOTHING = 0.2


class Engine(Protocol):
    """Starts execution environments somewhere; the first implementation is `processes.py`."""

    def start(
        self,
        function: Function,
        owner: "Pool",
        *,
        init_limit_s: float | None,
        provisioned: bool = False,
    ) -> Environment:
        """Begin to start an environment. It reports to `owner` when it is ready, or gone."""

    def has_room(self) -> bool:
        """Tell whether another may be started; an idle one elsewhere may be ended for it."""

    def forget(self, function: Function) -> None:
        """Drop what ended environments of `function` have left for the next: it is another now."""


@dataclass(frozen=True, slots=True)
class Statistics:
    function: str
    arn: str  # of the version
    environments: int
    idle: int
    starting: int
    waiting: int
    running: int
    provisioned: int  # environments kept ready
    provisioned_ready: int  # of them, those that are
    provisioned_failure: str  # why others are not


class Pool:
    """Runs invocations of one version of a function, whose versions share `allowance`."""

    def __init__(
        self,
        function: Function,
        allowance: Allowance,
        engine: Engine,
        *,
        clock: Callable[[], float],
        alone: bool = False,
        call_later: Callable[[float, Callable[[], None]], object],
        on_init_failure: Callable[[Function, InitFailure], None] = lambda *_: None,
        on_output: Callable[[Environment, bytes], None] = lambda *_: None,
    ) -> None:
        self.function = function
        self.allowance = allowance
        self.environments: set[Environment] = set()
        self.idle: list[Environment] = []
        self.waiting: deque[Invocation] = deque()
        self.running = 0  # invocations accepted and not yet done, the waiting ones included
        self._background = 0  # how many in the background wait, at most: the last ones
        self._held = False
        self._alone = alone  # one environment at a time, which is kept: it has a debugger
        self._closed = False
        self._engine = engine
        self._clock = clock
        self._call_later = call_later
        self._on_init_failure = on_init_failure
        self._on_output = on_output
        self._starting: set[Environment] = set()
        self._init_s = INIT_S_GUESS
        self._init_limit_s: float | None = None  # set when an init phase ran over its 10 s
        self._backlog_s = 0.0  # when the queue was last empty
        self._freed_s = 0.0
        self._freed_every_s = 0.0
        self._ticking = False
        self._readiness = Readiness(clock)

    def submit(self, invocation: Invocation) -> None:
        """Run `invocation`, or refuse it when that would exceed the function's concurrency."""
        invocation.version = self.function.version
        if self._readiness.running < self._readiness.wanted:
            self._readiness.running += 1
            invocation.on_provisioned = True
        elif reason := self.allowance.take(invocation):
            outcome = Outcome(reason.encode(), api_error="TooManyRequestsException")
            invocation.done(invocation, outcome)
            return
        self.running += 1
        invocation.queued_s = self._clock()
        environment = None if self._held or self.waiting else self._take_idle()
        if environment is not None:
            environment.assign(invocation)
            return
        if not self.waiting:
            self._backlog_s = invocation.queued_s
        self._enqueue(invocation)
        self._pace()

    def update(self, function: Function) -> None:
        """Work by a new configuration. Older environments finish what they run, and end."""
        old, self.function = self.function, function
        if generation(old) != generation(function):
            self.renew()

    def renew(self) -> None:
        """Replace all environments; what waits is run by new ones."""
        self._engine.forget(self.function)
        self._init_limit_s = None
        self._starting.clear()
        self.idle.clear()
        for environment in list(self.environments):
            environment.retire()
        self._pace()
        self._top_up()

    def provision(self, wanted: int) -> None:
        """Keep `wanted` environments ready from now on."""
        if wanted == self._readiness.wanted:
            return
        self._readiness.wanted = wanted
        for environment in sorted(self._provisioned(), key=self.idle.__contains__)[wanted:]:
            if environment in self.idle:
                self.idle.remove(environment)
            environment.retire()
        self._top_up()

    def hold(self) -> None:
        """Let invocations wait, and start nothing, until `release`."""
        self._held = True

    def release(self) -> None:
        self._held = False
        self._serve()
        self._pace()

    def prepare(self) -> None:
        """Start an environment ahead of the first request."""
        if not self.environments:
            self._start()

    def close(self) -> None:
        """The function is gone: end everything, fail what waits."""
        self._closed = True
        self._engine.forget(self.function)
        for environment in list(self.environments):
            environment.retire()
        self._fail_waiting(Outcome(b"", api_error="ResourceNotFoundException"))

    def leave(self) -> list[Invocation]:
        """Hand over what waits, to be run by another pool in the place of this one."""
        self._closed = True
        self._engine.forget(self.function)
        waiting = self._drop(all_=True)
        for environment in list(self.environments):
            environment.retire()
        for invocation in waiting:
            self._give_back(invocation)
            invocation.on_provisioned = False
        return waiting

    def stop_idle(self, before_s: float) -> None:
        """End environments that have been idle since `before_s` or longer."""
        if self._alone:
            return
        for environment in [e for e in self.idle if e.freed_s <= before_s and not e.provisioned]:
            self.idle.remove(environment)
            environment.stop()

    def longest_idle(self) -> Environment | None:
        """Return the environment that is the first to be ended, if any may be."""
        is_kept = self._alone or (self.idle and self.idle[0].provisioned)
        return self.idle[0] if self.idle and not is_kept else None

    def statistics(self) -> Statistics:
        return Statistics(
            function=self.function.name,
            arn=self.function.version_arn,
            environments=len(self.environments),
            idle=len(self.idle),
            starting=len(self._starting),
            waiting=len(self.waiting),
            running=self.running,
            provisioned=self._readiness.wanted,
            provisioned_ready=len(self._provisioned()) - self._provisioned_starting(),
            provisioned_failure=self._readiness.failure,
        )

    # Owner of environments

    def ready(self, environment: Environment) -> None:
        now_s = self._clock()
        if environment in self._starting:
            self._starting.discard(environment)
            self._init_s += _SMOOTHING * (now_s - environment.started_s - self._init_s)
            if environment.provisioned:
                self._readiness.succeeded()
                self._top_up()
        elif self.waiting:
            since_s = now_s - max(self._freed_s, self._backlog_s)
            self._freed_every_s += _SMOOTHING * (since_s - self._freed_every_s)
        self._freed_s = now_s
        if self.waiting and not self._held:
            environment.assign(self.waiting.popleft())
        elif environment.provisioned:
            self.idle.append(environment)  # to be taken before any other
        else:
            self.idle.insert(len(self.idle) - self._provisioned_idle(), environment)

    def gone(self, environment: Environment, failure: InitFailure | None) -> None:
        self.environments.discard(environment)
        self._starting.discard(environment)
        if environment in self.idle:
            self.idle.remove(environment)
        if failure is not None and not environment.retired:
            self._on_init_failure(self.function, failure)
            if environment.provisioned:
                self._readiness.failed()
            if not self._held:
                self._init_failed(failure, again=not environment.provisioned)
        self._pace()
        self._top_up()

    def finished(self, invocation: Invocation, outcome: Outcome) -> None:
        self._give_back(invocation)
        invocation.done(invocation, outcome)

    def printed(self, environment: Environment, text: bytes) -> None:
        self._on_output(environment, text)

    # Within

    def _give_back(self, invocation: Invocation) -> None:
        self.running -= 1
        if invocation.on_provisioned:
            self._readiness.running -= 1
        else:
            self.allowance.give_back(invocation)

    def fail_waiting(self, failure: InitFailure) -> None:
        """Fail what waits with the error of an environment that could not start."""
        self._fail(self._drop(all_=True), failure)

    def _fail(self, invocations: list[Invocation], failure: InitFailure) -> None:
        for invocation in invocations:
            failure.tell(invocation)
            document = (
                timeout_document(invocation.id, self.function.timeout_s)
                if failure.timed_out
                else failure.document_for(invocation.id)
            )
            self.finished(invocation, Outcome(document, function_error="Unhandled"))

    def _init_failed(self, failure: InitFailure, *, again: bool) -> None:
        """Answer for an environment that could not start.

        Where none other lives, each waiting invocation would have met the same error. Else only the
        oldest, which made it start, fails: the others may still be run.
        """
        if failure.timed_out and not failure.within_invoke:
            # Lambda guide: an init phase over 10 s is run `again`, within the function's timeout.
            if again:
                self._init_limit_s = float(self.function.timeout_s)
            return
        self._fail(self._drop(all_=not self.environments), failure)

    def _drop(self, *, all_: bool) -> list[Invocation]:
        count = len(self.waiting) if all_ else min(1, len(self.waiting))
        return [self.waiting.popleft() for _ in range(count)]

    def _fail_waiting(self, outcome: Outcome) -> None:
        for invocation in self._drop(all_=True):
            self.finished(invocation, outcome)

    def _enqueue(self, invocation: Invocation) -> None:
        """Let `invocation` wait: those in the background are behind all others."""
        behind = self._background = min(self._background, len(self.waiting))
        if invocation.background:
            self._background += 1
            self.waiting.append(invocation)
        elif behind:
            self.waiting.insert(len(self.waiting) - behind, invocation)
        else:
            self.waiting.append(invocation)

    def _take_idle(self) -> Environment | None:
        while self.idle:
            environment = self.idle.pop()  # newest first: the others may become idle enough to end
            if not environment.retired:
                return environment
        return None

    def _serve(self) -> None:
        while self.waiting and (environment := self._take_idle()) is not None:
            environment.assign(self.waiting.popleft())

    def _pace(self) -> None:
        """Start what the queue calls for, and look again as long as somebody waits."""
        if self._held or not self.waiting:
            return
        # differs from AWS: requests wait while the server has `environments_max` environments (a
        # setting).
        if self._wants_start() and self._engine.has_room():
            self._start()
        if not self._ticking:
            self._ticking = True
            self._call_later(STALL_S, self._tick)

    def _tick(self) -> None:
        self._ticking = False
        self._pace()

    def _wants_start(self) -> bool:
        if self._alone:
            return not self.environments
        alive = sum(not environment.retired for environment in self.environments)
        if not alive:
            return True
        resetting = sum(environment.is_resetting for environment in self.environments)
        if len(self._starting) + resetting >= min(STARTS_MAX, len(self.waiting)):
            return False
        now_s = self._clock()
        if now_s - self._backlog_s >= BACKLOG_S and alive < CORES:
            return True
        if now_s - self.waiting[0].queued_s < STALL_S:
            return False
        stalled = now_s - self._freed_s >= STALL_S
        return stalled or len(self.waiting) * self._freed_every_s > self._init_s

    def _start(self, *, provisioned: bool = False) -> None:
        limit_s = None
        if not provisioned:
            limit_s, self._init_limit_s = self._init_limit_s, None
        environment = self._engine.start(
            self.function, self, init_limit_s=limit_s, provisioned=provisioned
        )
        self.environments.add(environment)
        self._starting.add(environment)

    def _provisioned(self) -> list[Environment]:
        """Return the environments that are kept ready, or are being started for that."""
        return [e for e in self.environments if e.provisioned and not e.retired]

    def _provisioned_starting(self) -> int:
        return sum(environment.provisioned for environment in self._starting)

    def _provisioned_idle(self) -> int:
        return sum(e.provisioned for e in self.idle) if self._readiness.wanted else 0

    def _top_up(self) -> None:
        """Start what is missing of the environments to be kept ready; what cannot be, later."""
        readiness = self._readiness
        if not readiness.wanted or self._closed or self._alone:
            return
        missing = readiness.wanted - len(self._provisioned())
        if missing <= 0:
            return
        if not readiness.may_start():
            self._look_again(readiness.retry_s())
            return
        for _ in range(min(missing, STARTS_MAX - len(self._starting))):
            if not self._engine.has_room():
                self._look_again(RETRY_S)
                return
            self._start(provisioned=True)

    def _look_again(self, delay_s: float) -> None:
        if not self._readiness.is_awaited:
            self._readiness.is_awaited = True
            self._call_later(delay_s, self._top_up_later)

    def _top_up_later(self) -> None:
        self._readiness.is_awaited = False
        self._top_up()


def generation(function: Function) -> tuple[object, ...]:
    """Return what an environment was started with: when it differs, the environment is stale."""
    return (
        function.code,
        function.layers,
        function.runtime,
        function.handler,
        tuple(function.environment.items()),
        function.memory_mb,
        function.timeout_s,
        function.ephemeral_storage_mb,
        function.logging,
    )
