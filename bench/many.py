"""Many functions: what they cost while they do nothing, and how a crowd of cold starts hurts the
one that works.
"""

import resource
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import deployment
import procfs
import server
import wrk
from lambda_path import HELLO
from report import Section, Target

FUNCTIONS = 200  # unless `--functions` says otherwise
AT_ONCE = 100
COLD_STARTS = 15
IDLE_S = 30.0
_PSS_OF = 50  # environments: reading it takes milliseconds each
_LOAD_S = 4.0
_BARE = "import awslambdaric.bootstrap, sys; sys.path.insert(0, sys.argv[1]); import app"


def measure(functions: int = FUNCTIONS) -> Section:
    section = Section(
        title="Many functions",
        about=(
            f"{functions} Python functions, each with one environment that has answered once: what "
            f"all of them cost idle, and a start of the server that knows them. {AT_ONCE} cold "
            "starts at once while 4 connections load another function. One cold start, against the "
            "interpreter alone that imports AWS's runtime client and the handler: the least of "
            f"{COLD_STARTS} each."
        ),
        columns=("", "value"),
    )
    settings = {
        "log_level": "warning",
        "environments_max": functions + AT_ONCE + COLD_STARTS + 1,
        "environment_idle_s": 3600,
    }
    with tempfile.TemporaryDirectory(prefix="bench-data-") as data:
        settings["data_dir"] = data
        with server.serve(settings) as running:
            made = deployment.Deployment(running.api, server.free_port())
            _cold_start(section, running, made)
            _idle(section, running, made, functions)
            _crowd(section, made)
        begun_s = time.monotonic()
        with server.serve(settings):
            took_s = time.monotonic() - begun_s
    stored = functions + AT_ONCE + COLD_STARTS + 1
    section.rows.append((f"start with {stored:,} functions stored, s", f"{took_s:.2f}"))
    return section


def _cold_start(section: Section, running: server.Server, made: deployment.Deployment) -> None:
    """Compare cold starts with interpreters that are started for it, in turn."""
    names = [f"cold-{number}" for number in range(COLD_STARTS)]
    _create(made, names)
    ours, bare, used, bare_used = [], [], [], []
    known = set(running.environments())
    for name in names:
        ours.append(_invoke(made, name))
        new = set(running.environments()) - known
        known |= new
        used.append(sum(map(procfs.cpu_s, new)))
        begun_s, before_s = time.monotonic(), _children_cpu_s()
        subprocess.run([sys.executable, "-c", _BARE, str(HELLO)], check=True)
        bare.append(time.monotonic() - begun_s)
        bare_used.append(_children_cpu_s() - before_s)
    ratio = min(ours) / min(bare)  # whatever else runs on the machine only adds
    for what, our, their in (
        ("cold start by Invoke", ours, bare),
        ("its function's processor time", used, bare_used),
    ):
        ms = min(our) * 1000, min(their) * 1000
        section.rows.append((what, f"{ms[0]:.1f} ms, bare interpreter {ms[1]:.1f} ms"))
    section.targets.append(Target("cold start, times the bare interpreter's", ratio, 1.3))


def _children_cpu_s() -> float:
    """Return the processor time of children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _idle(
    section: Section, running: server.Server, made: deployment.Deployment, functions: int
) -> None:
    pids = running.pids()
    before = {name: procfs.memory(pid).rss_kb for name, pid in pids.items()}
    descriptors = procfs.descriptors(pids["host"])
    names = [f"idle-{number}" for number in range(functions)]
    _create(made, names)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: _invoke(made, name), names))
    for name, pid in pids.items():
        grown = (procfs.memory(pid).rss_kb - before[name]) / functions
        section.rows.append((f"memory of {name} for each, kB", f"{grown:.1f}"))
    opened = (procfs.descriptors(pids["host"]) - descriptors) / functions
    section.rows.append(("descriptors of host for each", f"{opened:.1f}"))
    assert running.pids() == pids, "a process of the server was replaced"
    environments = running.environments()
    assert len(environments) >= functions, "environments have ended"
    looked_at = environments[:: max(1, functions // _PSS_OF)]
    pss = sum(procfs.memory(pid).pss_kb for pid in looked_at) / len(looked_at)
    section.rows.append(("memory of one environment (PSS), MB", f"{pss / 1024:.1f}"))
    time.sleep(1.0)
    watched = {**pids, "functions": 0}
    used = {name: _cpu_s(pid, environments) for name, pid in watched.items()}
    time.sleep(IDLE_S)
    total = 0.0
    for name, pid in watched.items():
        share = (_cpu_s(pid, environments) - used[name]) / IDLE_S
        total += share
        section.rows.append((f"idle, cores of {name}", f"{share:.4f}"))
    section.targets.append(Target("idle, cores of all", total, 0.02))


def _cpu_s(pid: int, environments: list[int]) -> float:
    return procfs.cpu_s(pid) if pid else sum(map(procfs.cpu_s, environments))


def _crowd(section: Section, made: deployment.Deployment) -> None:
    """Start many at once beside a load, and compare its latency with that of before."""
    names = [f"crowd-{number}" for number in range(AT_ONCE)]
    _create(made, names)
    made.rule(
        1, "/*", deployment.forward(made.function("warm", Path(HELLO / "app.py").read_text()))
    )
    wrk.load(made.port, "/", connections=4, duration_s=1)
    alone = wrk.load(made.port, "/", connections=4, duration_s=_LOAD_S)
    found: list[wrk.Load] = []

    def load() -> None:
        found.append(wrk.load(made.port, "/", connections=4, duration_s=_LOAD_S))

    thread = threading.Thread(target=load)
    thread.start()
    begun_s = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda name: _invoke(made, name), names))
    took_s = time.monotonic() - begun_s
    thread.join()
    (beside,) = found
    section.rows += [
        (f"{AT_ONCE} cold starts at once, s", f"{took_s:.2f}"),
        ("load beside, requests/s", f"{beside.requests_per_s:,.0f} of {alone.requests_per_s:,.0f}"),
        ("load beside, p50 ms", f"{beside.p50_ms:.2f}, alone {alone.p50_ms:.2f}"),
        ("load beside, p99 ms", f"{beside.p99_ms:.2f}, alone {alone.p99_ms:.2f}"),
    ]


def _create(made: deployment.Deployment, names: list[str]) -> None:
    package = deployment.package((HELLO / "app.py").read_text())
    for name in names:
        made.lambda_.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Handler="app.handler",
            Role=deployment.ROLE,
            Timeout=30,
            Code={"ZipFile": package},
        )


def _invoke(made: deployment.Deployment, name: str) -> float:
    """Return the seconds that an invocation took, which has to succeed."""
    begun_s = time.monotonic()
    answer = made.lambda_.invoke(FunctionName=name, Payload=b"{}")
    assert "FunctionError" not in answer, answer["Payload"].read()
    return time.monotonic() - begun_s
