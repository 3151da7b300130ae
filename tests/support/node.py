"""The Node.js runtime as a process of its own, and the Runtime API that a test plays to it."""

from __future__ import annotations

import json
import os
import queue
import re
import select
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

BOOTSTRAP = Path(__file__).parents[2] / "albatross" / "host" / "node" / "bootstrap.mjs"
NODE = shutil.which("node")
ARN = "arn:aws:lambda:us-east-1:123456789012:function:my-function:live"
TRACE_ID = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"
EXIT_NO_MORE_EVENTS = 1  # the fake ends a run by refusing the next `next`
EXIT_S_MAX = 20

pytestmark = pytest.mark.skipif(
    NODE is None and not os.environ.get("CI"), reason="node is not on the PATH"
)


@dataclass
class Post:
    """What the runtime posted, and what it had written to standard output by then."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    printed: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Run:
    """One life of the runtime."""

    posts: list[Post] = field(default_factory=list)
    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0
    connections: int = 0

    @property
    def results(self) -> list[Any]:
        assert all(post.path.endswith("/response") for post in self.posts), self.posts
        return [post.json for post in self.posts]

    @property
    def error(self) -> Any:
        """The one error document that was posted for an invocation."""
        (post,) = self.posts
        assert re.fullmatch(r"/2018-06-01/runtime/invocation/[^/]+/error", post.path), post
        return post.json

    @property
    def init_error(self) -> Any:
        (post,) = self.posts
        assert post.path == "/2018-06-01/runtime/init/error", post
        return post.json


class Output:
    """A pipe to which the runtime writes, and what has come out of it."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        self.lock = threading.Lock()
        self.data = b""
        self.ended = False

    def so_far(self) -> str:
        """Return everything that has been written by now."""
        with self.lock:
            while not self.ended and select.select([self.read_fd], [], [], 0)[0]:
                chunk = os.read(self.read_fd, 1 << 16)
                self.ended = not chunk
                self.data += chunk
            return self.data.decode()

    def read_all(self) -> None:
        """Read until the process has ended, so that the pipe is never full for long."""
        while not self.ended:
            select.select([self.read_fd], [], [])
            self.so_far()
        os.close(self.read_fd)


class Fake(ThreadingHTTPServer):
    """A Runtime API that hands out the given events, one after the other, and records posts."""

    daemon_threads = True
    waits_s = 0.0  # until it says that there are no more events

    def __init__(self, events: Sequence[bytes], headers: Mapping[str, str], drop: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.events: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
        for number, event in enumerate(events):
            self.events.put((number, event))
        self.headers = headers
        self.drop = drop  # so many posts are answered by closing the connection
        self.run = Run()
        self.output = Output()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer, sent at once
    disable_nagle_algorithm = True
    server: Fake

    def setup(self) -> None:
        super().setup()
        self.server.run.connections += 1

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        assert self.path == "/2018-06-01/runtime/invocation/next"
        try:
            number, event = self.server.events.get_nowait()
        except queue.Empty:
            time.sleep(self.server.waits_s)
            self.answer(403, b'{"errorType":"NoMoreEvents"}', {})
            return
        headers = {
            "Lambda-Runtime-Aws-Request-Id": f"request-{number}",
            "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 3000),
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
            "Lambda-Runtime-Trace-Id": TRACE_ID,
        }
        self.answer(200, event, headers | dict(self.server.headers))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.drop > 0:
            self.server.drop -= 1
            self.close_connection = True
            return
        post = Post(self.path, dict(self.headers), body, self.server.output.so_far())
        self.server.run.posts.append(post)
        self.answer(202, b'{"status":"OK"}\n', {})

    def answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def encode(event: Any) -> bytes:
    return event if isinstance(event, bytes) else json.dumps(event).encode()


@dataclass
class Runtime:
    """Runs functions: the files of a deployment package and the events that it gets."""

    task_root: Path

    def __call__(
        self,
        files: str | Mapping[str, str],
        *events: Any,
        handler: str = "index.handler",
        env: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        drop: int = 0,
        ends_by_itself: bool = False,
    ) -> Run:
        """Run until the events are used up or the process ends; one event `{}` if none is given.

        `ends_by_itself`: after the last event it is not told at once that there are no more.
        """
        assert NODE is not None, "CI needs node"
        for name, text in ({"index.js": files} if isinstance(files, str) else files).items():
            path = self.task_root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        fake = Fake([encode(event) for event in events or ({},)], headers or {}, drop)
        fake.waits_s = EXIT_S_MAX if ends_by_itself else 0.0
        threading.Thread(target=fake.serve_forever, args=(0.01,), daemon=True).start()
        reader = threading.Thread(target=fake.output.read_all, daemon=True)
        with tempfile.TemporaryFile() as stderr:
            process = subprocess.Popen(
                [NODE, str(BOOTSTRAP)],
                env=self.environment(handler, fake.server_port) | dict(env or {}),
                cwd=self.task_root,
                stdout=fake.output.write_fd,
                stderr=stderr,
            )
            os.close(fake.output.write_fd)
            reader.start()
            try:
                reader.join(EXIT_S_MAX)  # the pipe ends with the process
                fake.run.exit_code = process.wait(timeout=EXIT_S_MAX)
            finally:
                process.kill()
                process.wait()
                fake.shutdown()
                fake.server_close()
                reader.join()
            stderr.seek(0)
            fake.run.stderr = stderr.read().decode()
        fake.run.stdout = fake.output.data.decode()
        return fake.run

    def environment(self, handler: str, port: int) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "_HANDLER": handler,
            "LAMBDA_TASK_ROOT": str(self.task_root),
            "AWS_EXECUTION_ENV": "AWS_Lambda_nodejs20.x",
            "AWS_LAMBDA_FUNCTION_NAME": "my-function",
            "AWS_LAMBDA_FUNCTION_VERSION": "7",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/my-function",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2024/01/01/[7]0123",
        }
