"""The same handlers behind Albatross and behind serverless-offline's load balancer.

serverless-offline and osls, which runs it, are installed with npm into a cache directory once.
Where that does not work the section says why.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import deployment
import server
import wrk
from report import Section, Target

PACKAGES = ("serverless-offline@14.8.2", "osls@4.3.1")
CONNECTIONS = (1, 16)
WARM_UP_S = 2.0
INSTALL_S = 300.0
_ARN = (
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/bench/"
    "0123456789abcdef/0123456789abcdef"
)
# serverless-offline 14.8.2 ends when a response has a content-type: these have none.
_PYTHON = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'hello'}\n"
_NODE = "exports.handler = async () => ({ statusCode: 200, body: 'hello' })\n"
_RUNTIMES = {"python": f"python3.{sys.version_info.minor}", "node": "nodejs22.x"}
_LEAST = {"python": 1.5, "node": 1.0}  # requests per second at 16 connections, times the other's


class Unavailable(Exception):
    """serverless-offline cannot be had here; the message says why."""


def measure(rounds: int, duration_s: float) -> Section:
    section = Section(
        title="Against serverless-offline",
        about=(
            "The same handler, which says hello, behind Albatross and behind the load balancer of "
            f"{' on '.join(PACKAGES)}. It runs Node.js handlers within its own process, and starts "
            f"a Python process for each request that finds none idle. Medians of {rounds} rounds, "
            "in turn."
        ),
        columns=("", "requests/s", "theirs", "ratio", "p50 ms", "theirs", "p99 ms", "theirs"),
    )
    try:
        modules = _installed()
    except Unavailable as error:
        section.about += f" Not measured: {error}."
        return section
    with server.serve({"log_level": "warning"}) as running, _peer(modules) as peer_port:
        made = deployment.Deployment(running.api, server.free_port())
        python = made.function("python", _PYTHON)
        node = made.function("node", _NODE, runtime=_RUNTIMES["node"], module="app.js")
        made.rule(1, "/python", deployment.forward(python))
        made.rule(2, "/node", deployment.forward(node))
        for name in _RUNTIMES:
            for connections in CONNECTIONS:
                ports = (made.port, peer_port)
                _compare(section, name, connections, ports, rounds, duration_s)
    return section


def _compare(
    section: Section,
    name: str,
    connections: int,
    ports: tuple[int, int],
    rounds: int,
    duration_s: float,
) -> None:
    for port in ports:
        wrk.load(port, f"/{name}", connections=connections, duration_s=WARM_UP_S)
    loads: list[list[wrk.Load]] = [[], []]
    for _ in range(rounds):
        for found, port in zip(loads, ports, strict=True):
            found.append(wrk.load(port, f"/{name}", connections=connections, duration_s=duration_s))
    ours, theirs = map(wrk.medians, loads)
    ratio = ours.requests_per_s / theirs.requests_per_s
    label = f"{name}, {connections} connection{'s' if connections > 1 else ''}"
    section.rows.append(
        (
            label,
            f"{ours.requests_per_s:,.0f}",
            f"{theirs.requests_per_s:,.0f}",
            f"{ratio:.2f}",
            f"{ours.p50_ms:.2f}",
            f"{theirs.p50_ms:.2f}",
            f"{ours.p99_ms:.2f}",
            f"{theirs.p99_ms:.2f}",
        )
    )
    if connections == CONNECTIONS[-1]:
        what = f"{label}: throughput, of serverless-offline's"
        section.targets.append(Target(what, ratio, _LEAST[name], at_least=True))
    for percent, our, their in (
        (50, ours.p50_ms, theirs.p50_ms),
        (99, ours.p99_ms, theirs.p99_ms),
    ):
        what = f"{label}: p{percent}, times serverless-offline's"
        section.targets.append(Target(what, our / their, 1.0))


def _installed() -> Path:
    """Return the node_modules directory with serverless-offline. Raises Unavailable."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise Unavailable("npm is not installed")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = cache / "albatross-bench" / "_".join(PACKAGES)
    modules = directory / "node_modules"
    if not (directory / "complete").exists():
        directory.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--prefix", str(directory), "--no-audit", "--no-fund", *PACKAGES]
        try:
            subprocess.run(
                command, check=True, capture_output=True, timeout=INSTALL_S, cwd=directory
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise Unavailable(f"npm cannot install it ({type(error).__name__})") from error
        (directory / "complete").touch()
    return modules


@contextmanager
def _peer(modules: Path) -> Iterator[int]:
    """Run serverless-offline and yield its load balancer's port."""
    port = server.free_port()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        (directory / "app.py").write_text(_PYTHON)
        (directory / "hello.js").write_text(_NODE)
        (directory / "serverless.json").write_text(json.dumps(_service(port)))
        (directory / "node_modules").symlink_to(modules)
        own = Path(sys.executable).parent  # the same Python runs the handler
        output = stack.enter_context((directory / "log").open("wb"))  # as Albatross has one
        process = subprocess.Popen(
            ["node", str(modules / "osls" / "bin" / "serverless.js"), "offline", "start"],
            cwd=directory,
            env=os.environ | {"PATH": f"{own}:{os.environ['PATH']}", "SLS_TELEMETRY_DISABLED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            server.wait_for_port(port)
            yield port
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _service(port: int) -> dict[str, object]:
    def function(handler: str, runtime: str, path: str, priority: int) -> dict[str, object]:
        alb = {"listenerArn": _ARN, "priority": priority, "conditions": {"path": path}}
        return {"handler": handler, "runtime": runtime, "events": [{"alb": alb}]}

    plugin = {
        "albPort": port,
        "httpPort": server.free_port(),
        "lambdaPort": server.free_port(),
        "noPrependStageInUrl": True,
    }
    return {
        "service": "bench",
        "provider": {"name": "aws", "region": "us-east-1"},
        "plugins": ["serverless-offline"],
        "custom": {"serverless-offline": plugin},
        "functions": {
            "python": function("app.handler", _RUNTIMES["python"], "/python", 1),
            "node": function("hello.handler", _RUNTIMES["node"], "/node", 2),
        },
    }
