"""One connection of the API: uvicorn's, with limits on what a client sends and how slowly.

What a limit refuses is answered in plain text, since there is no call yet that has a form, and the
connection ends. Source of the statuses: RFC 9110 (408) and RFC 6585 (431).
"""

import asyncio

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX = 64 * 1024  # request line and headers together
STALL_S = 60.0  # for a whole head, and between two parts of a body
LINGER_S = 5.0  # for a client that is refused, to read why

_REASONS = {
    400: "Bad Request",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
}
_OFFER = (b"connection", b"upgrade", b"http2-settings")
_TOO_LARGE = f"The request line and headers have more than {HEAD_BYTES_MAX} bytes"


class _TooLarge(Exception):
    """Ends the parsing of a head."""


class Connection(HttpToolsProtocol):
    """Serves one client. `stall_s` is there for tests."""

    stall_s = STALL_S

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._is_in_head = True
        self._head_bytes = 0
        self._moved_at = self.loop.time()  # a head began, or a part of a body came
        self._status = 400
        self._is_refused = False
        self._has_ended = False  # the client sends no more
        self._timer = self.loop.call_later(self.stall_s, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused or self.transport.is_closing():
            return
        if self._is_in_head:
            self._head_bytes += len(data)
        else:
            self._moved_at = self.loop.time()
        self._unset_keepalive_if_required()
        self._feed(data)
        is_refused = self._is_refused or self.transport.is_closing()
        if self._is_in_head and self._head_bytes > HEAD_BYTES_MAX and not is_refused:
            self._refuse(431, _TOO_LARGE)

    def _feed(self, data: bytes) -> None:
        """Parse `data`. An offer to upgrade, say to HTTP/2, is not taken up: it is as if not made.

        The parser takes what follows the offer for another protocol, although it is the body.
        """
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self.parser.get_method() == b"CONNECT":
                self._refuse(400, "CONNECT is for proxies")
                return
            head = self._head_without_offer()
            self.parser = httptools.HttpRequestParser(self)
            self._feed(head + data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _head_without_offer(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % pair for pair in self.headers if pair[0] not in _OFFER]
        return b"\r\n".join([*lines, b"", b""])

    def eof_received(self) -> bool:  # type: ignore[override]
        """Return whether the connection stays open: to answer who has sent a whole request."""
        self._has_ended = True
        return not (self._is_refused or self._waits_for_client())

    def on_response_complete(self) -> None:
        self._moved_at = self.loop.time()
        super().on_response_complete()
        if self._has_ended and not self.pipeline and self.cycle.response_complete:
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._moved_at = self.loop.time()

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > HEAD_BYTES_MAX:
            self._status = 431
            raise _TooLarge
        if self.parser.should_upgrade():
            return
        self._is_in_head = False
        self._moved_at = self.loop.time()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._is_in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed, or is too large."""
        if self._status == 431:
            msg = _TOO_LARGE
        self._refuse(self._status, msg)

    def _refuse(self, status: int, why: str) -> None:
        body = why.encode()
        head = (
            f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        # Closed at once, what it still sends would take the answer away from it.
        self._is_refused = True
        self.transport.write_eof()
        self._timer.cancel()
        self._timer = self.loop.call_later(LINGER_S, self.transport.abort)

    def _look(self) -> None:
        """End a connection whose client has stopped in the middle of a request, or before one."""
        waits = self._waits_for_client()
        left_s = self._moved_at + self.stall_s - self.loop.time()
        if waits and left_s <= 0:
            if self._head_bytes or not self._is_in_head:
                self._refuse(408, f"The rest of the request has not come within {self.stall_s:g} s")
            else:
                self.transport.close()
            return
        self._timer = self.loop.call_later(left_s if waits else self.stall_s, self._look)

    def _waits_for_client(self) -> bool:
        """Whether nothing can happen before the client sends more."""
        if self.flow.read_paused:
            return False
        if self._is_in_head:
            return self.cycle is None or self.cycle.response_complete
        return not self.cycle.response_started
