"""The Lambda Runtime API of a real host, asked by a runtime of the test's own."""

import json
import os
import sys
import time
from collections.abc import Iterator

import pytest

from tests.support.host import RunningHost, running_host

BOOTSTRAP = f"""#!{os.path.realpath(sys.executable)}
import http.client, json, os, socket
api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
BASE = '/2018-06-01/runtime/'

def call(method, path, body=None, headers=None):
    api.request(method, path, body, headers or {{}})
    answer = api.getresponse()
    return answer.status, answer.read().decode(), dict(answer.getheaders())

def truncated(id_):
    if not id_:
        return found.get('truncated')
    with socket.create_connection(os.environ['AWS_LAMBDA_RUNTIME_API'].split(':')) as half:
        half.sendall(f'POST {{BASE}}invocation/{{id_}}/response HTTP/1.1\\r\\nHost: x\\r\\n'
                     'Content-Length: 9\\r\\n\\r\\nabc'.encode())
        half.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(half)
        answer.begin()
        return answer.status, answer.read().decode()

found = {{}}
fds = '/proc/self/fd'
found['descriptors'] = [n for n in os.listdir(fds) if os.path.exists(f'{{fds}}/{{n}}')]
found['early answer'] = call('POST', BASE + 'invocation/x/response', 'x')[:2]
found['ping'] = call('GET', '/2018-06-01/ping')[:2]
found['unknown'] = call('GET', BASE + 'nothing')[0]
found['wrong method'] = call('POST', BASE + 'invocation/next')[0]
while True:
    status, event, headers = call('GET', BASE + 'invocation/next')
    id_ = headers['Lambda-Runtime-Aws-Request-Id']
    found['headers'] = {{k: v for k, v in headers.items() if k.startswith('Lambda-')}}
    found['second next'] = call('GET', BASE + 'invocation/next')[:2]
    found['late init error'] = call('POST', BASE + 'init/error', '{{}}')[:2]
    found['other id'] = call('POST', BASE + 'invocation/other/response', '1')[:2]
    found['other attempt'] = call('POST', BASE + f'invocation/{{id_}}/response', '1',
                                  {{'Lambda-Runtime-Invocation-Id': 'another'}})[:2]
    found['mode'] = call('POST', BASE + f'invocation/{{id_}}/response', '1',
                         {{'Lambda-Runtime-Function-Response-Mode': 'odd'}})[:2]
    same = {{'Lambda-Runtime-Invocation-Id': headers['Lambda-Runtime-Invocation-Id']}}
    found['truncated'] = truncated(event == '"truncated"' and id_)
    if json.loads(event) == 'error':
        error = '{{"errorType":"Mine","errorMessage":"m"}}'
        call('POST', BASE + f'invocation/{{id_}}/error', error)
    else:
        found['event'] = event
        call('POST', BASE + f'invocation/{{id_}}/response', json.dumps(found), same)
    found['twice'] = call('POST', BASE + f'invocation/{{id_}}/response', '1')[:2]
"""


@pytest.fixture(scope="module")
def host() -> Iterator[RunningHost]:
    with running_host() as host:
        yield host


def test_the_runtime_api_answers_as_the_emulator_does(host: RunningHost) -> None:
    host.deploy("custom", BOOTSTRAP, file="bootstrap", runtime="provided.al2023")
    found = json.loads(host.invoke("custom", {"a": 1}).payload)

    def error(status: int, kind: str, message: str) -> list[object]:
        return [status, f'{{"errorMessage":"{message}","errorType":"{kind}"}}\n']

    def transition(state: str, to: str) -> list[object]:
        message = f"State transition from {state} to {to} failed for runtime. Error: "
        return error(403, "InvalidStateTransition", f"{message}State transition is not allowed")

    other = error(400, "InvalidRequestID", "Invalid request ID")

    assert found["descriptors"] == ["0", "1", "2"]  # nothing of the host's
    assert found["ping"] == [200, "pong"]
    assert found["unknown"] == 404
    assert found["wrong method"] == 405
    assert found["event"] == '{"a": 1}'
    assert found["early answer"] == other
    assert found["second next"] == transition("Running", "Ready")
    assert found["late init error"] == transition("Running", "InitError")
    assert found["other id"] == other
    assert found["other attempt"] == error(400, "InvalidInvocationId", "Invalid invocation ID")
    mode = error(400, "InvalidFunctionResponseMode", "Invalid function response mode")
    assert found["mode"] == mode
    headers = found["headers"]
    arn = "arn:aws:lambda:us-east-1:123456789012:function:custom"
    assert headers["Lambda-Runtime-Invoked-Function-Arn"] == arn
    assert abs(int(headers["Lambda-Runtime-Deadline-Ms"]) / 1000 - time.time() - 3) < 5
    assert headers["Lambda-Runtime-Trace-Id"].startswith("Root=1-")
    again = json.loads(host.invoke("custom").payload)
    assert again["twice"] == transition("ResponseSent", "InvocationResponse")


def test_a_result_that_breaks_off_is_an_error_of_the_invocation(host: RunningHost) -> None:
    host.deploy("custom", BOOTSTRAP, file="bootstrap", runtime="provided.al2023")
    invoked = host.invoke("custom", "truncated")
    assert json.loads(invoked.payload) == {
        "errorType": "Runtime.TruncatedResponse",
        "errorMessage": f"RequestId: {invoked.request_id} Error: Response truncated",
    }
    assert json.loads(host.invoke("custom").payload)["truncated"] == [  # it lives on
        400,
        '{"errorMessage":"HTTP request detected as truncated",'
        '"errorType":"TruncatedHTTPRequest"}\n',
    ]


def test_an_error_document_is_handed_on_verbatim(host: RunningHost) -> None:
    host.deploy("custom", BOOTSTRAP, file="bootstrap", runtime="provided.al2023")
    invoked = host.invoke("custom", "error")
    assert invoked.payload == b'{"errorType":"Mine","errorMessage":"m"}'
    assert invoked.function_error == "Unhandled"
