"""Load balancer -> function, against the floor: as many of the same processes, and little else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import deployment
import server
import wrk
from report import Section, Target

HELLO = Path(__file__).parent / "hello"
CONNECTIONS = (1, 16, 64)
WARM_UP_S = 2.0


def measure(rounds: int, duration_s: float) -> Section:
    section = Section(
        title="Load balancer to function",
        about=(
            "A Python function that says hello, on AWS's runtime client as it is published. The "
            "floor is the smallest asyncio server that can call it (bench/floor.py): no proxy, no "
            "limits, no logs, and as many processes of the function as Albatross had. Medians of "
            f"{rounds} rounds, in turn."
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
        ),
    )
    with server.serve({"log_level": "warning"}) as running:
        made = deployment.Deployment(running.api, server.free_port())
        group_arn = made.function("hello", (HELLO / "app.py").read_text())
        made.rule(1, "/*", deployment.forward(group_arn))
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
    wrk.load(port, "/", connections=connections, duration_s=WARM_UP_S)
    processes = running.pools()["hello"]["environments"]
    ours, floors = [], []
    with floor(processes) as floor_port:
        wrk.load(floor_port, "/", connections=connections, duration_s=WARM_UP_S)
        for _ in range(rounds):
            ours.append(wrk.load(port, "/", connections=connections, duration_s=duration_s))
            floors.append(wrk.load(floor_port, "/", connections=connections, duration_s=duration_s))
    after = running.pools()["hello"]["environments"]
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
        )
    )
    if connections == 16:
        what = "throughput at 16 connections, of the floor's"
        section.targets.append(Target(what, throughput, 0.75, at_least=True))
    if connections == 1:
        section.targets.append(Target("p50 at one connection, times the floor's", latency, 2.2))


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
