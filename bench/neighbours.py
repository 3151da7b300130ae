"""What one bad function does to the latency of fifty good ones."""

import asyncio
import statistics
import time

import deployment
import server
from report import Section, Target

FUNCTIONS = 50
RATE = 150.0  # requests a second, over all functions
_GOOD = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'ok'}\n"
_BAD = """
import os, subprocess, sys, threading

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

def spin():
    while True:
        pass
"""
KINDS = {
    "spin": "takes all processor time",
    "flood": "prints without end",
    "hog": "takes memory without end",
    "fork": "starts processes without end",
}


def measure(rounds: int, duration_s: float) -> Section:
    section = Section(
        title="A bad neighbour",
        about=(
            f"{FUNCTIONS} functions get {RATE:.0f} requests a second together, while another one "
            f"misbehaves for {duration_s:.0f} s. Latency of the {FUNCTIONS}, medians of {rounds} "
            "rounds, each next to one without a bad neighbour."
        ),
        columns=("the other one", "p50 ms", "alone", "p99 ms", "alone", "ratio"),
    )
    with server.serve({"log_level": "error"}) as running:
        made = deployment.Deployment(running.api, server.free_port())
        for n in range(FUNCTIONS):
            arn = made.function(f"good{n}", _GOOD)
            made.rule(n + 1, f"/good{n}", deployment.forward(arn))
        bad = made.function("bad", _BAD, timeout_s=max(1, int(duration_s)), MemorySize=512)
        made.rule(FUNCTIONS + 1, "/bad/*", deployment.forward(bad))
        asyncio.run(_load(made.port, 2 * duration_s, None))
        for kind, words in KINDS.items():
            _measure(section, made.port, kind, words, rounds, duration_s)
    return section


def _measure(
    section: Section, port: int, kind: str, words: str, rounds: int, duration_s: float
) -> None:
    alone, beside = [], []
    for _ in range(rounds):
        alone.append(asyncio.run(_load(port, duration_s, None)))
        beside.append(asyncio.run(_load(port, duration_s, kind)))
        time.sleep(1)
    p50, p50_alone = (statistics.median(each[0] for each in runs) for runs in (beside, alone))
    p99, p99_alone = (statistics.median(each[1] for each in runs) for runs in (beside, alone))
    ratio = p99 / p99_alone
    cells = (p50, p50_alone, p99, p99_alone, ratio)
    section.rows.append((words, *(f"{cell:.2f}" for cell in cells)))
    section.targets.append(Target(f"p99 beside one that {words}, against alone", ratio, 1.25))


async def _load(port: int, duration_s: float, kind: str | None) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds of the good functions, beside a bad one of `kind`."""
    tasks = set()
    latencies: list[float] = []
    bad = asyncio.create_task(_request(port, f"/bad/{kind}", [])) if kind else None
    started_s = time.perf_counter()
    for n in range(int(duration_s * RATE)):
        await asyncio.sleep(max(0.0, started_s + n / RATE - time.perf_counter()))
        task = asyncio.create_task(_request(port, f"/good{n % FUNCTIONS}", latencies))
        tasks.add(task)
    await asyncio.gather(*tasks)
    if bad is not None:
        await bad
    latencies.sort()
    return latencies[len(latencies) // 2] * 1000, latencies[len(latencies) * 99 // 100] * 1000


async def _request(port: int, path: str, latencies: list[float]) -> None:
    begun_s = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    await reader.read()
    latencies.append(time.perf_counter() - begun_s)
    writer.close()
