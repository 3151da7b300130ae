"""Checks over TLS: what is resumed, what is offered, and that nothing is kept open."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import uvloop

from albatross.health import probe
from albatross.health.outcome import Fault, Outcome
from albatross.health.resumption import Resumption
from tests.support.targets import OK, Handler, answering, listening, make_group, server_tls

HTTPS = {"protocol": "HTTPS"}
PASSED = Outcome(200)


class Server:
    """Answers requests over TLS with OK, and notes of each connection how it came about."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self.tls = tls
        self.versions: list[str | None] = []
        self.resumed: list[bool] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tls = writer.get_extra_info("ssl_object")
        self.versions.append(tls.version())
        self.resumed.append(tls.session_reused)
        await answering(OK)(reader, writer)


def checks(server: Server, known: Resumption, times: int) -> list[Outcome]:
    """Check `server` some times, one after the other."""

    async def scenario() -> list[Outcome]:
        async with asyncio.timeout(5), listening(server.handle, server.tls) as port:
            return [await check(port, known) for _ in range(times)]

    return uvloop.run(scenario())


def check(port: int, known: Resumption | None = None, **group: Any) -> Awaitable[Outcome]:
    target_group = make_group(port, check=HTTPS, **group)
    return probe.check_server(target_group, target_group.targets[0], known or Resumption())


def test_a_target_s_session_is_resumed_at_the_next_check(tmp_path: Path) -> None:
    server = Server(server_tls(tmp_path))
    assert checks(server, Resumption(), times=3) == [PASSED] * 3
    assert server.resumed == [False, True, True]


def test_a_target_that_wants_tls_1_3_is_offered_it_from_then_on(tmp_path: Path) -> None:
    tls = server_tls(tmp_path)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    server = Server(tls)
    known = Resumption()
    assert checks(server, known, times=3) == [PASSED] * 3
    assert server.versions == ["TLSv1.3"] * 3
    assert server.resumed == [False, True, True]
    assert known.any_version


def test_a_target_that_is_given_up_tls_1_3_is_offered_1_2_again(tmp_path: Path) -> None:
    tls = server_tls(tmp_path)
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    server = Server(tls)
    assert checks(server, Resumption(any_version=True), times=2) == [PASSED] * 2
    assert server.versions == ["TLSv1.2"] * 2


def test_a_target_that_does_not_know_the_session_is_healthy(tmp_path: Path) -> None:
    known = Resumption()
    for _ in range(2):  # each with keys of its own, as after a restart
        server = Server(server_tls(tmp_path))
        assert checks(server, known, times=1) == [PASSED]
        assert server.resumed == [False]


def test_a_target_that_resumes_nothing_is_healthy(tmp_path: Path) -> None:
    tls = server_tls(tmp_path)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    tls.num_tickets = 0
    server = Server(tls)
    assert checks(server, Resumption(), times=2) == [PASSED] * 2
    assert server.resumed == [False, False]


def test_what_is_offered_first_stays_where_a_target_refuses_everything() -> None:
    connections = 0

    async def refuse(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read(1)

    async def scenario() -> list[Outcome]:
        async with asyncio.timeout(5), listening(refuse) as port:
            return [await check(port, known) for _ in range(2)]

    known = Resumption()
    assert uvloop.run(scenario()) == [Outcome(fault=Fault.CONNECTION)] * 2
    assert connections == 4
    assert not known.any_version


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nto the end", PASSED, id="HTTP/1.0"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(2**21), PASSED, id="too much"),
        pytest.param(b"", Outcome(fault=Fault.CONNECTION), id="no answer at all"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
            Outcome(fault=Fault.BAD_ANSWER),
            id="half a body",
        ),
    ],
)
def test_answers_decide_as_without_tls(tmp_path: Path, answer: bytes, outcome: Outcome) -> None:
    async def scenario() -> Outcome:
        tls = server_tls(tmp_path)
        async with asyncio.timeout(5), listening(answering(answer), tls) as port:
            return await check(port)

    assert uvloop.run(scenario()) == outcome


def wait_end(
    handler: Handler, tls: ssl.SSLContext | None, ask: Callable[[int], Awaitable[None]]
) -> bool:
    """Return once the connection that `ask` makes, and `handler` serves, has ended."""

    async def scenario() -> bool:
        ended = asyncio.get_running_loop().create_future()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await handler(reader, writer)
            await reader.read()
            ended.set_result(reader.at_eof())

        async with asyncio.timeout(5), listening(handle, tls) as port:
            await ask(port)
            return await ended

    return uvloop.run(scenario())


def test_the_connection_is_closed_after_the_check(tmp_path: Path) -> None:
    async def ask(port: int) -> None:
        assert await check(port) == PASSED

    assert wait_end(answering(OK), server_tls(tmp_path), ask)


def test_the_connection_of_a_handshake_without_end_is_closed_when_time_is_up() -> None:
    async def ask(port: int) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await check(port)

    async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)

    assert wait_end(say_nothing, None, ask)


def test_grpc_over_tls_is_checked(tmp_path: Path) -> None:
    server_tls(tmp_path)
    pem = (tmp_path / "server.pem").read_bytes()
    known = Resumption()

    async def scenario() -> list[Outcome]:
        server = grpc.aio.server()
        credentials = grpc.ssl_server_credentials([(pem, pem)])
        port = server.add_secure_port("127.0.0.1:0", credentials)
        await server.start()
        try:
            return [await check(port, known, protocol_version="GRPC") for _ in range(2)]
        finally:
            await server.stop(0)

    assert asyncio.run(scenario()) == [Outcome(12)] * 2
