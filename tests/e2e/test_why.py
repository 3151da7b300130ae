"""Why a request failed: `albatross run` says so, and with --debug-headers the answer does."""

import http.client
import shutil
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.command import Place, place, until
from tests.support.running import Running, running

pytestmark = pytest.mark.timeout(60)

CODE = """
import os, sys, time
def deep():
    raise ValueError("on purpose")
def handler(event, context):
    match event["path"]:
        case "/raises":
            deep()
        case "/exits":
            print("about to go", flush=True)
            os._exit(3)
        case "/killed":
            os.kill(os.getpid(), 9)
        case "/slow":
            time.sleep(30)
        case "/status":
            return {"statusCode": "200"}
        case "/header":
            return {"statusCode": 200, "headers": {"Set-Cookie": ["a", "b"]}}
        case "/family":
            return {"statusCode": 200, "multiValueHeaders": {"a": ["b"]}}
        case "/base64":
            return {"statusCode": 200, "isBase64Encoded": True, "body": "a"}
        case "/large":
            return {"statusCode": 200, "body": "x" * 1_100_000}
        case "/splits":
            raise KeyError("a\\r\\nx-evil: \\u20ac" + "y" * 5000)
    return {"statusCode": 200, "body": "fine"}
"""


@pytest.fixture(scope="module")
def where() -> Iterator[Place]:
    with place() as where:
        (where.folder / "app.py").write_text(CODE)
        yield where


@pytest.fixture(scope="module")
def command(where) -> Iterator[Running]:
    flags = ("--json", "--debug-headers", "--timeout", "3")
    with running(where, "app.py", *flags) as command:
        until(command.events)
        yield command


def ask(
    port: int, path: str = "/", method: str = "GET", **options: Any
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, **options)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def shown(command: Running, **wanted: Any) -> dict[str, Any]:
    """Return the line of the last request with these members, once it is there."""

    def look() -> list[dict[str, Any]]:
        return [each for each in command.events() if wanted.items() <= each.items()]

    found: dict[str, Any] = until(look)[-1]
    return found


@pytest.mark.parametrize(
    ("path", "status", "reason", "details"),
    [
        pytest.param(
            "/raises",
            502,
            "LambdaUnhandled",
            ["ValueError: on purpose (app.py:4, in deep)"],
            id="an exception with its place in the code",
        ),
        pytest.param(
            "/exits",
            502,
            "LambdaUnhandled",
            ["exit status 3", 'the last line that it printed: "about to go"'],
            id="a crash with its exit status and last line",
        ),
        pytest.param(
            "/killed", 502, "LambdaUnhandled", ["signal: killed"], id="a crash with its signal"
        ),
        pytest.param(
            "/slow",
            502,
            "LambdaUnhandled",
            ["Task timed out after 3.00 seconds", "Timeout is 3 s", "--timeout SECONDS"],
            id="a timeout with its limit and the remedy",
        ),
        pytest.param(
            "/status",
            502,
            "LambdaInvalidResponse",
            ['statusCode: expected an integer, found the string "200"'],
            id="the field, what was expected and found",
        ),
        pytest.param(
            "/header",
            502,
            "LambdaInvalidResponse",
            ['headers["Set-Cookie"]: expected a string, found an array'],
            id="the header",
        ),
        pytest.param(
            "/family",
            200,
            None,
            ["multiValueHeaders: ignored", "return headers"],
            id="the wrong header family",
        ),
        pytest.param(
            "/base64", 502, "LambdaInvalidResponse", ["body: expected padded Base64"], id="Base64"
        ),
        pytest.param(
            "/large",
            502,
            "LambdaResponseTooLarge",
            ["at most 1,048,576 bytes", "found 1,100,0"],
            id="sizes",
        ),
    ],
)
def test_a_failure_of_the_function_is_explained(command, path, status, reason, details):
    answer = ask(command.port, path)
    line = shown(command, type="request", path=path)
    assert (answer.status, line["status"], line["error_reason"]) == (status, status, reason)
    assert answer.getheader("x-albatross-error-reason") == reason
    for detail in details:
        assert detail in line["detail"]
        assert detail in answer.getheader("x-albatross-error-detail")


def test_what_a_function_says_cannot_make_headers_of_its_own(command):
    answer = ask(command.port, "/splits")
    detail = answer.getheader("x-albatross-error-detail")
    assert answer.getheader("x-evil") is None
    assert detail.isascii() and detail.isprintable() and len(detail) == 1000
    assert detail.startswith("KeyError: ")


def test_good_answers_have_no_such_headers(command):
    answer = ask(command.port)
    assert answer.status == 200
    assert not [name for name, _ in answer.getheaders() if "albatross" in name.lower()]


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "reason", "detail"),
    [
        pytest.param("TRACE", "/t", {}, 405, "MethodNotAllowed", "TRACE", id="method"),
        pytest.param(
            "GET", "/" + "x" * 17_000, {}, 414, "TargetTooLong", "found 17001", id="target"
        ),
        pytest.param(
            "GET",
            "/h",
            {"headers": {"a": "x" * 17_000}},
            400,
            "HeadersTooLarge",
            "at most 16383 bytes in each line",
            id="header line",
        ),
        pytest.param(
            "GET",
            "/f",
            {"headers": {"X-Forwarded-For": ",".join("1" * 40)}},
            463,
            "TooManyForwardedAddresses",
            "at most 30 addresses, found 40",
            id="forwarded addresses",
        ),
        pytest.param(
            "PUT",
            "/b",
            {"body": b"x" * 1_100_000},
            413,
            "LambdaRequestTooLarge",
            "found 1100000",
            id="body with its length",
        ),
        pytest.param(
            "GET",
            "/w",
            {"headers": {"Upgrade": "websocket", "Connection": "upgrade"}},
            400,
            "LambdaWebsocketNotSupported",
            "WebSocket",
            id="WebSocket",
        ),
    ],
)
def test_what_the_proxy_refuses_is_shown_too(
    command, method, path, options, status, reason, detail
):
    answer = ask(command.port, path, method, **options)
    assert answer.status == status
    assert answer.getheader("x-albatross-error-reason") == reason
    assert detail in answer.getheader("x-albatross-error-detail")
    line = shown(command, method=method, status=status, error_reason=reason)
    assert line["path"][:2] == path[:2]
    assert detail in line["detail"]


def test_a_request_that_is_no_http_is_shown(command):
    with socket.create_connection(("127.0.0.1", command.port)) as connection:
        head = b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked"
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 400"
    line = shown(command, error_reason="MalformedRequest")
    assert "http1.content_length_and_chunked_not_allowed" in line["detail"]


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_place_in_javascript_is_told_and_clients_hear_nothing_unasked():
    with place() as where:
        code = """
            const deep = () => { throw new RangeError('no') }
            export const handler = async () => deep()
        """
        (where.folder / "index.mjs").write_text(code)
        with running(where, "index.mjs", "--json") as command:
            until(command.events)
            answer = ask(command.port)
            line = shown(command, type="request")
            refused = ask(command.port, method="TRACE")
    assert line["detail"] == "RangeError: no (index.mjs:2, in deep)"
    for each in (answer, refused):
        assert not [name for name, _ in each.getheaders() if "albatross" in name.lower()]
