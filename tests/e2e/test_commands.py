"""`albatross event` and `albatross invoke`, as a user types them."""

import base64
import json
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.command import (
    START_S,
    Place,
    Server,
    make_function,
    place,
    until,
    zipped,
)
from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(120)

CODE = """
def handler(event, context):
    print("asked")
    if event.get("fails"):
        raise ValueError("on purpose")
    return {"got": event}
"""
GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/t/0123456789abcdef"


@pytest.fixture(scope="module")
def where() -> Iterator[Place]:
    with place() as where:
        (where.folder / "app.py").write_text(CODE)
        (where.folder / "picture").write_bytes(b"\x89PNG\r\n")
        yield where


@pytest.fixture(scope="module")
def server(traffic: Stack) -> Server:
    make_function(traffic.server, "orders", CODE)
    return traffic.server


def event(where: Place, *arguments: str) -> dict[str, Any]:
    done = where.call("event", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_event_prints_what_a_function_gets_for_a_request_of_curls(where):
    found = event(
        where,
        *("GET", "http://Shop.example.com/a%20b?c=%2F&c=2&d"),
        *("-H", "X-One: 1", "-H", "Accept:", "-A", "me", "-e", "http://from/", "-b", "k=v"),
        *("-u", "me:secret", "--client-ip", "203.0.113.7", "--target-group-arn", GROUP),
        *("-H", "X-Forwarded-For: 198.51.100.1"),
    )
    trace_id = found["headers"].pop("x-amzn-trace-id")
    assert trace_id.startswith("Root=1-")
    assert found == {
        "requestContext": {"elb": {"targetGroupArn": GROUP}},
        "httpMethod": "GET",
        "path": "/a%20b",
        "queryStringParameters": {"c": "2", "d": ""},
        "headers": {
            "authorization": "Basic " + base64.b64encode(b"me:secret").decode(),
            "cookie": "k=v",
            "host": "Shop.example.com",
            "referer": "http://from/",
            "user-agent": "me",
            "x-forwarded-for": "198.51.100.1, 203.0.113.7",
            "x-forwarded-port": "80",
            "x-forwarded-proto": "http",
            "x-one": "1",
        },
        "body": "",
        "isBase64Encoded": False,
    }


def test_event_has_bodies_multi_value_headers_and_ports_as_the_url_says(where):
    found = event(
        where,
        *("https://shop.example.com:8443/up", "--data-binary", "@picture", "--multi-value"),
        *("-H", "Content-Type: image/png", "-H", "X: 1", "-H", "X: 2", "-X", "PUT"),
    )
    headers = found["multiValueHeaders"]
    assert (found["httpMethod"], found["path"]) == ("PUT", "/up")
    assert headers["x"] == ["1", "2"]
    assert headers["host"] == ["shop.example.com:8443"]
    assert headers["x-forwarded-port"] == ["8443"]
    assert headers["x-forwarded-proto"] == ["https"]
    assert found["isBase64Encoded"]
    assert base64.b64decode(found["body"]) == b"\x89PNG\r\n"


def test_event_takes_a_command_line_that_a_browser_has_copied(where):
    (where.folder / "note").write_bytes(b"1 & 2\n")
    found = event(
        where,
        *("http://shop.example.com/search", "--compressed", "-k", "-L", "-s", "-S", "-i", "-v"),
        *("--data-urlencode", "q=a b&c", "--data-urlencode", "=d/e", "--data-urlencode", "n@note"),
    )
    assert found["headers"]["accept-encoding"] == "deflate, gzip, br, zstd"
    assert found["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert base64.b64decode(found["body"]) == b"q=a+b%26c&d%2Fe&n=1+%26+2%0A"


def test_event_makes_of_a_url_what_curl_sends(where):
    found = event(
        where,
        *("http://me:p%40ss@shop.example.com/../a//b/../c/./d/..?e=/../f", "-A", "", "-f", "-g"),
        *("-b", "a=1", "-b", "b=2", "--http1.1", "-m", "3", "-N", "-o", "answer"),
    )
    assert (found["path"], found["queryStringParameters"]) == ("/a//c/", {"e": "/../f"})
    headers = found["headers"]
    assert headers["authorization"] == "Basic " + base64.b64encode(b"me:p@ss").decode()
    assert (headers["cookie"], headers["host"]) == ("a=1;b=2", "shop.example.com")
    assert "user-agent" not in headers
    found = event(where, "http://shop.example.com/a/../b/.", "--path-as-is")
    assert found["path"] == "/a/../b/."


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        pytest.param(
            ["TRACE", "http://x/"],
            1,
            "a load balancer answers 405 by itself: MethodNotAllowed",
            id="what no function gets",
        ),
        pytest.param(["GET", "http://x/a b"], 2, "the URL has spaces", id="spaces"),
        pytest.param(["GET", "ftp://x/"], 2, "not a URL such as", id="another scheme"),
        pytest.param(["GET", "x", "y"], 2, "more than METHOD and URL", id="too many words"),
        pytest.param(["x", "-H", "nothing"], 2, "-H must be 'Name: value'", id="no header"),
        pytest.param(["x", "-d", "@gone"], 1, "@gone: No such file", id="no file"),
    ],
)
def test_event_says_what_is_wrong(where, arguments, status, said):
    call = where.call if status == 1 else where.ask  # which wants no server
    done = call("event", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr


def test_invoke_calls_a_function_of_a_server(where, server):
    done = where.call(
        "invoke", "orders", "--payload", '{"a": 1}', "--endpoint", server.url, "--log"
    )
    assert (done.returncode, json.loads(done.stdout)) == (0, {"got": {"a": 1}})
    assert done.stdout == '{\n  "got": {\n    "a": 1\n  }\n}\n'
    assert "asked\n" in done.stderr
    assert "REPORT RequestId: " in done.stderr


def test_invoke_ends_with_1_when_the_function_fails_or_is_not_there(where, server):
    (where.folder / "event.json").write_text('{"fails": true}')
    done = where.ask("invoke", "orders", "--event", "event.json", "--endpoint", server.url)
    assert done.returncode == 1
    assert json.loads(done.stdout)["errorType"] == "ValueError"
    assert done.stderr == "Error: Unhandled: ValueError: on purpose\n"
    done = where.ask("invoke", "gone", "--endpoint", server.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ResourceNotFoundException: Function not found: arn:aws:")
    done = where.ask("invoke", "orders", "--payload", "{", "--endpoint", server.url)
    assert done.stderr.startswith("Error: InvalidRequestContentException: ")


def test_invoke_chooses_a_version_and_need_not_wait(where, server):
    functions = server.client("lambda")
    functions.publish_version(FunctionName="orders")
    code = "def handler(event, context):\n    return context.function_version\n"
    functions.update_function_code(FunctionName="orders", ZipFile=zipped(code))
    for qualifier, result in ((["--qualifier", "1"], {"got": {}}), ([], "$LATEST")):
        done = where.ask("invoke", "orders", *qualifier, "--endpoint", server.url)
        assert (done.returncode, json.loads(done.stdout)) == (0, result)
    done = where.ask("invoke", "orders", "--async", "--endpoint", server.url)
    assert (done.returncode, done.stdout.startswith("accepted, request id ")) == (0, True)


def test_invoke_runs_a_file_without_a_server(where):
    before = where.run_directories()
    done = where.call("invoke", "app.handler", "--payload", '{"fails": 1}', "--log")
    assert (done.returncode, json.loads(done.stdout)["errorMessage"]) == (1, "on purpose")
    assert "asked\n" in done.stderr
    assert where.run_directories() == before


def test_invoke_of_a_file_that_is_told_to_end_leaves_no_server(where):
    before = where.run_directories()
    process = where.start("invoke", "app.handler", stdout=subprocess.DEVNULL)
    until(lambda: where.run_directories() != before)
    process.terminate()
    assert process.wait(START_S) == 128 + signal.SIGTERM
    assert where.run_directories() == before


def test_the_server_of_a_command_that_is_killed_ends(where):
    before = where.run_directories()
    process = where.start("invoke", "app.handler", stdout=subprocess.DEVNULL)
    until(lambda: where.run_directories() != before)
    process.kill()
    process.wait(START_S)
    until(lambda: where.run_directories() == before, seconds=START_S)


def test_invoke_without_a_server_says_so(where):
    done = where.ask("invoke", "orders", "--endpoint", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "No server answers at http://127.0.0.1:9" in done.stderr


def test_the_server_is_where_the_aws_command_looks_for_it(where, server):
    there = Place(where.folder, {"AWS_ENDPOINT_URL": server.url})
    done = there.ask("status", "--json")
    assert (done.returncode, json.loads(done.stdout)["api"]) == (0, server.url)


def test_an_endpoint_must_be_a_url(where):
    done = where.ask("status", "--endpoint", "127.0.0.1:4566")
    assert done.returncode == 2
    assert "'127.0.0.1:4566' is no URL such as http://127.0.0.1:4566." in done.stderr
