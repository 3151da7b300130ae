"""A real Lambda host in a process of its own, without a proxy in front."""

import asyncio
import datetime
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h11

from albatross.config import Config
from albatross.host.client import Call, HostClient, Invoked
from albatross.host.view import TargetGroupView, View, encode
from albatross.log_store.files import LogFiles
from albatross.log_store.place import ROOT
from albatross.log_store.read import Position, forward
from albatross.log_store.record import MS_MAX
from albatross.log_store.segment import Event
from albatross.model.arn import Scope
from albatross.model.function import Directory, Function, Package, Secrets

ACCOUNT, REGION = "123456789012", "us-east-1"
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
START_S = 10


def function_arn(name: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def group_arn(name: str) -> str:
    return f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/{name}/0123456789abcdef"


def make_function(name: str, code: Package | Directory, **changes: Any) -> Function:
    values: dict[str, Any] = {
        "runtime": PYTHON,
        "handler": "app.handler",
        "role": "arn:aws:iam::123456789012:role/any",
        "last_modified": datetime.datetime.now(datetime.UTC),
        "revision_id": "1",
        "arn": function_arn(name),
        "name": name,
        "code": code,
    }
    if "environment" in changes:
        changes["environment"] = Secrets(changes["environment"])
    return Function(**{**values, **changes})


@dataclass
class Answer:
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class RunningHost:
    """A host and what it was told. Each function has a target group of its own name."""

    directory: Path
    process: subprocess.Popen[bytes]
    functions: dict[str, Function] = field(default_factory=dict)
    groups: dict[str, TargetGroupView] = field(default_factory=dict)
    provisioned: dict[str, int] = field(default_factory=dict)  # as in `View`

    @property
    def client(self) -> HostClient:
        return HostClient(str(self.directory / "run" / "control.sock"))

    @property
    def socket(self) -> str:
        return str(self.directory / "run" / "lambda.sock")

    def package(self, name: str, source: str, *, file: str = "app.py") -> Package:
        """Lay `source` where the store unpacks packages to."""
        import base64
        import hashlib

        digest = hashlib.sha256(f"{name}{file}{source}".encode()).digest()
        package = Package(sha256=base64.b64encode(digest).decode(), size=len(source))
        code = self.directory / "data" / "code" / package.digest
        code.mkdir(parents=True, exist_ok=True)
        (code / file).write_text(source)
        (code / file).chmod(0o755)
        return package

    def deploy(self, name: str, source: str, *, file: str = "app.py", **changes: Any) -> None:
        """Create or update the function `name` and its target group."""
        self.put(make_function(name, self.package(name, source, file=file), **changes))

    def put(self, function: Function, **group: Any) -> None:
        values: dict[str, Any] = {
            "arn": group_arn(function.name),
            "multi_value": False,
            "idle_timeout_s": 60.0,
            "function_arn": function.arn,
            "may_invoke": True,
        }
        self.functions[function.name] = function
        self.groups[function.name] = TargetGroupView(**{**values, **group})
        self.apply()

    def change_group(self, name: str, **changes: Any) -> None:
        self.groups[name] = replace(self.groups[name], **changes)
        self.apply()

    def forget(self) -> None:
        """Delete all functions, and so end their environments."""
        self.functions.clear()
        self.groups.clear()
        self.apply()

    def apply(self) -> None:
        view = View(
            revision=1,
            target_groups=tuple(self.groups.values()),
            functions=tuple(self.functions.values()),
            provisioned=self.provisioned,
        )
        response, _ = asyncio.run(self.client._call("PUT", "/view", encode(view)))
        assert response.status_code == 200

    def invoke(self, name: str, event: object = None) -> Invoked:
        call = Call(function_arn=function_arn(name), payload=json.dumps(event).encode())
        return asyncio.run(self.client.invoke(call))

    def request(
        self,
        name: str,
        target: str = "/",
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Send a request as the proxy does, for the target group `name`."""
        return asyncio.run(
            self.request_async(name, target, method=method, headers=headers, body=body)
        )

    async def request_async(
        self,
        name: str,
        target: str = "/",
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        reader, writer = await asyncio.open_unix_connection(self.socket)
        connection = h11.Connection(h11.CLIENT)
        lines = [("Host", "lb"), ("x-albatross-target-group", group_arn(name))]
        lines += list((headers or {}).items())
        if body:
            lines.append(("Content-Length", str(len(body))))
        writer.write(
            connection.send(h11.Request(method=method, target=target, headers=lines)) or b""
        )
        writer.write((connection.send(h11.Data(data=body)) or b"") if body else b"")
        writer.write(connection.send(h11.EndOfMessage()) or b"")
        response, chunks = None, []
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                chunks.append(bytes(event.data))
            else:
                break
        writer.close()
        assert response is not None
        raw = [(name.decode(), value.decode()) for name, value in response.headers.raw_items()]
        return Answer(response.status_code, bytes(response.reason).decode(), raw, b"".join(chunks))

    def log(self, name: str) -> str:
        """Return the function's log once it has grown quiet."""
        return "".join(event.message for event in self.log_events(f"/aws/lambda/{name}"))

    def log_events(self, group: str) -> list[Event]:
        """Return the events of a log group once it has grown quiet."""
        files = LogFiles(self.directory / "data" / ROOT)
        deadline = time.monotonic() + 5
        while not (found := files.group(Scope(ACCOUNT, REGION), group)):
            assert time.monotonic() < deadline, "the function has logged nothing"
            time.sleep(0.02)
        time.sleep(0.25)  # the host writes every 0.2 s
        return list(forward(found.refresh(), Position(0), MS_MAX, None))


def _accepts(path: Path) -> bool:
    """Tell whether somebody listens on a unix socket; its file is there a moment earlier."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@contextmanager
def running_host(
    *,
    environments_max: int = 20,
    environment_idle_s: float = 300,
    runtime_transport: str = "channel",
    **settings: object,
) -> Iterator[RunningHost]:
    """Start a host, and end it with a check that it leaves nothing behind."""
    directory = Path(tempfile.mkdtemp(prefix="albatross-test-"))
    run_dir = directory / "run"
    run_dir.mkdir()
    config = directory / "config.json"
    values: dict[str, Any] = {
        "data_dir": str(directory / "data"),
        "environments_max": environments_max,
        "runtime_transport": runtime_transport,
        "pin_cores": True,
        "environment_idle_s": environment_idle_s,
        "log_level": "warning",
    }
    config.write_text(Config(**{**values, **settings}).to_json())
    command = [sys.executable, "-m", "albatross.host"]
    process = subprocess.Popen([*command, "--run-dir", str(run_dir), "--config", str(config)])
    try:
        deadline = time.monotonic() + START_S
        while not _accepts(run_dir / "control.sock"):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield RunningHost(directory, process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(timeout=10) == 0
            assert list(run_dir.iterdir()) == []
        finally:
            process.kill()
            process.wait()
            shutil.rmtree(directory, ignore_errors=True)
