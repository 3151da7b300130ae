"""The Node.js runtime, run as its own process against a Runtime API that the test plays."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.node import (
    ARN,
    EXIT_NO_MORE_EVENTS,
    TRACE_ID,
    Runtime,
)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Runtime]:
    yield Runtime(tmp_path)


NODE_24 = {"AWS_EXECUTION_ENV": "AWS_Lambda_nodejs24.x"}


@pytest.mark.parametrize(
    ("handler", "files"),
    [
        pytest.param("index.handler", {"index.js": "exports.handler = async () => 1"}, id="js"),
        pytest.param("index.handler", {"index.cjs": "exports.handler = async () => 1"}, id="cjs"),
        pytest.param(
            "index.handler", {"index.mjs": "export const handler = async () => 1"}, id="mjs"
        ),
        pytest.param(
            "index.handler",
            {
                "package.json": '{"type": "module"}',
                "index.js": "export const handler = await (async () => async () => 1)()",
            },
            id="js-in-a-module-package-with-top-level-await",
        ),
        pytest.param(
            "src/deep/app.handler",
            {
                "package.json": '{"type": "module"}',
                "src/deep/app.js": "export const handler = async () => 1",
            },
            id="package-json-above",
        ),
        pytest.param(
            "src/app.handler",
            {
                "package.json": '{"type": "module"}',
                "src/package.json": "{}",
                "src/app.js": "exports.handler = async () => 1",
            },
            id="the-nearest-package-json-counts",
        ),
        pytest.param(
            "index.api.v1.handler",
            {"index.js": "exports.api = { v1: { handler: async () => 1 } }"},
            id="nested-export",
        ),
        pytest.param(
            "index.handler",
            {"index.js": "require('./index.helper')(exports)", "index.helper.js": "module.exports "
             "= (e) => { e.handler = async () => 1 }"},
            id="own-modules",
        ),
        pytest.param(
            "pkg.handler",
            {"node_modules/pkg/index.js": "exports.handler = async () => 1"},
            id="a-package-in-node-modules",
        ),
        pytest.param("url-shortener.handler", {"url-shortener.js": "exports.handler = () => "
                     "Promise.resolve(1)"}, id="dash-in-the-name-and-a-plain-promise"),
    ],
)  # fmt: skip
def test_handler_is_found(run: Runtime, handler: str, files: dict[str, str]) -> None:
    result = run(files, handler=handler)
    assert result.results == [1]
    assert result.exit_code == EXIT_NO_MORE_EVENTS


@pytest.mark.parametrize(
    ("handler", "files", "error_type", "message"),
    [
        pytest.param(
            "index.handler", {}, "Runtime.ImportModuleError",
            "Error: Cannot find module 'index'\nRequire stack:\n- /var/runtime/index.mjs",
            id="no-file",
        ),
        pytest.param(
            "index.handler", {"index.js": "require('leftpad')"}, "Runtime.ImportModuleError",
            "Error: Cannot find module 'leftpad'\nRequire stack:\n- {root}/index.js"
            "\n- /var/runtime/index.mjs",
            id="missing-dependency",
        ),
        pytest.param(
            "index.handler", {"index.js": "exports.Handler = 1"}, "Runtime.HandlerNotFound",
            "index.handler is undefined or not exported", id="not-exported",
        ),
        pytest.param(
            "index.a.b", {"index.js": "exports.b = 1"}, "Runtime.HandlerNotFound",
            "index.a.b is undefined or not exported", id="not-exported-nested",
        ),
        pytest.param(
            "index.handler", {"index.js": "exports.handler = 1"}, "Runtime.HandlerNotFound",
            "index.handler is not a function", id="not-a-function",
        ),
        pytest.param(
            "index.handler", {"index.mjs": "export default { handler: async () => 1 }"},
            "Runtime.HandlerNotFound", "index.handler is undefined or not exported",
            id="default-export-before-node-24",
        ),
        pytest.param("index", {}, "Runtime.MalformedHandlerName", "Bad handler", id="no-dot"),
        pytest.param(
            "../x.handler", {}, "Runtime.MalformedHandlerName",
            "'../x.handler' is not a valid handler name: it must not contain '..'.", id="parent",
        ),
        pytest.param(
            "index.handler", {"index.js": "exports.handler = async ( =>"},
            "Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected token '=>'", id="syntax-cjs",
        ),
        pytest.param(
            "index.handler", {"index.mjs": "export const = 1"},
            "Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected token '='", id="syntax-mjs",
        ),
        pytest.param(
            "index.handler", {"index.js": "throw new RangeError('no')"}, "RangeError", "no",
            id="module-throws",
        ),
        pytest.param(
            "index.handler", {"index.mjs": "throw 'text'"}, "string", "text", id="throws-a-string"
        ),
    ],
)  # fmt: skip
def test_failure_of_init_is_reported(
    run: Runtime, handler: str, files: dict[str, str], error_type: str, message: str
) -> None:
    result = run(files, handler=handler)
    assert result.init_error["errorType"] == error_type
    assert result.init_error["errorMessage"] == message.format(root=run.task_root)
    assert isinstance(result.init_error["trace"], list)
    assert result.posts[0].headers["Lambda-Runtime-Function-Error-Type"] == error_type
    assert result.posts[0].headers["Content-Type"] == "application/json"
    assert "Z\tundefined\tERROR\tUncaught Exception \t{" in result.posts[0].printed
    assert result.exit_code == 129


def test_syntax_error_shows_its_place(run: Runtime) -> None:
    result = run({"index.js": "const a = 1;\nexports.handler = async ( =>"})
    assert f"{run.task_root}/index.js:2" in result.init_error["trace"]


def test_syntax_error_in_an_imported_module_shows_its_place(run: Runtime) -> None:
    files = {
        "index.mjs": "import { a } from './lib/a.mjs'; export const handler = a",
        "lib/a.mjs": "export * from '../b.mjs'; // import './gone.mjs'",
        "b.mjs": "export const a = async () => 1;\nexport const = 1",
    }
    trace = run(files).init_error["trace"]
    assert trace[:2] == [f"file://{run.task_root}/b.mjs:2", "export const = 1"]
    assert "SyntaxError: Unexpected token '='" in trace


def test_unhandled_rejection_during_init_is_an_init_error(run: Runtime) -> None:
    source = """await new Promise((resolve) => {
      Promise.reject(new Error('no')); setTimeout(resolve, 1e4);
    })"""
    result = run({"index.mjs": source})
    assert result.init_error["errorType"] == "Runtime.UnhandledPromiseRejection"
    assert result.init_error["errorMessage"] == "Error: no"
    assert result.exit_code == 128


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
    result = run(f"exports.handler = {source}")
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


@pytest.mark.parametrize(
    ("package", "where"),
    [
        pytest.param({"index.mjs": "export const one = 1"}, "layer/node_modules", id="a module"),
        pytest.param({"index.js": "exports.one = 1"}, "layer/node_modules", id="commonjs"),
        pytest.param({"index.js": "exports.one = 1"}, "layer", id="a folder of another name"),
    ],
)
def test_es_modules_are_imported_from_node_path(
    run: Runtime, tmp_path: Path, package: dict[str, str], where: str
) -> None:
    ((name, text),) = package.items()
    files = {
        "index.mjs": "import { one } from 'pkg'; export const handler = async () => one",
        f"{where}/pkg/{name}": text,
        f"{where}/pkg/package.json": json.dumps(
            {"name": "pkg", "exports": {"import": f"./{name}", "require": f"./{name}"}}
        ),
    }
    env = {"NODE_PATH": f"/nowhere:{tmp_path / where}"}
    assert run(files, env=env).results == [1]
    missing = run({"index.mjs": "import 'nothing'"}, env=env).init_error
    assert missing["errorType"] == "Error"
    assert "Cannot find package 'nothing' imported from" in missing["errorMessage"]
