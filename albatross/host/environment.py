"""An execution environment: one process that runs one invocation at a time through the Runtime API.

Its states: host/states.py. Source: Lambda guide, Lambda runtime API and execution environment.
"""

import asyncio
import logging
import secrets
import signal
import time
from collections.abc import Callable
from pathlib import Path

from albatross.host.deadline import Deadline
from albatross.host.extensions import Extension, Extensions, Listener
from albatross.host.failures import (
    EXIT_ERROR,
    INVALID_ENTRYPOINT,
    OUT_OF_MEMORY,
    TIMED_OUT,
    InitFailure,
    error_document,
    exit_reason,
    kind_of,
    of_extension,
    said,
    timeout_document,
    too_large,
    type_in,
)
from albatross.host.invocation import Invocation, Outcome, Source
from albatross.host.local import launch, memory, mounts
from albatross.host.observe import logs
from albatross.host.observe.framing import Source as Printed
from albatross.host.observe.journal import Journal
from albatross.host.observe.output import Output
from albatross.host.observe.records import Ended
from albatross.host.states import Event, InvalidTransition, Owner, Runtime, State, after
from albatross.model.function import Function

log = logging.getLogger(__name__)

INIT_LIMIT_S, PROVISIONED_INIT_LIMIT_S = 10.0, 130.0  # Lambda guide: the init phase


class Environment:
    """One process, its Runtime API server, its output, and the extensions beside it.

    `within_invoke`: its init phase is part of the invocation for which it is started, because it
    takes the place of one that was reset, or whose own init phase took too long.
    """

    def __init__(
        self,
        id_: str,
        function: Function,
        owner: Owner,
        *,
        tmp: Path,
        function_log: logs.StreamLog,
        provisioned: bool = False,
        within_invoke: bool = False,
        freezes: bool = False,
    ) -> None:
        self.id = id_
        self.provisioned = provisioned  # kept ready, not started for a request
        self.function = function
        self.owner = owner
        self.tmp = tmp
        self.state = State.INIT
        self.retired = False  # stopped as soon as it is idle
        self._loop = asyncio.get_running_loop()
        self.started_s = time.monotonic()
        self.freed_s = self.started_s
        self.init_ms: float | None = None  # until the first invocation has reported it
        self.invocation: Invocation | None = None
        self._last_id = ""  # of the invocation that runs, or ran last
        self.server: asyncio.Server | None = None
        self.process: launch.Process | None = None
        self.user: int | None = None  # whose processes these are; None: the server's user
        self.namespace: mounts.Namespace | None = None  # which holds its /tmp
        self.extensions: Extensions | None = None
        self.metadata_token = secrets.token_urlsafe(24)
        self.attempt: str | None = None  # Lambda-Runtime-Invocation-Id of what runs
        self.settled = asyncio.Event()  # it is initialized, or has ended
        self.ended = asyncio.Event()
        self.shutting_down: asyncio.Task[None] | None = None
        self._within_invoke = within_invoke
        self.journal = Journal(
            function_log,
            function,
            id_,
            started_by=self.initialization_type,
            phase="invoke" if within_invoke else "init",
        )
        self._is_new = True  # until its first invocation
        # differs from AWS: a function is frozen between invocations only with the setting `freeze`:
        # else what it does in the background goes on.
        self._freezes = freezes
        self._is_frozen = False
        self.memory_limited = False  # it is ended if it uses more than its function has
        self._is_out_of_memory = False
        self._output: Output | None = None
        self._parked: Runtime | None = None
        self._hand_over: Callable[[Runtime], None] = lambda _: None  # the event, once more
        self._deadline = Deadline(self._overdue)
        self._failure: InitFailure | None = None
        self._peak = memory.Peak()

    # From the engine

    def run(self, process: launch.Process, init_limit_s: float) -> None:
        """Take over a new process, which has `init_limit_s` to ask for its first event."""
        self.process = process
        self._output = Output(process, self.printed)
        self._deadline.set(self.started_s + init_limit_s)
        for delay_s in memory.PEAK_EARLY_S:
            self._loop.call_later(delay_s, self._look_early)
        self.journal.begin()
        if self.state is State.EXITED or self.shutting_down is not None:  # stopped meanwhile
            launch.kill(process)
        elif self._parked is not None:  # it was faster
            self._ready()

    def not_started(self, reason: str) -> None:
        """The process could not be started: `reason` names what is missing."""
        if self._failure is None:
            self.journal.begin()
            self._init_failed(INVALID_ENTRYPOINT, message=reason)
        self.exited(None)

    def stop(self) -> None:
        """End the process: at once, or with the time that extensions get. `gone` follows."""
        self.retired = True
        if self.process is None:
            self.state = State.EXITED
        self._end("spindown")

    def retire(self) -> None:
        """End the process as soon as no invocation runs in it."""
        self.retired = True
        if self.state in (State.IDLE, State.INIT):
            self.stop()

    def need_extensions(self) -> Extensions:
        """Return its extensions, of which there may be none yet."""
        if self.extensions is None:
            self.extensions = Extensions(self._extensions_ready)
            if self.state is not State.INIT:
                self.extensions.close()
        return self.extensions

    def extension_failed(self, extension: Extension, reason: str) -> None:
        """An extension has reported an error, has ended without being told to, or cannot start."""
        kind = extension.error_type or "Extension.Crash"
        if self._failure is not None or self.shutting_down is not None:
            return
        message, named = of_extension(extension.name, kind, reason)
        self.journal.extension(extension, named)
        if self.state is State.INIT:
            self._init_failed(kind, message=message)
        elif self.invocation is not None:
            self.state = State.EXITED
            self._fail(self._error(kind, message), "error", kind)
        self._end("failure")

    def look_at_memory(self) -> None:
        """It seems to use more memory than the function has: note what of it counts."""
        self._peak.look(self.process, time.monotonic())

    def over_memory(self) -> None:
        """The environment uses more memory than the function has: end it, as Lambda does."""
        if self.process is None or self._is_out_of_memory:
            return
        self._is_out_of_memory = True
        launch.kill(self.process)

    # From the pool

    def assign(self, invocation: Invocation) -> None:
        """Hand the idle environment an invocation."""
        self._move(Event.ASSIGN)
        started_s = time.monotonic()
        timeout_s = self.function.timeout_s
        deadline_ms = int((time.time() + timeout_s) * 1000)
        if self._is_new:
            self._is_new, invocation.cold = False, True
            if self._within_invoke:
                spent_s = started_s - max(self.started_s, invocation.queued_s)
                started_s -= spent_s
                deadline_ms -= int(spent_s * 1000)
        invocation.started_s = started_s
        self.invocation, self._last_id = invocation, invocation.id
        self._deadline.set(started_s + timeout_s)
        self.journal.start(invocation)
        parked, self._parked = self._parked, None
        assert parked is not None
        arn = invocation.invoked_arn or self.function.version_arn
        if self._is_frozen:
            self._freeze(False)
        self._hand_over = lambda to: to.send_event(invocation, arn, deadline_ms)
        self._hand_over(parked)
        if self.extensions is not None:
            self.extensions.invoke(invocation.id, deadline_ms, arn, invocation.trace_id)

    # From the Runtime API

    def park(self, connection: Runtime) -> None:
        """The runtime asks for its next event. Raises InvalidTransition."""
        self._move(Event.NEXT)
        self._parked = connection
        if self._is_new:
            self.journal.runtime_ready()
        if self.process is not None:  # else `run` goes on from here
            self._ready()

    def hand_again(self, connection: Runtime) -> bool:
        """Hand out the event of what runs once more, as AWS's emulator; False if nothing does."""
        if self.state is State.BUSY:
            self._hand_over(connection)
        return self.state is State.BUSY

    def _extensions_ready(self) -> None:
        if self.state is State.IDLE and self._parked is not None and self._deadline.at_s:
            self._ready()

    def _ready(self) -> None:
        """The runtime waits for the next event. So it is ready, once the extensions do, too."""
        if self.extensions is not None and not self.extensions.are_ready():
            return
        self._deadline.clear()
        self.freed_s = time.monotonic()
        if self._is_new and self._output is not None:
            self._output.read()
            self._initialized()
        if self.retired:
            self.stop()
            return
        self.owner.ready(self)
        if self._freezes and self.state is State.IDLE:
            self._freeze(True)

    def _initialized(self) -> None:
        self.settled.set()
        self._peak.look(self.process, self.freed_s)
        if not self._within_invoke:
            self.init_ms = (self.freed_s - self.started_s) * 1000
        if self.extensions is not None:
            self.extensions.close()
            for extension in self.extensions.all:
                self.journal.extension(extension, "")
        self.journal.initialized((self.freed_s - self.started_s) * 1000)

    def answer(self, invocation_id: str, outcome: Outcome) -> bool:
        """Take the runtime's answer; False when it is not for the invocation that came last.

        Raises InvalidTransition when that has been answered.
        """
        if invocation_id != self._last_id:
            return False
        self._move(Event.ERROR if outcome.function_error else Event.RESPONSE)
        invocation = self.invocation
        assert invocation is not None
        if self.memory_limited and self._has_been_over_memory(invocation):
            self.over_memory()
            return True
        if invocation.parts is not None and not outcome.function_error and invocation.sink is None:
            whole = invocation.parts.whole()
            outcome = too_large() if whole is None else Outcome(whole)
        self._finish(outcome)
        return True

    def _has_been_over_memory(self, invocation: Invocation) -> bool:
        """Whether it had more than its function has, for too short a time to be seen meanwhile."""
        now_s = time.monotonic()
        self._peak.look(self.process, now_s, now_s - invocation.started_s)
        return self._peak.private_mb > self.function.memory_mb

    def begin_stream(self, invocation_id: str, content_type: str, source: Source | None) -> bool:
        """The runtime begins a result in parts; False and errors as with `answer`."""
        if invocation_id != self._last_id:
            return False
        if self.invocation is None or self.invocation.parts is not None:
            raise InvalidTransition(self.state, Event.RESPONSE)
        self.invocation.begin(content_type, source)
        return True

    def stream(self, invocation_id: str, data: bytes) -> None:
        """Take a part of a result that has begun; what comes after its end is dropped."""
        invocation = self.invocation
        if invocation is not None and invocation.id == invocation_id and invocation.parts:
            invocation.part(data)

    def init_failed(self, document: bytes, error_type: str = "") -> None:
        """The runtime cannot start. Raises InvalidTransition once it has been ready."""
        self._move(Event.INIT_ERROR)
        self._init_failed(kind_of(error_type or type_in(document)), document=document)
        self._deadline.set(time.monotonic() + 1.0)  # to exit by itself

    def disconnected(self, connection: Runtime) -> None:
        """A connection of the runtime's is gone: with the parked one, no event can reach it."""
        if connection is self._parked:
            self._parked = None
            if self.process is not None:
                self.stop()

    def extension_disconnected(self, connection: Listener) -> None:
        if self.extensions is not None:
            self.extensions.lost(connection)

    # From the reaper

    def exited(self, returncode: int | None) -> None:
        """The process has ended: what it was working on has failed."""
        was_init = self.state is State.INIT
        self.state = State.EXITED
        self.settled.set()
        self.ended.set()
        self._deadline.close()
        if self._output is not None:
            self._output.close()
        self.journal.flush()
        if self.extensions is not None:
            self._end("failure")
        if self.server is not None and self.shutting_down is None:
            self.server.close()
        reason = exit_reason(returncode)
        kind = OUT_OF_MEMORY if self._is_out_of_memory else EXIT_ERROR
        if self.invocation is not None:
            self._fail(self._error(EXIT_ERROR, reason), "error", kind)
        if was_init and self._failure is None and not self.retired:
            self._init_failed(kind, error_type=EXIT_ERROR, message=reason)
        self.owner.gone(self, self._failure)

    @property
    def initialization_type(self) -> str:
        """Why it was started. Source: Lambda guide, AWS_LAMBDA_INITIALIZATION_TYPE."""
        return "provisioned-concurrency" if self.provisioned else "on-demand"

    @property
    def works(self) -> bool:
        """It is starting, or runs an invocation."""
        return self.state in (State.INIT, State.BUSY)

    @property
    def is_resetting(self) -> bool:
        """Its runtime is being ended, after a timeout say: the next one takes over its /tmp."""
        return self.state is State.EXITED and not self.retired

    @property
    def never_ready(self) -> bool:
        """It has failed before it was ready for an invocation."""
        return self._failure is not None or self.state is State.INIT

    # Within

    def _end(self, reason: str) -> None:
        """End all processes; extensions are told the `reason` and get their time."""
        if self.extensions is None:
            if self.process is not None:
                launch.kill(self.process)
        elif self.shutting_down is None:
            if self._is_frozen:
                self._freeze(False)
            self.shutting_down = self._loop.create_task(self._shut_down(self.extensions, reason))

    async def _shut_down(self, extensions: Extensions, reason: str) -> None:
        told = self.journal.delivered
        try:
            await extensions.shut_down(reason, self.process, self.ended, told)
        finally:
            if self.server is not None:
                self.server.close()
            await self.journal.close()

    def _freeze(self, frozen: bool) -> None:
        """Stop all processes of the environment, or let them go on."""
        self._is_frozen = frozen
        signum = signal.SIGSTOP if frozen else signal.SIGCONT
        extensions = self.extensions.external if self.extensions is not None else []
        for process in [self.process, *(each.process for each in extensions)]:
            if process is not None:
                launch.kill(process, signum)

    def _error(self, kind: str, reason: str) -> bytes:
        """Return an error document that names the invocation, if one runs."""
        return error_document(kind, said(reason, self.invocation.id if self.invocation else ""))

    def _init_failed(
        self,
        kind: str,
        *,
        document: bytes = b"",
        error_type: str = "",
        message: str = "",
        timed_out: bool = False,
    ) -> None:
        """Note why it never was ready: by the runtime's `document`, or in Lambda's words.

        `kind` is the name of the error in Lambda's own records.
        """
        if self._output is not None:
            self._output.read_rest()
        taken_ms = (time.monotonic() - self.started_s) * 1000
        self._peak.look(self.process, time.monotonic())
        self.journal.init_failed(taken_ms, kind, timed_out=timed_out)
        self._failure = InitFailure(
            document=document,
            error_type=error_type or kind,
            message=message,
            timed_out=timed_out,
            within_invoke=self._within_invoke,
            tell=lambda invocation: self._log_failed(invocation, kind, timed_out=timed_out),
        )

    def _log_failed(self, invocation: Invocation, kind: str, *, timed_out: bool) -> None:
        ended = Ended(
            request_id=invocation.id,
            duration_ms=(time.monotonic() - self.started_s) * 1000,
            memory_used_mb=self._peak.mb,
            init_ms=None,
            status="timeout" if timed_out else "error",
            error_type="" if timed_out else kind,
        )
        self.journal.fail(invocation, ended)

    def _move(self, event: Event) -> None:
        self.state = after(self.state, event)

    def _fail(self, document: bytes, status: str, error_type: str = "") -> None:
        self._finish(Outcome(document, function_error="Unhandled"), status, error_type)

    def _finish(self, outcome: Outcome, status: str = "", error_type: str = "") -> None:
        invocation = self.invocation
        assert invocation is not None
        if self._output is not None:
            self._output.read_rest()  # what it printed before it answered belongs to it
        self.invocation = None
        now_s = time.monotonic()
        taken_s = now_s - invocation.started_s
        used_mb = self._peak.look(self.process, now_s, taken_s)  # with pages of files
        limit_mb = self.function.memory_mb
        if self._is_out_of_memory or (self.memory_limited and used_mb > limit_mb):
            used_mb = limit_mb
        ended = Ended(
            request_id=invocation.id,
            duration_ms=taken_s * 1000,
            memory_used_mb=used_mb,
            init_ms=self.init_ms,
            status=status or ("error" if outcome.function_error else "success"),
            error_type=error_type,
            trace_id=invocation.trace_id,
            produced_bytes=None if status else invocation.size_of(outcome),
        )
        self.init_ms = None
        self.journal.end(invocation, ended, outcome)
        self.owner.finished(invocation, outcome)

    def _overdue(self) -> None:
        timeout_s = self.function.timeout_s
        if self.invocation is not None:
            document = timeout_document(self.invocation.id, timeout_s)
            self.state = State.EXITED
            self.invocation.log.append(self.journal.timed_out(self.invocation.id))
            self._fail(document, "timeout")
        elif not self._is_new and self._failure is None:  # an extension is not ready
            self.journal.timed_out(self.id)
            self.state = State.EXITED
        elif self._failure is None:
            taken_s = time.monotonic() - self.started_s
            self._init_failed(TIMED_OUT, message=f"init took {taken_s:.2f} seconds", timed_out=True)
        elif self.process is not None:  # it was to exit by itself
            launch.kill(self.process)
        self._end("timeout")

    def _look_early(self) -> None:
        if self.state is State.INIT:
            self._peak.look(self.process, time.monotonic())

    def printed(self, data: bytes, source: Printed, kind: str = "function") -> None:
        """One of its processes has written `data`: the function's, or an extension."""
        text = self.journal.printed(data, source, kind, self.invocation)
        self.owner.printed(self, text)
