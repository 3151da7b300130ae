"""The log of `albatross serve` tells why requests failed, and code that is a directory reloads."""

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import (
    Place,
    Server,
    free_port,
    get,
    make_balancer,
    make_function,
    make_listener,
    make_target_group,
    place,
    serve_function,
    until,
)

pytestmark = pytest.mark.timeout(120)

RAISES = "def handler(event, context):\n    raise ValueError('on purpose')\n"


@pytest.fixture(scope="module")
def where() -> Iterator[Place]:
    with place() as where:
        yield where


@pytest.fixture(scope="module")
def log(where) -> Path:
    return where.folder / "log"


@pytest.fixture(scope="module")
def server(where, log) -> Iterator[Server]:
    port = free_port()
    flags = ("--port", str(port), "--data-dir", str(where.data), "--debug", f"seen={free_port()}")
    with log.open("w") as file:
        process = where.start("serve", *flags, "--log-level", "warning", stderr=file)
    server = Server(where, process, port)
    try:
        server.until_ready()
        yield server
    finally:
        server.stop()


def answered(port: int, method: str = "GET") -> tuple[int, list[str]]:
    """Return the status and the names of headers that are ours."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, "/")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, [name for name, _ in answer.getheaders() if "albatross" in name.lower()]


def test_the_log_says_why_and_the_client_is_told_nothing(server, log):
    port = serve_function(server, "raises", RAISES)
    assert answered(port) == (502, [])
    why = "GET / 502 LambdaUnhandled: ValueError: on purpose (app.py:2, in handler)\n"
    until(lambda: why in log.read_text())
    assert answered(port, "TRACE") == (405, [])
    until(lambda: "TRACE / 405 MethodNotAllowed: method: TRACE is not" in log.read_text())


def test_the_log_says_why_where_a_header_is_not_utf_8(server, log):
    port = serve_function(server, "latin", RAISES)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"TRACE /latin HTTP/1.1\r\nHost: a\r\nUser-Agent: \xff\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 405"
    until(lambda: "TRACE /latin 405 MethodNotAllowed" in log.read_text())
    assert "Traceback" not in log.read_text()


def test_a_missing_permission_and_a_missing_target_come_with_the_commands(server, log):
    arn = make_function(server, "denied")
    group = make_target_group(server, "denied", arn)
    balancer, port = make_balancer(server, "denied"), free_port()
    make_listener(server, balancer, port, [{"Type": "forward", "TargetGroupArn": group}])
    server.client("lambda").remove_permission(FunctionName="denied", StatementId="elb")
    until(lambda: get(port)[0] == 502)
    until(lambda: "LambdaAccessDenied: the policy of" in log.read_text())
    assert "add-permission --function-name denied --statement-id elb" in log.read_text()
    server.client("elbv2").deregister_targets(TargetGroupArn=group, Targets=[{"Id": arn}])
    until(lambda: get(port)[0] == 503)
    until(lambda: "NoRegisteredTarget" in log.read_text())
    assert f"register-targets --target-group-arn {group} " in log.read_text()


def test_a_throttle_names_its_limit(server, log):
    port = serve_function(server, "throttled")
    functions = server.client("lambda")
    functions.put_function_concurrency(FunctionName="throttled", ReservedConcurrentExecutions=0)
    until(lambda: get(port)[0] == 502)
    until(lambda: "the function's reserved concurrency of 0 is used up" in log.read_text())


def test_a_function_is_moved_to_a_directory_and_reloads_there(server, where):
    folder = where.folder / "hot"
    folder.mkdir()
    source = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'hot one'}\n"
    (folder / "app.py").write_text(source)
    port = serve_function(server, "hot")
    until(lambda: get(port) == (200, "hello /"))
    server.client("lambda").update_function_code(
        FunctionName="hot", S3Bucket="hot-reload", S3Key=str(folder)
    )
    until(lambda: get(port) == (200, "hot one"))
    (folder / "app.py").write_text(source.replace("one", "two"))
    until(lambda: get(port) == (200, "hot two"))


def test_a_function_of_a_server_can_be_debugged(server):
    source = (
        "import sys\ndef handler(event, context):\n"
        "    left_s = context.get_remaining_time_in_millis() / 1000\n"
        "    found = 'debugpy' in sys.modules and left_s > 3600\n"
        "    return {'statusCode': 200, 'body': str(found)}\n"
    )
    for name, is_debugged in (("seen", True), ("unseen", False)):
        port = serve_function(server, name, source, Timeout=1)
        assert get(port) == (200, str(is_debugged))
