"""The soak test: `make soak MINUTES=10`, or `python bench/soak.py --minutes 10`. Linux.

A real server under a mixed load, and what must hold at the end: no good request was lost, no
process, descriptor or memory leaked, and nothing is left after SIGTERM. Exits 1 where one does not.
"""

import argparse
import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from statistics import median

import deployment
import procfs
import server
from disturbances import Disturbances, Parts, events_outlive_the_host
from mixture import Mixture

ENVIRONMENTS_MAX, ENVIRONMENT_IDLE_S = 24, 5
PROGRESS_S = 10
QUIET_S = 90  # the proxy keeps connections to the Lambda host for a minute
DESCRIPTORS_MORE = 8  # opened once, on first use
MEMORY_MORE = 0.05, 4 * 1024  # growth that counts as flat: a share, or kB
FAULTS_SHOWN = 20


class Watch:
    """Samples the server's processes once a second."""

    def __init__(self, running: server.Server) -> None:
        self.pids = running.pids()
        self.rss_kb: dict[str, list[int]] = {name: [] for name in self.pids}
        self.environments_most = 0
        self._running = running

    async def run(self) -> None:
        while True:
            for name, pid in self.pids.items():
                self.rss_kb[name].append(procfs.rss_kb(pid))
            now = len(self._running.environments())
            self.environments_most = max(self.environments_most, now)
            await asyncio.sleep(1)

    def growth(self) -> list[str]:
        """Return what has grown from the second third of the samples to the last."""
        found = []
        for name, samples in self.rss_kb.items():
            third = max(1, len(samples) // 3)
            before, after = median(samples[third : 2 * third]), median(samples[-third:])
            share, least_kb = MEMORY_MORE
            grown = after - before > max(before * share, least_kb)
            verdict = "has GROWN" if grown else "is flat"
            _say(f"memory of {name} {verdict}: {before / 1024:.1f} MB, then {after / 1024:.1f} MB")
            if grown:
                found.append(f"memory of {name}: {before:,.0f} kB, then {after:,.0f} kB")
        return found


def soak(minutes: float) -> list[str]:
    """Return what was lost, wrong or leaked."""
    settings = {
        "environments_max": ENVIRONMENTS_MAX,
        "environment_idle_s": ENVIRONMENT_IDLE_S,
        "log_level": "warning",
        "publish_wait_s": 15,  # a busy machine is no reason to answer before
        "debug_headers": True,  # so that a fault says why
    }
    with server.serve(settings) as running:
        name, _, value = running.variable.partition("=")
        made = deployment.Deployment(running.api, server.free_port())
        mixture = Mixture(made, variables={name: value})
        disturbances = Disturbances(made, mixture, {name: value})
        descriptors = {name: procfs.descriptors(pid) for name, pid in running.pids().items()}
        watch = Watch(running)
        asyncio.run(_load(mixture, disturbances.parts(running), watch, minutes * 60))
        faults = mixture.faults
        faults += _after_load(running, watch, descriptors)
        faults += watch.growth()
        faults += asyncio.run(events_outlive_the_host(made, running))
        faults += _after_stop(running, made)
    return faults


async def _load(mixture: Mixture, more: Parts, watch: Watch, duration_s: float) -> None:
    background = [
        asyncio.create_task(watch.run()),
        asyncio.create_task(_show_progress(mixture, watch)),
    ]
    await mixture.run(duration_s, more)
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)


async def _show_progress(mixture: Mixture, watch: Watch) -> None:
    begun_s, before = time.monotonic(), Counter[str]()
    while True:
        await asyncio.sleep(PROGRESS_S)
        new = mixture.counts - before
        before = mixture.counts.copy()
        latencies, mixture.latencies_s = sorted(mixture.latencies_s), []
        p99_ms = latencies[int(len(latencies) * 0.99)] * 1000 if latencies else 0
        rss_mb = sum(samples[-1] for samples in watch.rss_kb.values()) / 1024
        bad = sum(new.values()) - new["good"] - new["rules"] - new["updates"] - new["faults"]
        _say(
            f"{time.monotonic() - begun_s:5.0f} s: {new['good'] / PROGRESS_S:.0f} good/s "
            f"(p99 {p99_ms:.0f} ms), {bad / PROGRESS_S:.0f} bad/s, {new['rules']} rule changes, "
            f"{new['updates']} updates, most environments {watch.environments_most}, "
            f"{rss_mb:.0f} MB, faults {mixture.counts['faults']}"
        )


def _after_load(running: server.Server, watch: Watch, descriptors: dict[str, int]) -> list[str]:
    """Wait for quiet and return what has not gone."""
    found = []
    if watch.environments_most > ENVIRONMENTS_MAX:
        found.append(f"environments: {watch.environments_most}, at most {ENVIRONMENTS_MAX} allowed")
    if (now := running.pids()) != watch.pids:
        found.append(f"processes were replaced: {watch.pids}, then {now}")

    def more() -> dict[str, int]:
        return {
            name: procfs.descriptors(pid) - descriptors[name]
            for name, pid in running.pids().items()
        }

    _say("waiting for idle environments and connections to go")
    _wait(lambda: not running.environments())
    _wait(lambda: max(more().values()) <= DESCRIPTORS_MORE)
    known = {*running.pids().values(), *running.spawners()}
    found += [
        f"a process is left: {pid} {procfs.command(pid)}"
        for pid in procfs.descendants(running.process.pid)
        if pid not in known
    ]
    for name, opened in more().items():
        _say(f"descriptors of {name}: {descriptors[name]} at the start, {opened:+d} now")
        if opened > DESCRIPTORS_MORE:
            found.append(f"descriptors of {name}: {opened} more than at the start")
    return found


def _after_stop(running: server.Server, made: deployment.Deployment) -> list[str]:
    """Stop the server and return what is still there."""
    status = running.stop()
    _say(f"stopped with status {status} in {running.stopped_in_s:.1f} s")
    found = [f"exit status {status}"] if status else []
    found += [
        f"after SIGTERM a process is left: {pid} {procfs.command(pid)}"
        for pid in procfs.with_variable(running.variable)
    ]
    found += [f"after SIGTERM a file is left: {p}" for p in (running.directory / "tmp").iterdir()]
    ports = (running.api_port, made.port)
    found += [f"after SIGTERM port {p} answers" for p in ports if server.get(p, "/") is not None]
    return found


def _wait(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + QUIET_S
    while not condition() and time.monotonic() < deadline_s:
        time.sleep(0.5)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    default = os.environ.get("MINUTES", "10")  # `make` hands its variables on so
    parser.add_argument("--minutes", type=float, default=default)
    minutes = parser.parse_args().minutes
    _say(f"soak test: {minutes:g} minutes of load, and about one and a half until all is quiet")
    faults = soak(minutes)
    for fault in faults[:FAULTS_SHOWN]:
        _say(f"FAULT {fault}")
    if len(faults) > FAULTS_SHOWN:
        _say(f"... and {len(faults) - FAULTS_SHOWN} more")
    _say("verdict: " + ("something was lost, wrong or leaked" if faults else "all is well"))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
