"""A real server to measure: `albatross serve` or `albatross run`, in a directory of its own."""

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import procfs

START_S = 20.0
STOP_S = 40.0
_POLL_S = 0.002


@dataclass
class Server:
    """A running server. `variable` is in the environment of each of its processes."""

    process: subprocess.Popen[bytes]
    directory: Path
    log: Path
    started_s: float  # monotonic
    variable: str
    api_port: int = 0
    stopped_in_s: float | None = field(default=None, init=False)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def run_dir(self) -> Path:
        (found,) = (self.directory / "tmp").glob("albatross-*")
        return found

    def pids(self) -> dict[str, int]:
        """Return the server's own processes by name; functions are not among them."""
        noted = json.loads((self.run_dir / "processes.json").read_text())
        found = {"supervisor": self.process.pid}
        return found | {name: process["pid"] for name, process in noted.items()}

    def environments(self) -> list[int]:
        """Return the processes in which functions run.

        Not any that has ended or is only just forked.
        """
        host, helpers = self.pids()["host"], self.spawners()
        others = ([], procfs.command(host), *map(procfs.command, helpers[:1]))
        return [
            pid
            for pid in procfs.children(host)
            if pid not in helpers and procfs.command(pid) not in others
        ]

    def spawners(self) -> list[int]:
        """Return the processes that start those of functions, those that start any first.

        None where the host does it itself.
        """
        children = procfs.children(self.pids()["host"])
        spawners = [
            pid for pid in children if any("local.spawner" in part for part in procfs.command(pid))
        ]
        return spawners + [pid for pid in children if procfs.name(pid) == "template"]

    def pools(self) -> dict[str, dict[str, Any]]:
        """Return the Lambda host's statistics by name of function."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.run_dir / "control.sock"))
            connection.sendall(b"GET /statistics HTTP/1.1\r\nHost: host\r\n\r\n")
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            pools = json.load(answer)["pools"]
        return {pool["function"]: pool for pool in pools}

    def stop(self) -> int:
        """Ask the server to stop and return its exit status."""
        begun_s = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.stopped_in_s = time.monotonic() - begun_s
        return status


@contextmanager
def serve(settings: Mapping[str, object] | None = None) -> Iterator[Server]:
    """Start `albatross serve` and yield it once it is ready."""
    port = free_port()
    with _started(["serve", "--port", str(port)], settings or {}) as server:
        server.api_port = port
        _wait_for_200(server, port, "/_albatross/health")
        yield server


@contextmanager
def run(target: Path, port: int) -> Iterator[tuple[Server, float]]:
    """Start `albatross run` and yield it with the seconds that its first 200 took."""
    with _started(["run", str(target), "--port", str(port)], {}) as server:
        _wait_for_200(server, port, "/")
        yield server, time.monotonic() - server.started_s


@contextmanager
def _started(arguments: list[str], settings: Mapping[str, object]) -> Iterator[Server]:
    name, value = "ALBATROSS_BENCH_MARK", secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="bench-") as text:
        directory = Path(text)
        (directory / "tmp").mkdir()
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ALBATROSS_")}
        environment |= {
            "TMPDIR": str(directory / "tmp"),
            "XDG_DATA_HOME": str(directory / "data"),
            **{f"ALBATROSS_{key.upper()}": str(value) for key, value in settings.items()},
        }
        log = directory / "log"
        command = [sys.executable, "-m", "albatross", *arguments]
        with log.open("wb") as output:
            begun_s = time.monotonic()
            process = subprocess.Popen(
                command,
                env=environment | {name: value},
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        server = Server(process, directory, log, begun_s, f"{name}={value}")
        try:
            yield server
        finally:
            if process.poll() is None:
                server.stop()


def _wait_for_200(server: Server, port: int, path: str) -> None:
    while time.monotonic() < server.started_s + START_S:
        if server.process.poll() is not None:
            break
        if get(port, path) == 200:
            return
        time.sleep(_POLL_S)
    raise SystemExit(f"the server does not start:\n{server.log.read_text()[-2000:]}")


def get(port: int, path: str) -> int | None:
    """Return the status that GET `path` is answered with, None where nothing answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int) -> None:
    """Wait until somebody listens on `port`."""
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(_POLL_S)
    raise SystemExit(f"nothing listens on port {port} after {START_S:.0f} s")
