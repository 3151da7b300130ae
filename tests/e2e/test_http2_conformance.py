"""What clients of HTTP/2 get that break its rules, or try its limits: frames as bytes over TLS.

These cases stand in the place of h2spec, the conformance suite, which is packaged neither for
Python nor for Node.js nor for Debian. That another implementation finds nothing wrong under load
is for test_h2load.py, the statuses and pages for test_http2_refusals_through_proxy.py.

Source: RFC 9113, by its sections. Where it wants an error of the connection, the proxy now and then
closes it without a GOAWAY ("closed"), as the RFC allows.
"""

import ssl
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import hpack
import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.support.envoy import Client
from tests.support.stack import Front, Stack
from tests.support.tls import TlsClient, client_context

pytestmark = pytest.mark.timeout(60)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = SettingsFrame(0)
PING = PingFrame(0, b"albatros")
AT_ONCE = 32
MAX = 2**31 - 1
ERRORS = {
    1: "PROTOCOL_ERROR",
    3: "FLOW_CONTROL_ERROR",
    5: "STREAM_CLOSED",
    6: "FRAME_SIZE_ERROR",
    7: "REFUSED_STREAM",
    9: "COMPRESSION_ERROR",
}
GOAWAY, RESET = "GOAWAY PROTOCOL_ERROR", "RST_STREAM PROTOCOL_ERROR"
SIZE, COMPRESSION = "GOAWAY FRAME_SIZE_ERROR", "GOAWAY COMPRESSION_ERROR"

Line = tuple[str, str]
GET = (":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "www.example.com")
POST = (":method", "POST"), *GET[1:]


def raw(kind: int, flags: int, stream: int, payload: bytes = b"", size: int | None = None) -> bytes:
    """Return a frame, be it right or wrong."""
    length = struct.pack("!L", len(payload) if size is None else size)[1:]
    return length + bytes((kind, flags)) + struct.pack("!L", stream) + payload


def block(*lines: Line) -> bytes:
    encoded: bytes = hpack.Encoder().encode(lines)
    return encoded


def head(*lines: Line, stream: int = 1, end_headers: bool = True, end: bool = True) -> HeadersFrame:
    flags = ["END_HEADERS"] * end_headers + ["END_STREAM"] * end
    return HeadersFrame(stream, block(*lines), flags=flags)


def get(*lines: Line, stream: int = 1) -> HeadersFrame:
    return head(*GET, *lines, stream=stream)


def post(*lines: Line, stream: int = 1) -> HeadersFrame:
    return head(*POST, *lines, stream=stream, end=False)


def data(payload: bytes, *, end: bool = False) -> DataFrame:
    return DataFrame(1, payload, flags=["END_STREAM"] * end)


def without(name: str) -> HeadersFrame:
    return head(*(line for line in GET if line[0] != name))


def setting(key: int, value: int) -> bytes:
    return raw(4, 0, 0, struct.pack("!HL", key, value))


def window(stream: int, increment: int) -> bytes:
    return raw(8, 0, stream, struct.pack("!L", increment))


OPEN = head(*GET, end_headers=False)
RESETS = [each for n in range(1, 4001, 2) for each in (get(stream=n), RstStreamFrame(n, 8))]

FRAMES = {
    "4.1 a frame of an unknown type": ([raw(0x16, 0, 0, b"abc"), get()], ["200"]),
    "4.1 undefined flags": ([raw(6, 0x16, 0, b"x" * 8), get()], ["200"]),
    "4.1 the reserved bit": ([raw(6, 0, 0x80000000, b"x" * 8), get()], ["200"]),
    "4.2 DATA above the frame size": ([post(), raw(0, 0, 1, b"x" * 16385)], [SIZE]),
    "4.2 HEADERS above the frame size": ([raw(1, 5, 1, block(*GET, ("x", "y" * 20000)))], [SIZE]),
    "4.2 the largest length announced": ([post(), raw(0, 0, 1, size=2**24 - 1)], [SIZE]),
    "4.3 a field block that cannot be decoded": ([raw(1, 5, 1, b"\xff" * 6)], [COMPRESSION]),
    "4.3 a table above the limit": (
        [raw(1, 5, 1, b"\x3f\xe1\xff\x03" + block(*GET))],
        [COMPRESSION],
    ),
    "4.3 PRIORITY within a field block": ([OPEN, PriorityFrame(1)], [GOAWAY]),
    "4.3 HEADERS within a field block": ([OPEN, get(stream=3)], [GOAWAY]),
    "5.1 DATA on an idle stream": ([data(b"x")], [GOAWAY]),
    "5.1 RST_STREAM on an idle stream": ([RstStreamFrame(1)], ["closed"]),
    "5.1 WINDOW_UPDATE on an idle stream": ([window(1, 1)], ["closed"]),
    "5.1 DATA after the end": ([get(), data(b"x")], ["GOAWAY STREAM_CLOSED"]),
    "5.1 HEADERS after the end": ([get(), get()], ["closed"]),
    "5.1 DATA after RST_STREAM": ([post(), RstStreamFrame(1), data(b"x")], []),
    "5.1.1 an even stream": ([get(stream=2)], ["closed"]),
    "5.1.2 the 129th stream": (
        [post(stream=n) for n in range(1, 259, 2)],
        ["RST_STREAM REFUSED_STREAM"],
    ),
    "6.1 DATA on stream 0": ([raw(0, 0, 0, b"x")], [GOAWAY]),
    "6.1 more padding than DATA": ([post(), raw(0, 8, 1, b"\x05ab")], [GOAWAY]),
    "6.1 padded DATA": ([post(), raw(0, 9, 1, b"\x02ab\0\0")], ["200"]),
    "6.2 HEADERS on stream 0": ([raw(1, 5, 0, block(*GET))], ["closed"]),
    "6.2 more padding than HEADERS": ([raw(1, 0xD, 1, b"\xff" + block(*GET))], [GOAWAY]),
    "6.3 a short PRIORITY": ([raw(2, 0, 1, b"\0" * 4)], [SIZE]),
    "6.4 RST_STREAM on stream 0": ([raw(3, 0, 0, b"\0" * 4)], ["closed"]),
    "6.4 a short RST_STREAM": ([post(), raw(3, 0, 1, b"\0" * 3)], [SIZE]),
    "6.5 an acknowledgement with settings": ([raw(4, 1, 0, b"\0" * 6)], [SIZE]),
    "6.5 SETTINGS on a stream": ([raw(4, 0, 1)], ["closed"]),
    "6.5 half a setting": ([raw(4, 0, 0, b"\0" * 5)], [SIZE]),
    "6.5.2 ENABLE_PUSH of 2": ([setting(2, 2)], ["closed"]),
    "6.5.2 a window above the maximum": ([setting(4, 2**31)], ["closed"]),
    "6.5.2 a frame size below 16,384": ([setting(5, 16383)], ["closed"]),
    "6.5.2 a frame size above the maximum": ([setting(5, 2**24)], ["closed"]),
    "6.5.2 an unknown setting": ([setting(0xFF, 1), get()], ["200"]),
    "6.6 PUSH_PROMISE of a client": ([post(), raw(5, 4, 1, b"\0\0\0\2" + block(*GET))], ["closed"]),
    "6.7 PING": ([], []),
    "6.7 PING on a stream": ([raw(6, 0, 1, b"x" * 8)], ["closed"]),
    "6.7 a short PING": ([raw(6, 0, 0, b"x" * 6)], [SIZE]),
    "6.8 GOAWAY on a stream": ([raw(7, 0, 1, b"\0" * 8)], ["closed"]),
    "6.9 an increment of 0": ([window(0, 0)], ["closed"]),
    "6.9 a short WINDOW_UPDATE": ([raw(8, 0, 0, b"\0" * 3)], [SIZE]),
    "6.9.1 a window of the connection above the maximum": ([window(0, MAX)], ["closed"]),
    "6.9.1 a window of a stream above the maximum": ([post(), window(1, MAX)], ["closed"]),
    "6.10 CONTINUATION": (
        [OPEN, ContinuationFrame(1, block(("x-a", "b")), flags=["END_HEADERS"])],
        ["200"],
    ),
    "6.10 CONTINUATION of another stream": ([OPEN, raw(9, 4, 3)], [GOAWAY]),
    "6.10 CONTINUATION after the end": ([get(), raw(9, 4, 1)], [GOAWAY]),
    "10.5 CONTINUATION without end": ([OPEN, *[raw(9, 0, 1)] * 2000], ["closed"]),
    "10.5 PING without end": ([PingFrame(0, b"x" * 8)] * 20_000, ["closed"]),
    "10.5 requests that are reset at once": (RESETS, ["closed"]),
}

MESSAGES = {
    "8.1 trailers": ([post(), data(b"x"), head(("x-t", "1"))], ["200"]),
    "8.1 trailers without the end": ([post(), head(("x-t", "1"), end=False)], [RESET]),
    "8.1 a pseudo-header in trailers": ([post(), head((":path", "/"))], [RESET]),
    "8.1.1 a length above the body's": (
        [post(("content-length", "5")), data(b"abc", end=True)],
        [RESET],
    ),
    "8.1.1 a length below the body's": (
        [post(("content-length", "1")), data(b"abc", end=True)],
        [RESET],
    ),
    "8.1.1 two lengths": ([post(("content-length", "1"), ("content-length", "2"))], [RESET]),
    "8.2.1 a name in upper case": ([get(("X-A", "b"))], [RESET]),
    "8.2.1 a space in a name": ([get(("x a", "b"))], [RESET]),
    "8.2.1 a colon in a name": ([get(("x:a", "b"))], [RESET]),
    "8.2.1 CR in a value": ([get(("x-a", "b\rc"))], [RESET]),
    "8.2.1 LF in a value": ([get(("x-a", "b\nc"))], [RESET]),
    "8.2.1 NUL in a value": ([get(("x-a", "b\0c"))], [RESET]),
    "8.2.2 connection": ([get(("connection", "close"))], [RESET]),
    "8.2.2 keep-alive": ([get(("keep-alive", "1"))], [RESET]),
    "8.2.2 transfer-encoding": ([get(("transfer-encoding", "chunked"))], [RESET]),
    "8.2.2 upgrade": ([get(("upgrade", "h2c"))], [RESET]),
    "8.2.2 te: gzip": ([get(("te", "gzip"))], [RESET]),
    "8.2.2 te: trailers": ([get(("te", "trailers"))], ["200"]),
    "8.3 an unknown pseudo-header": ([get((":x", "b"))], [RESET]),
    "8.3 a pseudo-header of responses": ([get((":status", "200"))], [RESET]),
    "8.3 a pseudo-header after a header": ([head(("x-a", "b"), *GET)], [RESET]),
    "8.3.1 no method": ([without(":method")], [RESET]),
    "8.3.1 no scheme": ([without(":scheme")], [RESET]),
    "8.3.1 no path": ([without(":path")], [RESET]),
    "8.3.1 an empty path": ([head(*GET[:2], (":path", ""), GET[3])], [RESET]),
    "8.3.1 two methods": ([head(GET[0], *GET)], [RESET]),
    "8.3.1 two paths": ([head(GET[2], *GET)], [RESET]),
    "8.3.1 neither authority nor Host": ([without(":authority")], [RESET]),
    "8.3.1 Host instead of authority": ([head(*GET[:3], ("host", "www.example.com"))], ["200"]),
    "8.5 CONNECT": (
        [head((":method", "CONNECT"), (":authority", "a:443"))],
        ["GOAWAY NO_ERROR", "400"],
    ),
}

CASES = FRAMES | MESSAGES


@pytest.fixture(scope="module")
def front(traffic: Stack) -> Front:
    made = traffic.server.client("acm").request_certificate(DomainName="www.example.com")
    return traffic.front(port=443, certificate=made["CertificateArn"])


def connect(front: Front) -> TlsClient:
    context = client_context(alpn=("h2",))
    return TlsClient(front.real_port, "www.example.com", address=front.address, context=context)


def wire(frames: Sequence[Frame | bytes]) -> bytes:
    return b"".join(one if isinstance(one, bytes) else one.serialize() for one in frames)


def received(client: Client) -> Iterator[Frame]:
    """Yield what the server sends, until it closes."""
    with suppress(ConnectionError, ssl.SSLEOFError):
        while len(start := client._file.read(9)) == 9:
            frame, size = Frame.parse_frame_header(memoryview(start))
            frame.parse_body(memoryview(client._file.read(size)))
            yield frame


def outcome(front: Front, sent: Sequence[Frame | bytes], expected: int) -> list[str]:
    """Return what comes of `sent`: so many things as expected at least, and all before a PING's."""
    seen, decoder, is_alive = [], hpack.Decoder(), False
    with connect(front) as client:
        client.write(PREFACE + wire([SETTINGS, *sent, PING]))
        for frame in received(client):
            match frame:
                case HeadersFrame():
                    seen.append(str(dict(decoder.decode(frame.data))[":status"]))
                case RstStreamFrame():
                    seen.append(f"RST_STREAM {ERRORS[frame.error_code]}")
                case GoAwayFrame(error_code=0):  # what has begun is completed
                    seen.append("GOAWAY NO_ERROR")
                case GoAwayFrame():
                    return [*seen, f"GOAWAY {ERRORS[frame.error_code]}"]
                case PingFrame(opaque_data=PING.opaque_data):
                    is_alive = True
            if is_alive and len(seen) >= expected:
                return seen
    return [*seen, "closed"]


@pytest.fixture(scope="module")
def outcomes(front: Front) -> dict[str, list[str]]:
    """The outcome of every case, tried at once: the proxy takes a second to close a connection."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tried = pool.map(lambda case: outcome(front, case[0], len(case[1])), CASES.values())
        return dict(zip(CASES, tried, strict=True))


@pytest.mark.parametrize("case", CASES)
def test_rfc_9113(outcomes: dict[str, list[str]], case: str) -> None:
    assert outcomes[case] == CASES[case][1]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0, id="3.4 HTTP/1.1 after ALPN"),
        pytest.param(PREFACE + PING.serialize(), 1, id="3.4 a preface without SETTINGS"),
    ],
)
def test_a_connection_begins_with_preface_and_settings(
    front: Front, sent: bytes, expected: int
) -> None:
    with connect(front) as client:
        client.write(sent)
        ends = [frame for frame in received(client) if isinstance(frame, GoAwayFrame)]
    assert len(ends) == expected


def test_responses_wait_for_the_windows_of_the_client(front: Front) -> None:
    """6.9.1: with a window of one byte there is one byte, and the rest after WINDOW_UPDATE."""
    with connect(front) as client:
        client.write(PREFACE + SETTINGS.serialize() + setting(4, 1) + get().serialize())
        sizes: list[int] = []
        ended = False
        for frame in received(client):
            if isinstance(frame, DataFrame):
                if not sizes:
                    client.write(WindowUpdateFrame(1, window_increment=1000).serialize())
                sizes.append(len(frame.data))
                if ended := "END_STREAM" in frame.flags:
                    break
    assert ended
    assert sizes[0] == 1
    assert 100 < sum(sizes) <= 1001
