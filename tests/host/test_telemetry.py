"""The Telemetry API and the Logs API, by real extensions of a real host, and their parts."""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from albatross.host.observe import subscription
from tests.support.command import until
from tests.support.host import RunningHost, running_host

# Registers, subscribes as /opt/NAME.json says, and says how that was answered.
EXTENSION = f"""#!{os.path.realpath(sys.executable)}
import http.client, json, os, socket, sys

name = os.path.basename(sys.argv[0])
with open(f"/opt/{{name}}.json") as file:
    wish = json.load(file)
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

def call(method, path, body=None, **headers):
    api.request(method, path, body, headers)
    answer = api.getresponse()
    return answer.status, answer.headers, json.loads(answer.read())

_, headers, _ = call("POST", "/2020-01-01/extension/register",
                     json.dumps({{"events": ["INVOKE", "SHUTDOWN"]}}),
                     **{{"Lambda-Extension-Name": name}})
me = {{"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}}
for path, body in wish["subscriptions"]:
    print("answered", *call("PUT", path, json.dumps(body), **me)[::2], flush=True)
if "resolve" in wish:
    print("it is", socket.gethostbyname(wish["resolve"]), flush=True)
while call("GET", "/2020-01-01/extension/event/next", **me)[2]["eventType"] != "SHUTDOWN":
    pass
"""
FUNCTION = """
import json, os, sys

print("loaded")

def handler(event, context):
    print("hello")
    if event == "json":
        print(json.dumps({"level": "INFO", "message": "m"}))
    sys.stdout.write("no end")
    if event == "raise":
        raise ValueError("on purpose")
    if event == "exit":
        os._exit(3)
    return "result"
"""
TELEMETRY, LOGS = "/2022-07-01/telemetry", "/2020-08-15/logs"
private_tmp = pytest.mark.skipif(
    sys.platform != "linux" or os.getuid() != 0, reason="/opt needs a mount namespace"
)


class Listener:
    """What an extension would listen with: an HTTP server that keeps what it is sent."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self.requests: list[tuple[str, str, str]] = []
        self.refusals = 0
        self.takes_s = 0.0  # to answer
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if listener.refusals:
                    listener.refusals -= 1
                    self.send_error(500)
                    return
                time.sleep(listener.takes_s)
                kind = self.headers["Content-Type"]
                listener.requests.append((self.command, self.path, kind))
                listener.batches.append(json.loads(body))
                self.send_response(200)
                self.end_headers()

            do_PUT = do_POST

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for batch in self.batches for event in batch]

    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    def records(self, kind: str) -> list[Any]:
        return [event["record"] for event in self.events if event["type"] == kind]

    def until(self, kind: str, count: int = 1) -> list[Any]:
        until(lambda: len(self.records(kind)) >= count)
        return self.records(kind)


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.server.shutdown()
    listener.server.server_close()


Start = Callable[..., RunningHost]


@pytest.fixture(scope="module")
def opt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of layers with one extension."""
    opt = tmp_path_factory.mktemp("layers") / "opt"
    (opt / "extensions").mkdir(parents=True)
    opt.parent.chmod(0o755)
    program = opt / "extensions" / "watcher"
    program.write_text(EXTENSION)
    program.chmod(0o755)
    return opt


@pytest.fixture(scope="module")
def host(opt: Path) -> Iterator[RunningHost]:
    with running_host(opt_dir=str(opt)) as host:
        yield host


@pytest.fixture
def start(host: RunningHost, opt: Path) -> Iterator[Start]:
    """Return the host, whose functions' extension does from now on as it is told."""

    def start(**wish: Any) -> RunningHost:
        (opt / "watcher.json").write_text(json.dumps(wish))
        return host

    yield start
    host.forget()


def wanted(port: int, *types: str, path: str = "", **more: Any) -> dict[str, Any]:
    return {
        "schemaVersion": "2022-12-13",
        "types": types or subscription.TYPES,
        "buffering": {"timeoutMs": 25},
        "destination": {"protocol": "HTTP", "URI": f"http://sandbox.localdomain:{port}{path}"},
        **more,
    }


@private_tmp
def test_an_extension_is_told_all_of_an_environment_s_life(
    start: Start, listener: Listener
) -> None:
    host = start(
        subscriptions=[(TELEMETRY, wanted(listener.port, path="/t?x"))],
        resolve="sandbox.localdomain",
    )
    host.deploy("f", FUNCTION)
    invoked = host.invoke("f")
    (report,) = listener.until("platform.report")
    assert set(listener.requests) == {("POST", "/t?x", "application/json")}
    assert [kind for kind in listener.kinds() if kind != "extension"] == [
        *("platform.initStart", "platform.telemetrySubscription", "function"),
        *("platform.initRuntimeDone", "platform.extension", "platform.initReport"),
        *("platform.start", "function", "function", "platform.runtimeDone", "platform.report"),
    ]
    assert listener.records("function") == ["loaded", "hello", "no end"]
    assert listener.records("extension") == ["answered 200 OK", "it is 127.0.0.1"]
    (started,) = listener.records("platform.initStart")
    assert started["initializationType"] == "on-demand"
    assert (started["functionName"], started["phase"]) == ("f", "init")
    assert listener.records("platform.telemetrySubscription") == [
        {"name": "watcher", "state": "Subscribed", "types": ["platform", "function", "extension"]}
    ]
    assert listener.records("platform.extension") == [
        {"name": "watcher", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}
    ]
    tracing = {"type": "X-Amzn-Trace-Id", "value": invoked.trace_id}
    id_ = invoked.request_id
    assert listener.records("platform.start") == [
        {"requestId": id_, "version": "$LATEST", "tracing": tracing}
    ]
    (done,) = listener.records("platform.runtimeDone")
    assert done["metrics"].pop("durationMs") > 0
    assert done == {
        "requestId": id_,
        "status": "success",
        "metrics": {"producedBytes": len(invoked.payload)},
        "tracing": tracing,
    }
    assert report["metrics"].keys() == {
        *("durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB", "initDurationMs")
    }
    host.invoke("f")
    assert "initDurationMs" not in listener.until("platform.report", 2)[1]["metrics"]


@private_tmp
@pytest.mark.parametrize(
    ("event", "status", "error_type"),
    [("raise", "error", "Runtime.Unknown"), ("exit", "error", "Runtime.ExitError")],
)
def test_how_an_invocation_failed_is_told_and_so_is_the_next_start(
    start: Start, listener: Listener, event: str, status: str, error_type: str
) -> None:
    host = start(subscriptions=[(TELEMETRY, wanted(listener.port, "platform"))])
    host.deploy("f", FUNCTION)
    host.invoke("f", event)
    (done,) = listener.until("platform.runtimeDone")
    (report,) = listener.until("platform.report")
    for record in (done, report):
        assert (record["status"], record["errorType"]) == (status, error_type)
    assert "function" not in listener.kinds()


@private_tmp
def test_a_slow_listener_is_told_all_before_the_environment_is_gone(
    start: Start, listener: Listener
) -> None:
    listener.takes_s = 0.2
    host = start(subscriptions=[(TELEMETRY, wanted(listener.port, "platform"))])
    host.deploy("f", FUNCTION)
    host.invoke("f", "exit")
    listener.until("platform.report")


@private_tmp
def test_an_init_phase_that_fails_is_told(start: Start, listener: Listener) -> None:
    host = start(subscriptions=[(TELEMETRY, wanted(listener.port, "platform"))])
    host.deploy("f", "import nowhere\n")
    host.invoke("f")
    (report,) = listener.until("platform.initReport")
    (done,) = listener.records("platform.initRuntimeDone")
    for record in (done, report):
        assert (record["status"], record["errorType"]) == ("error", "Runtime.ImportModuleError")


@private_tmp
def test_what_cannot_be_delivered_is_sent_again(start: Start, listener: Listener) -> None:
    listener.refusals = 2
    host = start(subscriptions=[(TELEMETRY, wanted(listener.port, "function"))])
    host.deploy("f", FUNCTION)
    host.invoke("f")
    until(lambda: "hello" in listener.records("function"))
    assert listener.refusals == 0
    assert listener.records("function")[0] == "loaded"


@private_tmp
@pytest.mark.parametrize(("schema", "as_text"), [("2022-07-01", True), ("2022-12-13", False)])
def test_lines_in_json_are_objects_since_the_second_schema(
    start: Start, listener: Listener, schema: str, as_text: bool
) -> None:
    asked = wanted(listener.port, "function", schemaVersion=schema)
    host = start(subscriptions=[(TELEMETRY, asked)])
    host.deploy("f", FUNCTION, extra={"LoggingConfig": {"LogFormat": "JSON"}})
    host.invoke("f", "json")
    line = {"level": "INFO", "message": "m"}
    expected = json.dumps(line) if as_text else line
    until(lambda: any(each == expected for each in listener.records("function")))


@private_tmp
@pytest.mark.parametrize(
    ("schema", "kinds"),
    [
        (
            "2020-08-15",
            "logsSubscription extension start end report start end fault report",
        ),
        (
            "2021-03-18",
            "logsSubscription initRuntimeDone extension initReport start runtimeDone end report "
            "start runtimeDone end fault report",
        ),
    ],
)
def test_the_logs_api_has_events_of_its_own(
    start: Start, listener: Listener, schema: str, kinds: str
) -> None:
    asked = wanted(listener.port, "platform", schemaVersion=schema)
    asked["destination"]["method"] = "PUT"
    host = start(subscriptions=[(LOGS, asked)])
    host.deploy("f", FUNCTION)
    first = host.invoke("f")
    second = host.invoke("f", "exit")
    listener.until("platform.report", 2)
    assert {method for method, _, _ in listener.requests} == {"PUT"}
    assert listener.kinds()[: len(kinds.split())] == [f"platform.{kind}" for kind in kinds.split()]
    assert listener.records("platform.end")[0] == {"requestId": first.request_id}
    assert listener.records("platform.report")[0].keys() == {"requestId", "metrics"}
    (fault,) = listener.records("platform.fault")
    expected = f"RequestId: {second.request_id} Status: error\tErrorType: Runtime.ExitError"
    assert fault == expected


@private_tmp
def test_a_tcp_destination_gets_lines(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked = wanted(1, "function")
        asked["destination"] = {"protocol": "TCP", "port": server.getsockname()[1]}
        host = start(subscriptions=[(TELEMETRY, asked)])
        host.deploy("f", FUNCTION)
        host.invoke("f")
        connection, _ = server.accept()
        with connection, connection.makefile() as lines:
            assert [json.loads(next(lines))["record"] for _ in range(2)] == ["loaded", "hello"]


@private_tmp
def test_whom_the_telemetry_api_refuses(start: Start, listener: Listener) -> None:
    good = wanted(listener.port, "extension")
    host = start(
        subscriptions=[
            (TELEMETRY, {"schemaVersion": "2022-07-01", "types": [], "destination": {}}),
            (TELEMETRY, good),
            (TELEMETRY, good),
            (LOGS, {**good, "schemaVersion": "2020-08-15"}),
        ]
    )
    host.deploy("f", FUNCTION)
    host.invoke("f")
    until(lambda: len(listener.records("extension")) == 4)
    fault = "destination protocol should be HTTP or TCP; types should not be empty"
    assert listener.records("extension") == [
        f"answered 400 { ({'errorMessage': fault, 'errorType': 'ValidationError'}) }",
        "answered 200 OK",
        "answered 200 OK",  # and it is subscribed once
        "answered 403 {'errorMessage': 'Logs API subscription is closed', "
        "'errorType': 'Logs.SubscriptionClosed'}",
    ]


def test_nobody_subscribes_after_the_init_phase(start: Start) -> None:
    late = """
import http.client, json, os

def call(path, method="PUT", **headers):
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    body = json.dumps({"events": []} if method == "POST" else {
        "schemaVersion": "2022-07-01", "types": ["platform"],
        "destination": {"protocol": "HTTP", "URI": "http://sandbox:8080"}})
    api.request(method, path, body, headers)
    answer = api.getresponse()
    return answer.status, dict(answer.headers), json.loads(answer.read())

_, headers, _ = call("/2020-01-01/extension/register", "POST", **{"Lambda-Extension-Name": "in"})
me = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}

import threading
def wait():
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    api.request("GET", "/2020-01-01/extension/event/next", None, me)
    api.getresponse()
threading.Thread(target=wait, daemon=True).start()

def handler(event, context):
    unknown = call("/2022-07-01/telemetry", **{"Lambda-Extension-Identifier": "x"})
    return [call("/2022-07-01/telemetry", **me)[::2], call("/2020-08-15/logs", **me)[::2],
            call("/2022-07-01/telemetry")[::2], unknown[0]]
"""
    host = start(subscriptions=[])
    host.deploy("late", late)
    telemetry, logs, unnamed, unknown = json.loads(host.invoke("late").payload)
    assert telemetry == [
        403,
        {
            "errorMessage": "Telemetry API subscription is closed",
            "errorType": "Telemetry.SubscriptionClosed",
        },
    ]
    assert (logs[0], logs[1]["errorType"]) == (400, "Logs.ValidationError")  # of this schema
    assert (unnamed[0], unnamed[1]["errorType"]) == (403, "Extension.MissingExtensionIdentifier")
    assert unknown == 403


URI = "http://sandbox.localdomain:8080"
GOOD = {
    "schemaVersion": "2022-07-01",
    "types": ["platform"],
    "destination": {"protocol": "HTTP", "URI": URI},
}


def to(protocol: str, **where: str) -> dict[str, Any]:
    return {"destination": {"protocol": protocol, **where}}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"schemaVersion": "2020-08-15"}, "schemaVersion should be"),
        ({"schemaVersion": None}, "schemaVersion should be"),
        ({"types": []}, "types should not be empty"),
        ({"types": ["logs"]}, "types should be of platform,"),
        ({"destination": None}, "destination should be an object"),
        (to("UDP"), "destination protocol should be HTTP or TCP"),
        (to("HTTP"), "URI is not provided"),
        (to("HTTP", URI="http://sandbox.localdomain"), "URI port is not provided"),
        (to("HTTP", URI="http://example.com:80"), "URI host should be sandbox.localdomain"),
        (to("HTTP", URI="https://sandbox.localdomain:80"), "URI scheme should be http"),
        (to("HTTP", URI="http://sandbox:9001"), "destination port 9001 is reserved"),
        (to("TCP"), "destination port is not provided"),
        ({"buffering": {"maxItems": 999}}, "maxItems should be 1000 to 10000"),
        ({"buffering": {"maxBytes": 1048577}}, "maxBytes should be 262144 to 1048576"),
        ({"buffering": {"timeoutMs": 24}}, "timeoutMs should be 25 to 30000"),
    ],
)
def test_a_subscription_with_a_fault_is_refused(changes: dict[str, Any], fault: str) -> None:
    body = json.dumps({**GOOD, **changes}).encode()
    with pytest.raises(subscription.Invalid, match=fault):
        subscription.parse(body, subscription.TELEMETRY)


def test_what_a_subscription_does_not_say_is_the_usual() -> None:
    found = subscription.parse(json.dumps(GOOD).encode(), subscription.TELEMETRY)
    assert (found.items_max, found.bytes_max, found.timeout_s) == (10_000, 262_144, 1.0)
    assert (found.port, found.target, found.method) == (8080, "/", "POST")
    logs = {name: value for name, value in GOOD.items() if name != "schemaVersion"}
    assert subscription.parse(json.dumps(logs).encode(), subscription.LOGS).schema == "2020-08-15"
