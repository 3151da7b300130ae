"""The examples: the URL shortener and hello, in Python and in Node.js, give the same answers."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
SHORTENER = EXAMPLES / "url-shortener"
BOOTSTRAP = ROOT / "albatross" / "host" / "node" / "bootstrap.mjs"
NODE = shutil.which("node")
ANSWER_S_MAX = 10

Function = Callable[[Mapping[str, Any]], Any]  # event -> response


class NodeFunction:
    """A function in the Node.js runtime; call it with an event to get its response."""

    def __init__(self, task_root: Path, handler: str) -> None:
        assert NODE is not None, "CI needs node"
        self.event = b""
        self.answer: Any = None
        self.asked, self.answered = threading.Event(), threading.Event()
        self.server = HTTPServer(("127.0.0.1", 0), self.handler())
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_port}",
            "LAMBDA_TASK_ROOT": str(task_root),
            "_HANDLER": handler,
        }
        self.process = subprocess.Popen(
            [NODE, str(BOOTSTRAP)], env=environment, stdout=subprocess.DEVNULL
        )

    def __call__(self, event: Mapping[str, Any]) -> Any:
        self.event = json.dumps(event).encode()
        self.answered.clear()
        self.asked.set()
        assert self.answered.wait(ANSWER_S_MAX)
        return self.answer

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.asked.set()  # lets the server's one thread out of `next`
        self.server.shutdown()
        self.server.server_close()

    def handler(function) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                function.asked.wait()
                function.asked.clear()
                if function.process.poll() is not None:
                    self.close_connection = True
                    return
                self.respond(200, function.event)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.respond(202, b"{}")
                function.answer = json.loads(body)
                function.answered.set()

            def respond(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "request-1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()

        return Handler


def python_function(path: Path) -> Function:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda event: module.handler(event, SimpleNamespace(aws_request_id="request-1"))


@pytest.fixture(params=["python", "nodejs"])
def language(request: pytest.FixtureRequest) -> str:
    language: str = request.param
    if language == "nodejs" and NODE is None and not os.environ.get("CI"):
        pytest.skip("node is not on the PATH")
    return language


@pytest.fixture
def shorten(language: str) -> Iterator[Function]:
    if language == "python":
        yield python_function(SHORTENER / "python" / "url_shortener.py")
    else:
        function = NodeFunction(SHORTENER / "nodejs", "url-shortener.handler")
        yield function
        function.close()


@pytest.fixture
def hello(language: str) -> Iterator[Function]:
    if language == "python":
        yield python_function(EXAMPLES / "hello" / "app.py")
    else:
        function = NodeFunction(EXAMPLES / "hello", "index.handler")
        yield function
        function.close()


def event(method: str, path: str, body: str = "", *, multi_value: bool = False) -> dict[str, Any]:
    target_group = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/tg/0123"
    family: dict[str, Any] = {"queryStringParameters": {"a": "1"}, "headers": {"host": "h"}}
    if multi_value:
        family = {"multiValueQueryStringParameters": {"a": ["1"]}, "multiValueHeaders": {}}
    return {
        "requestContext": {"elb": {"targetGroupArn": target_group}},
        "httpMethod": method,
        "path": path,
        **family,
        "body": body,
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        pytest.param("POST", "/shorten", '{"longUrl": "https://e.com"}', "201 Created", id="ok"),
        pytest.param("POST", "/shorten", "{}", "400 Bad Request", id="no-long-url"),
        pytest.param("POST", "/shorten", "", "400 Bad Request", id="no-body"),
        pytest.param("POST", "/shorten", "{longUrl", "400 Bad Request", id="broken-json"),
        pytest.param("POST", "/shorten", "[1]", "400 Bad Request", id="a-list"),
        pytest.param("POST", "/shorten", "null", "400 Bad Request", id="null"),
        pytest.param("POST", "/shorten", '{"longUrl": 7}', "400 Bad Request", id="a-number"),
        pytest.param("POST", "/shorten", '{"longUrl": ""}', "400 Bad Request", id="empty"),
        pytest.param(
            "POST", "/shorten", '{"longUrl": "http://e\\r\\nX: y"}', "400 Bad Request", id="crlf"
        ),
        pytest.param("GET", "/unknown", "", "404 Not Found", id="unknown-code"),
        pytest.param("GET", "/", "", "404 Not Found", id="no-code"),
        pytest.param("POST", "/other", "", "405 Method Not Allowed", id="post-elsewhere"),
        pytest.param("DELETE", "/shorten", "", "405 Method Not Allowed", id="delete"),
    ],
)
def test_shortener_answers_with_a_whole_response(
    shorten: Function, method: str, path: str, body: str, status: str
) -> None:
    response = shorten(event(method, path, body))
    assert response["statusCode"] == int(status.split()[0])
    assert response["statusDescription"] == status
    assert response["headers"]["Content-Type"] == "application/json"
    assert response["isBase64Encoded"] is False
    assert isinstance(json.loads(response["body"]), dict)
    assert "multiValueHeaders" not in response


@pytest.mark.parametrize("multi_value", [False, True])
@pytest.mark.parametrize("encoded", [False, True])
def test_shortener_redirects_to_what_it_was_given(
    shorten: Function, multi_value: bool, encoded: bool
) -> None:
    long_url = "https://example.com/a?b=c&d=%20#é"
    request = event("POST", "/shorten", json.dumps({"longUrl": long_url}), multi_value=multi_value)
    if encoded:
        body = base64.b64encode(request["body"].encode()).decode()
        request |= {"body": body, "isBase64Encoded": True}
    created = shorten(request)
    assert created["statusCode"] == 201
    code = json.loads(created["body"])["shortCode"]
    response = shorten(event("GET", f"/{code}", multi_value=multi_value))
    assert response["statusDescription"] == "301 Moved Permanently"
    family, location = ("multiValueHeaders", [long_url]) if multi_value else ("headers", long_url)
    assert response[family]["Location"] == location


def test_shortener_gives_the_same_code_in_every_language(shorten: Function) -> None:
    response = shorten(event("POST", "/shorten", '{"longUrl": "https://example.com"}'))
    assert json.loads(response["body"])["shortCode"] == "EAaArVR"


def test_shortener_answers_500_to_what_is_no_request(shorten: Function) -> None:
    response = shorten({"httpMethod": "GET"})
    assert response["statusDescription"] == "500 Internal Server Error"
    assert response["isBase64Encoded"] is False


@pytest.mark.parametrize("multi_value", [False, True])
def test_hello_shows_the_request_and_counts(hello: Function, multi_value: bool) -> None:
    for count in (1, 2):
        response = hello(event("PUT", "/a%20b", multi_value=multi_value))
        document = json.loads(response["body"])
        assert document.pop("hello").startswith("from ")
        assert document == {
            "method": "PUT",
            "path": "/a%20b",
            "query": {"a": ["1"] if multi_value else "1"},
            "requestId": "request-1",
            "invocations": count,
        }
        assert ("multiValueHeaders" if multi_value else "headers") in response


def aws_commands(path: Path) -> dict[str, list[str]]:
    """Return the commands in a file that are not only there to look something up: their options."""
    text = path.read_text().replace("\\\n", " ")
    commands = re.findall(r"aws ((?:elbv2|lambda) (?!describe-load)[a-z-]+)([^\n]*)", text)
    return {name: sorted(re.findall("--[a-z-]+", options)) for name, options in commands}


def test_readme_and_walkthrough_have_the_same_commands_in_the_same_order() -> None:
    readme, script = (aws_commands(SHORTENER / name) for name in ("README.md", "walkthrough.sh"))
    # The README looks up the load balancer's ARN in a command of its own.
    readme["elbv2 create-load-balancer"] += ["--output", "--query"]
    readme["elbv2 create-load-balancer"].sort()
    assert list(readme.items()) == list(script.items())
    assert len(script) == 9
