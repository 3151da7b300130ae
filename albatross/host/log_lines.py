"""What Lambda itself logs of an environment and its invocations, as lines or as JSON.

Source: Lambda guide, "Understanding the Lambda execution environment life cycle", "Telemetry API
event schema reference" and "Log-level filtering".
"""

import hashlib
import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import orjson

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

    def init_start(self, environment_id: str, started_by: str) -> bytes: ...

    def start(self, request_id: str) -> bytes: ...

    def report(
        self,
        request_id: str,
        *,
        duration_ms: float,
        memory_used_mb: int,
        init_ms: float | None,
        status: str,
        error_type: str,
    ) -> tuple[bytes, ...]: ...

    def init_report(
        self, duration_ms: float, *, phase: str, started_by: str, status: str, error_type: str
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

    def init_start(self, environment_id: str, started_by: str) -> bytes:
        version, arn = runtime_version(self._function)
        return f"INIT_START Runtime Version: {version}\tRuntime Version ARN: {arn}\n".encode()

    def start(self, request_id: str) -> bytes:
        return f"START RequestId: {request_id} Version: {self._function.version}\n".encode()

    def report(
        self,
        request_id: str,
        *,
        duration_ms: float,
        memory_used_mb: int,
        init_ms: float | None,
        status: str,
        error_type: str,
    ) -> tuple[bytes, ...]:
        init = f"Init Duration: {init_ms:.2f} ms\t" if init_ms is not None else ""
        if error_type or status == "timeout":
            init += f"Status: {status}\t"
        if error_type:
            init += f"Error Type: {error_type}\t"
        report = (
            f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
            f"Billed Duration: {billed_ms(duration_ms, init_ms)} ms\t"
            f"Memory Size: {self._function.memory_mb} MB\tMax Memory Used: {memory_used_mb} MB\t"
            f"{init}\n"
        )
        return f"END RequestId: {request_id}\n".encode(), report.encode()

    def init_report(
        self, duration_ms: float, *, phase: str, started_by: str, status: str, error_type: str
    ) -> bytes:
        kind = f"\tError Type: {error_type}" if error_type else ""
        return (
            f"INIT_REPORT Init Duration: {duration_ms:.2f} ms\tPhase: {phase}\t"
            f"Status: {status}{kind}\n"
        ).encode()

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

    def init_start(self, environment_id: str, started_by: str) -> bytes:
        version, version_arn = runtime_version(self._function)
        return self._event(
            _INFO,
            "platform.initStart",
            {
                "initializationType": started_by,
                "phase": "init",
                "runtimeVersion": version,
                "runtimeVersionArn": version_arn,
                "functionName": self._function.name,
                "functionVersion": self._function.version,
                "instanceId": environment_id,
                "instanceMaxMemory": self._function.memory_mb * 1024 * 1024,
            },
        )

    def start(self, request_id: str) -> bytes:
        record = {"requestId": request_id, "version": self._function.version}
        return self._event(_INFO, "platform.start", record)

    def report(
        self,
        request_id: str,
        *,
        duration_ms: float,
        memory_used_mb: int,
        init_ms: float | None,
        status: str,
        error_type: str,
    ) -> tuple[bytes, ...]:
        metrics: dict[str, object] = {
            "durationMs": round(duration_ms, 3),
            "billedDurationMs": billed_ms(duration_ms, init_ms),
            "memorySizeMB": self._function.memory_mb,
            "maxMemoryUsedMB": memory_used_mb,
        }
        if init_ms is not None:
            metrics["initDurationMs"] = round(init_ms, 3)
        record: dict[str, object] = {"requestId": request_id, "metrics": metrics}
        record["status"] = status
        if error_type:
            record["errorType"] = error_type
        done = {**record, "metrics": {"durationMs": round(duration_ms, 3)}}
        is_good = status == "success"
        return (
            self._event(_DEBUG if is_good else _WARN, "platform.runtimeDone", done),
            self._event(_INFO if is_good else _WARN, "platform.report", record),
        )

    def init_report(
        self, duration_ms: float, *, phase: str, started_by: str, status: str, error_type: str
    ) -> bytes:
        record: dict[str, object] = {
            "initializationType": started_by,
            "phase": phase,
            "status": status,
            "metrics": {"durationMs": round(duration_ms, 3)},
        }
        if error_type:
            record["errorType"] = error_type
        return self._event(_WARN if status != "success" else _DEBUG, "platform.initReport", record)

    def timed_out(self, id_: str) -> bytes:
        return b""  # platform.report has it as its status

    def extension(self, name: str, *, state: str, events: list[str], error_type: str) -> bytes:
        record: dict[str, object] = {"name": name, "state": state, "events": events}
        if error_type:
            record["errorType"] = error_type
        return self._event(_INFO, "platform.extension", record)

    def _event(self, level: int, kind: str, record: Mapping[str, object]) -> bytes:
        if level < self._least:
            return b""
        return orjson.dumps({"time": timestamp(), "type": kind, "record": record})


def billed_ms(duration_ms: float, init_ms: float | None) -> int:
    """Return what is billed: each begun millisecond, with those of a cold start."""
    return -int(-(duration_ms + (init_ms or 0)) // 1)


def runtime_version(function: Function) -> tuple[str, str]:
    """Return name and ARN of the version of a function's runtime."""
    region = function.arn.split(":")[3]
    # AWS is silent: the version of a runtime in INIT_START is v1, and its ARN made of its name.
    name = re.sub(r"^([a-z]+)", r"\1:", function.runtime).replace(".x", "").replace(":.", ":")
    digest = hashlib.sha256(function.runtime.encode()).hexdigest()
    version_arn = function.runtime_version_arn or f"arn:aws:lambda:{region}::runtime:{digest}"
    return f"{name}.v1", version_arn


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


def timestamp() -> str:
    """Return the time, as 2026-11-21T12:00:00.000Z."""
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
