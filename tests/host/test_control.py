"""The control socket: slow watchers, and calls while the host is away or knows nothing yet."""

import asyncio
import select
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest
import uvloop

from albatross.host.client import BrokenOff, Call, HostClient
from albatross.host.control import ControlConnection
from albatross.host.invocation import Outcome
from albatross.host.view import View

T = TypeVar("T")


class Transport:
    """A connection whose other end has not read `unsent` bytes."""

    unsent = 0

    def __init__(self) -> None:
        self.written = b""
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True


def test_a_slow_watcher_loses_output_is_told_so_and_still_hears_of_requests() -> None:
    connection = ControlConnection(cast(Any, None), cast(Any, None))
    transport = connection.transport = cast(Any, Transport())
    log, request = b'{"type":"log"}\n', b'{"type":"request"}\n'
    transport.unsent = 17 * 2**20
    connection.watch(log, may_be_lost=True)
    assert transport.written == b""
    connection.watch(request, may_be_lost=False)
    transport.unsent = 0
    connection.watch(log, may_be_lost=True)
    sent = [line for line in transport.written.split(b"\n") if line.startswith(b"{")]
    assert sent == [b'{"type":"lost"}', request.strip(), log.strip()]


def test_a_watcher_that_does_not_read_at_all_is_dropped() -> None:
    connection = ControlConnection(cast(Any, None), cast(Any, None))
    transport = connection.transport = cast(Any, Transport())
    transport.unsent = 65 * 2**20
    connection.watch(b'{"type":"request"}\n', may_be_lost=False)
    assert transport.aborted


async def listen(path: Path, host: object) -> asyncio.AbstractServer:
    async def opened() -> None:
        pass

    return await asyncio.get_running_loop().create_unix_server(
        lambda: ControlConnection(cast(Any, host), opened), str(path)
    )


def knows(arn: str | None) -> SimpleNamespace:
    """Return a host with an engine for `arn`; without one it has no configuration yet."""

    def submit(invocation: Any) -> None:
        invocation.done(invocation, Outcome(invocation.event))

    found = {arn: SimpleNamespace(submit=submit)}
    return SimpleNamespace(find=found.get, revision=-1 if arn is None else 1)


def run(
    path: Path, come: Callable[[], Awaitable[asyncio.AbstractServer]], *, away_s: float
) -> bytes:
    """Return what an invocation answers while the host comes."""

    call = Call(function_arn="arn", payload=b"[1]")
    client = HostClient(str(path), away_s=away_s)
    return uvloop.run(beside(come, client.invoke(call))).payload


async def beside(
    come: Callable[[], Awaitable[asyncio.AbstractServer]], call: Coroutine[Any, Any, T]
) -> T:
    """Return what the call returns while the host comes."""
    coming = asyncio.ensure_future(come())
    try:
        return await asyncio.wait_for(call, 15)
    finally:
        (await coming).close()


def test_an_invocation_waits_for_a_host_and_until_it_knows_its_functions(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    host = knows(None)

    async def come() -> asyncio.AbstractServer:
        await asyncio.sleep(0.05)
        server = await listen(path, host)
        await asyncio.sleep(0.05)
        vars(host).update(vars(knows("arn")))
        return server

    assert run(path, come, away_s=10) == b"[1]"


@pytest.mark.parametrize("is_there", [True, False], ids=["knows nothing", "is away"])
def test_a_host_that_is_not_ready_is_not_waited_for_for_ever(
    tmp_path: Path, is_there: bool
) -> None:
    path = tmp_path / "control.sock"

    async def come() -> asyncio.AbstractServer:
        return await listen(path if is_there else tmp_path / "other.sock", knows(None))

    with pytest.raises(OSError):
        run(path, come, away_s=0.05)


Serve = Callable[[socket.socket], None]
Invoke = Callable[[HostClient, Call], Coroutine[Any, Any, bytes]]
EVENT = b"[" + b" " * 2**22 + b"1]"  # the socket takes it in pieces


def not_accepted(listening: socket.socket) -> None:
    select.select([listening], [], [])


def not_read(listening: socket.socket) -> None:
    with listening.accept()[0] as connection:
        select.select([connection], [], [])


def read_in_part(listening: socket.socket) -> None:
    with listening.accept()[0] as connection:
        connection.recv(100)


def read(listening: socket.socket) -> None:
    with listening.accept()[0] as connection:
        while not connection.recv(2**16).endswith(b"1]"):
            pass


def answered_in_part(listening: socket.socket) -> None:
    with listening.accept()[0] as connection:
        while not connection.recv(2**16).endswith(b"1]"):
            pass
        head = b"HTTP/1.1 200 -\r\nTransfer-Encoding: chunked\r\n\r\n"
        begun = b'{"version":"1","trace_id":""}'
        frame = len(begun).to_bytes(4, "big") + b"B" + begun
        connection.sendall(head + b"%x\r\n" % len(frame) + frame + b"\r\n")


def then_another(path: Path, serve: Serve) -> Callable[[], Awaitable[asyncio.AbstractServer]]:
    """Return what starts a host that ends after `serve`, and then one that answers."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    async def come() -> asyncio.AbstractServer:
        with listening:
            await asyncio.to_thread(serve, listening)
        path.unlink()  # noqa: ASYNC240  a local socket
        await asyncio.sleep(0.05)
        return await listen(path, knows("arn"))

    return come


async def whole(client: HostClient, call: Call) -> bytes:
    return (await client.invoke(call)).payload


async def in_parts(client: HostClient, call: Call) -> bytes:
    stream = client.invoke_stream(call)
    return b"".join([each async for each in stream if isinstance(each, bytes)])


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does not tell what was read")
@pytest.mark.parametrize("invoke", [whole, in_parts])
@pytest.mark.parametrize("serve", [not_accepted, not_read, read_in_part])
def test_what_a_host_has_not_read_when_it_ends_goes_to_the_next(
    tmp_path: Path, invoke: Invoke, serve: Serve
) -> None:
    path = tmp_path / "control.sock"
    call = Call(function_arn="arn", payload=EVENT)
    come = then_another(path, serve)
    assert uvloop.run(beside(come, invoke(HostClient(str(path), away_s=10), call))) == EVENT


@pytest.mark.parametrize("invoke", [whole, in_parts])
@pytest.mark.parametrize("serve", [read, answered_in_part])
def test_what_a_host_has_read_is_not_sent_to_the_next(
    tmp_path: Path, invoke: Invoke, serve: Serve
) -> None:
    path = tmp_path / "control.sock"
    call = Call(function_arn="arn", payload=EVENT)
    come = then_another(path, serve)
    with pytest.raises(BrokenOff):
        uvloop.run(beside(come, invoke(HostClient(str(path), away_s=10), call)))


def test_a_change_that_is_meant_for_the_host_before_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    before, after = View(revision=1), View(revision=2)

    async def apply() -> None:
        async with await listen(path, knows(None)):
            await HostClient(str(path)).apply(after, before)

    with pytest.raises(OSError, match="another host"):
        uvloop.run(apply())
