"""Load balancer -> function, against the floor: as many of the same processes, and little else."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median

import deployment
import procfs
import server
import wrk
from report import Section, Target

HELLO = Path(__file__).parent / "hello"
CONNECTIONS = (1, 16, 64)
WARM_UP_S = 2.0
TRIES_MAX = 3


def measure(rounds: int, duration_s: float) -> Section:
    section = Section(
        title="Load balancer to function",
        about=(
            "A Python function that says hello, on AWS's runtime client as it is published, with "
            "the access log on. The "
            "floor is the smallest asyncio server that can call it (bench/floor.py): no proxy, no "
            "limits, no logs, and as many processes of the function as Albatross had. Medians of "
            f"{rounds} rounds, in turn. Then the processor's time for a request, in microseconds: "
            "of the proxy, the Lambda host, the functions, the control plane, which writes the "
            "access log, all four, and of the floor with its functions."
        ),
        columns=(
            "connections",
            "processes",
            "requests/s",
            "floor",
            "ratio",
            "p50 ms",
            "floor",
            "ratio",
            "p99 ms",
            "floor",
            "proxy us",
            "host us",
            "functions us",
            "control us",
            "all us",
            "floor us",
        ),
    )
    with server.serve({"log_level": "warning"}) as running:
        made = deployment.Deployment(running.api, server.free_port())
        group_arn = made.function("hello", (HELLO / "app.py").read_text())
        made.rule(1, "/*", deployment.forward(group_arn))
        made.log_accesses()
        for connections in CONNECTIONS:
            _measure(section, running, made.port, connections, rounds, duration_s)
    return section


def _measure(
    section: Section,
    running: server.Server,
    port: int,
    connections: int,
    rounds: int,
    duration_s: float,
) -> None:
    loaded = partial(wrk.load, path="/", connections=connections, duration_s=duration_s)
    for _ in range(TRIES_MAX):  # until as many processes as the floor has do for us to the end
        loaded(port, duration_s=WARM_UP_S)
        processes = running.pools()["hello"]["environments"]
        ours, floors, used = _rounds(running, processes, rounds, partial(loaded, port), loaded)
        after = running.pools()["hello"]["environments"]
        if after == processes:
            break
    our, least = wrk.medians(ours), wrk.medians(floors)
    throughput = our.requests_per_s / least.requests_per_s
    latency = our.p50_ms / least.p50_ms
    section.rows.append(
        (
            str(connections),
            str(processes) if after == processes else f"{processes} to {after}",
            f"{our.requests_per_s:,.0f}",
            f"{least.requests_per_s:,.0f}",
            f"{throughput:.2f}",
            f"{our.p50_ms:.2f}",
            f"{least.p50_ms:.2f}",
            f"{latency:.2f}",
            f"{our.p99_ms:.2f}",
            f"{least.p99_ms:.2f}",
            *(f"{median(each[name] for each in used):.0f}" for name in used[0]),
        )
    )
    if connections == 1:
        section.targets.append(Target("p50 at one connection, times the floor's", latency, 1.3))
    else:
        what = f"throughput at {connections} connections, of the floor's"
        section.targets.append(Target(what, throughput, 1.5, at_least=True))


def _rounds(
    running: server.Server,
    processes: int,
    rounds: int,
    load: Callable[[], wrk.Load],
    load_floor: Callable[..., wrk.Load],
) -> tuple[list[wrk.Load], list[wrk.Load], list[dict[str, float]]]:
    """Return what we did in each round, what the floor with `processes` did, and what that took."""
    ours: list[wrk.Load] = []
    floors: list[wrk.Load] = []
    used: list[dict[str, float]] = []
    with floor(processes) as floor_port:
        load_floor(floor_port, duration_s=WARM_UP_S)
        floor_pids = [pid for pid in procfs.children(os.getpid()) if pid != running.process.pid]
        for _ in range(rounds):
            pids = running.pids()
            groups = {
                "proxy": [pids["proxy"]],
                "host": [pids["host"]],
                "functions": running.environments(),
                "control": [pids["control"]],
            }
            our, each = _used(groups, load)
            ours.append(our)
            least, of_floor = _used({"floor": floor_pids}, partial(load_floor, floor_port))
            floors.append(least)
            used.append({**each, "all": sum(each.values()), **of_floor})
    return ours, floors, used


def _used(
    groups: dict[str, list[int]], load: Callable[[], wrk.Load]
) -> tuple[wrk.Load, dict[str, float]]:
    """Return what `load` did, and the microseconds that each group of processes used a request."""

    def now() -> dict[str, float]:
        return {name: sum(map(procfs.cpu_s, pids)) for name, pids in groups.items()}

    before = now()
    done = load()
    return done, {name: (s - before[name]) / done.requests * 1e6 for name, s in now().items()}


@contextmanager
def floor(processes: int) -> Iterator[int]:
    """Run the floor with so many runtimes, and yield the port for clients."""
    client_port, runtime_port = server.free_port(), server.free_port()
    script = str(Path(__file__).parent / "floor.py")
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{runtime_port}",
        "AWS_LAMBDA_FUNCTION_NAME": "floor",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_REGION": "us-east-1",
        "LAMBDA_TASK_ROOT": str(HELLO),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with ExitStack() as stack:

        def start(*arguments: str, **more: object) -> None:
            process = subprocess.Popen([sys.executable, *arguments], **more)  # type: ignore[call-overload]
            stack.callback(process.wait)
            stack.callback(process.kill)

        start(script, str(client_port), str(runtime_port))
        server.wait_for_port(runtime_port)
        for _ in range(processes):
            start(
                *("-m", "awslambdaric", "app.handler"),
                env=environment,
                cwd=HELLO,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        yield client_port
