"""As much of HTTP/2 as one request on a connection of its own takes. No I/O. Source: RFC 9113.

A general implementation costs three times as much processor time, which counts where a thousand
targets are checked every few seconds.
"""

from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache

import hpack

Headers = tuple[tuple[str, str], ...]

FRAME_BYTES_MAX = 16_384  # RFC 9113, 6.5.2: of SETTINGS_MAX_FRAME_SIZE, which is not changed
HEADERS_BYTES_MAX = 65_536  # of one block of headers, as it is sent
WINDOW_BYTES = 2**21  # what may be sent to us: more than a check reads, so it is never enlarged
_WINDOW_BYTES_AT_FIRST = 65_535

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD_BYTES = 9
_STREAM = 1
_ACK = _END_STREAM = 0x1
_END_HEADERS, _PADDED, _PRIORITY = 0x4, 0x8, 0x20
_ENABLE_PUSH, _INITIAL_WINDOW = 0x2, 0x4


class Kind(IntEnum):
    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class ProtocolError(Exception):
    """The other side does not keep to HTTP/2."""


class StreamReset(Exception):
    """The other side gives up the request, or the connection."""


def frame(kind: Kind, flags: int, stream: int, payload: bytes) -> bytes:
    """Return the bytes of a frame."""
    return b"%b%c%c%b%b" % (
        *(len(payload).to_bytes(3, "big"), kind, flags, stream.to_bytes(4, "big")),
        payload,
    )


_SETTINGS = b"".join(
    name.to_bytes(2, "big") + value.to_bytes(4, "big")
    for name, value in ((_ENABLE_PUSH, 0), (_INITIAL_WINDOW, WINDOW_BYTES))
)
_OPENING = (
    _PREFACE
    + frame(Kind.SETTINGS, 0, 0, _SETTINGS)
    + frame(Kind.WINDOW_UPDATE, 0, 0, (WINDOW_BYTES - _WINDOW_BYTES_AT_FIRST).to_bytes(4, "big"))
)
_SETTINGS_ACK = frame(Kind.SETTINGS, _ACK, 0, b"")


@lru_cache(maxsize=4096)
def request(headers: Headers, body: bytes = b"") -> bytes:
    """Return all that a client sends of its own accord, the same for each connection."""
    block = hpack.Encoder().encode(headers)
    assert len(block) <= FRAME_BYTES_MAX and len(body) <= FRAME_BYTES_MAX
    flags = _END_HEADERS if body else _END_HEADERS | _END_STREAM
    data = frame(Kind.DATA, _END_STREAM, _STREAM, body) if body else b""
    return _OPENING + frame(Kind.HEADERS, flags, _STREAM, block) + data


class Response:
    """What comes back. Interim (1xx) responses are skipped."""

    def __init__(self) -> None:
        self.headers: dict[bytes, bytes] = {}  # and trailers
        self.received = 0  # bytes of the body, with their padding
        self.is_complete = False
        self._body_bytes = 0
        self._buffer = b""
        self._block: bytes | None = None  # of headers that go on in the next frame
        self._ends_stream = False  # after that block
        self._has_settings = False
        self._decoder = hpack.Decoder()

    def receive(self, data: bytes) -> bytes:
        """Take in `data` and return what is to be sent. Raises ProtocolError, StreamReset."""
        answers = b""
        for kind, flags, stream, payload in self._frames(data):
            answers += self._take(kind, flags, stream, payload)
            if self.is_complete:
                break  # what follows concerns nobody
        return answers

    def _frames(self, data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
        buffer, at = self._buffer + data, 0
        while len(buffer) - at >= _HEAD_BYTES:
            end = at + _HEAD_BYTES + int.from_bytes(buffer[at : at + 3], "big")
            kind, flags = buffer[at + 3], buffer[at + 4]
            if end - at - _HEAD_BYTES > FRAME_BYTES_MAX:
                raise ProtocolError("a frame is too large")
            if not self._has_settings and kind != Kind.SETTINGS:
                raise ProtocolError("the first frame has no settings")
            if end > len(buffer):
                break
            self._has_settings = True
            stream = int.from_bytes(buffer[at + 5 : at + 9], "big") & 0x7FFF_FFFF
            yield kind, flags, stream, buffer[at + _HEAD_BYTES : end]
            at = end
        self._buffer = buffer[at:]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        if (self._block is not None) != (kind == Kind.CONTINUATION):
            raise ProtocolError("a block of headers breaks off, or goes on where there is none")
        match kind:
            case Kind.SETTINGS if not flags & _ACK:
                return _SETTINGS_ACK
            case Kind.PING if not flags & _ACK:
                return frame(Kind.PING, _ACK, 0, payload)
            case Kind.HEADERS:
                self._begin_block(flags, stream, payload)
            case Kind.CONTINUATION:
                self._go_on(flags, payload)
            case Kind.DATA:
                self._take_data(flags, stream, payload)
            case Kind.RST_STREAM:
                if int.from_bytes(payload, "big"):
                    raise StreamReset("the request was reset")
                self._end()
            case Kind.GOAWAY:
                last, fault = payload[:4], payload[4:8]
                if any(fault) or int.from_bytes(last, "big") & 0x7FFF_FFFF < _STREAM:
                    raise StreamReset("the connection is to end")
            case Kind.PUSH_PROMISE:
                raise ProtocolError("a push that was not allowed")
        return b""  # other frames mean nothing to one request

    def _begin_block(self, flags: int, stream: int, payload: bytes) -> None:
        payload = _unpadded(flags, stream, payload)
        self._block = b""
        self._ends_stream = bool(flags & _END_STREAM)
        self._go_on(flags, payload[5:] if flags & _PRIORITY else payload)

    def _go_on(self, flags: int, part: bytes) -> None:
        assert self._block is not None
        self._block += part
        if len(self._block) > HEADERS_BYTES_MAX:
            raise ProtocolError("the headers are too large")
        if not flags & _END_HEADERS:
            return
        try:
            found = dict(self._decoder.decode(self._block, raw=True))
        except hpack.HPACKError as error:
            raise ProtocolError(str(error)) from error
        self._block = None
        if not found.get(b":status", b"").startswith(b"1"):
            self.headers.update(found)
        if self._ends_stream:
            self._end()

    def _take_data(self, flags: int, stream: int, payload: bytes) -> None:
        if not self.headers:
            raise ProtocolError("a body without headers")
        self.received += len(payload)
        self._body_bytes += len(_unpadded(flags, stream, payload))
        if flags & _END_STREAM:
            self._end()

    def _end(self) -> None:
        length = self.headers.get(b"content-length", b"")
        # Without a body there may be the length of one, as after HEAD or with 304.
        if self._body_bytes and length.isdigit() and int(length[:18]) != self._body_bytes:
            raise ProtocolError("the body is not as long as its content-length")
        self.is_complete = True


def _unpadded(flags: int, stream: int, payload: bytes) -> bytes:
    if stream != _STREAM:
        raise ProtocolError("a frame of a stream that there is not")
    if not flags & _PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise ProtocolError("more padding than there is room")
    return payload[1 : len(payload) - payload[0]]
