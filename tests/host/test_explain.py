"""What is said of a failed invocation."""

import base64
import json
from typing import Any

import pytest

from albatross.host import explain
from albatross.model.function import Directory, Function, Package
from tests.support.host import make_function

SHA256 = "AAAA" * 10 + "AAA="
NAME = "arn:aws:lambda:us-east-1:123456789012:function:orders"
GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/t/0123456789abcdef"
DIGEST = base64.b64decode(SHA256).hex()


def document(kind: str, message: str, **rest: Any) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message, **rest}).encode()


def function(path: str | None = "/home/me/code") -> Function:
    code = Directory(path=path) if path else Package(sha256=SHA256, size=1)
    return make_function("orders", code, timeout_s=3, memory_mb=128)


@pytest.mark.parametrize(
    ("trace", "path", "place"),
    [
        pytest.param(
            [
                '  File "/home/me/code/app.py", line 6, in handler\n    deep()\n',
                '  File "/home/me/code/lib/deep.py", line 2, in deep\n    raise ValueError()\n',
                '  File "/usr/lib/python3.11/json/decoder.py", line 9, in decode\n    x\n',
            ],
            "/home/me/code",
            "lib/deep.py:2, in deep",
            id="the innermost call of Python in the code",
        ),
        pytest.param(
            [
                '  File "/home/me/code/app.py", line 6, in handler\n    deep()\n',
                '  File "/home/me/code/.venv/lib/site-packages/x.py", line 2, in deep\n    raise\n',
            ],
            "/home/me/code",
            "app.py:6, in handler",
            id="what is installed is not the user's",
        ),
        pytest.param(
            [
                "RangeError: no",
                "    at deep (file:///home/me/code/lib/a.mjs:2:34)",
                "    at async handler (file:///home/me/code/index.mjs:3:9)",
                "    at invoke (file:///opt/albatross/invocation.mjs:3:9)",
            ],
            "/home/me/code",
            "lib/a.mjs:2, in deep",
            id="the innermost call of JavaScript",
        ),
        pytest.param(
            ["RangeError: no", "    at /home/me/code/index.js:3:9"],
            "/home/me/code",
            "index.js:3",
            id="a function without a name",
        ),
        pytest.param(
            [f'  File "/data/code/{DIGEST}/app.py", line 6, in handler\n    x\n'],
            None,
            "app.py:6, in handler",
            id="a package",
        ),
        pytest.param(
            ['  File "/var/task/app.py", line 6, in handler\n    x\n'],
            None,
            "app.py:6, in handler",
            id="a package where Lambda has it",
        ),
        pytest.param(
            [
                "file:///home/me/code/lib/b.mjs:2",
                "const = 1",
                "SyntaxError: Unexpected token",
                "    at f (file:///home/me/code/index.mjs:3:9)",
            ],
            "/home/me/code",
            "lib/b.mjs:2",
            id="a syntax error of JavaScript",
        ),
        pytest.param(['  File "/elsewhere/a.py", line 1, in f\n'], None, None, id="elsewhere"),
        pytest.param([1, None, {}], None, None, id="no trace"),
        pytest.param("text", None, None, id="no list"),
        pytest.param(["at " + "x (/a:1" * 100_000], None, None, id="half a frame again and again"),
    ],
)
def test_the_place_of_an_error_is_the_innermost_call_in_the_functions_code(trace, path, place):
    for member in ("stackTrace", "trace"):
        payload = document("ValueError", "no", **{member: trace})
        expected = f"ValueError: no ({place})" if place else "ValueError: no"
        assert explain.error(payload, function(path)) == expected


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        pytest.param(b"not json", "not json", id="text"),
        pytest.param(b"[1]", "[1]", id="an array"),
        pytest.param(b"{}", "{}", id="an object of another kind"),
        pytest.param(b"\xff" * 500, "\ufffd" * 200, id="no text"),
    ],
)
def test_what_is_no_error_document_is_quoted(payload, text):
    assert explain.error(payload, function()) == text


def test_however_much_an_exception_says_its_place_is_told():
    trace = ['  File "/home/me/code/app.py", line 6, in load\n']
    text = explain.error(document("ValueError", "no\n" * 5_000, stackTrace=trace), function())
    assert len(text) < 2_100
    assert text.endswith("(app.py:6, in load)")
    assert explain.header_value(text).endswith("(app.py:6, in load)")


def test_an_exception_without_a_message_is_named_alone():
    assert explain.error(document("StopIteration", ""), function()) == "StopIteration"


def test_a_timeout_names_the_limit_and_the_command_that_raises_it():
    text = explain.error(document("Sandbox.Timedout", "Task timed out"), function(None))
    assert text == (
        "Sandbox.Timedout: Task timed out; the function's Timeout is 3 s; longer: aws lambda "
        "update-function-configuration --function-name orders --timeout SECONDS"
    )
    text = explain.error(document("Sandbox.Timedout", "Task timed out"), function())
    assert text.endswith(", or albatross run --timeout SECONDS")


def test_a_crash_tells_the_last_line_of_the_functions_own():
    printed = [b"START RequestId: 1 Version: $LATEST\n", b"one\ntw", b"o\n", b"END RequestId: 1\n"]
    crash = document("Runtime.ExitError", "Runtime exited with error: signal: killed")
    text = explain.error(crash, function(), printed)
    assert text.endswith('signal: killed; the last line that it printed: "two"')
    assert explain.error(crash, function(), []).endswith("signal: killed")


def test_too_much_memory_names_the_limit():
    report = b"REPORT RequestId: 1\tStatus: error\tError Type: Runtime.OutOfMemory\n"
    text = explain.error(document("Runtime.ExitError", "signal: killed"), function(None), [report])
    assert "more than its MemorySize of 128 MB" in text
    assert "update-function-configuration --function-name orders --memory-size MB" in text


def test_a_throttle_names_the_limit_that_is_reached():
    reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
    text = explain.throttled(reason, 2, 0, function())
    assert text.startswith(f"{reason}: the function's reserved concurrency of 2 is used up")
    assert "put-function-concurrency --function-name orders" in text
    assert text.endswith(", or albatross run --concurrency N")
    assert "albatross run" not in explain.throttled(reason, 2, 0, function(None))
    assert "of which 1 provisioned" in explain.throttled(reason, 2, 1, function())
    assert "the account's" in explain.throttled(
        "ConcurrentInvocationLimitExceeded", None, 0, function()
    )


def test_a_denial_names_the_command_that_adds_the_permission():
    command = "aws lambda add-permission --function-name orders --qualifier 'live' --statement-id"
    assert command in explain.denied(f"{NAME}:live", GROUP)
    assert f"--source-arn {GROUP}" in explain.denied(NAME, GROUP)
    assert "--qualifier" not in explain.denied(NAME, GROUP)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("a\r\nb: c", "a b: c", id="lines"),
        pytest.param("\u20ac\x00\x7f", "\\u20ac??", id="not ASCII, not printable"),
        pytest.param("x" * 2_000 + "y", "x" * 662 + " ... " + "x" * 332 + "y", id="long"),
    ],
)
def test_values_of_headers_are_one_printable_line_of_ascii(text, value):
    assert explain.header_value(text) == value


def test_a_promise_that_is_rejected_is_placed_by_what_was_logged_of_it():
    reason = {"errorType": "Error", "stack": ["Error: no", "    at f (/home/me/code/a.mjs:24:43)"]}
    logged = json.dumps({"reason": reason})
    line = f"2026-11-30T21:43:14Z\tid\tERROR\tUnhandled Promise Rejection \t{logged}\n"
    payload = document("Runtime.UnhandledPromiseRejection", "Error: no", trace=["Error: no"])
    expected = "Runtime.UnhandledPromiseRejection: Error: no"
    assert explain.error(payload, function(), [line.encode()]) == f"{expected} (a.mjs:24, in f)"
    assert explain.error(payload, function(), [line[:-9].encode()]) == expected


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        pytest.param(
            "Object of type coroutine is not JSON serializable", "asyncio.run", id="async"
        ),
        pytest.param("f() takes 0 positional arguments but 2 were given", "event and", id="arity"),
        pytest.param("Unable to stringify response body", "no BigInt", id="no JSON"),
    ],
)
def test_common_mistakes_come_with_a_remedy(message, remedy):
    assert remedy in explain.error(document("Error", message), function())


def test_an_exit_of_the_functions_own_is_called_so():
    for how in ("without providing a reason", "with error: exit status 3"):
        text = explain.error(document("Runtime.ExitError", f"Runtime exited {how}"), function())
        assert text.endswith("ended by itself, as by sys.exit() or process.exit()")
