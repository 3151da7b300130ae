"""The Lambda Runtime API, row by row, asked by a runtime of the tests' own.

Sources: Lambda guide, "Using the Lambda runtime API"; AWS's runtime interface emulator for bodies.
"""

import base64
import json
import re
import sys
import time
from collections.abc import Callable

import pytest

from tests.support.command import zipped
from tests.support.invoking import BOOTSTRAP, Invoked, logged, make_custom, run
from tests.support.stack import Stack

INIT = """
fds = "/proc/self/fd"
if os.path.exists(fds):
    kept["descriptors"] = [n for n in os.listdir(fds) if os.path.exists(f"{fds}/{n}")]
kept["early response"] = call("POST", RUNTIME + "invocation/x/response", "1")
kept["early error"] = call("POST", RUNTIME + "invocation/x/error", "{}")
kept["ping"] = call("GET", "/2018-06-01/ping")
kept["unknown"] = [call("GET", RUNTIME + "nothing")[0],
                   call("POST", RUNTIME + "invocation/next")[0]]
kept["restore"] = [call("GET", RUNTIME + "restore/next")[0],
                   call("POST", RUNTIME + "restore/error", "{}")[0]]
"""
INIT_ERROR = """
kept["answer"] = call("POST", RUNTIME + "init/error",
    json.dumps({"errorMessage": "no", "errorType": "KeyError", "stackTrace": ["here"]}),
    {"Lambda-Runtime-Function-Error-Type": os.environ["TYPE"]})
print("answered", kept["answer"][:2], flush=True)
print("then", call("GET", RUNTIME + "invocation/next")[:2], flush=True)
sys.exit(1)
"""
EXTENSION = """
_, _, extension = call("POST", "/2020-01-01/extension/register", '{"events": ["INVOKE"]}',
                       {"Lambda-Extension-Name": "inside"})
me = {"Lambda-Extension-Identifier": extension["Lambda-Extension-Identifier"]}
kept["telemetry"] = call("PUT", "/2022-07-01/telemetry", json.dumps({
    "schemaVersion": "2022-12-13", "types": ["platform"],
    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:4243"}}), me)[:2]
import threading
def listen():
    other = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    other.request("GET", "/2020-01-01/extension/event/next", headers=me)
    kept["event"] = json.loads(other.getresponse().read())
    other.request("GET", "/2020-01-01/extension/event/next", headers=me)
    other.getresponse()
threading.Thread(target=listen, daemon=True).start()
"""

Asked = Callable[..., Invoked]


@pytest.fixture(scope="module")
def custom(traffic: Stack) -> str:
    return make_custom(traffic, Environment={"Variables": {"INIT": INIT}}, Timeout=20)


@pytest.fixture
def ask(traffic: Stack, custom: str) -> Asked:
    """`ask("result = 1")` has the runtime do so and returns what Invoke answers."""
    return lambda code, **params: run(traffic, custom, code, **params)


def document(kind: str, message: str) -> str:
    return f'{{"errorMessage":"{message}","errorType":"{kind}"}}\n'


def transition(state: str, to: str) -> list[object]:
    message = f"State transition from {state} to {to} failed for runtime. Error: "
    text = document("InvalidStateTransition", f"{message}State transition is not allowed")
    return [403, text]


# The calls


def test_base_is_http_and_aws_lambda_runtime_api_host_port_no_scheme(ask: Asked) -> None:
    seen = ask("result = os.environ['AWS_LAMBDA_RUNTIME_API']").result
    assert re.fullmatch(r"127\.0\.0\.1:\d+", seen)


def test_get_runtime_invocation_next_200_body_is_event_json_content_type_application_json(
    ask: Asked,
) -> None:
    status, event, content_type = ask(
        "result = [status, event, headers['Content-Type']]; # \u00e9"
    ).result
    assert (status, content_type) == (200, "application/json")
    assert json.loads(event)["run"].endswith("# \u00e9")


def test_get_runtime_invocation_next_403_wrong_state(traffic: Stack) -> None:
    variables = {"INIT": INIT_ERROR, "TYPE": "Runtime.MyReason"}
    log = run(traffic, make_custom(traffic, Environment={"Variables": variables}), "").log
    assert "then (403, " in log
    assert "InvalidStateTransition" in log


def test_get_runtime_invocation_next_while_running_is_the_same_event(ask: Asked) -> None:
    invoked = ask(
        "again = call('GET', RUNTIME + 'invocation/next')\n"
        "result = [again[:2] == (status, event), again[2]['Lambda-Runtime-Aws-Request-Id'],"
        " again[2]['Lambda-Runtime-Deadline-Ms'] == headers['Lambda-Runtime-Deadline-Ms']]"
    )
    assert invoked.result == [True, invoked.request_id, True]


def test_post_response_202_status_ok_bodies_end_with_a_newline(ask: Asked) -> None:
    first = ask("kept['answer'] = call('POST', this + '/response', '\"mine\"'); answered = True")
    assert first.result == "mine"
    status, body, headers = ask("result = kept['answer']").result
    assert (status, body) == (202, '{"status":"OK"}\n')
    assert headers["Content-Type"] == "application/json"


def test_post_response_with_its_lambda_runtime_invocation_id_202(ask: Asked) -> None:
    id_ = "{'Lambda-Runtime-Invocation-Id': headers['Lambda-Runtime-Invocation-Id']}"
    assert ask(f"call('POST', this + '/response', '7', {id_}); answered = True").result == 7


def test_post_response_400_invalid_request_id(ask: Asked) -> None:
    found = ask(
        "result = [call('POST', RUNTIME + f'invocation/other/{what}', '1')[:2] "
        "for what in ('response', 'error')] + [kept[w][:2] for w in "
        "('early response', 'early error')]"
    ).result
    assert found == [[400, document("InvalidRequestID", "Invalid request ID")]] * 4


def test_post_response_400_invalid_invocation_id_header_present_and_wrong(ask: Asked) -> None:
    other = "{'Lambda-Runtime-Invocation-Id': 'another'}"
    found = ask(
        f"result = [call('POST', this + w, '1', {other})[:2] for w in ('/response', '/error')]"
    ).result
    assert found == [[400, document("InvalidInvocationId", "Invalid invocation ID")]] * 2


def test_post_response_413_request_entity_too_large_max_response_6_mib_plus_100_bytes(
    ask: Asked,
) -> None:
    code = "kept['large'] = call('POST', this + '/response', '\"' + 'x' * {} + '\"'); answered = 1"
    limit = 6 * 1024 * 1024 + 100
    assert len(ask(code.format(limit - 2)).payload) == limit == 6291556
    before = ask("result = [os.getpid(), api.sock.getsockname()]").result
    invoked = ask(code.format(limit - 1))
    message = "Exceeded maximum allowed payload size (6291556 bytes)."
    assert invoked.failure == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        "(6291556 bytes).",
    }
    expected = [413, document("RequestEntityTooLarge", message)]
    assert ask("result = kept['large'][:2]").result == expected
    assert ask("result = [os.getpid(), api.sock.getsockname()]").result == before


def test_post_error_413_likewise(ask: Asked) -> None:
    code = "kept['large'] = call('POST', this + '/error', '\"' + 'x' * 6291556); answered = 1"
    assert ask(code).failure["errorType"] == "Function.ResponseSizeTooLarge"
    assert ask("result = kept['large'][0]").result == 413


def test_post_response_expecting_100_continue_is_let_send_its_body(ask: Asked) -> None:
    invoked = ask(
        "raw = socket.create_connection(os.environ['AWS_LAMBDA_RUNTIME_API'].split(':'))\n"
        "raw.sendall(f'POST {this}/response HTTP/1.1\\r\\nHost: x\\r\\n"
        "Expect: 100-continue\\r\\nContent-Length: 3\\r\\n\\r\\n'.encode())\n"
        "kept['let'] = raw.recv(99).decode(); raw.sendall(b'\"a\"')\n"
        "answer = http.client.HTTPResponse(raw); answer.begin(); answered = True"
    )
    assert invoked.result == "a"
    assert ask("result = kept['let']").result == "HTTP/1.1 100 Continue\r\n\r\n"


def test_post_response_400_truncated(ask: Asked) -> None:
    invoked = ask(
        "half = socket.create_connection(os.environ['AWS_LAMBDA_RUNTIME_API'].split(':'))\n"
        "half.sendall(f'POST {this}/response HTTP/1.1\\r\\nHost: x\\r\\n"
        "Content-Length: 9\\r\\n\\r\\nabc'.encode())\n"
        "half.shutdown(socket.SHUT_WR)\n"
        "answer = http.client.HTTPResponse(half); answer.begin()\n"
        "kept['half'], answered = [answer.status, answer.read().decode()], True"
    )
    assert invoked.failure == {
        "errorType": "Runtime.TruncatedResponse",
        "errorMessage": f"RequestId: {invoked.request_id} Error: Response truncated",
    }
    expected = document("TruncatedHTTPRequest", "HTTP request detected as truncated")
    assert ask("result = kept['half']").result == [400, expected]


def test_post_response_403_when_it_has_been_answered(ask: Asked) -> None:
    ask(
        "call('POST', this + '/response', '1'); answered = True\n"
        "kept['twice'] = [call('POST', this + w, '{}')[:2] for w in ('/response', '/error')]"
    )
    assert ask("result = kept['twice']").result == [
        transition("ResponseSent", "InvocationResponse"),
        transition("ResponseSent", "InvocationErrorResponse"),
    ]


def test_post_error_202_status_ok_and_the_document_becomes_the_payload_verbatim(
    ask: Asked,
) -> None:
    error = '{"errorMessage": "m",  "errorType":"Mine","stackTrace":["a"],"more":1}'
    invoked = ask(
        f"kept['told'] = call('POST', this + '/error', {error!r}, "
        "{'Lambda-Runtime-Function-Error-Type': 'Runtime.Mine'}); answered = True"
    )
    assert (invoked.payload.decode(), invoked.error) == (error, "Unhandled")
    assert ask("result = kept['told'][:2]").result == [202, '{"status":"OK"}\n']


def test_post_init_error_202_and_the_invoke_fails_with_it(traffic: Stack) -> None:
    variables = {"INIT": INIT_ERROR, "TYPE": "Runtime.MyReason"}
    name = make_custom(traffic, Environment={"Variables": variables})
    invoked = run(traffic, name, "")
    assert invoked.failure == {
        "errorMessage": "no",
        "errorType": "KeyError",
        "stackTrace": ["here"],
    }
    assert 'answered (202, \'{"status":"OK"}\\n\')' in invoked.log
    assert "Phase: init\tStatus: error\tError Type: Runtime.MyReason\n" in invoked.log


def test_post_init_error_403_once_it_has_been_ready(ask: Asked) -> None:
    code = "result = call('POST', RUNTIME + 'init/error', '{}')[:2]"
    assert ask(code).result == transition("Running", "InitError")


def test_restore_next_and_restore_error_404_when_snap_start_off(ask: Asked) -> None:
    assert ask("result = kept['restore']").result == [404, 404]


def test_other_paths_404_other_methods_405(ask: Asked) -> None:
    assert ask("result = kept['unknown']").result == [404, 405]


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_a_runtime_has_no_descriptor_of_the_hosts(ask: Asked) -> None:
    assert ask("result = kept['descriptors']").result == ["0", "1", "2"]


def test_get_ping_200_body_pong(ask: Asked) -> None:
    assert ask("result = kept['ping'][:2]").result == [200, "pong"]


def test_extensions_register_event_next_and_telemetry(traffic: Stack) -> None:
    name = make_custom(traffic, Environment={"Variables": {"INIT": EXTENSION}})
    wait = "while 'event' not in kept: time.sleep(0.01)\nresult = kept"
    invoked = run(traffic, name, wait)
    event = invoked.result["event"]
    assert (event["eventType"], event["requestId"]) == ("INVOKE", invoked.request_id)
    assert event["invokedFunctionArn"] == name
    assert invoked.result["telemetry"] == [200, '"OK"']


# Headers of next


def test_headers_of_next_request_id_deadline_ms_trace_id_invocation_id(ask: Asked) -> None:
    before_ms = time.time() * 1000
    invoked = ask("result = headers")
    headers = invoked.result
    assert headers["Lambda-Runtime-Aws-Request-Id"] == invoked.request_id
    after_ms = time.time() * 1000
    deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])
    assert before_ms + 19_999 <= deadline_ms <= after_ms + 20_000
    trace = r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01]"
    assert re.fullmatch(trace, headers["Lambda-Runtime-Trace-Id"])
    again = ask("result = headers").result
    name = "Lambda-Runtime-Invocation-Id"
    assert headers[name] and headers[name] != again[name]


def test_lambda_runtime_invoked_function_arn_as_invoked_with_alias_or_version(
    traffic: Stack, custom: str, ask: Asked
) -> None:
    functions = traffic.functions
    version = functions.publish_version(FunctionName=custom)["Version"]
    functions.create_alias(FunctionName=custom, Name="live", FunctionVersion=version)
    code = "result = headers['Lambda-Runtime-Invoked-Function-Arn']"
    assert ask(code).result == custom
    for qualifier in ("$LATEST", version, "live"):
        assert ask(code, Qualifier=qualifier).result == f"{custom}:{qualifier}"
        assert run(traffic, f"{custom}:{qualifier}", code).result == f"{custom}:{qualifier}"


def test_lambda_runtime_client_context_json_only_if_given_cognito_identity_and_tenant_omitted(
    ask: Asked,
) -> None:
    plain = ask("result = headers").result
    given = json.dumps({"custom": {"a": "b"}, "client": {"app_title": "t"}})
    context = base64.b64encode(given.encode()).decode()
    seen = ask("result = headers", ClientContext=context).result
    assert json.loads(seen.pop("Lambda-Runtime-Client-Context")) == json.loads(given)
    assert plain.keys() == seen.keys()
    assert {name for name in plain if name.startswith("Lambda-")} == {
        f"Lambda-Runtime-{name}"
        for name in (
            *("Aws-Request-Id", "Deadline-Ms", "Invoked-Function-Arn"),
            *("Trace-Id", "Invocation-Id"),
        )
    }


# Streaming and error types


def test_lambda_runtime_function_response_mode_streaming_other_values_400(ask: Asked) -> None:
    mode = "{'Lambda-Runtime-Function-Response-Mode': '%s'}"
    code = f"result = call('POST', this + '/response', '1', {mode % 'buffered'})[:2]"
    expected = document("InvalidFunctionResponseMode", "Invalid function response mode")
    assert ask(code).result == [400, expected]
    streamed = ask(f"call('POST', this + '/response', '\"s\"', {mode % 'streaming'}); answered = 1")
    assert streamed.result == "s"


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("Function.NoSuchThing", "Function.NoSuchThing"),
        ("Function.2", "Function.Unknown"),
        ("KeyError", "Runtime.Unknown"),
    ],
)
def test_values_not_shaped_so_are_normalised_to_runtime_unknown_or_function_unknown(
    traffic: Stack, told: str, kind: str
) -> None:
    variables = {"INIT": INIT_ERROR, "TYPE": told}
    invoked = run(traffic, make_custom(traffic, Environment={"Variables": variables}), "")
    assert invoked.failure["errorType"] == "KeyError"
    assert invoked.report["Error Type"] == kind


@pytest.mark.parametrize("runtime", ["provided.al2023", "provided.al2", "java21"])
def test_runtime_invalid_entrypoint_where_nothing_can_run_it(traffic: Stack, runtime: str) -> None:
    invoked = run(traffic, traffic.make("", Runtime=runtime), "")
    assert invoked.failure["errorType"] == "Runtime.InvalidEntrypoint"
    start = f"RequestId: {invoked.request_id} Error: "
    assert invoked.failure["errorMessage"].startswith(start)
    assert invoked.report["Error Type"] == "Runtime.InvalidEntrypoint"


def test_timeout_payload_sandbox_timedout_task_timed_out_after_1_00_seconds(
    traffic: Stack,
) -> None:
    name = make_custom(traffic, Timeout=1)
    invoked = run(traffic, name, "time.sleep(9)")
    assert invoked.payload.decode() == (
        '{"errorType":"Sandbox.Timedout","errorMessage":'
        f'"RequestId: {invoked.request_id} Error: Task timed out after 1.00 seconds"}}'
    )
    assert invoked.report["Status"] == "timeout"
    group = f"/aws/lambda/{name.rsplit(':', 1)[1]}"
    line = rf"\d{{4}}-\d\d-\d\dT[\d:.]+Z {invoked.request_id} Task timed out after 1.00 seconds\n"
    assert any(re.fullmatch(line, each) for each in logged(traffic, group, "REPORT"))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os._exit(0)", "Runtime exited without providing a reason"),
        ("os._exit(3)", "Runtime exited with error: exit status 3"),
        ("os.kill(os.getpid(), 2); time.sleep(30)", "Runtime exited with error: signal: interrupt"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
    ],
)
def test_exit_payload_runtime_exit_error(ask: Asked, code: str, reason: str) -> None:
    invoked = ask(f"import signal; signal.signal(2, signal.SIG_DFL); {code}")
    assert invoked.payload.decode() == (
        '{"errorType":"Runtime.ExitError","errorMessage":'
        f'"RequestId: {invoked.request_id} Error: {reason}"}}'
    )
    assert invoked.report["Status"] == "error"
    assert invoked.report["Error Type"] == "Runtime.ExitError"
    assert int(invoked.report["Max Memory Used"].removesuffix(" MB")) > 0


def test_runtime_invalid_entrypoint_where_bootstrap_is_no_executable(traffic: Stack) -> None:
    code = {"ZipFile": zipped(BOOTSTRAP, "bootstrap")}
    invoked = run(traffic, traffic.make("", Runtime="provided.al2023", Code=code), "")
    assert invoked.failure["errorType"] == "Runtime.InvalidEntrypoint"
