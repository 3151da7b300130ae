"""The Lambda host as a process: real functions, AWS's runtime client, real sockets."""

import asyncio
import base64
import json
import os
import re
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import until
from tests.support.host import PYTHON, RunningHost, running_host

OK = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'ok'}\n"


@pytest.fixture(scope="module")
def host() -> Iterator[RunningHost]:
    with running_host() as host:
        yield host


def source(body: str) -> str:
    return "import json, os, sys, time\n\n\ndef handler(event, context):\n" + textwrap.indent(
        textwrap.dedent(body), "    "
    )


# Requests


def test_a_request_becomes_an_event_and_the_result_a_response(host: RunningHost) -> None:
    host.deploy("echo", source("return {'statusCode': 201, 'body': json.dumps(event)}"))
    answer = host.request(
        "echo", "/a%20b?x=1&x=2", headers={"X-Albatross-Connection": "keep-alive"}
    )
    event = answer.json()
    assert (answer.status, answer.reason) == (201, "Created")
    assert event["path"] == "/a%20b"
    assert event["queryStringParameters"] == {"x": "2"}
    assert event["headers"] == {"connection": "keep-alive", "host": "lb"}


def test_multi_value_mode_is_the_target_group_s(host: RunningHost) -> None:
    host.deploy("multi", source("return {'statusCode': 200, 'body': json.dumps(event)}"))
    host.change_group("multi", multi_value=True)
    event = host.request("multi", "/?x=1&x=2").json()
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"]}
    assert "headers" not in event


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param({"function_arn": None}, 503, id="no registered target answers 503"),
        pytest.param({"may_invoke": False}, 502, id="a policy that does not allow it answers 502"),
        pytest.param({"function_arn": "arn:gone"}, 502, id="a deleted function answers 502"),
    ],
)
def test_a_target_group_without_a_usable_function(
    host: RunningHost, change: dict[str, object], status: int
) -> None:
    host.deploy("unusable", OK)
    host.change_group("unusable", **change)
    answer = host.request("unusable")
    assert answer.status == status
    assert ("Server", "awselb/2.0") in answer.headers


def test_a_body_of_a_mebibyte_passes_and_one_byte_more_does_not(host: RunningHost) -> None:
    host.deploy("size", source("return {'statusCode': 200, 'body': str(len(event['body']))}"))
    text = {"Content-Type": "text/plain"}
    passed = host.request("size", method="POST", headers=text, body=b"x" * 1_048_576)
    refused = host.request("size", method="POST", headers=text, body=b"x" * 1_048_577)
    assert (passed.status, passed.body) == (200, b"1048576")
    assert (refused.status, refused.reason) == (413, "Request Entity Too Large")


def test_text_that_is_not_utf_8_answers_400(host: RunningHost) -> None:
    host.deploy("utf8", OK)
    headers = {"Content-Type": "text/plain"}
    assert host.request("utf8", method="POST", headers=headers, body=b"\xff").status == 400


def test_the_idle_timeout_answers_504_while_the_function_goes_on(host: RunningHost) -> None:
    body = "time.sleep(0.5); print('finished'); return {'statusCode': 200, 'body': 'late'}"
    host.deploy("idle", source(body))
    host.change_group("idle", idle_timeout_s=0.2)
    answer = host.request("idle")
    assert (answer.status, answer.reason) == (504, "Gateway Time-out")
    until(lambda: "finished" in host.log("idle"))
    host.change_group("idle", idle_timeout_s=None)
    assert host.request("idle").body == b"late"


def test_a_reserved_concurrency_throttles_with_502(host: RunningHost) -> None:
    body = "time.sleep(0.3); return {'statusCode': 200, 'body': 'ok'}"
    host.deploy("reserved", source(body), reserved_concurrency=1)

    async def both() -> list[int]:
        answers = await asyncio.gather(*(host.request_async("reserved") for _ in range(2)))
        return sorted(answer.status for answer in answers)

    assert asyncio.run(both()) == [200, 502]


# Failures of functions


@pytest.mark.parametrize(
    ("body", "error_type", "message"),
    [
        pytest.param("raise ValueError('no')", "ValueError", "no", id="an exception"),
        pytest.param(
            "sys.exit(3)",
            "Runtime.ExitError",
            "Error: Runtime exited with error: exit status 3",
            id="an exit",
        ),
        pytest.param(
            "os._exit(0)",
            "Runtime.ExitError",
            "Error: Runtime exited without providing a reason",
            id="a silent exit",
        ),
        pytest.param(
            "os.kill(os.getpid(), 9)",
            "Runtime.ExitError",
            "Error: Runtime exited with error: signal: killed",
            id="a signal",
        ),
        pytest.param(
            "time.sleep(30)",
            "Sandbox.Timedout",
            "Error: Task timed out after 1.00 seconds",
            id="a timeout",
        ),
        pytest.param(
            "return {'body': 'x' * 7_000_000}",
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
            id="a result over 6 MB",
        ),
    ],
)
def test_a_function_that_fails(host: RunningHost, body: str, error_type: str, message: str) -> None:
    host.deploy("bad", source(body), timeout_s=1)
    invoked = host.invoke("bad")
    document = json.loads(invoked.payload)
    assert invoked.function_error == "Unhandled"
    assert document["errorType"] == error_type
    assert message in document["errorMessage"]
    assert host.request("bad").status == 502


def test_the_environment_of_a_failed_invocation_is_replaced_and_keeps_its_tmp(
    host: RunningHost,
) -> None:
    body = """
    kept = os.path.exists('/tmp/kept')
    open('/tmp/kept', 'w').close()
    if event.get('crash'):
        os._exit(1)
    return kept
    """
    host.deploy("reset", source(body))
    assert host.invoke("reset", {"crash": True}).function_error == "Unhandled"
    assert host.invoke("reset", {}).payload == b"true"


def test_new_code_does_not_find_what_a_crash_has_left_in_tmp(host: RunningHost) -> None:
    host.deploy("anew", source("open('/tmp/kept', 'w').close(); os._exit(1)"))
    assert host.invoke("anew").function_error == "Unhandled"
    host.deploy("anew", source("return os.path.exists('/tmp/kept')"))
    assert host.invoke("anew").payload == b"false"


@pytest.mark.parametrize(
    ("text", "changes", "error_type"),
    [
        pytest.param("import nowhere\n", {}, "Runtime.ImportModuleError", id="an import error"),
        pytest.param("def (\n", {}, "Runtime.UserCodeSyntaxError", id="a syntax error"),
        pytest.param("x = 1\n", {}, "Runtime.HandlerNotFound", id="no handler"),
        pytest.param(
            "import os\nos._exit(4)\n", {}, "Runtime.ExitError", id="an exit while starting"
        ),
        pytest.param(
            OK, {"runtime": "java21"}, "Runtime.InvalidEntrypoint", id="a runtime we lack"
        ),
        pytest.param(
            OK, {"runtime": "provided.al2023"}, "Runtime.InvalidEntrypoint", id="no bootstrap"
        ),
    ],
)
def test_a_function_that_cannot_start(
    host: RunningHost, text: str, changes: dict[str, str], error_type: str
) -> None:
    host.deploy("broken", text, **changes)
    invoked = host.invoke("broken")
    assert invoked.function_error == "Unhandled"
    document = json.loads(invoked.payload)
    assert document["errorType"] == error_type
    if "requestId" not in document:  # Lambda says so, not the runtime
        prefix = f"RequestId: {invoked.request_id} Error: "
        assert document["errorMessage"].startswith(prefix)
    assert host.request("broken").status == 502


def test_a_failed_start_is_logged_as_an_invocation_that_failed(host: RunningHost) -> None:
    host.deploy("unstarted", "print('begun')\nimport nowhere\n")
    invoked = host.invoke("unstarted")
    tail = invoked.log_tail.decode()
    kind = "Status: error\tError Type: Runtime.ImportModuleError\t"
    assert "begun\n" in tail
    assert "[ERROR] Runtime.ImportModuleError: Unable to import module 'app'" in tail
    start, end, report = tail.splitlines()[-3:]
    assert start == f"START RequestId: {invoked.request_id} Version: $LATEST"
    assert end == f"END RequestId: {invoked.request_id}"
    assert report.startswith(f"REPORT RequestId: {invoked.request_id}\tDuration: ")
    assert report.endswith(kind)
    assert host.log("unstarted").endswith(f"{start}\n{end}\n{report}\n")


# What a function sees


def test_a_function_s_environment_is_lambda_s_and_nothing_of_the_host_s(
    host: RunningHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.deploy("env", source("return dict(os.environ)"), environment={"MINE": "1"}, memory_mb=256)
    found = json.loads(host.invoke("env").payload)
    assert found["MINE"] == "1"
    assert found["AWS_LAMBDA_FUNCTION_NAME"] == "env"
    assert found["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert found["AWS_LAMBDA_LOG_GROUP_NAME"] == "/aws/lambda/env"
    assert found["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{PYTHON}"
    assert found["TZ"] == ":UTC"
    assert found["PYTHONPATH"] == found["LAMBDA_RUNTIME_DIR"] == "/var/runtime"
    assert found["AWS_ACCESS_KEY"] == found["AWS_ACCESS_KEY_ID"]
    trace = r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0"
    assert re.fullmatch(trace, found["_X_AMZN_TRACE_ID"])
    allowed = {"MINE", "LANG", "LC_CTYPE", "PATH", "LD_LIBRARY_PATH", "TZ", "HOME", "TMPDIR"}
    allowed.add("PYTHONPATH")
    strange = {name for name in found if not name.startswith(("AWS_", "_", "LAMBDA_"))} - allowed
    assert strange == set()


def test_the_context_is_the_one_aws_s_client_makes(host: RunningHost) -> None:
    body = """
    return [context.function_name, context.function_version, context.memory_limit_in_mb,
            context.invoked_function_arn, context.aws_request_id,
            2000 < context.get_remaining_time_in_millis() <= 3000]
    """
    host.deploy("context", source(body))
    invoked = host.invoke("context")
    arn = "arn:aws:lambda:us-east-1:123456789012:function:context"
    assert json.loads(invoked.payload) == [
        "context",
        "$LATEST",
        "128",
        arn,
        invoked.request_id,
        True,
    ]


def test_two_functions_do_not_share_tmp(host: RunningHost) -> None:
    host.deploy("writer", source("open('/tmp/albatross-shared', 'w').close(); return os.getuid()"))
    host.deploy("reader", source("return os.path.exists('/tmp/albatross-shared')"))
    if json.loads(host.invoke("writer").payload) != 0:
        pytest.skip("a private /tmp needs root or user namespaces")
    assert host.invoke("reader").payload == b"false"
    assert not Path("/tmp/albatross-shared").exists()


def test_globals_survive_and_one_invocation_runs_at_a_time(host: RunningHost) -> None:
    text = "count = 0\ndef handler(e, c):\n    global count\n    count += 1\n    return count\n"
    host.deploy("globals", text)
    assert [host.invoke("globals").payload for _ in range(3)] == [b"1", b"2", b"3"]


# Output


def test_output_is_logged_between_start_and_report_and_its_tail_returned(host: RunningHost) -> None:
    host.deploy("prints", source("print('hello'); print('oops', file=sys.stderr)"))
    invoked = host.invoke("prints")
    tail = invoked.log_tail.decode()
    assert "hello\n" in tail
    assert "oops\n" in tail
    assert f"REPORT RequestId: {invoked.request_id}\tDuration: " in tail
    assert "Init Duration: " in tail
    assert "Init Duration" not in host.invoke("prints").log_tail.decode()
    first, *lines = host.log("prints").splitlines()
    assert first.startswith("INIT_START Runtime Version: python:3.")
    assert lines[0] == f"START RequestId: {invoked.request_id} Version: $LATEST"
    assert lines[1:3] == ["hello", "oops"]
    assert lines[3] == f"END RequestId: {invoked.request_id}"


def test_the_tail_is_the_last_four_kilobytes(host: RunningHost) -> None:
    host.deploy("floods", source("for n in range(100_000): print(n)"))
    assert len(host.invoke("floods").log_tail) == 4096


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has such a score")
def test_a_function_is_ended_before_the_load_balancer_where_the_machine_is_out_of_memory(
    host: RunningHost,
) -> None:
    score = "print(open('/proc/self/oom_score_adj').read().strip())"
    command = f"[sys.executable, '-c', {score!r}]"
    body = f"import subprocess; return subprocess.check_output({command}).decode()"
    host.deploy("score", source(body))
    assert json.loads(host.invoke("score").payload) == "1000\n"
    assert Path(f"/proc/{host.process.pid}/oom_score_adj").read_text() != "1000\n"


def test_a_stack_trace_is_in_the_log(host: RunningHost) -> None:
    host.deploy("raises", source("raise RuntimeError('deep')"))
    host.invoke("raises")
    assert "[ERROR] RuntimeError: deep" in host.log("raises")


# Changes


def test_an_update_takes_effect_with_the_next_request_and_loses_none(host: RunningHost) -> None:
    host.deploy("v", source("time.sleep(0.02); return {'statusCode': 200, 'body': '0'}"))
    seen: list[bytes] = []
    failed: list[int] = []
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            answer = host.request("v")
            seen.append(answer.body)
            if answer.status != 200:
                failed.append(answer.status)

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(1, 4):
        host.deploy("v", source(f"return {{'statusCode': 200, 'body': '{n}'}}"))
        assert host.request("v").body == str(n).encode()
    stop.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert set(seen) <= {b"0", b"1", b"2", b"3"}


def test_a_killed_environment_is_replaced(host: RunningHost) -> None:
    host.deploy("victim", source("return {'statusCode': 200, 'body': str(os.getpid())}"))
    first = int(host.request("victim").body)
    os.kill(first, signal.SIGKILL)
    time.sleep(0.1)
    assert int(host.request("victim").body) != first


# What watchers see


def test_watchers_hear_of_requests_and_output(host: RunningHost) -> None:
    host.deploy("watched", source("print('said'); return {'statusCode': 200, 'body': b'x'.hex()}"))

    async def watch() -> list[dict[str, object]]:
        events = []
        stream = host.client.events(verbose=True)
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.1)
        await host.request_async("watched", "/p?q=1")
        events.append(await first)
        async for event in stream:
            events.append(event)
            if event["type"] == "request":
                break
        await stream.aclose()
        return events

    *logs, request = asyncio.run(watch())
    assert {log["type"] for log in logs} == {"log"}
    assert "".join(str(log["text"]) for log in logs) == "said\n"
    assert request["path"] == "/p?q=1"
    assert request["status"] == 200
    assert request["cold"] is True
    assert request["event"]["path"] == "/p"  # type: ignore[index]
    assert request["response"]["body"] == base64.b16encode(b"x").decode()  # type: ignore[index]
