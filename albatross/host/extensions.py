"""Extensions of one environment: who has registered, for what, and whom an invocation waits for.

External ones are programs in /opt/extensions, started before the runtime; internal ones live in the
runtime's process. Source: Lambda guide, "Using the Lambda Extensions API"; names and texts of
errors are those of AWS's runtime interface emulator.
"""

import asyncio
import json
import os
import signal
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from albatross.host.local import launch
from albatross.host.observe import framing

EXTENSIONS_MAX = 10  # Lambda quotas: extensions of a function
INTERNAL_SHUTDOWN_S = 0.5  # Lambda guide: the shutdown phase
EXTERNAL_SHUTDOWN_S = 2.0
_RUNTIME_SHARE = 0.3  # of it for the runtime, as the runtime interface emulator has it
_TELEMETRY_SHARE = 0.4  # of it at most, for the listeners of extensions to take what there is
# Lambda guide, "Using the Lambda Extensions API": what is particular to the runtime's process.
_NOT_THEIRS = frozenset(
    (
        *("AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
        *("AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS", "LAMBDA_RUNTIME_DIR"),
        *("LAMBDA_TASK_ROOT", "_HANDLER", framing.VARIABLE),
    )
)
_EVENTS = {True: frozenset({"INVOKE", "SHUTDOWN"}), False: frozenset({"INVOKE"})}


def variables_of(runtime: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of external extensions, beside a runtime with these."""
    return {name: value for name, value in runtime.items() if name not in _NOT_THEIRS}


def programs(opt: Path) -> list[str]:
    """Return the names of the external extensions in a directory that is to be /opt."""
    try:
        with os.scandir(opt / "extensions") as entries:
            return sorted(entry.name for entry in entries if entry.is_file())
    except OSError:
        return []


class Refused(Exception):
    """A call of the Extensions API that is answered 403."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class Listener(Protocol):
    """Where an extension waits for its next event."""

    def send_extension_event(self, event: bytes) -> None:
        """Hand the extension its event."""


@dataclass(slots=True, eq=False)
class Extension:
    """One extension. It is ready while it waits for an event."""

    name: str
    is_external: bool = False
    process: launch.Process | None = None  # of an external one, once it is started
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    events: frozenset[str] = frozenset()
    is_registered: bool = False
    error_type: str = ""  # that it has reported
    listener: Listener | None = None
    pending: bytes | None = None  # an event for which it has not asked yet
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, event: bytes) -> None:
        listener, self.listener = self.listener, None
        if listener is None:
            self.pending = event
        else:
            listener.send_extension_event(event)


class Extensions:
    """`on_ready` is called whenever all of them wait for events."""

    def __init__(self, on_ready: Callable[[], None]) -> None:
        self._by_name: dict[str, Extension] = {}
        self._by_id: dict[str, Extension] = {}
        self._on_ready = on_ready
        self._is_closed = False
        self.settled = asyncio.Event()  # all external ones have registered, or all is ending

    @property
    def all(self) -> Iterable[Extension]:
        return self._by_name.values()

    @property
    def external(self) -> list[Extension]:
        return [each for each in self._by_name.values() if each.is_external]

    def expect(self, name: str) -> Extension:
        """Expect the program `name`, which is about to be started, to register."""
        extension = Extension(name, is_external=True)
        self._by_name[name] = self._by_id[extension.id] = extension
        return extension

    def register(self, name: str, events: object) -> Extension:
        """Return the extension, registered for `events`. Raises Refused."""
        extension = self._by_name.get(name)
        external = extension is not None and extension.is_external
        if not isinstance(events, list) or not all(isinstance(each, str) for each in events):
            raise Refused("InvalidRequestFormat", "events must be an array of names")
        for event in events:
            if event not in _EVENTS[True]:
                raise Refused("Extension.InvalidEventType", f"{event}: ErrorInvalidEventType")
            if event not in _EVENTS[external]:
                raise Refused(
                    "Extension.InvalidEventType",
                    f"{event}: ShutdownEventNotSupportedForInternalExtension",
                )
        if extension is not None and extension.is_registered:
            raise Refused(
                "Extension.InvalidExtensionState", "Extension with this name already registered"
            )
        if extension is None:
            extension = self._internal(name)
        extension.events, extension.is_registered = frozenset(events), True
        if all(each.is_registered for each in self.external):
            self.settled.set()
        return extension

    def _internal(self, name: str) -> Extension:
        if self._is_closed:
            raise Refused("Extension.RegistrationClosed", "Extension registration closed already")
        if len(self._by_name) >= EXTENSIONS_MAX:
            message = f"Extension limit ({EXTENSIONS_MAX}) reached"
            raise Refused("Extension.TooManyExtensions", message)
        extension = self._by_name[name] = Extension(name)
        self._by_id[extension.id] = extension
        return extension

    def close(self) -> None:
        """The init phase is over: nobody registers any more."""
        self._is_closed = True

    def find(self, id_: str) -> Extension:
        """Return the extension with the identifier `id_`. Raises Refused."""
        if not id_:
            message = "Missing Lambda-Extension-Identifier header"
            raise Refused("Extension.MissingExtensionIdentifier", message)
        try:
            known = str(uuid.UUID(id_))
        except ValueError:
            raise Refused(
                "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier"
            ) from None
        if known not in self._by_id:
            raise Refused("Extension.UnknownExtensionIdentifier", f"Unknown extension {known}")
        return self._by_id[known]

    def next(self, extension: Extension, listener: Listener) -> None:
        """The extension asks for an event. Raises Refused."""
        if extension.listener is not None or extension.error_type:
            state = "Ready" if extension.listener is not None else "Failed"
            raise Refused(
                "Extension.InvalidExtensionState",
                f"State transition from {state} to Ready failed for extension {extension.id}. "
                "Error: State transition is not allowed",
            )
        extension.listener = listener
        if extension.pending is not None:
            event, extension.pending = extension.pending, None
            extension.send(event)
        elif self.are_ready():
            self._on_ready()

    def lost(self, listener: Listener) -> None:
        """A connection is gone: nothing can be sent on it."""
        for extension in self._by_name.values():
            if extension.listener is listener:
                extension.listener = None

    def are_ready(self) -> bool:
        return all(each.listener is not None for each in self._by_name.values())

    def invoke(
        self, request_id: str, deadline_ms: int, function_arn: str, trace_id: str | None
    ) -> None:
        """Tell those who want to know that an invocation starts."""
        event = json.dumps(
            {
                "eventType": "INVOKE",
                "deadlineMs": deadline_ms,
                "requestId": request_id,
                "invokedFunctionArn": function_arn,
                "tracing": {"type": "X-Amzn-Trace-Id", "value": trace_id or ""},
            }
        ).encode()
        for extension in self._by_name.values():
            if "INVOKE" in extension.events:
                extension.send(event)

    async def shut_down(
        self,
        reason: str,
        runtime: launch.Process | None,
        runtime_ended: asyncio.Event,
        told: Callable[[], Awaitable[None]],
    ) -> None:
        """End the runtime, then the extensions, each with the time that Lambda gives it.

        `told` returns when they have the telemetry of all before: many end at SHUTDOWN.
        """
        self.settled.set()
        external = self.external
        total_s = EXTERNAL_SHUTDOWN_S if external else INTERNAL_SHUTDOWN_S
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + total_s
        if runtime is not None and not runtime_ended.is_set():
            launch.kill(runtime, signal.SIGTERM)
            await _within(runtime_ended.wait(), total_s * _RUNTIME_SHARE if external else total_s)
            launch.kill(runtime)
        await _within(told(), total_s * _TELEMETRY_SHARE if external else 0)
        event = {
            "eventType": "SHUTDOWN",
            "shutdownReason": reason,
            "deadlineMs": int((time.time() + ends_s - loop.time()) * 1000),
        }
        for extension in external:
            if "SHUTDOWN" in extension.events:
                extension.send(json.dumps(event).encode())
            elif extension.process is not None:
                launch.kill(extension.process)
        for extension in external:
            if extension.process is not None:
                await _within(extension.ended.wait(), ends_s - loop.time())
        for extension in external:
            if extension.process is not None:
                launch.kill(extension.process)
        for extension in external:
            if extension.process is not None:
                await extension.ended.wait()


async def _within(awaited: Awaitable[object], seconds: float) -> None:
    try:
        await asyncio.wait_for(awaited, max(seconds, 0))
    except TimeoutError:
        return
