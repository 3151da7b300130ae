"""The channel to a runtime: a handler sees the same by it as over HTTP; what breaks it is ended."""

import re
import sys
import textwrap
import time
from collections.abc import Iterator

import pytest

from tests.support.host import RunningHost, running_host

# What a handler can see of how it is run, without what differs from one process to the next.
_LOOK_AROUND = """
import json, logging, os, signal, socket, sys, threading, traceback

def handler(event, context):
    what = event["what"]
    if what == "context":
        names = ("function_name", "function_version", "invoked_function_arn",
                 "memory_limit_in_mb", "log_group_name", "tenant_id", "client_context")
        left_ms = context.get_remaining_time_in_millis()
        return {
            "context": {name: getattr(context, name) for name in names},
            "id is the one of the trace": bool(context.aws_request_id),
            "time is left": 0 < left_ms <= 3000,
            "type": type(context._epoch_deadline_time_in_ms).__name__,
            "identity": repr(context.identity),
        }
    if what == "process":
        return {
            "path": sys.path,
            "argv": sys.argv[1:],
            "main": sys.modules["__main__"].__spec__ and sys.modules["__main__"].__spec__.name,
            "variables": sorted(os.environ),
            "directory": os.getcwd(),
        }
    if what == "threads":
        return [thread.name for thread in threading.enumerate()]
    if what == "text":
        return {"body": "\\u00fc\\u6f22\\U0001f600", "event": event}
    if what == "bytes":
        return b"\\x00\\xff raw"
    if what == "large":
        return "x" * event["size"]
    if what == "print":
        print("printed first")
        logging.getLogger().error("logged second")
        return "done"
    if what == "unserialisable":
        return {1, 2}
    if what == "raise":
        raise KeyError("ouch \\u00e9")
    if what == "exit":
        sys.exit(3)
    return event
"""


@pytest.fixture(scope="module")
def channel() -> Iterator[RunningHost]:
    yield from _host("channel")


@pytest.fixture(scope="module")
def http() -> Iterator[RunningHost]:
    yield from _host("http")


def _host(transport: str) -> Iterator[RunningHost]:
    with running_host(runtime_transport=transport) as host:
        host.deploy("look", _LOOK_AROUND)
        yield host


@pytest.fixture(params=["channel", "http"])
def each(request: pytest.FixtureRequest) -> RunningHost:
    host: RunningHost = request.getfixturevalue(request.param)
    return host


_SEEN: dict[str, object] = {}  # by question: what the first transport answered


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"what": "context"}, id="the context object"),
        pytest.param({"what": "process"}, id="modules path, arguments and variables"),
        pytest.param({"what": "threads"}, id="no thread but its own"),
        pytest.param({"what": "text"}, id="text of all planes"),
        pytest.param({"what": "bytes"}, id="a result of bytes"),
        pytest.param({"what": "large", "size": 1 << 20}, id="a result of a mebibyte"),
        pytest.param({"what": "large", "size": 6 * 1024 * 1024 - 2}, id="a result of 6 MB"),
        pytest.param({"what": "large", "size": 6 * 1024 * 1024 + 99}, id="a result of too much"),
        pytest.param({"what": "in", "data": "y" * 5_000_000}, id="an event of 5 MB"),
        pytest.param({"what": "print"}, id="what is printed and logged"),
        pytest.param({"what": "unserialisable"}, id="a result that is no JSON"),
        pytest.param({"what": "raise"}, id="an exception"),
        pytest.param({"what": "exit"}, id="an exit"),
    ],
)
def test_a_handler_sees_the_same_by_either_transport(
    each: RunningHost, event: dict[str, object], request: pytest.FixtureRequest
) -> None:
    invoked = each.invoke("look", event)
    log = re.sub(r"(REPORT|END|START) .*|\S{36}|\d{4}-\S+Z", "", invoked.log_tail.decode())
    payload = re.sub(rb"[0-9a-f-]{36}|[0-9a-f]{64}", b"", invoked.payload)
    payload = re.sub(rb"/albatross-test-\w+/", b"/", payload)
    if b"ResponseSizeTooLarge" in payload:
        log = ""  # the runtime dies of it, and what it says of that comes when it comes
    seen = (payload, invoked.function_error, log.split())
    name = request.node.callspec.id.replace("channel", "").replace("http", "")
    assert _SEEN.setdefault(name, seen) == seen


def test_an_exception_of_too_much_is_an_error(each: RunningHost) -> None:
    source = """
    def handler(event, context):
        if event == "raise":
            raise KeyError("x" * 6_300_000)
        return 1
    """
    each.deploy("much", textwrap.dedent(source), timeout_s=30)
    assert b"Function.ResponseSizeTooLarge" in each.invoke("much", "raise").payload
    assert each.invoke("much").payload == b"1"


def test_a_signal_handler_runs_while_the_function_waits_for_an_event(channel: RunningHost) -> None:
    source = """
    import os, signal, threading, time
    seen = []
    signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))

    def handler(event, context):
        if event == "arm":
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        return seen
    """
    channel.deploy("signalled", textwrap.dedent(source))
    channel.invoke("signalled", "arm")
    deadline_s = time.monotonic() + 10
    while channel.invoke("signalled").payload != b"[1]":
        assert time.monotonic() < deadline_s, "the signal was not handled"
        time.sleep(0.05)  # waiting for its event, the function handles the signal


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"Z" * 41, id="an unknown kind"),
        pytest.param(b"R" + b"0" * 36 + b"\x02\x00\x00\x00{}", id="an answer to nothing"),
        pytest.param(b"R" + b"0" * 36 + b"\xff\xff\xff\xff", id="an absurd length"),
        pytest.param(b"N" + b"\0" * 40, id="ready while busy"),
    ],
)
def test_a_function_that_writes_to_its_channel_ends_only_itself(
    channel: RunningHost, garbage: bytes
) -> None:
    source = f"""
    import os, stat, time

    def handler(event, context):
        if event == "ok":
            return "fine"
        for fd in range(3, 64):
            try:
                if stat.S_ISSOCK(os.fstat(fd).st_mode):
                    os.write(fd, {garbage!r})
            except OSError:
                pass
        time.sleep(2)
    """
    channel.deploy("vandal", textwrap.dedent(source))
    spoiled = channel.invoke("vandal")
    assert spoiled.function_error == "Unhandled"
    assert b"Runtime.ExitError" in spoiled.payload
    assert channel.invoke("vandal", "ok").payload == b'"fine"'


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_that_a_function_starts_do_not_inherit_the_channel(channel: RunningHost) -> None:
    source = """
    import subprocess, sys

    def handler(event, context):
        code = "import os; print(len(os.listdir('/proc/self/fd')))"
        return subprocess.run(
            [sys.executable, "-c", code], close_fds=False, capture_output=True, text=True
        ).stdout
    """
    channel.deploy("parent", textwrap.dedent(source))
    assert channel.invoke("parent").payload == b'"4\\n"'
