"""One check against real servers on the loopback."""

import asyncio
import errno
import socket
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import grpc
import pytest
import uvicorn
import uvloop

from albatross.health import probe
from albatross.health.check import RESPONSE_BYTES_MAX
from albatross.health.outcome import Fault, Outcome
from albatross.health.resumption import Resumption
from albatross.model.target_group import Target, TargetGroup
from tests.support.targets import (
    OK,
    Handler,
    answering,
    answering_http2,
    listening,
    make_group,
    server_tls,
    with_check,
)

HTTP2 = {"protocol_version": "HTTP2"}
GRPC: dict[str, Any] = {
    "protocol_version": "GRPC",
    "check": {"path": "/AWS.ALB/healthcheck", "grpc_codes": "12"},
}


def check(group: TargetGroup, known: Resumption | None = None) -> Awaitable[Outcome]:
    return probe.check_server(group, group.targets[0], known or Resumption())


def run(handler: Handler, tls: Any = None, **group: Any) -> Outcome:
    """Check a target that is served by `handler`, on the event loop that the server uses."""

    async def scenario() -> Outcome:
        async with asyncio.timeout(5), listening(handler, tls) as port:
            return await check(make_group(port, **group))

    return uvloop.run(scenario())


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(OK, Outcome(200), id="success"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", Outcome(204, Fault.CODE), id="no body"),
        pytest.param(
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            Outcome(404, Fault.CODE),
            id="another code",
        ),
        pytest.param(
            b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
            Outcome(503, Fault.SERVER_ERROR),
            id="a server error",
        ),
        pytest.param(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            Outcome(101, Fault.CODE),
            id="an upgrade that nobody asked for",
        ),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nto the end", Outcome(200), id="HTTP/1.0"),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK,
            Outcome(200),
            id="interim responses are skipped",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            Outcome(200),
            id="chunks",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok",
            Outcome(fault=Fault.BAD_ANSWER),
            id="chunks that are none",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
            Outcome(fault=Fault.BAD_ANSWER),
            id="half a body",
        ),
        pytest.param(b"HTTP/1.1 200 O", Outcome(fault=Fault.BAD_ANSWER), id="half a head"),
        pytest.param(b"SSH-2.0-x\r\n", Outcome(fault=Fault.BAD_ANSWER), id="another protocol"),
        pytest.param(b"", Outcome(fault=Fault.CONNECTION), id="no answer at all"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n\r\n" + bytes(2 * RESPONSE_BYTES_MAX),
            Outcome(200),
            id="more than is waited for",
        ),
    ],
)
def test_the_answer_decides(answer: bytes, outcome: Outcome) -> None:
    assert run(answering(answer)) == outcome


def test_the_request_is_that_of_a_load_balancer() -> None:
    requests: list[bytes] = []

    async def scenario() -> int:
        async with listening(answering(OK, requests)) as port:
            await check(make_group(port, check={"path": "/health?deep=1"}))
            return port

    port = uvloop.run(scenario())
    line, *headers = requests[0].decode().removesuffix("\r\n\r\n").split("\r\n")
    assert line == "GET /health?deep=1 HTTP/1.1"
    assert {
        f"Host: 127.0.0.1:{port}",
        "Connection: close",
        "User-Agent: ELB-HealthChecker/2.0",
    } <= set(headers)


def test_the_connection_is_closed_after_the_check() -> None:
    async def scenario() -> bytes:
        rest = asyncio.get_running_loop().create_future()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await answering(OK)(reader, writer)
            rest.set_result(await reader.read())  # returns at the end of the connection

        async with asyncio.timeout(5), listening(handle) as port:
            await check(make_group(port))
            return await rest

    assert uvloop.run(scenario()) == b""


def test_any_code_of_the_matcher_passes() -> None:
    answer = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"
    assert run(answering(answer), check={"http_codes": "200,300-399"}) == Outcome(302)


def test_a_port_of_its_own_is_used_instead_of_the_traffic_port() -> None:
    async def scenario() -> Outcome:
        async with listening(answering(OK)) as port:
            return await check(make_group(1, check={"port": str(port)}))

    assert uvloop.run(scenario()) == Outcome(200)


def test_a_refused_connection_fails() -> None:
    with socket.socket() as unused:  # bound, not listening
        unused.bind(("127.0.0.1", 0))
        group = make_group(unused.getsockname()[1])
        assert uvloop.run(_outcome(group)) == Outcome(fault=Fault.CONNECTION)


def test_a_host_without_room_for_a_connection_is_not_the_target_s_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    async def scenario() -> Outcome:
        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", full)
        return await check(make_group(1))

    assert asyncio.run(scenario()) == Outcome(fault=Fault.INTERNAL)


async def _outcome(group: TargetGroup) -> Outcome:
    return await check(group)


def test_uvicorn_is_healthy() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    async def scenario() -> Outcome:
        config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False)
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config.load()
            server.lifespan = config.lifespan_class(config)
            await server.startup(sockets=[listener])
            try:
                return await check(make_group(listener.getsockname()[1]))
            finally:
                await server.shutdown(sockets=[listener])

    assert asyncio.run(scenario()) == Outcome(200)


# TLS


def test_a_certificate_is_not_validated(tmp_path: Path) -> None:
    tls = server_tls(tmp_path)
    assert run(answering(OK), tls, check={"protocol": "HTTPS"}) == Outcome(200)


def test_a_server_without_tls_fails_a_check_over_https() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    outcome = run(refuse, check={"protocol": "HTTPS"})
    assert outcome == Outcome(fault=Fault.CONNECTION)


def test_a_server_with_tls_fails_a_check_over_http(tmp_path: Path) -> None:
    outcome = run(answering(OK), server_tls(tmp_path))
    assert outcome.fault in (Fault.CONNECTION, Fault.BAD_ANSWER)


# HTTP/2 and gRPC


def test_a_group_of_http_2_is_checked_over_http_2() -> None:
    requests: list[dict[str, str]] = []
    assert run(answering_http2("200", requests), **HTTP2) == Outcome(200)
    authority = requests[0].pop(":authority")
    assert authority.startswith("127.0.0.1:")
    assert requests == [
        {
            ":method": "GET",
            ":scheme": "http",
            ":path": "/",
            "user-agent": "ELB-HealthChecker/2.0",
        }
    ]


def test_http_2_over_tls_is_agreed_on_by_alpn(tmp_path: Path) -> None:
    tls = server_tls(tmp_path, "h2")
    outcome = run(answering_http2("200"), tls, check={"protocol": "HTTPS"}, **HTTP2)
    assert outcome == Outcome(200)


@pytest.mark.parametrize(
    ("handler", "outcome"),
    [
        pytest.param(answering_http2("404"), Outcome(404, Fault.CODE), id="another code"),
        pytest.param(answering_http2("200", body=bytes(60_000)), Outcome(200), id="a large body"),
        pytest.param(answering(OK), Outcome(fault=Fault.BAD_ANSWER), id="a server of HTTP/1.1"),
    ],
)
def test_http_2_answers_decide(handler: Handler, outcome: Outcome) -> None:
    assert run(handler, **HTTP2) == outcome


class Methods(grpc.GenericRpcHandler):
    """/test/ok succeeds, /test/unavailable fails; anything else is unimplemented."""

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        if details.method == "/test/ok":
            return grpc.unary_unary_rpc_method_handler(self._succeed)
        if details.method == "/test/unavailable":
            return grpc.unary_unary_rpc_method_handler(self._fail)
        return None

    async def _succeed(self, request: bytes, _: Any) -> bytes:
        assert request == b""
        return b"answer"

    async def _fail(self, _: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "no")
        return b""


@pytest.mark.parametrize(
    ("path", "codes", "outcome"),
    [
        pytest.param("/AWS.ALB/healthcheck", "12", Outcome(12), id="unimplemented is the default"),
        pytest.param("/test/ok", "0", Outcome(0), id="a method that succeeds"),
        pytest.param("/test/ok", "12", Outcome(0, Fault.GRPC_CODE), id="another code"),
        pytest.param("/test/unavailable", "0-99", Outcome(14), id="a range"),
    ],
)
def test_a_grpc_server_answers_with_its_status(path: str, codes: str, outcome: Outcome) -> None:
    async def scenario() -> Outcome:
        server = grpc.aio.server(handlers=[Methods()])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            group = make_group(port, protocol_version="GRPC")
            return await check(with_check(group, path=path, grpc_codes=codes))
        finally:
            await server.stop(0)

    assert asyncio.run(scenario()) == outcome


def test_a_server_of_http_2_without_grpc_has_no_status() -> None:
    outcome = run(answering_http2("200"), **GRPC)
    assert outcome == Outcome(fault=Fault.GRPC_NO_CODE)


@pytest.mark.parametrize(
    ("group", "kind"),
    [
        pytest.param({}, "http", id="HTTP"),
        pytest.param({"check": {"protocol": "HTTPS"}}, "https", id="HTTPS"),
        pytest.param(HTTP2, "h2", id="HTTP/2"),
        pytest.param(GRPC, "grpc", id="gRPC"),
        pytest.param({"target_type": "lambda"}, "lambda", id="a function"),
    ],
)
def test_each_kind_of_check_has_its_name(group: dict[str, Any], kind: str) -> None:
    assert probe.kind(make_group(80, **group)) == kind


def test_an_address_of_ipv6_is_in_brackets() -> None:
    assert probe.address(make_group(), Target(id="::1", port=80)) == "[::1]:80"
