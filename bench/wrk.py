"""Load from `wrk`, and what it has seen."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from statistics import median

_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True, slots=True)
class Load:
    """One run, or the medians of several."""

    requests: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float


def require() -> None:
    """Say how to get `wrk` where it is missing."""
    if shutil.which("wrk") is None:
        raise SystemExit(
            "The benchmark needs wrk, a program that makes HTTP load, and it is not installed.\n"
            "Install it with `apt install wrk`, `dnf install wrk` or `brew install wrk`."
        )


def load(
    port: int, path: str, *, connections: int, duration_s: float, host: str | None = None
) -> Load:
    """Send requests for `duration_s`, in whole seconds. Raises RuntimeError where one failed."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(duration_s))}s", "--latency"]
    command += ["-H", f"Host: {host}"] if host else []
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"], check=True, capture_output=True, text=True
    )
    out = done.stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise RuntimeError(f"not every request was answered with 200:\n{out}")
    return Load(
        requests=int(_find(r"(\d+) requests in", out)),
        requests_per_s=float(_find(r"Requests/sec:\s+([\d.]+)", out)),
        p50_ms=_latency_ms("50", out),
        p99_ms=_latency_ms("99", out),
    )


def medians(loads: list[Load]) -> Load:
    return Load(
        requests=sum(load.requests for load in loads),
        requests_per_s=median(load.requests_per_s for load in loads),
        p50_ms=median(load.p50_ms for load in loads),
        p99_ms=median(load.p99_ms for load in loads),
    )


def _latency_ms(percent: str, out: str) -> float:
    found = re.search(rf"\s{percent}%\s+([\d.]+)(us|ms|s)\b", out)
    assert found is not None, out
    return float(found[1]) * _UNITS_MS[found[2]]


def _find(pattern: str, out: str) -> str:
    found = re.search(pattern, out)
    assert found is not None, out
    return found[1]
