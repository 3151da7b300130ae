"""The environments of one function, and the invocations that wait for one.

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

from albatross.host.environment import Environment, InitFailure, timeout_document
from albatross.host.invocation import Invocation, Outcome
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
        self, function: Function, owner: "Pool", *, init_limit_s: float | None
    ) -> Environment:
        """Begin to start an environment. It reports to `owner` when it is ready, or gone."""

    def has_room(self) -> bool:
        """Tell whether another may be started; an idle one elsewhere may be ended for it."""

    def forget(self, function: Function) -> None:
        """Drop what ended environments of `function` have left for the next: it is another now."""


class Account:
    """The concurrency that functions without a reservation share. Source: Lambda quotas."""

    # differs from AWS: the rates of AWS are not enforced: 1,000 new environments in 10 seconds, and
    # 10 requests a second for each environment.
    CONCURRENCY = 1000

    def __init__(self) -> None:
        self.reserved = 0
        self.running = 0

    def has_room(self) -> bool:
        return self.running < self.CONCURRENCY - self.reserved


@dataclass(frozen=True, slots=True)
class Statistics:
    function: str
    environments: int
    idle: int
    starting: int
    waiting: int
    running: int


class Pool:
    """Runs invocations of one function. `on_failure` hears of environments that could not start."""

    def __init__(
        self,
        function: Function,
        account: Account,
        engine: Engine,
        *,
        clock: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], object],
        on_init_failure: Callable[[Function, InitFailure], None] = lambda *_: None,
        on_output: Callable[[Environment, bytes], None] = lambda *_: None,
    ) -> None:
        self.function = function
        self.account = account
        self.environments: set[Environment] = set()
        self.idle: list[Environment] = []
        self.waiting: deque[Invocation] = deque()
        self.running = 0  # invocations accepted and not yet done, the waiting ones included
        self._held = False
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

    def submit(self, invocation: Invocation) -> None:
        """Run `invocation`, or refuse it when that would exceed the function's concurrency."""
        reserved = self.function.reserved_concurrency
        if self.running >= reserved if reserved is not None else not self.account.has_room():
            kind = "ReservedFunctionConcurrent" if reserved is not None else "Concurrent"
            reason = f"{kind}InvocationLimitExceeded".encode()
            invocation.done(invocation, Outcome(reason, api_error="TooManyRequestsException"))
            return
        self.running += 1
        if reserved is None:
            self.account.running += 1
            invocation.shared = True
        invocation.queued_s = self._clock()
        environment = None if self._held or self.waiting else self._take_idle()
        if environment is not None:
            environment.assign(invocation)
            return
        if not self.waiting:
            self._backlog_s = invocation.queued_s
        self.waiting.append(invocation)
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
        self._engine.forget(self.function)
        for environment in list(self.environments):
            environment.retire()
        self._fail_waiting(Outcome(b"", api_error="ResourceNotFoundException"))

    def stop_idle(self, before_s: float) -> None:
        """End environments that have been idle since `before_s` or longer."""
        for environment in [e for e in self.idle if e.freed_s <= before_s]:
            self.idle.remove(environment)
            environment.stop()

    def statistics(self) -> Statistics:
        return Statistics(
            function=self.function.name,
            environments=len(self.environments),
            idle=len(self.idle),
            starting=len(self._starting),
            waiting=len(self.waiting),
            running=self.running,
        )

    # Owner of environments

    def ready(self, environment: Environment) -> None:
        now_s = self._clock()
        if environment in self._starting:
            self._starting.discard(environment)
            self._init_s += _SMOOTHING * (now_s - environment.started_s - self._init_s)
        elif self.waiting:
            since_s = now_s - max(self._freed_s, self._backlog_s)
            self._freed_every_s += _SMOOTHING * (since_s - self._freed_every_s)
        self._freed_s = now_s
        if self.waiting and not self._held:
            environment.assign(self.waiting.popleft())
        else:
            self.idle.append(environment)

    def gone(self, environment: Environment, failure: InitFailure | None) -> None:
        self.environments.discard(environment)
        self._starting.discard(environment)
        if environment in self.idle:
            self.idle.remove(environment)
        if failure is not None and not environment.retired:
            self._on_init_failure(self.function, failure)
            if not self._held:
                self._init_failed(failure)
        self._pace()

    def finished(self, invocation: Invocation, outcome: Outcome) -> None:
        self.running -= 1
        if invocation.shared:
            self.account.running -= 1
        invocation.done(invocation, outcome)

    def printed(self, environment: Environment, text: bytes) -> None:
        self._on_output(environment, text)

    # Within

    def fail_waiting(self, failure: InitFailure) -> None:
        """Fail what waits with the error of an environment that could not start."""
        self._fail_waiting(Outcome(failure.document, function_error="Unhandled"))

    def _init_failed(self, failure: InitFailure) -> None:
        """Answer for an environment that could not start.

        Where none other lives, each waiting invocation would have met the same error. Else only the
        oldest, which made it start, fails: the others may still be run.
        """
        if failure.timed_out and self._init_limit_s is None:
            # Lambda guide: an init phase over 10 s is run again, within the function's timeout.
            self._init_limit_s = float(self.function.timeout_s)
            return
        if failure.timed_out:
            for invocation in self._drop(all_=not self.environments):
                document = timeout_document(invocation.id, self.function.timeout_s)
                self.finished(invocation, Outcome(document, function_error="Unhandled"))
        elif not self.environments:
            self.fail_waiting(failure)
        else:
            for invocation in self._drop(all_=False):
                self.finished(invocation, Outcome(failure.document, function_error="Unhandled"))

    def _drop(self, *, all_: bool) -> list[Invocation]:
        count = len(self.waiting) if all_ else min(1, len(self.waiting))
        return [self.waiting.popleft() for _ in range(count)]

    def _fail_waiting(self, outcome: Outcome) -> None:
        for invocation in self._drop(all_=True):
            self.finished(invocation, outcome)

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
        alive = sum(not environment.retired for environment in self.environments)
        if not alive:
            return True
        if len(self._starting) >= min(STARTS_MAX, len(self.waiting)):
            return False
        now_s = self._clock()
        if now_s - self._backlog_s >= BACKLOG_S and alive < CORES:
            return True
        if now_s - self.waiting[0].queued_s < STALL_S:
            return False
        stalled = now_s - self._freed_s >= STALL_S
        return stalled or len(self.waiting) * self._freed_every_s > self._init_s

    def _start(self) -> None:
        environment = self._engine.start(self.function, self, init_limit_s=self._init_limit_s)
        self.environments.add(environment)
        self._starting.add(environment)


def generation(function: Function) -> tuple[object, ...]:
    """Return what an environment was started with: when it differs, the environment is stale."""
    return (
        function.code,
        function.runtime,
        function.handler,
        tuple(function.environment.items()),
        function.memory_mb,
        function.timeout_s,
        function.ephemeral_storage_mb,
    )
