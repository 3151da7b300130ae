"""The Node.js runtime, run as its own process against a Runtime API that the test plays."""

import json
import re
from typing import Any

import pytest

from tests.support.node import ARN, EXIT_NO_MORE_EVENTS, TRACE_ID, Runtime
from tests.support.node import pytestmark as pytestmark

NODE_24 = {"AWS_EXECUTION_ENV": "AWS_Lambda_nodejs24.x"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param("async (event) => ({ got: event.n })", {"got": 5}, id="async"),
        pytest.param("async () => {}", None, id="undefined-is-null"),
        pytest.param("async () => 'Zoë \\u{1f985}'", "Zoë 🦅", id="unicode"),
        pytest.param("(e, c, cb) => { cb(null, e.n) }", 5, id="callback"),
        pytest.param("(e, c, cb) => { setTimeout(() => cb(null, e.n), 5) }", 5, id="late-callback"),
        pytest.param("(e, c, cb) => { cb() }", None, id="callback-without-arguments"),
        pytest.param("(e, c, cb) => { cb(null, 1); cb(null, 2) }", 1, id="first-callback-counts"),
        pytest.param("async (e, c, cb) => { cb(null, 1); return 2 }", 1, id="callback-then-return"),
        pytest.param("(e, c, cb) => { cb(null, 1); throw new Error('x') }", 1, id="then-throw"),
        pytest.param("() => 3", None, id="plain-return-value-is-not-an-answer"),
        pytest.param("() => new Promise(() => {})", None, id="plain-function-that-never-answers"),
        pytest.param("(e, c) => { c.succeed(e.n) }", 5, id="context-succeed"),
        pytest.param("(e, c) => { c.done(null, e.n) }", 5, id="context-done"),
        pytest.param(
            "() => ({ then: (resolve) => resolve({ thenable: true }) })",
            {"thenable": True}, id="thenable",
        ),
        pytest.param(
            "(e, c, cb) => { const o = {}; setTimeout(() => { o.late = 1 }, 20); cb(null, o) }",
            {"late": 1}, id="callback-waits-for-an-empty-event-loop",
        ),
        pytest.param(
            "(e, c, cb) => { c.callbackWaitsForEmptyEventLoop = false; const o = {};"
            " setTimeout(() => { o.late = 1 }, 20); cb(null, o) }",
            {}, id="or-not-if-told-so",
        ),
        pytest.param(
            "(e, c) => { const o = {}; setTimeout(() => { o.late = 1 }, 20); c.succeed(o) }",
            {}, id="context-succeed-does-not-wait",
        ),
    ],
)  # fmt: skip
def test_result_is_posted(run: Runtime, source: str, expected: Any) -> None:
    result = run(f"exports.handler = {source}", {"n": 5})
    assert result.results == [expected]
    assert result.posts[0].path == "/2018-06-01/runtime/invocation/request-0/response"
    assert result.posts[0].headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("source", "error_type", "message"),
    [
        pytest.param("async () => { throw new TypeError('no') }", "TypeError", "no", id="async"),
        pytest.param("() => { throw new TypeError('no') }", "TypeError", "no", id="sync-throw"),
        pytest.param("(e, c, cb) => cb(new TypeError('no'))", "TypeError", "no", id="callback"),
        pytest.param("(e, c, cb) => cb('no')", "string", "no", id="callback-with-a-string"),
        pytest.param("async () => { throw 'no' }", "string", "no", id="rejected-with-a-string"),
        pytest.param("async () => { throw 7 }", "number", "7", id="rejected-with-a-number"),
        pytest.param(
            "async () => { throw { a: 1 } }", "object", "[object Object]", id="with-an-object"
        ),
        pytest.param("() => Promise.reject()", "string", "handled", id="rejected-with-nothing"),
        pytest.param(
            "async () => { throw Object.create(null) }", "handled",
            "The error cannot be described: reading its name, message or stack failed.",
            id="rejected-with-what-cannot-be-printed",
        ),
        pytest.param("(e, c) => c.fail(new TypeError('no'))", "TypeError", "no", id="context-fail"),
        pytest.param("(e, c) => c.done('no')", "string", "no", id="context-done"),
        pytest.param(
            "async () => { const e = new Error('no'); e.name = 'My\\r\\nX: y'; throw e }",
            "My\r\nX: y", "no", id="name-that-no-header-can-hold",
        ),
        pytest.param(
            "async () => 10n", "Error", "Unable to stringify response body", id="result-bigint"
        ),
        pytest.param(
            "async () => { const o = {}; o.o = o; return o }", "Error",
            "Unable to stringify response body", id="result-cycle",
        ),
        pytest.param(
            "async () => () => 1", "Error", "Unable to stringify response body",
            id="result-function",
        ),
        pytest.param(
            "() => new Promise((_, no) => setTimeout(no, 5, require('vm').runInNewContext("
            "\"new TypeError('no')\")))",
            "TypeError", "no", id="error-of-another-realm",
        ),
    ],
)  # fmt: skip
def test_error_is_posted_and_the_environment_lives_on(
    run: Runtime, source: str, error_type: str, message: str
) -> None:
    result = run(f"exports.handler = {source}", {}, {})
    assert len(result.posts) == 2
    for number, post in enumerate(result.posts):
        assert post.path == f"/2018-06-01/runtime/invocation/request-{number}/error"
        assert post.json["errorType"] == error_type
        assert post.json["errorMessage"] == message
        header = re.sub(r"[^ -~]", "", error_type)
        assert post.headers["Lambda-Runtime-Function-Error-Type"] == header
        assert f"Z\trequest-{number}\tERROR\tInvoke Error \t{{" in post.printed
    assert result.exit_code == EXIT_NO_MORE_EVENTS


def test_trace_has_the_lines_of_the_stack(run: Runtime) -> None:
    result = run("exports.handler = async () => {\n  throw new TypeError('a\\nb')\n}")
    trace = result.error["trace"]
    assert trace[:2] == ["TypeError: a", "b"]
    assert trace[2].endswith("index.js:2:9)")


def test_logged_error_has_its_own_properties(run: Runtime) -> None:
    source = "const e = new RangeError('no'); e.code = 'E1'; e.detail = { a: 1 }; throw e"
    result = run(f"exports.handler = async () => {{ {source} }}")
    logged = json.loads(result.stdout.split("Invoke Error \t")[1])
    stack = logged.pop("stack")
    assert logged == {
        "errorType": "RangeError", "errorMessage": "no", "code": "E1", "detail": {"a": 1}
    }  # fmt: skip
    assert stack[0] == "RangeError: no"


def test_event_that_is_not_json_is_an_error_of_the_invocation(run: Runtime) -> None:
    assert run("exports.handler = async () => 1", b"{").error["errorType"] == "SyntaxError"


def test_async_handler_that_can_never_answer_fails(run: Runtime) -> None:
    result = run("exports.handler = async () => { await new Promise(() => {}) }", {}, {})
    assert [post.json["errorType"] for post in result.posts] == ["Runtime.NodeJsExit"] * 2


@pytest.mark.parametrize(
    ("source", "error_type", "message", "exit_code"),
    [
        pytest.param(
            "async () => { Promise.reject(new Error('no')); await new Promise(setImmediate) }",
            "Runtime.UnhandledPromiseRejection", "Error: no", 128, id="rejection",
        ),
        pytest.param(
            "async () => { Promise.reject(new Error('no')); return 1 }",
            "Runtime.UnhandledPromiseRejection", "Error: no", 128, id="rejection-and-return",
        ),
        pytest.param(
            "() => { setTimeout(() => { throw new TypeError('no') }, 1) }",
            "TypeError", "no", 129, id="exception-in-a-timer",
        ),
        pytest.param(
            "() => { setTimeout(() => { throw 'no' }, 1) }", "string", "no", 129, id="of-a-string"
        ),
    ],
)  # fmt: skip
def test_what_nobody_catches_is_posted_and_ends_the_process(
    run: Runtime, source: str, error_type: str, message: str, exit_code: int
) -> None:
    result = run(f"exports.handler = {source}", {}, {})
    assert (result.error["errorType"], result.error["errorMessage"]) == (error_type, message)
    assert result.exit_code == exit_code
    assert "\trequest-0\tERROR\tUn" in result.posts[0].printed


def test_exception_between_invocations_ends_the_process_after_the_answer(run: Runtime) -> None:
    source = """async () => {
      setImmediate(() => setImmediate(() => { throw new Error('late') }));
      return 'x'.repeat(4e6);
    }"""
    result = run(f"exports.handler = {source}", ends_by_itself=True)
    assert result.results == ["x" * 4_000_000]
    assert result.exit_code == 129


def test_process_exit_just_exits(run: Runtime) -> None:
    result = run("exports.handler = () => { console.log('bye'); process.exit(3) }")
    assert (result.posts, result.exit_code) == ([], 3)
    assert result.stdout.endswith("\trequest-0\tINFO\tbye\n")


def test_context(run: Runtime) -> None:
    source = """exports.handler = async (event, context) => ({
      context, remaining: context.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID,
      functions: ['done', 'succeed', 'fail'].filter((name) => context[name]),
    })"""
    headers = {
        "Lambda-Runtime-Client-Context": '{"custom":{"k":"é"}}'.encode().decode("latin-1"),
        "Lambda-Runtime-Cognito-Identity": '{"cognitoIdentityId":"id"}',
    }
    (result,) = run(source, headers=headers).results
    assert result["context"] == {
        "functionVersion": "7",
        "functionName": "my-function",
        "memoryLimitInMB": "128",
        "logGroupName": "/aws/lambda/my-function",
        "logStreamName": "2024/01/01/[7]0123",
        "clientContext": {"custom": {"k": "é"}},
        "identity": {"cognitoIdentityId": "id"},
        "invokedFunctionArn": ARN,
        "awsRequestId": "request-0",
        "callbackWaitsForEmptyEventLoop": True,
    }
    assert 0 < result["remaining"] <= 3000
    assert result["trace"] == TRACE_ID
    assert result["functions"] == ["done", "succeed", "fail"]


def test_empty_headers_are_as_good_as_none(run: Runtime) -> None:
    source = """exports.handler = async (event, context) =>
      [context.clientContext, context.identity, process.env._X_AMZN_TRACE_ID].map((v) => typeof v)
    """
    names = ("Client-Context", "Cognito-Identity", "Trace-Id")
    result = run(source, headers={f"Lambda-Runtime-{name}": "" for name in names})
    assert result.results == [["undefined"] * 3]


def test_client_context_that_is_not_json_fails_the_invocation(run: Runtime) -> None:
    headers = {"Lambda-Runtime-Client-Context": "{"}
    error = run("exports.handler = async () => 1", headers=headers).error
    assert error["errorMessage"].startswith("Cannot parse ClientContext as json: SyntaxError")


def test_globals_survive_and_one_connection_serves_all(run: Runtime) -> None:
    source = "let n = 0; exports.handler = async (event) => [event, ++n]"
    result = run(source, *range(50))
    assert result.results == [[n, n + 1] for n in range(50)]
    assert result.connections == 1


def test_large_event_and_result_pass_whole(run: Runtime) -> None:
    text = "é" * 3_000_000
    result = run("exports.handler = async (event) => event", text, "small")
    assert result.results == [text, "small"]


def test_connection_that_is_closed_meanwhile_is_made_anew(run: Runtime) -> None:
    result = run("exports.handler = async (event) => event", 1, 2, drop=1)
    assert result.results == [1, 2]
    assert result.connections == 2


def test_answer_that_is_not_taken_is_given_up(run: Runtime) -> None:
    assert run("exports.handler = async (event) => event", 1, 2, drop=2).results == [2]


def test_without_a_runtime_api_the_process_ends(run: Runtime) -> None:
    result = run("exports.handler = async () => 1", env={"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"})
    assert result.exit_code == 1
    assert "ECONNREFUSED" in result.stderr


def test_from_node_24_on_the_return_value_is_the_answer(run: Runtime) -> None:
    result = run("exports.handler = (event, c) => [typeof c.done, event]", 4, env=NODE_24)
    assert result.results == [["undefined", 4]]


def test_from_node_24_on_a_default_export_is_looked_into(run: Runtime) -> None:
    result = run({"index.mjs": "export default { handler: () => 1 }"}, env=NODE_24)
    assert result.results == [1]


def test_from_node_24_on_callback_handlers_are_refused(run: Runtime) -> None:
    result = run("exports.handler = (event, context, callback) => {}", env=NODE_24)
    assert result.init_error["errorType"] == "Runtime.CallbackHandlerDeprecated"


def test_from_node_24_on_a_bad_result_has_its_own_error_type(run: Runtime) -> None:
    result = run("exports.handler = () => 1n", env=NODE_24)
    assert result.error["errorType"] == "Runtime.JSONStringifyError"


def test_console_lines_have_time_request_id_and_level(run: Runtime) -> None:
    source = """console.log('init');
    exports.handler = async (event) => {
      console.log('a %s', 'b', { c: 1 }); console.info('i'); console.warn('w'); console.error('e');
      console.debug('d'); console.trace('t'); console.log('line 1\\nline 2');
    }"""
    result = run(source, {}, {})
    lines = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "TIME", result.stdout)
    once = (
        "TIME\tID\tINFO\ta b { c: 1 }\nTIME\tID\tINFO\ti\nTIME\tID\tWARN\tw\nTIME\tID\tERROR\te\n"
        "TIME\tID\tDEBUG\td\nTIME\tID\tTRACE\tt\nTIME\tID\tINFO\tline 1\nline 2\n"
    )
    assert lines == "TIME\tundefined\tINFO\tinit\n" + "".join(
        once.replace("ID", f"request-{number}") for number in range(2)
    )


def test_json_log_format_and_level(run: Runtime) -> None:
    source = """exports.handler = async () => {
      console.info('hidden'); console.warn({ a: 1 }); console.error('x', new RangeError('no'));
      throw new TypeError('end');
    }"""
    result = run(source, env={"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "warn"})
    entries = [json.loads(line) for line in result.stdout.splitlines()]
    assert [entry["level"] for entry in entries] == ["WARN", "ERROR", "ERROR"]
    assert {entry["requestId"] for entry in entries} == {"request-0"}
    assert entries[0]["message"] == {"a": 1}
    assert (entries[1]["errorType"], entries[1]["errorMessage"]) == ("RangeError", "no")
    assert entries[2]["message"]["errorType"] == "TypeError"


@pytest.mark.parametrize("write", ["console.log", "process.stdout.write"])
def test_output_is_written_before_the_answer(run: Runtime, write: str) -> None:
    result = run(f"exports.handler = async (n) => {{ {write}(`mark ${{n}}\\n`) }}", 0, 1, 2)
    for number, post in enumerate(result.posts):
        assert f"mark {number}\n" in post.printed
        assert f"mark {number + 1}\n" not in post.printed


@pytest.mark.parametrize("write", ["console.log", "process.stdout.write"])
def test_output_larger_than_the_pipe_is_not_lost_at_exit(run: Runtime, write: str) -> None:
    source = f"exports.handler = () => {{ {write}('x'.repeat(1e6)); process.exit(0) }}"
    assert run(source).stdout.count("x") == 1_000_000
