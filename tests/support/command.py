"""The `albatross` command as a user runs it: real processes, a data directory of its own."""

import contextlib
import http.client
import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from click.testing import CliRunner

from albatross.cli import cli

ALBATROSS = [sys.executable, "-P", "-m", "albatross"]
START_S = 30.0
WAIT_S = "20"  # for a change to be in force: the second of the setting is short on a busy machine
REGION = "us-east-1"
HELLO = """
def handler(event, context):
    return {"statusCode": 200, "body": "hello " + event["path"]}
"""


def free_port() -> int:
    """Return a port on which nobody listens now, below those that connections are given."""
    while True:
        port = random.randrange(20_000, 32_768)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def until(condition: Callable[[], Any], *, seconds: float = START_S) -> Any:
    """Return the first true value of `condition`, looked at often, and less so after a while."""
    began = time.monotonic()
    while not (found := condition()):
        waited = time.monotonic() - began
        assert waited < seconds, "it did not happen in time"
        time.sleep(min(max(0.01, waited / 10), 0.2))
    return found


def get(port: int, path: str = "/", **headers: str) -> tuple[int, str]:
    """Return status and body. Status 0: nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (ConnectionError, http.client.RemoteDisconnected):
        return 0, ""
    finally:
        connection.close()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=10).close()
    except ConnectionError:
        return False
    return True


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def zipped(source: str, name: str = "app.py", mode: int = 0o644) -> bytes:
    archive, entry = io.BytesIO(), zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(entry, source)
    return archive.getvalue()


@dataclass
class Place:
    """Where a server keeps things, removed with it. Short, because of unix sockets."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("ALBATROSS_")}
        ours = {"TMPDIR": str(self.folder), "NO_COLOR": "1", "ALBATROSS_PUBLISH_WAIT_S": WAIT_S}
        return {**kept, **ours, **self.variables}

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*ALBATROSS, *arguments],
            env=self.environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            text=True,
            **options,
        )

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*ALBATROSS, *arguments],
            env=self.environment(),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command that does no more than ask a server, in this process: that is quicker."""
        gone = {name: None for name in os.environ if name.startswith("ALBATROSS_")}
        with contextlib.chdir(self.folder):
            done = CliRunner(env={**gone, "NO_COLOR": "1", **self.variables}).invoke(cli, arguments)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    def run_directories(self) -> list[Path]:
        return list(self.folder.glob("albatross-*"))


@contextmanager
def place() -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="a-", dir="/tmp"))
    try:
        yield Place(folder)
    finally:
        shutil.rmtree(folder)


@dataclass
class Server:
    """`albatross serve`, ready."""

    place: Place
    process: subprocess.Popen[str]
    port: int
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str, account: str = "123456789012") -> Any:
        """Return the client that all tests of this server share: making one takes its time."""
        if (service, account) not in self._clients:
            self._clients[service, account] = boto3.client(
                service,
                endpoint_url=self.url,
                region_name=REGION,
                aws_access_key_id=account,
                aws_secret_access_key="secret",
                config=Config(retries={"total_max_attempts": 1}),
            )
        return self._clients[service, account]

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(get(self.port, "/_albatross/status")[1])
        return found

    def pids(self) -> dict[str, int]:
        return {name: process["pid"] for name, process in self.status()["processes"].items()}

    def until_ready(self) -> None:
        def look() -> bool:
            assert self.process.poll() is None, "the server has ended"
            return get(self.port, "/_albatross/health")[0] == 200

        until(look)

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(START_S)


@contextmanager
def serving(where: Place, *arguments: str) -> Iterator[Server]:
    port = free_port()
    flags = ("--port", str(port), "--data-dir", str(where.data), "--log-level", "warning")
    process = where.start("serve", *flags, *arguments)
    server = Server(where, process, port)
    try:
        server.until_ready()
        yield server
    finally:
        server.stop()


def make_function(server: Server, name: str, source: str = HELLO, **options: Any) -> str:
    """Return the ARN of a function that any load balancer may invoke."""
    functions = server.client("lambda")
    arn: str = functions.create_function(
        FunctionName=name,
        Role="arn:aws:iam::123456789012:role/any",
        **{
            "Runtime": f"python3.{sys.version_info.minor}",
            "Handler": "app.handler",
            "Code": {"ZipFile": zipped(source)},
            **options,
        },
    )["FunctionArn"]
    functions.add_permission(
        FunctionName=name,
        StatementId="elb",
        Action="lambda:InvokeFunction",
        Principal="elasticloadbalancing.amazonaws.com",
    )
    return arn


def make_balancer(server: Server, name: str) -> str:
    """Return the ARN of a load balancer."""
    made = server.client("elbv2").create_load_balancer(
        Name=name, Subnets=["subnet-0000000a", "subnet-0000000b"]
    )
    arn: str = made["LoadBalancers"][0]["LoadBalancerArn"]
    return arn


def fixed(body: str, status: int = 200) -> list[dict[str, Any]]:
    response = {"StatusCode": str(status), "MessageBody": body, "ContentType": "text/plain"}
    return [{"Type": "fixed-response", "FixedResponseConfig": response}]


def make_listener(server: Server, balancer: str, port: int, actions: list[dict[str, Any]]) -> str:
    made = server.client("elbv2").create_listener(
        LoadBalancerArn=balancer, Protocol="HTTP", Port=port, DefaultActions=actions
    )
    arn: str = made["Listeners"][0]["ListenerArn"]
    return arn


def make_target_group(server: Server, name: str, function_arn: str) -> str:
    elb = server.client("elbv2")
    group = elb.create_target_group(Name=name, TargetType="lambda")["TargetGroups"][0]
    elb.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": function_arn}])
    arn: str = group["TargetGroupArn"]
    return arn


def serve_function(server: Server, name: str, source: str = HELLO, **options: Any) -> int:
    """Make a function behind a load balancer of its own and return the listener's port."""
    group = make_target_group(server, name, make_function(server, name, source, **options))
    port = free_port()
    actions = [{"Type": "forward", "TargetGroupArn": group}]
    make_listener(server, make_balancer(server, name), port, actions)
    return port
