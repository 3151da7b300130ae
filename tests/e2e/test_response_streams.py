"""Function URLs with the invoke mode RESPONSE_STREAM: bytes reach the client as they are written.

Source: Lambda guide, "Response streaming for Lambda functions".
"""

import base64
import http.client
import io
import json
import os
import shutil
import signal
import socket
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.command import Server, free_port, place, serving
from tests.support.stack import Stack

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None and not os.environ.get("CI"), reason="node is not on the PATH"
)

# The path says what it does; on the port in the query it waits for a word before it goes on.
NODE = """
import net from 'node:net';

const word = (port) => new Promise((resolve) => {
  const socket = net.connect(Number(port), '127.0.0.1');
  socket.on('data', () => { socket.destroy(); resolve(); });
});

export const handler = awslambda.streamifyResponse(async (event, stream, context) => {
  const what = (event.rawPath ?? event.path).slice(1);
  const from = (metadata) => awslambda.HttpResponseStream.from(stream, metadata);
  const headers = { 'x-a': 'b', 'content-type': 'text/x' };
  const metadata = { statusCode: 201, headers, cookies: ['c=1', 'd=2'] };
  if (what === 'metadata' || what === 'waits') stream = from(metadata);
  if (what === 'none') return void from({ statusCode: 204 }).end();
  if (what === 'odd') return void from({ statusCode: 'x' }).end('y');
  if (what === 'typed') stream.setContentType('text/plain');
  if (what === 'early') throw new TypeError('early');
  if (what === 'large') {
    const part = Buffer.alloc(1024 * 1024, 'x');
    for (let n = 0; n < 8; n += 1) {
      if (!stream.write(part)) await new Promise((resolve) => stream.once('drain', resolve));
    }
    stream.end();
    return;
  }
  stream.write('first,');
  if (what === 'waits') await word(event.queryStringParameters.port);
  if (what === 'late') throw new RangeError('late');
  stream.write({ second: true });
  stream.end();
});
"""
PLAIN = "def handler(event, context): return {'statusCode': 404, 'body': 'as it is'}\n"
CUSTOM = f"""#!{os.path.realpath(sys.executable)}
import base64, http.client, json, os
BASE = '/2018-06-01/runtime/invocation/'
while True:
    api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
    api.request('GET', BASE + 'next')
    answer = api.getresponse()
    id_, event = answer.headers['Lambda-Runtime-Aws-Request-Id'], json.loads(answer.read())
    api.putrequest('POST', BASE + id_ + '/response')
    for name, value in (('Lambda-Runtime-Function-Response-Mode', 'streaming'),
                        ('Transfer-Encoding', 'chunked'), ('Content-Type', 'text/custom'),
                        ('Trailer', 'Lambda-Runtime-Function-Error-Type')):
        api.putheader(name, value)
    api.endheaders()
    for part in (b'one,', b'two'):
        api.send(b'%x\\r\\n%b\\r\\n' % (len(part), part))
    trailers = b''
    if event['rawPath'] == '/late':
        error = base64.b64encode(b'{{"errorType":"Mine.Late"}}')
        trailers = (b'Lambda-Runtime-Function-Error-Type: Mine.Late\\r\\n'
                    b'Lambda-Runtime-Function-Error-Body: ' + error + b'\\r\\n')
    api.send(b'0\\r\\n' + trailers + b'\\r\\n')
    assert api.getresponse().status == 202
"""


@dataclass
class Site:
    server: Server
    urls: dict[str, str]
    connections: list[http.client.HTTPConnection] = field(default_factory=list)

    def request(self, name: str, target: str, method: str = "GET") -> http.client.HTTPResponse:
        """Return the answer as soon as its head is there."""
        parts = urlsplit(self.urls[name])
        connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=30)
        self.connections.append(connection)
        connection.request(method, target, headers={"Host": parts.netloc})
        return connection.getresponse()


@pytest.fixture(scope="module")
def channel(traffic: Stack) -> Iterator[Site]:
    yield from _site(traffic.server)


@pytest.fixture(scope="module")
def http_() -> Iterator[Site]:
    with place() as where:
        where.variables["ALBATROSS_FUNCTION_URL_PORT"] = str(free_port())
        where.variables["ALBATROSS_RUNTIME_TRANSPORT"] = "http"
        with serving(where) as server:
            yield from _site(server)


def _site(server: Server) -> Iterator[Site]:
    site = Site(server, dict(_functions(server)))
    yield site
    for connection in site.connections:
        connection.close()


@pytest.fixture(params=[pytest.param("channel"), pytest.param("http_", id="http")])
def site(request: pytest.FixtureRequest) -> Site:
    site: Site = request.getfixturevalue(request.param)
    return site


def _functions(server: Server) -> Iterator[tuple[str, str]]:
    api = server.client("lambda")
    for name, runtime, file, source in (
        ("node", "nodejs20.x", "app.mjs", NODE),
        ("plain", f"python3.{sys.version_info.minor}", "app.py", PLAIN),
        ("custom", "provided.al2023", "bootstrap", CUSTOM),
    ):
        api.create_function(
            FunctionName=f"streams-{name}",
            Runtime=runtime,
            Handler="app.handler",
            Role="arn:aws:iam::123456789012:role/any",
            Code={"ZipFile": _executable(source, file)},
            Timeout=20,
        )
        for action, more in (
            ("InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
            ("InvokeFunction", {"InvokedViaFunctionUrl": True}),
        ):
            api.add_permission(
                FunctionName=f"streams-{name}",
                StatementId=action,
                Action=f"lambda:{action}",
                Principal="*",
                **more,
            )
        made = api.create_function_url_config(
            FunctionName=f"streams-{name}", AuthType="NONE", InvokeMode="RESPONSE_STREAM"
        )
        assert made["InvokeMode"] == "RESPONSE_STREAM"
        yield name, made["FunctionUrl"]


def _executable(source: str, name: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = 0o100755 << 16
        file.writestr(entry, source)
    return archive.getvalue()


def test_bytes_reach_the_client_as_they_are_written(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answer = site.request("node", f"/waits?port={server.getsockname()[1]}")
        assert answer.read(6) == b"first,"  # and the function has not ended
        waiting, _ = server.accept()
        with waiting:
            waiting.sendall(b"go")
        assert answer.read() == b'{"second":true}'
    assert answer.status == 201


def test_metadata_make_the_head_of_the_response(site: Site) -> None:
    answer = site.request("node", "/metadata")
    assert (answer.status, answer.read()) == (201, b'first,{"second":true}')
    assert (answer.headers["x-a"], answer.headers["content-type"]) == ("b", "text/x")
    assert answer.headers.get_all("set-cookie") == ["c=1", "d=2"]
    assert answer.headers["x-amzn-requestid"]
    assert answer.headers["transfer-encoding"] == "chunked"


@pytest.mark.parametrize(
    ("target", "status", "content_type", "body"),
    [
        pytest.param("/x", 200, "application/octet-stream", b'first,{"second":true}', id="bytes"),
        pytest.param("/typed", 200, "text/plain", b'first,{"second":true}', id="of a type"),
        pytest.param("/none", 204, "application/json", b"", id="nothing but metadata"),
        pytest.param("/odd", 502, "application/json", b"Internal Server Error", id="no metadata"),
        pytest.param("/early", 502, "application/json", b"Internal Server Error", id="an error"),
        pytest.param("/large", 200, "application/octet-stream", b"x" * 8 * 2**20, id="over 6 MB"),
    ],
)
def test_what_a_function_streams(
    site: Site, target: str, status: int, content_type: str, body: bytes
) -> None:
    answer = site.request("node", target)
    found = answer.status, answer.headers["content-type"], answer.read()
    assert found == (status, content_type, body)


def test_head_gets_no_body(site: Site) -> None:
    answer = site.request("node", "/metadata", "HEAD")
    assert (answer.status, answer.headers["x-a"], answer.read()) == (201, "b", b"")


@pytest.mark.parametrize("name", ["node", "custom"])
def test_a_stream_that_fails_in_its_middle_is_cut_off(site: Site, name: str) -> None:
    answer = site.request(name, "/late")
    assert answer.status == 200
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
    again = site.request(name, "/x")
    assert again.status == 200
    assert again.read()


def test_a_runtime_of_its_own_streams_in_chunks(site: Site) -> None:
    answer = site.request("custom", "/")
    assert (answer.headers["content-type"], answer.read()) == ("text/custom", b"one,two")


def test_what_is_returned_instead_of_streamed_is_the_body(site: Site) -> None:
    answer = site.request("plain", "/")
    assert answer.status == 200
    assert json.loads(answer.read()) == {"statusCode": 404, "body": "as it is"}


def test_who_wants_the_whole_result_gets_it_whole(site: Site) -> None:
    api = site.server.client("lambda")
    invoked = api.invoke(FunctionName="streams-node", Payload=b'{"rawPath": "/x"}')
    assert invoked["Payload"].read() == b'first,{"second":true}'
    late = api.invoke(FunctionName="streams-node", Payload=b'{"rawPath": "/late"}')
    assert late["FunctionError"] == "Unhandled"
    assert json.load(late["Payload"])["errorType"] == "RangeError"
    large = api.invoke(FunctionName="streams-node", Payload=b'{"rawPath": "/large"}')
    assert json.load(large["Payload"])["errorType"] == "Function.ResponseSizeTooLarge"
    api.update_function_url_config(FunctionName="streams-node", InvokeMode="BUFFERED")
    try:
        answer = site.request("node", "/metadata")
        assert (answer.status, answer.read()) == (201, b'first,{"second":true}')
        assert answer.headers["content-length"] == "21"
    finally:
        api.update_function_url_config(FunctionName="streams-node", InvokeMode="RESPONSE_STREAM")


def _stream(site: Site, payload: dict[str, object], name: str = "node", **more: str) -> Any:
    return site.server.client("lambda").invoke_with_response_stream(
        FunctionName=f"streams-{name}", Payload=json.dumps(payload), **more
    )


def test_the_api_streams_what_a_function_writes(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        event = {"rawPath": "/waits", "queryStringParameters": {"port": port}}
        answer = _stream(site, event, LogType="Tail")
        assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
        events = iter(answer["EventStream"])
        metadata, _, first = next(events)["PayloadChunk"]["Payload"].partition(bytes(8))
        assert json.loads(metadata)["statusCode"] == 201
        assert first == b"first,"  # and the function has not ended
        waiting, _ = server.accept()
        with waiting:
            waiting.sendall(b"go")
        assert next(events) == {"PayloadChunk": {"Payload": b'{"second":true}'}}
        (complete,) = [each["InvokeComplete"] for each in events]
    assert complete.keys() == {"LogResult"}
    assert b"REPORT RequestId: " in base64.b64decode(complete["LogResult"])


@pytest.mark.parametrize(
    ("path", "chunks", "error"),
    [
        pytest.param("/late", [b"first,"], "RangeError", id="in the middle"),
        pytest.param("/early", [], "TypeError", id="before anything"),
    ],
)
def test_the_api_says_at_the_end_how_a_stream_has_failed(
    site: Site, path: str, chunks: list[bytes], error: str
) -> None:
    *parts, last = _stream(site, {"rawPath": path})["EventStream"]
    assert [each["PayloadChunk"]["Payload"] for each in parts] == chunks
    complete = last["InvokeComplete"]
    assert complete["ErrorCode"] == "Unhandled"
    assert json.loads(complete["ErrorDetails"])["errorType"] == error


def test_the_api_streams_large_results_and_those_that_are_returned(site: Site) -> None:
    events = _stream(site, {"rawPath": "/large"})["EventStream"]
    size = sum(len(each["PayloadChunk"]["Payload"]) for each in events if "PayloadChunk" in each)
    assert size == 8 * 2**20
    *parts, last = _stream(site, {}, "plain")["EventStream"]
    assert json.loads(b"".join(each["PayloadChunk"]["Payload"] for each in parts)) == {
        "statusCode": 404,
        "body": "as it is",
    }
    assert last == {"InvokeComplete": {}}


def test_the_api_refuses_a_stream_as_it_refuses_an_invocation(site: Site) -> None:
    api = site.server.client("lambda")
    with pytest.raises(api.exceptions.ResourceNotFoundException):
        _stream(site, {}, "nobody")
    api.put_function_concurrency(FunctionName="streams-plain", ReservedConcurrentExecutions=0)
    with pytest.raises(api.exceptions.TooManyRequestsException):
        _stream(site, {}, "plain")
    api.delete_function_concurrency(FunctionName="streams-plain")


def test_the_api_says_that_a_stream_has_lost_its_host(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as word:
        port = str(word.getsockname()[1])
        event = {"rawPath": "/waits", "queryStringParameters": {"port": port}}
        events = iter(_stream(site, event)["EventStream"])
        waiting, _ = word.accept()  # it has written
        os.kill(site.server.pids()["host"], signal.SIGKILL)
        *_, last = events
        waiting.close()
    site.server.until_ready()
    assert last["InvokeComplete"]["ErrorCode"] == "ServiceException"
