"""The control socket: slow watchers, and calls while the host is away or knows nothing yet."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from albatross.host.client import Call, HostClient
from albatross.host.control import ControlConnection
from albatross.host.invocation import Outcome


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

    async def both() -> bytes:
        coming = asyncio.ensure_future(come())
        try:
            return (await HostClient(str(path), away_s=away_s).invoke(call)).payload
        finally:
            (await coming).close()

    return asyncio.run(asyncio.wait_for(both(), 15))


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
