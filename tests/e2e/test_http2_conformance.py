"""What clients of HTTP/2 get that break its rules: frames as bytes, to an HTTPS listener.

Source: RFC 9113, by its sections. Where it lets a server choose between an error of the stream and
one of the connection, the table has what happens.
"""

import struct
from collections.abc import Iterator

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
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.support.stack import Front, Stack
from tests.support.tls import TlsClient, client_context

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CODES = {
    0: "NO_ERROR",
    1: "PROTOCOL_ERROR",
    2: "INTERNAL_ERROR",
    3: "FLOW_CONTROL_ERROR",
    5: "STREAM_CLOSED",
    6: "FRAME_SIZE_ERROR",
    7: "REFUSED_STREAM",
    8: "CANCEL",
    9: "COMPRESSION_ERROR",
    11: "ENHANCE_YOUR_CALM",
}
GET = [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "www.example.com")]
POST = [(":method", "POST"), *GET[1:]]
SETTINGS = SettingsFrame(0)
END = "END_STREAM"
WHOLE = ("END_HEADERS", "END_STREAM")


def raw(kind: int, flags: int, stream: int, payload: bytes = b"", length: int | None = None):
    """Return a frame with any header, right or wrong."""
    size = struct.pack("!L", len(payload) if length is None else length)[1:]
    return size + bytes((kind, flags)) + struct.pack("!L", stream) + payload


def block(*headers):
    return hpack.Encoder().encode(headers)


def headers(*lines, stream=1, flags=WHOLE):
    return HeadersFrame(stream, block(*lines), flags=flags)


def get(*lines, stream=1):
    return headers(*GET, *lines, stream=stream)


def post(*lines, stream=1):
    return headers(*POST, *lines, stream=stream, flags=("END_HEADERS",))


def without(name):
    return headers(*(line for line in GET if line[0] != name))


CASES = [
    # 3.4: the preface
    pytest.param([b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"], "", id="3.4 no preface"),
]


@pytest.fixture(scope="module")
def front(traffic: Stack) -> Front:
    certificate = traffic.server.client("acm").request_certificate(DomainName="www.example.com")
    return traffic.front(port=443, certificate=certificate["CertificateArn"])


def frames(client: TlsClient) -> Iterator[Frame]:
    """Yield what the server sends until it closes."""
    while len(head := client._file.read(9)) == 9:
        frame, size = Frame.parse_frame_header(memoryview(head))
        frame.parse_body(memoryview(client._file.read(size)))
        yield frame
