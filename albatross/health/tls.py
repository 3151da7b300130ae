"""TLS for checks: sessions are resumed, and certificates of targets are not validated.

Source: ALB user guide, "Target groups" (routing configuration); RFC 5077, RFC 8446 (2.2).

Where a thousand targets are checked every few seconds, handshakes are what that costs. `ssl` of the
standard library is no help: it parses the target's certificate whenever a session is taken from a
connection or given to one, which costs what resuming it saves. pyOpenSSL passes it on as it is.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar, cast

from OpenSSL import SSL

from albatross.health.check import Check
from albatross.health.resumption import Resumption

_RECORD_BYTES_MAX = 16_384  # RFC 8446, 5.1

T = TypeVar("T")


class Refused(ConnectionError):
    """The connection ended before TLS was agreed on."""


async def ask(
    new: Callable[[], Check[T]],
    alpn: str,
    known: Resumption,
    exchange: Callable[["TlsCheck", Check[T]], Awaitable[T]],
) -> T:
    """Return the answer to the check that `new` makes, which `exchange` gets over TLS.

    A target that refuses what is offered first is offered the other thing on another connection.
    TLS 1.2 comes first: resumed, it exchanges no keys, and costs half as much as TLS 1.3.
    Raises Refused, and what `exchange` raises.
    """
    # AWS is silent: a check over HTTPS offers TLS 1.2, and newer versions where that is refused.
    first = known.any_version
    try:
        return await _ask(new(), alpn, known, exchange)
    except Refused:
        known.session, known.any_version = None, not first
    try:
        return await _ask(new(), alpn, known, exchange)
    except Refused:
        known.any_version = first
        raise


async def _ask(
    check: Check[T],
    alpn: str,
    known: Resumption,
    exchange: Callable[["TlsCheck", Check[T]], Awaitable[T]],
) -> T:
    return await exchange(TlsCheck(check, _context(alpn, known.any_version), known), check)


@cache
def _context(alpn: str, any_version: bool) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    if not any_version:
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.set_alpn_protos([alpn.encode("ascii")])
    return context


class TlsCheck(asyncio.Protocol, asyncio.WriteTransport):
    """Between `check` and its connection: to the check a transport, to the transport a protocol."""

    def __init__(self, check: Check[Any], context: SSL.Context, known: Resumption) -> None:
        super().__init__()
        self._check = check
        self._known = known
        self._tls = SSL.Connection(context)
        self._tls.set_connect_state()
        if known.session is not None:
            self._tls.set_session(known.session)
        self._is_open = False
        self._error: Exception | None = None

    # To the connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._advance()

    def data_received(self, data: bytes) -> None:
        if not self._check.answer.done():
            self._tls.bio_write(data)
            self._advance()

    def connection_lost(self, error: Exception | None) -> None:
        if self._is_open:
            self._check.connection_lost(self._error or error)
        else:
            self._check.fail(Refused("no TLS was agreed on"))

    def _advance(self) -> None:
        """Do what can be done with what has come."""
        try:
            if not self._is_open:
                self._tls.do_handshake()
                self._is_open = True
                self._check.connection_made(self)
            while not self._check.answer.done():
                self._check.data_received(self._tls.recv(_RECORD_BYTES_MAX))
            self._leave()
        except SSL.WantReadError:
            self._flush()
        except SSL.ZeroReturnError:  # the target says that nothing more comes
            self._leave()
            self._transport.close()
        except SSL.Error:
            self._flush()  # the alert that says why
            self._error = ConnectionAbortedError("TLS broke off")
            self._transport.close()

    def _leave(self) -> None:
        """Say that nothing more comes from here, and keep the session."""
        with suppress(SSL.Error):
            self._tls.shutdown()
        self._known.session = self._tls.get_session()
        self._flush()

    def _flush(self) -> None:
        is_rest = False
        with suppress(SSL.WantReadError):  # there is no more
            while not is_rest:
                data = self._tls.bio_read(_RECORD_BYTES_MAX)
                self._transport.write(data)
                is_rest = len(data) < _RECORD_BYTES_MAX

    # To the check.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take `data`, which leaves once the check has returned."""
        self._tls.send(data)
