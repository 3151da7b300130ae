"""One GET over HTTP/1.1 on a connection of its own. Source: ALB user guide, "Health checks"."""

import asyncio
from typing import cast

import httptools

from albatross.health.check import RESPONSE_BYTES_MAX, Check, Malformed


def request(path: str, authority: str, user_agent: str) -> bytes:
    """Return the bytes of a check's request."""
    # AWS is silent: a health check sends Accept-Encoding, as requests of ALBs seen in public logs.
    return (
        f"GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n"
        f"User-Agent: {user_agent}\r\nAccept-Encoding: gzip, compressed\r\n\r\n"
    ).encode("ascii")


class Http1Check(Check[int]):
    """Sends `request` and puts the status into `answer` when the response is complete.

    Interim (1xx) responses are skipped.
    """

    def __init__(self, request: bytes) -> None:
        super().__init__()
        self._request = request
        self._parser = httptools.HttpResponseParser(self)
        self._status: int | None = None
        self._has_length = False  # the response tells its end, so the connection's is none
        self._received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.WriteTransport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        if self.answer.done():
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._end(error)
        self._received += len(data)
        # AWS is silent: a check has its answer when the response is complete, or has 1 MB.
        if self._received > RESPONSE_BYTES_MAX:
            self._end(None)

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None or self._received == 0:
            self.fail(ConnectionResetError("the target closed the connection"))
        elif self._has_length:
            self.fail(Malformed("the response broke off"))
        else:
            self._end(None)
        del self._parser  # which refers to this object

    # Called by the parser.

    def on_header(self, name: bytes, _: bytes) -> None:
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._has_length = True

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200 or status == 101:
            self._status = status

    def on_message_complete(self) -> None:
        if self._status is not None:
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        """The response ends here: its status counts if there is one."""
        if self._status is None or isinstance(error, httptools.HttpParserError):
            self.fail(Malformed(str(error)))
        else:
            self.end(self._status)
