"""The control socket: what a watcher gets that reads slower than events come."""

from typing import Any, cast

from albatross.host.control import ControlConnection


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
