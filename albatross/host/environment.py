"""An execution environment: one process that runs one invocation at a time through the Runtime API.

The states and what leads from one to the next are a table; whatever is not in it is an error of the
runtime's and answered 403. Source: Lambda guide, Lambda runtime API and execution environment.
"""

import asyncio
import json
import logging
import shutil
import subprocess
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from albatross.host import launch, logs
from albatross.host.invocation import Invocation, Outcome
from albatross.model.function import Function

log = logging.getLogger(__name__)

INIT_LIMIT_S = 10.0  # Lambda guide: the init phase
_MEMORY_SAMPLE_S = 1.0


class State(StrEnum):
    INIT = "init"
    IDLE = "idle"
    BUSY = "busy"
    ANSWERED = "answered"
    EXITED = "exited"


class Event(StrEnum):
    NEXT = "next"
    ASSIGN = "assign"
    RESPONSE = "response"
    INIT_ERROR = "init error"


# GET next parks the environment; a second NEXT before an answer is the function's fault.
TRANSITIONS: dict[State, dict[Event, State]] = {
    State.INIT: {Event.NEXT: State.IDLE, Event.INIT_ERROR: State.EXITED},
    State.IDLE: {Event.ASSIGN: State.BUSY},
    State.BUSY: {Event.RESPONSE: State.ANSWERED},
    # differs from AWS: a function is not frozen between invocations: what it does in the background
    # goes on.
    State.ANSWERED: {Event.NEXT: State.IDLE},
    State.EXITED: {},
}


class InvalidTransition(Exception):
    """The runtime asked for something that its state does not allow."""


@dataclass(frozen=True, slots=True)
class InitFailure:
    """Why an environment never became ready. `document` is the error as Invoke shows it."""

    document: bytes
    timed_out: bool = False


class Runtime(Protocol):
    """Where a runtime waits for its next event: a connection to it of any kind."""

    def send_event(self, invocation: Invocation, function_arn: str, deadline_ms: int) -> None:
        """Hand the runtime its event."""


class Owner(Protocol):
    """Who owns environments: the pool of their function."""

    def ready(self, environment: "Environment") -> None:
        """The environment is idle: new, or freed by an answer."""

    def gone(self, environment: "Environment", failure: InitFailure | None) -> None:
        """The process has ended. `failure` is set when it never became ready."""

    def finished(self, invocation: Invocation, outcome: Outcome) -> None:
        """An invocation has ended."""

    def printed(self, environment: "Environment", text: bytes) -> None:
        """The function wrote to its standard output or error."""


class Environment:
    """One process, its Runtime API server and its output."""

    def __init__(
        self,
        id_: str,
        function: Function,
        owner: Owner,
        *,
        tmp: Path,
        function_log: logs.FunctionLog,
        provisioned: bool = False,
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
        self.server: asyncio.Server | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self._log = function_log
        self._parked: Runtime | None = None
        self._deadline_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = 0.0  # when it fires
        self._failure: InitFailure | None = None
        self._memory_mb, self._memory_read_s = 0, 0.0

    # From the engine

    def run(self, process: subprocess.Popen[bytes], init_limit_s: float) -> None:
        """Take over a new process, which has `init_limit_s` to ask for its first event."""
        assert process.stdout is not None
        self.process = process
        self._loop.add_reader(process.stdout.fileno(), self._read_output)
        self._set_deadline(self.started_s + init_limit_s)
        if self.state is State.EXITED:  # stopped while it was being started
            launch.kill(process)

    def not_started(self, reason: str) -> None:
        """The process could not be started: `reason` names what is missing."""
        self._failure = InitFailure(error_document("Runtime.InvalidEntrypoint", reason))
        self.exited(None)

    def stop(self) -> None:
        """End the process now. `gone` follows when it has ended."""
        self.retired = True
        if self.process is not None:
            launch.kill(self.process)
        elif self.state is not State.EXITED:
            self.state = State.EXITED

    def retire(self) -> None:
        """End the process as soon as no invocation runs in it."""
        self.retired = True
        if self.state in (State.IDLE, State.INIT):
            self.stop()

    # From the pool

    def assign(self, invocation: Invocation) -> None:
        """Hand the idle environment an invocation."""
        self._move(Event.ASSIGN)
        now_s = time.monotonic()
        invocation.started_s = now_s
        invocation.cold = self.init_ms is not None
        self.invocation = invocation
        timeout_s = self.function.timeout_s
        self._set_deadline(now_s + timeout_s)
        start = logs.start_line(invocation.id, self.function.version)
        self._log.write(start)
        invocation.log.append(start)
        parked, self._parked = self._parked, None
        assert parked is not None
        arn = invocation.invoked_arn or self.function.version_arn
        parked.send_event(invocation, arn, int((time.time() + timeout_s) * 1000))

    # From the Runtime API

    def park(self, connection: Runtime) -> None:
        """The runtime asks for its next event. Raises InvalidTransition."""
        first = self.state is State.INIT
        self._move(Event.NEXT)
        self._parked = connection
        self._deadline_s = 0.0
        self.freed_s = time.monotonic()
        if first:
            self.init_ms = (self.freed_s - self.started_s) * 1000
            self._read_output()
        if self.retired:
            self.stop()
        else:
            self.owner.ready(self)

    def answer(self, invocation_id: str, outcome: Outcome) -> bool:
        """Take the runtime's answer; False when it is not for the invocation that runs.

        Raises InvalidTransition when none runs.
        """
        invocation = self.invocation
        if invocation is None:
            raise InvalidTransition(f"no invocation runs while {self.state.value}")
        if invocation.id != invocation_id:
            return False
        self._move(Event.RESPONSE)
        self._finish(outcome)
        return True

    def init_failed(self, document: bytes) -> None:
        """The runtime cannot start. Raises InvalidTransition once it has been ready."""
        self._move(Event.INIT_ERROR)
        self._failure = InitFailure(document)
        self._set_deadline(time.monotonic() + 1.0)  # to exit by itself

    def disconnected(self, connection: Runtime) -> None:
        """A connection of the runtime's is gone: with the parked one, no event can reach it."""
        if connection is self._parked and self.process is not None:
            self._parked = None
            self.stop()

    # From the reaper

    def exited(self, returncode: int | None) -> None:
        """The process has ended: what it was working on has failed."""
        was_init = self.state is State.INIT
        self.state = State.EXITED
        self._deadline_s = 0.0
        if self._timer is not None:
            self._timer.cancel()
        self._read_rest()
        if self.server is not None:
            self.server.close()
        if self.invocation is not None:
            document = error_document(
                "Runtime.ExitError",
                f"RequestId: {self.invocation.id} Error: {exit_reason(returncode)}",
            )
            status = "Status: error\tError Type: Runtime.ExitError"
            self._finish(Outcome(document, function_error="Unhandled"), status)
        if was_init and self._failure is None and not self.retired:
            self._failure = InitFailure(
                error_document("Runtime.ExitError", f"Error: {exit_reason(returncode)}")
            )
        self.owner.gone(self, self._failure)

    def remove_tmp(self) -> None:
        shutil.rmtree(self.tmp, ignore_errors=True)

    # Within

    def _move(self, event: Event) -> None:
        after = TRANSITIONS[self.state].get(event)
        if after is None:
            raise InvalidTransition(f"{event.value} is not allowed while {self.state.value}")
        self.state = after

    def _finish(self, outcome: Outcome, status: str = "") -> None:
        invocation = self.invocation
        assert invocation is not None
        self._read_output()  # what it printed before it answered belongs to this invocation
        self.invocation = None
        now_s = time.monotonic()
        report = logs.end_lines(
            invocation.id,
            duration_ms=(now_s - invocation.started_s) * 1000,
            memory_mb=self.function.memory_mb,
            memory_used_mb=self._memory(now_s),
            init_ms=self.init_ms,
            status=status,
        )
        self.init_ms = None
        self._log.write(report)
        invocation.log.append(report)
        self.owner.finished(invocation, outcome)

    def _set_deadline(self, deadline_s: float) -> None:
        """Kill the process at `deadline_s`. One timer serves many invocations: it looks again."""
        self._deadline_s = deadline_s
        if self._timer is not None:
            if self._timer_s <= deadline_s:
                return
            self._timer.cancel()
        self._timer_s = deadline_s
        self._timer = self._loop.call_later(deadline_s - time.monotonic(), self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._deadline_s:
            return
        if time.monotonic() < self._deadline_s:
            self._set_deadline(self._deadline_s)
        else:
            self._overdue()

    def _overdue(self) -> None:
        assert self.process is not None
        if self.invocation is not None:
            document = timeout_document(self.invocation.id, self.function.timeout_s)
            self.state = State.EXITED
            self._log.write(
                f"{_timestamp()} {self.invocation.id} Task timed out after "
                f"{self.function.timeout_s:.2f} seconds\n".encode()
            )
            self._finish(Outcome(document, function_error="Unhandled"), "Status: timeout")
        elif self._failure is None:
            limit_ms = (time.monotonic() - self.started_s) * 1000
            self._log.write(
                f"INIT_REPORT Init Duration: {limit_ms:.2f} ms\t"
                "Phase: init\tStatus: timeout\n".encode()
            )
            self._failure = InitFailure(
                error_document(
                    "Sandbox.Timedout", f"Error: init took {limit_ms / 1000:.2f} seconds"
                ),
                timed_out=True,
            )
        launch.kill(self.process)

    def _memory(self, now_s: float) -> int:
        if self.process is not None and now_s - self._memory_read_s > _MEMORY_SAMPLE_S:
            self._memory_read_s = now_s
            self._memory_mb = logs.memory_used_mb(self.process.pid) or self._memory_mb
        return self._memory_mb

    def _read_output(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        if self.process.stdout.closed:
            return
        if data := logs.read_available(self.process.stdout.fileno()):
            self._printed(data)

    def _read_rest(self) -> None:
        """Read what the ended process has left in the pipe, and close it."""
        if self.process is None or self.process.stdout is None:
            return
        self._loop.remove_reader(self.process.stdout.fileno())
        for _ in range(16):  # a pipe holds 64 KB; a grandchild may keep writing
            data = logs.read_available(self.process.stdout.fileno())
            if not data:
                break
            self._printed(data)
        self.process.stdout.close()

    def _printed(self, data: bytes) -> None:
        self._log.write(data)
        if self.invocation is not None:
            kept = self.invocation.log
            kept.append(data)
            if len(kept) > 64:
                self.invocation.log = [logs.tail(kept)]
        self.owner.printed(self, data)


def exit_reason(returncode: int | None) -> str:
    """Say how a runtime ended, in Lambda's words."""
    if not returncode:
        return "Runtime exited without providing a reason"
    if returncode > 0:
        return f"Runtime exited with error: exit status {returncode}"
    # AWS is silent: how a function ended is said in the words that are known from Lambda's logs.
    names = {9: "killed", 11: "segmentation fault", 6: "aborted", 15: "terminated"}
    return f"Runtime exited with error: signal: {names.get(-returncode, str(-returncode))}"


def error_document(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def timeout_document(request_id: str, timeout_s: float) -> bytes:
    """Return the payload of an invocation that outlived the function's timeout."""
    # AWS is silent: of two known forms, the error of a function that timed out has the newer one.
    message = f"RequestId: {request_id} Error: Task timed out after {timeout_s:.2f} seconds"
    return error_document("Sandbox.Timedout", message)


def _timestamp() -> str:
    return (
        time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        + f".{int(time.time() * 1000) % 1000:03d}Z"
    )
