"""What one bad function does to the latency of fifty good ones."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

import deployment
import procfs
import server
from report import Section, Target

FUNCTIONS = 50
RATE = 150.0  # requests a second, over all functions
TIMEOUT_S = 3  # of the bad one
_SETTLE_S = 1.0
_GOOD = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'ok'}\n"
_BAD = """
import os, subprocess, sys, threading, time

def handler(event, context):
    what = event["path"].rpartition("/")[2]
    if what == "spin":
        for _ in range(7):
            threading.Thread(target=spin, daemon=True).start()
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        spin()
    while what == "flood":
        sys.stdout.write("x" * 999 + "\\n")
    kept = []
    while what == "hog":
        kept.append(os.urandom(1 << 20))
    while what == "fork":
        try:
            subprocess.Popen(["sleep", "5"])
        except OSError:
            pass
    if what == "crash":
        os._exit(1)
    while what == "hang":
        time.sleep(60)

def spin():
    while True:
        pass
"""
NOTHING = "none"
KINDS = {
    NOTHING: "does nothing at all",
    "spin": "takes all processor time",
    "flood": "prints without end",
    "hog": "takes memory without end",
    "fork": "starts processes without end",
    "crash": "ends its process, again and again",
    "hang": "does not answer",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """Latency of the good functions in milliseconds, and the cores that the server used."""

    p50_ms: float
    p99_ms: float
    cores: float


def measure(rounds: int, duration_s: float) -> Section:
    section = Section(
        title="A bad neighbour",
        about=(
            f"{FUNCTIONS} functions get {RATE:.0f} requests a second together, while another one "
            f"is called again and again for {duration_s:.0f} s and misbehaves. Latency of the "
            f"{FUNCTIONS}, next to a time without a bad neighbour, {rounds} times in turn: the "
            "least of each, because whatever else runs on the machine only adds. Spread: where the "
            "middle half of the ratios of neighbouring times are; the first row is what the "
            "machine does by itself. Cores: what the server's own processes use more than alone, "
            "median."
        ),
        columns=("the other one", "p50 ms", "alone", "p99 ms", "alone", "ratio", "spread", "cores"),
    )
    pairs: dict[str, list[tuple[Sample, Sample]]] = {kind: [] for kind in KINDS}
    with server.serve({"log_level": "error"}) as running:
        made = deployment.Deployment(running.api, server.free_port())
        for n in range(FUNCTIONS):
            arn = made.function(f"good{n}", _GOOD)
            made.rule(n + 1, f"/good{n}", deployment.forward(arn))
        bad = made.function("bad", _BAD, timeout_s=TIMEOUT_S, MemorySize=512)
        made.rule(FUNCTIONS + 1, "/bad/*", deployment.forward(bad))
        pids = list(running.pids().values())
        _sample(made.port, 2 * duration_s, NOTHING, pids)
        for n in range(rounds):
            for kind, measured in pairs.items():
                first = _sample(made.port, duration_s, kind if n % 2 else NOTHING, pids)
                second = _sample(made.port, duration_s, NOTHING if n % 2 else kind, pids)
                measured.append((first, second) if n % 2 else (second, first))
    for kind, measured in pairs.items():
        _report(section, kind, measured)
    return section


def _report(section: Section, kind: str, pairs: Sequence[tuple[Sample, Sample]]) -> None:
    sides = list(zip(*pairs, strict=True))
    p50, p50_alone = (min(each.p50_ms for each in side) for side in sides)
    p99, p99_alone = (min(each.p99_ms for each in side) for side in sides)
    ratios = [beside.p99_ms / alone.p99_ms for beside, alone in pairs]
    first, *_, third = quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 2
    ratio = p99 / p99_alone
    cores = median(beside.cores - alone.cores for beside, alone in pairs)
    cells = [f"{cell:.2f}" for cell in (p50, p50_alone, p99, p99_alone, ratio)]
    section.rows.append((KINDS[kind], *cells, f"{first:.2f} to {third:.2f}", f"{cores:.3f}"))
    if kind != NOTHING:
        what = f"p99 beside one that {KINDS[kind]}, against alone"
        section.targets.append(Target(what, ratio, 1.25))


def _sample(port: int, duration_s: float, kind: str, pids: Sequence[int]) -> Sample:
    """Measure once, and wait until a bad neighbour has ended."""
    begun_s, used_s = time.monotonic(), sum(map(procfs.cpu_s, pids))
    p50_ms, p99_ms = asyncio.run(_load(port, duration_s, kind))
    cores = (sum(map(procfs.cpu_s, pids)) - used_s) / (time.monotonic() - begun_s)
    time.sleep(_SETTLE_S if kind == NOTHING else TIMEOUT_S)
    return Sample(p50_ms, p99_ms, cores)


async def _load(port: int, duration_s: float, kind: str) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds of the good functions, beside a bad one of `kind`."""
    tasks = set()
    latencies: list[float] = []
    bad = asyncio.create_task(_misbehave(port, kind)) if kind != NOTHING else None
    started_s = time.perf_counter()
    for n in range(int(duration_s * RATE)):
        await asyncio.sleep(max(0.0, started_s + n / RATE - time.perf_counter()))
        task = asyncio.create_task(_request(port, f"/good{n % FUNCTIONS}", latencies))
        tasks.add(task)
    await asyncio.gather(*tasks)
    if bad is not None:
        bad.cancel()
        await asyncio.wait([bad])
    latencies.sort()
    return latencies[len(latencies) // 2] * 1000, latencies[len(latencies) * 99 // 100] * 1000


async def _misbehave(port: int, kind: str) -> None:
    """Call the bad function, again as soon as it has failed."""
    while True:
        await _request(port, f"/bad/{kind}", [])


async def _request(port: int, path: str, latencies: list[float]) -> None:
    begun_s = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        await reader.read()
        latencies.append(time.perf_counter() - begun_s)
    finally:
        writer.close()
