"""The records of what Lambda itself tells of an environment: for logs in JSON and for telemetry.

Pure. Source: Lambda guide, "Lambda Telemetry API Event schema reference".
"""

import hashlib
import re
import time
from dataclasses import dataclass

from albatross.model.function import Function

Record = dict[str, object]


@dataclass(slots=True, kw_only=True)
class Ended:
    """How an invocation has ended. `status` is success, failure, error or timeout."""

    request_id: str
    duration_ms: float
    memory_used_mb: int
    init_ms: float | None  # of a cold start
    status: str
    error_type: str
    trace_id: str | None = None
    produced_bytes: int | None = None  # None: the runtime has not answered


def init_start(function: Function, environment_id: str, started_by: str, phase: str) -> Record:
    version, version_arn = runtime_version(function)
    return {
        "initializationType": started_by,
        "phase": phase,
        "runtimeVersion": version,
        "runtimeVersionArn": version_arn,
        "functionName": function.name,
        "functionVersion": function.version,
        "instanceId": environment_id,
        "instanceMaxMemory": function.memory_mb * 1024 * 1024,
    }


def init_runtime_done(phase: str, started_by: str, status: str, error_type: str) -> Record:
    record: Record = {"initializationType": started_by, "phase": phase, "status": status}
    return _with_error(record, error_type)


def init_report(
    duration_ms: float, phase: str, started_by: str, status: str, error_type: str
) -> Record:
    record: Record = {
        "initializationType": started_by,
        "phase": phase,
        "status": status,
        "metrics": {"durationMs": round(duration_ms, 3)},
    }
    return _with_error(record, error_type)


def start(function: Function, request_id: str, trace_id: str | None = None) -> Record:
    return _traced({"requestId": request_id, "version": function.version}, trace_id)


def runtime_done(ended: Ended) -> Record:
    metrics: Record = {"durationMs": round(ended.duration_ms, 3)}
    if ended.produced_bytes is not None:
        metrics["producedBytes"] = ended.produced_bytes
    record: Record = {"requestId": ended.request_id, "metrics": metrics, "status": ended.status}
    return _traced(_with_error(record, ended.error_type), ended.trace_id)


def report(function: Function, ended: Ended) -> Record:
    metrics: Record = {
        "durationMs": round(ended.duration_ms, 3),
        "billedDurationMs": billed_ms(ended.duration_ms, ended.init_ms),
        "memorySizeMB": function.memory_mb,
        "maxMemoryUsedMB": ended.memory_used_mb,
    }
    if ended.init_ms is not None:
        metrics["initDurationMs"] = round(ended.init_ms, 3)
    record: Record = {"requestId": ended.request_id, "metrics": metrics, "status": ended.status}
    return _traced(_with_error(record, ended.error_type), ended.trace_id)


def extension(name: str, state: str, events: list[str], error_type: str) -> Record:
    return _with_error({"name": name, "state": state, "events": events}, error_type)


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


def timestamp() -> str:
    """Return the time, as 2026-11-21T12:00:00.000Z."""
    return timestamp_of(int(time.time() * 1000))


def timestamp_of(ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03d}Z"


def _with_error(record: Record, error_type: str) -> Record:
    if error_type:
        record["errorType"] = error_type
    return record


def _traced(record: Record, trace_id: str | None) -> Record:
    if trace_id:
        record["tracing"] = {"type": "X-Amzn-Trace-Id", "value": trace_id}
    return record
