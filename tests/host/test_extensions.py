"""The Extensions API, by real extensions of a real host: external programs and internal ones."""

import json
import os
import socket
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.host import RunningHost, running_host
from tests.support.namespaces import HAS_MOUNTS

# Writes what happens to it, a line each, to /tmp/NAME, and does as /opt/NAME.json says.
EXTENSION = f"""#!{os.path.realpath(sys.executable)}
import http.client, json, os, sys, time

name = os.path.basename(sys.argv[0])
with open(f"/opt/{{name}}.json") as file:
    wish = json.load(file)
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

def call(method, path, body=None, **headers):
    api.request(method, "/2020-01-01/extension/" + path, body, headers)
    answer = api.getresponse()
    return answer.status, answer.headers, json.loads(answer.read())

def note(*what):
    with open(f"/tmp/{{name}}", "a") as file:
        file.write(json.dumps(what) + "\\n")

status, headers, body = call(
    "POST", "register", json.dumps({{"events": wish["events"]}}),
    **{{"Lambda-Extension-Name": name, "Lambda-Extension-Accept-Feature": "accountId"}}
)
note("registered", status, body)
if wish.get("tell"):
    note(*sorted(os.environ))
me = {{"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}}
if wish.get("fail") == "init":
    print(call("POST", "init/error", "{{}}", **me, **{{
        "Lambda-Extension-Function-Error-Type": "Extension.NoWeather"}})[0], flush=True)
    sys.exit(1)
while True:
    status, headers, event = call("GET", "event/next", **me)
    note("event", event, headers["Lambda-Extension-Event-Identifier"])
    print("heard", event["eventType"], flush=True)
    if event["eventType"] == "SHUTDOWN":
        sys.exit(0)
    if wish.get("fail") == "crash":
        sys.exit(3)
    time.sleep(wish.get("takes_s", 0))
"""

FUNCTION = """
import json, os, time

def handler(event, context):
    if event == "read":
        found = {}
        for name in filter(os.path.isfile, (f"/tmp/{each}" for each in os.listdir("/tmp"))):
            with open(name) as file:
                found[os.path.basename(name)] = [json.loads(line) for line in file]
        return found
    if event == "crash":
        os._exit(1)
    if isinstance(event, (int, float)):
        time.sleep(event)
    return context.aws_request_id
"""

private_tmp = pytest.mark.skipif(not HAS_MOUNTS, reason="/opt needs a mount namespace")
Hosts = Callable[..., RunningHost]


@pytest.fixture(scope="module")
def opt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of layers."""
    opt = tmp_path_factory.mktemp("layers") / "opt"
    (opt / "extensions").mkdir(parents=True)
    opt.parent.chmod(0o755)
    return opt


@pytest.fixture(scope="module")
def channel(opt: Path) -> Iterator[RunningHost]:
    with running_host(opt_dir=str(opt)) as host:
        yield host


@pytest.fixture(scope="module")
def http(opt: Path) -> Iterator[RunningHost]:
    with running_host(opt_dir=str(opt), runtime_transport="http") as host:
        yield host


@pytest.fixture
def hosts(request: pytest.FixtureRequest, opt: Path) -> Iterator[Hosts]:
    """Return a host whose functions have from now on the extensions that are given by name."""
    used: list[RunningHost] = []

    def have(*, transport: str = "channel", **wishes: Any) -> RunningHost:
        for name, wish in wishes.items():
            (opt / f"{name}.json").write_text(json.dumps(wish))
            program = opt / "extensions" / name
            program.write_text(EXTENSION)
            program.chmod(0o755)
        used.append(request.getfixturevalue(transport))
        return used[-1]

    yield have
    for host in used:
        host.forget()
    for program in (opt / "extensions").iterdir():
        program.unlink()


BOTH = {"events": ["INVOKE", "SHUTDOWN"]}


@private_tmp
@pytest.mark.parametrize("transport", ["channel", "http"])
def test_an_external_extension_hears_of_each_invocation(hosts: Hosts, transport: str) -> None:
    host = hosts(transport=transport, one=BOTH, two={"events": ["SHUTDOWN"]})
    host.deploy("f", FUNCTION)
    first = host.invoke("f")
    found = json.loads(host.invoke("f", "read").payload)
    assert found["one"][0] == [
        "registered",
        200,
        {
            "functionName": "f",
            "functionVersion": "$LATEST",
            "handler": "app.handler",
            "accountId": "123456789012",
        },
    ]
    what, event, identifier = found["one"][1]
    assert what == "event"
    assert len(identifier) == 36
    assert event.pop("deadlineMs") > time.time() * 1000 - 10_000
    assert event == {
        "eventType": "INVOKE",
        "requestId": json.loads(first.payload),
        "invokedFunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:f",
        "tracing": {"type": "X-Amzn-Trace-Id", "value": first.trace_id},
    }
    assert [each[0] for each in found["two"]] == ["registered"]
    assert "heard INVOKE" in host.invoke("f", 0.2).log_tail.decode()


@private_tmp
def test_the_answer_does_not_wait_for_extensions_but_the_next_invocation_does(
    hosts: Hosts,
) -> None:
    host = hosts(slow={**BOTH, "takes_s": 15})
    host.deploy(
        "f",
        "import os\ndef handler(e, c): return os.environ['AWS_LAMBDA_LOG_STREAM_NAME']",
        timeout_s=30,
    )
    started_s = time.monotonic()
    first = host.invoke("f").payload
    assert host.invoke("f").payload != first  # one of another environment
    assert time.monotonic() - started_s < 15


@private_tmp
def test_extensions_have_the_function_s_variables_but_the_runtime_s(hosts: Hosts) -> None:
    host = hosts(one={"events": [], "tell": True})
    host.deploy("f", FUNCTION, environment={"MINE": "1"})
    _, names, *_ = json.loads(host.invoke("f", "read").payload)["one"]
    assert {"MINE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_RUNTIME_API", "PATH"} <= set(names)
    of_runtime = {
        *("AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
        *("AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS", "LAMBDA_RUNTIME_DIR"),
        *("LAMBDA_TASK_ROOT", "_HANDLER"),
    }
    assert not of_runtime & set(names)


@private_tmp
def test_an_extension_that_takes_too_long_resets_the_environment(hosts: Hosts) -> None:
    host = hosts(slow={**BOTH, "takes_s": 30})
    host.deploy("f", FUNCTION, timeout_s=3)
    host.invoke("f")
    time.sleep(3.2)
    assert host.invoke("f", "read").function_error is None  # in another one, with the same /tmp


@private_tmp
@pytest.mark.parametrize(
    ("fail", "error_type"),
    [
        pytest.param("crash", "Extension.Crash", id="it ends"),
        pytest.param("init", "Extension.InitError", id="it says that it cannot start"),
    ],
)
def test_an_extension_that_fails_fails_the_invocation(
    hosts: Hosts, fail: str, error_type: str
) -> None:
    host = hosts(bad={**BOTH, "fail": fail})
    host.deploy("f", FUNCTION, timeout_s=10)
    invoked = host.invoke("f", 5)
    document = json.loads(invoked.payload)
    assert invoked.function_error == "Unhandled"
    assert document["errorType"] == error_type
    assert "bad: " in document["errorMessage"]


@private_tmp
@pytest.mark.parametrize(
    ("end", "reason"),
    [
        pytest.param("crash", "failure", id="after a crash"),
        pytest.param(9, "timeout", id="after a timeout"),
    ],
)
def test_extensions_are_told_why_the_environment_ends(
    hosts: Hosts, end: object, reason: str
) -> None:
    host = hosts(one=BOTH)
    host.deploy("f", FUNCTION, timeout_s=4)
    host.invoke("f", end)
    found = json.loads(host.invoke("f", "read").payload)["one"]
    ended = [each[1] for each in found if each[0] == "event"]
    assert [each["eventType"] for each in ended[:2]] == ["INVOKE", "SHUTDOWN"]
    assert ended[1]["shutdownReason"] == reason
    assert abs(ended[1]["deadlineMs"] / 1000 - time.time()) < 10


@private_tmp
def test_a_reset_hands_tmp_on_however_slowly_the_runtime_ends(hosts: Hosts) -> None:
    source = """
    import os, signal, time

    def end_slowly(*_):
        time.sleep(0.3)
        os._exit(0)

    signal.signal(signal.SIGTERM, end_slowly)

    def handler(event, context):
        if event == "hang":
            open("/tmp/kept", "w").close()
            time.sleep(60)
        return os.path.exists("/tmp/kept")
    """
    host = hosts(one=BOTH)
    host.deploy("slow", textwrap.dedent(source), timeout_s=5)
    assert b"Sandbox.Timedout" in host.invoke("slow", "hang").payload
    assert host.invoke("slow").payload == b"true"


@private_tmp
def test_an_extension_that_is_no_program_fails_the_start(hosts: Hosts, opt: Path) -> None:
    (opt / "extensions" / "broken").write_text("no program")
    (opt / "extensions" / "broken").chmod(0o755)
    host = hosts()
    host.deploy("broken", FUNCTION)
    invoked = host.invoke("broken")
    document = json.loads(invoked.payload)
    assert document["errorType"] == "Extension.LaunchError"
    assert document["errorMessage"].endswith(
        " Error: fork/exec /opt/extensions/broken: exec format error"
    )
    line = "EXTENSION\tName: broken\tState: LaunchError\tEvents: []\tError Type: UnknownError\n"
    assert line in host.log("broken")


@private_tmp
def test_an_extension_that_does_not_register_fails_the_start(hosts: Hosts, opt: Path) -> None:
    host = hosts()
    program = opt / "extensions" / "mute"
    program.write_text("#!/bin/sh\nexit 2\n")
    program.chmod(0o755)
    host.deploy("f", FUNCTION)
    document = json.loads(host.invoke("f").payload)
    assert document["errorType"] == "Extension.Crash"
    assert "mute: exit status 2" in document["errorMessage"]


INTERNAL = """
import http.client, json, os, signal, sys, threading

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
found, ids = {}, []

def call(method, path, body=None, **headers):
    api.request(method, path, body, headers)
    answer = api.getresponse()
    return answer.status, answer.headers, json.loads(answer.read() or b"null")

def register(name, *events):
    status, headers, body = call("POST", "/2020-01-01/extension/register",
        json.dumps({"events": events}), **{"Lambda-Extension-Name": name})
    id_ = headers["Lambda-Extension-Identifier"]
    ids.extend([id_] if id_ else [])
    return status, body, id_

def refused(method, path, body=None, **headers):
    status, _, document = call(method, "/2020-01-01/extension/" + path, body, **headers)
    return status, document["errorType"]

found["shutdown"] = register("inner", "SHUTDOWN")[:2]
found["unknown event"] = register("inner", "SLEEP")[1]["errorType"]
status, body, me = register("inner", "INVOKE")
found["registered"] = status, sorted(body)
found["again"] = register("inner", "INVOKE")[1]["errorType"]
found["no name"] = refused("POST", "register", "{}")
found["no json"] = refused("POST", "register", "{", **{"Lambda-Extension-Name": "x"})
found["no identifier"] = refused("GET", "event/next")
found["bad identifier"] = refused("GET", "event/next", **{"Lambda-Extension-Identifier": "x"})
strange = "00000000-0000-4000-8000-000000000000"
me_not = {"Lambda-Extension-Identifier": strange}
found["strange identifier"] = refused("GET", "event/next", **me_not)
found["no error type"] = refused("POST", "exit/error", "{}", **{"Lambda-Extension-Identifier": me})
found["path"] = refused("GET", "nothing")
for n in range(9):
    register(f"inner{n}", "INVOKE")
found["too many"] = register("more", "INVOKE")[1]
for path in ("/2022-07-01/telemetry", "/2020-08-15/logs"):
    found[path] = call("PUT", path, "{}")[::2]
found["restore"] = call("GET", "/2018-06-01/runtime/restore/next")[0]

def wait(id_):
    own = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        headers = {"Lambda-Extension-Identifier": id_}
        own.request("GET", "/2020-01-01/extension/event/next", None, headers)
        own.getresponse().read()

for id_ in ids:
    threading.Thread(target=wait, args=[id_], daemon=True).start()

def handler(event, context):
    return found
"""


def test_what_the_extensions_api_answers_internal_extensions(hosts: Hosts) -> None:
    host = hosts()
    host.deploy("f", textwrap.dedent(INTERNAL))
    found = json.loads(host.invoke("f").payload)
    refusal = "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension"
    shutdown = {"errorMessage": refusal, "errorType": "Extension.InvalidEventType"}
    assert found["shutdown"] == [403, shutdown]
    assert found["unknown event"] == "Extension.InvalidEventType"
    assert found["registered"] == [200, ["functionName", "functionVersion", "handler"]]
    assert found["again"] == "Extension.InvalidExtensionState"
    assert found["no name"] == [403, "Extension.InvalidExtensionName"]
    assert found["no json"] == [403, "InvalidRequestFormat"]
    assert found["no identifier"] == [403, "Extension.MissingExtensionIdentifier"]
    assert found["bad identifier"] == [403, "Extension.InvalidExtensionIdentifier"]
    assert found["strange identifier"] == [403, "Extension.UnknownExtensionIdentifier"]
    assert found["no error type"] == [403, "Extension.MissingHeader"]
    assert found["path"] == [404, "ResourceNotFound"]
    assert found["too many"]["errorType"] == "Extension.TooManyExtensions"
    for path in ("/2022-07-01/telemetry", "/2020-08-15/logs"):
        assert found[path][1]["errorType"] == "Extension.MissingExtensionIdentifier"
    assert found["restore"] == 404


def test_a_runtime_with_an_internal_extension_and_no_other_gets_sigterm_and_half_a_second() -> None:
    ends = socket.create_server(("127.0.0.1", 0))
    source = f"""
    import http.client, json, os, signal, socket, sys, threading

    name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]

    def ended(*_):
        socket.create_connection({ends.getsockname()!r}).sendall(name.encode())
        sys.exit(0)

    signal.signal(signal.SIGTERM, ended)

    def inner():
        api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
        path = "/2020-01-01/extension/"
        api.request("POST", path + "register", '{{"events": ["INVOKE"]}}',
                    {{"Lambda-Extension-Name": "inner"}})
        answer = api.getresponse()
        answer.read()
        me = {{"Lambda-Extension-Identifier": answer.headers["Lambda-Extension-Identifier"]}}
        registered.set()
        while True:
            api.request("GET", path + "event/next", None, me)
            api.getresponse().read()

    registered = threading.Event()
    if name == "with":
        threading.Thread(target=inner, daemon=True).start()
        registered.wait()

    def handler(event, context):
        return 1
    """
    with running_host(isolation="none") as host:
        for name in ("with", "without"):
            host.deploy(name, textwrap.dedent(source))
            assert host.invoke(name).payload == b"1"
    ends.setblocking(False)
    with ends, ends.accept()[0] as first:
        assert first.recv(99) == b"with"
        with pytest.raises(BlockingIOError):
            ends.accept()
