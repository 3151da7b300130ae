"""Node.js functions: a handler sees the same by the channel as over HTTP, and what they may do."""

import re
import sys
import textwrap
from collections.abc import Iterator

import pytest

from tests.support.host import RunningHost, running_host
from tests.support.node import pytestmark  # noqa: F401

_LOOK_AROUND = """
'use strict';
const { execFileSync } = require('node:child_process');

exports.handler = async (event, context) => {
  switch (event.what) {
    case 'context': {
      const left = context.getRemainingTimeInMillis();
      const { awsRequestId, logStreamName, ...rest } = context;
      return { ...rest, id: awsRequestId.length, timeIsLeft: left > 0 && left <= 3000,
               trace: typeof process.env._X_AMZN_TRACE_ID };
    }
    case 'process':
      return { arguments: process.argv.slice(2), variables: Object.keys(process.env).sort(),
               directory: process.cwd() };
    case 'text': return { body: '\\u00fc\\u6f22\\u{1f600}', event };
    case 'surrogate': return '\\ud800';
    case 'large': return 'x'.repeat(event.size);
    case 'wide': return '\\u00fc'.repeat(event.size);
    case 'print':
      console.log('printed first');
      process.stdout.write('written second\\n');
      return 'done';
    case 'undefined': return undefined;
    case 'bigint': return 1n;
    case 'throw': throw Object.assign(new TypeError('ouch \\u00e9'), { code: 'E1' });
    case 'reject': return Promise.reject('text');
    case 'unhandled':
      Promise.reject(new RangeError('nobody'));
      return new Promise((resolve) => setTimeout(resolve, 1000));
    case 'uncaught':
      setTimeout(() => { throw new Error('late'); }, 1);
      return new Promise((resolve) => setTimeout(resolve, 1000));
    case 'never': return new Promise(() => {});
    case 'exit': process.exit(3);
    case 'children': {
      const list = 'console.log(require("fs").readdirSync("/proc/self/fd").map((fd) => {' +
        'try { return fd > 2 && require("fs").readlinkSync("/proc/self/fd/" + fd) }' +
        'catch { return "" } }))'; // 0 to 2 are sockets, too: pipes of Node.js
      return execFileSync(process.execPath, ['-e', list]).toString().includes('socket:');
    }
    case 'stream':
  }
  return event;
};

exports.streaming = awslambda.streamifyResponse(async (event, stream) => {
  stream.setContentType('application/json');
  stream.write('{"statusCode": 200,');
  await new Promise(setImmediate);
  stream.end(' "body": "in pieces"}');
});

exports.prelude = awslambda.streamifyResponse(async (event, stream) => {
  const http = awslambda.HttpResponseStream.from(stream, { statusCode: 201 });
  http.write('body');
  http.end();
});

exports.unfinished = awslambda.streamifyResponse(async (event, stream) => { stream.write('x'); });
exports.sync = awslambda.streamifyResponse((event, stream) => { stream.end('x'); });
exports.late = awslambda.streamifyResponse(async (event, stream) => {
  stream.write('x');
  await new Promise(setImmediate);
  stream.setContentType('text/plain');
});
exports.failing = awslambda.streamifyResponse(async () => { throw new TypeError('no'); });
"""


@pytest.fixture(scope="module")
def channel() -> Iterator[RunningHost]:
    yield from _host("channel")


@pytest.fixture(scope="module")
def http() -> Iterator[RunningHost]:
    yield from _host("http")


def _host(transport: str) -> Iterator[RunningHost]:
    options = {"file": "index.js", "runtime": "nodejs22.x"}
    with running_host(runtime_transport=transport) as host:
        for name in ("handler", "streaming", "prelude", "unfinished", "failing", "sync", "late"):
            host.deploy(name, _LOOK_AROUND, handler=f"index.{name}", **options)
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
        pytest.param({"what": "process"}, id="arguments and variables"),
        pytest.param({"what": "text"}, id="text of all planes"),
        pytest.param({"what": "surrogate"}, id="half a character"),
        pytest.param({"what": "large", "size": 65_000}, id="a result of a buffer"),
        pytest.param({"what": "large", "size": 1 << 20}, id="a result of a mebibyte"),
        pytest.param({"what": "wide", "size": 1 << 20}, id="a wide result"),
        pytest.param({"what": "large", "size": 6 * 1024 * 1024 - 2}, id="a result of 6 MB"),
        pytest.param({"what": "large", "size": 6 * 1024 * 1024 + 99}, id="a result of too much"),
        pytest.param({"what": "in", "data": "y" * 65_000}, id="an event of a buffer"),
        pytest.param({"what": "in", "data": "é" * 2_500_000}, id="an event of 5 MB"),
        pytest.param({"what": "print"}, id="what is printed"),
        pytest.param({"what": "undefined"}, id="no result"),
        pytest.param({"what": "bigint"}, id="a result that is no JSON"),
        pytest.param({"what": "throw"}, id="an error"),
        pytest.param({"what": "reject"}, id="a rejection with text"),
        pytest.param({"what": "unhandled"}, id="a rejection that nobody handles"),
        pytest.param({"what": "uncaught"}, id="an error that nobody catches"),
        pytest.param({"what": "never"}, id="a promise that is never settled"),
        pytest.param({"what": "exit"}, id="an exit"),
    ],
)
def test_a_handler_sees_the_same_by_either_transport(
    each: RunningHost, event: dict[str, object], request: pytest.FixtureRequest
) -> None:
    invoked = each.invoke("handler", event)
    log = _without_what_differs(invoked.log_tail)
    seen = (_without_what_differs(invoked.payload), invoked.function_error, log.split())
    name = request.node.callspec.id.replace("channel", "").replace("http", "")
    assert _SEEN.setdefault(name, seen) == seen
    assert each.invoke("handler", {"ok": 1}).payload == b'{"ok":1}'


def _without_what_differs(text: bytes) -> bytes:
    """Leave out ids, times, places, and the frames of the runtime in a stack."""
    text = re.sub(rb"(REPORT|END|START|INIT_START) .*", b"", text)
    text = re.sub(rb"[0-9a-f-]{36}|\d{4}-\S+Z|/albatross-test-\w+/", b"", text)
    return re.sub(rb'"    at [^"]*(file:///|node:)[^"]*",?', b"", text)


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        pytest.param("streaming", b'{"statusCode": 200, "body": "in pieces"}', id="as it was"),
        pytest.param("prelude", b'{"statusCode":201}' + bytes(8) + b"body", id="with metadata"),
    ],
)
def test_what_a_handler_streams_is_the_result(each: RunningHost, name: str, payload: bytes) -> None:
    invoked = each.invoke(name, {})
    assert (invoked.payload, invoked.function_error) == (payload, None)


@pytest.mark.parametrize(
    ("name", "error_type"),
    [
        pytest.param("unfinished", b"Runtime.NodeJsExit", id="never ended"),
        pytest.param("failing", b"TypeError", id="thrown"),
        pytest.param("sync", b"non-async handlers", id="no promise"),
        pytest.param("late", b"Runtime.InvalidStreamingOperation", id="a late content type"),
    ],
)
def test_a_stream_that_fails_is_an_error(each: RunningHost, name: str, error_type: bytes) -> None:
    invoked = each.invoke(name, {})
    assert invoked.function_error == "Unhandled"
    assert error_type in invoked.payload


def test_an_error_of_too_much_is_an_error_and_no_end(each: RunningHost) -> None:
    source = """
    let calls = 0;
    console.error = () => {}; // to log it takes long
    exports.handler = async () => {
      if (calls++ === 0) throw new Error('x'.repeat(6_300_000));
      return calls;
    };
    """
    each.deploy("much", source, file="index.js", runtime="nodejs22.x", handler="index.handler")
    assert b"Function.ResponseSizeTooLarge" in each.invoke("much").payload
    assert each.invoke("much").payload == b"2"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_that_a_function_starts_do_not_inherit_the_channel(each: RunningHost) -> None:
    assert each.invoke("handler", {"what": "children"}).payload == b"false"


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"Z" * 41, id="an unknown kind"),
        pytest.param(b"R" + b"0" * 36 + b"\xff\xff\xff\xff", id="an absurd length"),
    ],
)
def test_a_function_that_writes_to_its_channel_ends_only_itself(
    channel: RunningHost, garbage: bytes
) -> None:
    source = f"""
    const fs = require('node:fs');
    exports.handler = async (event) => {{
      if (event === 'ok') return 'fine';
      const socket = (fd) => {{
        try {{ return fs.readlinkSync('/proc/self/fd/' + fd).startsWith('socket:'); }}
        catch {{ return false; }}
      }};
      for (const fd of fs.readdirSync('/proc/self/fd').filter(socket)) {{
        try {{ fs.writeSync(Number(fd), Buffer.from('{garbage.hex()}', 'hex')); }} catch {{}}
      }}
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }};
    """
    options = {"file": "index.js", "runtime": "nodejs20.x", "handler": "index.handler"}
    channel.deploy("vandal", textwrap.dedent(source), **options)
    spoiled = channel.invoke("vandal")
    assert spoiled.function_error == "Unhandled"
    assert b"Runtime.ExitError" in spoiled.payload
    assert channel.invoke("vandal", "ok").payload == b'"fine"'


@pytest.mark.parametrize("runtime", ["nodejs20.x", "nodejs22.x", "nodejs24.x"])
def test_what_lambda_turns_off_is_off_unless_the_function_wants_it(
    each: RunningHost, runtime: str
) -> None:
    """Source: Lambda guide, "Building Lambda functions with Node.js"."""
    package = each.package("module", "export const handler = async () => 1", file="index.mjs")
    code = each.directory / "data" / "code" / package.digest
    (code / "app.js").write_text("exports.handler = require('./index.mjs').handler")
    from tests.support.host import make_function

    options = {"runtime": runtime, "handler": "app.handler"}
    each.put(make_function("required", package, **options))
    refused = each.invoke("required")
    wanted = {"NODE_OPTIONS": "--experimental-require-module"}
    each.put(make_function("required", package, environment=wanted, **options))
    assert refused.function_error == "Unhandled"
    assert b"ERR_REQUIRE_ESM" in refused.payload or b"require() of ES Module" in refused.payload
    assert each.invoke("required").payload == b"1"
