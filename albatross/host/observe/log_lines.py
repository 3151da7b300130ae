"""What Lambda itself logs of an environment and its invocations, as lines or as JSON.

Source: Lambda guide, "Understanding the Lambda execution environment life cycle", "Telemetry API
event schema reference" and "Log-level filtering".
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import orjson

from albatross.host.observe import records
from albatross.host.observe.records import Ended, billed_ms, runtime_version, timestamp
from albatross.model.function import LEVELS, Function

# Lambda guide, "System log level event mapping".
_DEBUG, _INFO, _WARN = map(LEVELS.index, ("DEBUG", "INFO", "WARN"))
_LEVEL_NAMES = {"WARNING": "WARN", "CRITICAL": "FATAL"}  # of Python
_TIMES = ("timestamp", "time", "@timestamp")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


class Lines(Protocol):
    """Each method returns an event, or several; an empty one where its level is not wanted.

    `status` is success, error, failure or timeout.
    """

    def init_start(self, environment_id: str, started_by: str, phase: str) -> bytes: ...

    def start(self, request_id: str) -> bytes: ...

    def report(self, ended: Ended) -> tuple[bytes, ...]: ...

    def init_runtime_done(
        self, phase: str, started_by: str, status: str, error_type: str
    ) -> bytes: ...

    def init_report(
        self, duration_ms: float, phase: str, started_by: str, status: str, error_type: str
    ) -> bytes: ...

    def timed_out(self, id_: str) -> bytes: ...

    def extension(self, name: str, *, state: str, events: list[str], error_type: str) -> bytes: ...


def lines_for(function: Function) -> Lines:
    """Return how Lambda logs for `function`."""
    return JsonLines(function) if function.logging.is_json else TextLines(function)


class TextLines:
    """The format `Text`."""

    def __init__(self, function: Function) -> None:
        self._function = function

    def init_start(self, environment_id: str, started_by: str, phase: str) -> bytes:
        version, arn = runtime_version(self._function)
        return f"INIT_START Runtime Version: {version}\tRuntime Version ARN: {arn}\n".encode()

    def start(self, request_id: str) -> bytes:
        return f"START RequestId: {request_id} Version: {self._function.version}\n".encode()

    def report(self, ended: Ended) -> tuple[bytes, ...]:
        init = f"Init Duration: {ended.init_ms:.2f} ms\t" if ended.init_ms is not None else ""
        if ended.error_type or ended.status == "timeout":
            init += f"Status: {ended.status}\t"
        if ended.error_type:
            init += f"Error Type: {ended.error_type}\t"
        report = (
            f"REPORT RequestId: {ended.request_id}\tDuration: {ended.duration_ms:.2f} ms\t"
            f"Billed Duration: {billed_ms(ended.duration_ms, ended.init_ms)} ms\t"
            f"Memory Size: {self._function.memory_mb} MB\t"
            f"Max Memory Used: {ended.memory_used_mb} MB\t{init}\n"
        )
        return f"END RequestId: {ended.request_id}\n".encode(), report.encode()

    def init_runtime_done(self, phase: str, started_by: str, status: str, error_type: str) -> bytes:
        return b""

    def init_report(
        self, duration_ms: float, phase: str, started_by: str, status: str, error_type: str
    ) -> bytes:
        if status == "success" and started_by == "on-demand":
            return b""
        # AWS is silent: an INIT_REPORT line names phase and status only where the phase has failed.
        how = f"\tPhase: {phase}\tStatus: {status}" if status != "success" else ""
        kind = f"\tError Type: {error_type}" if error_type else ""
        return f"INIT_REPORT Init Duration: {duration_ms:.2f} ms{how}{kind}\n".encode()

    def timed_out(self, id_: str) -> bytes:
        seconds = self._function.timeout_s
        return f"{timestamp()} {id_} Task timed out after {seconds:.2f} seconds\n".encode()

    def extension(self, name: str, *, state: str, events: list[str], error_type: str) -> bytes:
        kind = f"\tError Type: {error_type}" if error_type else ""
        return (
            f"EXTENSION\tName: {name}\tState: {state}\tEvents: [{','.join(events)}]{kind}\n"
        ).encode()


class JsonLines:
    """The format `JSON`: events as the Telemetry API describes them."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._least = function.logging.system_level

    def init_start(self, environment_id: str, started_by: str, phase: str) -> bytes:
        record = records.init_start(self._function, environment_id, started_by, phase)
        return self._event(_INFO, "platform.initStart", record)

    def start(self, request_id: str) -> bytes:
        return self._event(_INFO, "platform.start", records.start(self._function, request_id))

    def report(self, ended: Ended) -> tuple[bytes, ...]:
        is_good = ended.status == "success"
        return (
            self._event(
                _DEBUG if is_good else _WARN, "platform.runtimeDone", records.runtime_done(ended)
            ),
            self._event(
                _INFO if is_good else _WARN,
                "platform.report",
                records.report(self._function, ended),
            ),
        )

    def init_runtime_done(self, phase: str, started_by: str, status: str, error_type: str) -> bytes:
        record = records.init_runtime_done(phase, started_by, status, error_type)
        level = _DEBUG if status == "success" else _WARN
        return self._event(level, "platform.initRuntimeDone", record)

    def init_report(
        self, duration_ms: float, phase: str, started_by: str, status: str, error_type: str
    ) -> bytes:
        record = records.init_report(duration_ms, phase, started_by, status, error_type)
        level = _DEBUG if started_by == "on-demand" else _INFO
        return self._event(level if status == "success" else _WARN, "platform.initReport", record)

    def timed_out(self, id_: str) -> bytes:
        return b""  # platform.report has it as its status

    def extension(self, name: str, *, state: str, events: list[str], error_type: str) -> bytes:
        record = records.extension(name, state, events, error_type)
        return self._event(_INFO, "platform.extension", record)

    def _event(self, level: int, kind: str, record: Mapping[str, object]) -> bytes:
        if level < self._least:
            return b""
        return orjson.dumps({"time": timestamp(), "type": kind, "record": record})


def level_of(text: bytes) -> int:
    """Return the level of an application's log event: what it says in JSON with a time, else INFO.

    What is no JSON object has no level that could be too low.
    """
    if not text.startswith(b"{"):
        return len(LEVELS)
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return len(LEVELS)
    level = document.get("level")
    if not isinstance(level, str) or not any(_is_time(document.get(key)) for key in _TIMES):
        return LEVELS.index("INFO")
    named = _LEVEL_NAMES.get(level.upper(), level.upper())
    return LEVELS.index(named) if named in LEVELS else LEVELS.index("INFO")


def _is_time(value: object) -> bool:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value.upper())
    except ValueError:
        return False
    return True
