"""One request over HTTP/2. The other side is h2, a whole implementation, or bytes made by hand."""

import h2.config
import h2.connection
import h2.events
import h2.settings
import hpack
import pytest

from albatross.health.frames import (
    FRAME_BYTES_MAX,
    Kind,
    ProtocolError,
    Response,
    StreamReset,
    frame,
    request,
)

HEADERS = (
    (":method", "POST"),
    (":scheme", "http"),
    (":authority", "10.0.0.1:50051"),
    (":path", "/AWS.ALB/healthcheck"),
    ("te", "trailers"),
)
SETTINGS = frame(Kind.SETTINGS, 0, 0, b"")
END_STREAM, END_HEADERS, PADDED, PRIORITY = 0x1, 0x4, 0x8, 0x20


def server() -> h2.connection.H2Connection:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    return connection


def block(*headers: tuple[str, str]) -> bytes:
    return hpack.Encoder().encode(headers)


OK = block((":status", "200"))


def test_another_implementation_understands_the_request() -> None:
    events = server().receive_data(request(HEADERS, b"\0\0\0\0\0"))
    (asked,) = (one for one in events if isinstance(one, h2.events.RequestReceived))
    (data,) = (one for one in events if isinstance(one, h2.events.DataReceived))
    assert [(name.decode(), value.decode()) for name, value in asked.headers] == list(HEADERS)
    assert data.data == b"\0\0\0\0\0"
    assert any(isinstance(one, h2.events.StreamEnded) for one in events)


def test_a_request_without_a_body_ends_with_its_headers() -> None:
    events = server().receive_data(request(HEADERS))
    assert any(isinstance(one, h2.events.StreamEnded) for one in events)


@pytest.mark.parametrize("step", [1, 7, 1 << 20], ids=["bytes", "pieces", "whole"])
def test_a_response_is_read_as_it_comes(step: int) -> None:
    other, response = server(), Response()
    other.receive_data(request(HEADERS, b"\0\0\0\0\0"))
    other.send_headers(1, [(":status", "103"), ("link", "x")])
    other.send_headers(1, [(":status", "200"), ("content-type", "application/grpc")])
    other.send_data(1, bytes(10_000), pad_length=9)
    other.ping(b"12345678")
    other.send_headers(1, [("grpc-status", "12")], end_stream=True)
    data = other.data_to_send()
    answers = b"".join(response.receive(data[n : n + step]) for n in range(0, len(data), step))
    assert response.is_complete
    assert response.headers[b":status"] == b"200"
    assert response.headers[b"grpc-status"] == b"12"
    assert b"link" not in response.headers
    acknowledged = {type(one).__name__ for one in other.receive_data(answers)}
    assert {"SettingsAcknowledged", "PingAckReceived"} <= acknowledged


def test_a_large_body_needs_no_larger_window() -> None:
    """More than the window that HTTP/2 begins with."""
    other, response = server(), Response()
    other.receive_data(request(HEADERS))
    other.send_headers(1, [(":status", "200")])
    for _ in range(80):
        other.send_data(1, bytes(FRAME_BYTES_MAX))
        response.receive(other.data_to_send())
    assert response.received == 80 * FRAME_BYTES_MAX


def headers(flags: int, payload: bytes, stream: int = 1) -> bytes:
    return frame(Kind.HEADERS, flags, stream, payload)


def test_headers_may_go_on_in_other_frames_be_padded_and_have_a_priority() -> None:
    response = Response()
    response.receive(
        SETTINGS
        + headers(PADDED | PRIORITY | END_STREAM, b"\x03" + bytes(5) + OK[:1] + bytes(3))
        + frame(Kind.CONTINUATION, END_HEADERS, 1, OK[1:])
    )
    assert response.is_complete and response.headers == {b":status": b"200"}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(frame(Kind.PING, 0, 0, bytes(8)), id="no settings first"),
        pytest.param(SETTINGS + b"\xff\xff\xff\0\0\0\0\0\x01", id="a frame that is too large"),
        pytest.param(SETTINGS + headers(END_HEADERS, b"\xff\xff\xff\xff"), id="no HPACK"),
        pytest.param(SETTINGS + headers(END_HEADERS, OK, stream=2), id="another stream"),
        pytest.param(SETTINGS + headers(END_HEADERS | PADDED, b"\x09\x88"), id="padding"),
        pytest.param(SETTINGS + headers(0, OK) + SETTINGS, id="headers that break off"),
        pytest.param(SETTINGS + frame(Kind.CONTINUATION, 4, 1, OK), id="headers from nowhere"),
        pytest.param(SETTINGS + frame(Kind.DATA, 0, 1, b"x"), id="a body without headers"),
        pytest.param(SETTINGS + frame(Kind.PUSH_PROMISE, 4, 1, bytes(4)), id="a push"),
        pytest.param(
            SETTINGS
            + headers(0, bytes(FRAME_BYTES_MAX))
            + frame(Kind.CONTINUATION, 0, 1, bytes(FRAME_BYTES_MAX)) * 4,
            id="headers without end",
        ),
        pytest.param(
            SETTINGS
            + headers(END_HEADERS, block((":status", "200"), ("content-length", "5")))
            + frame(Kind.DATA, END_STREAM, 1, b"four"),
            id="a body that breaks off",
        ),
    ],
)
def test_what_is_not_http2_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        Response().receive(data)


@pytest.mark.parametrize(
    ("data", "is_complete"),
    [
        pytest.param(frame(Kind.RST_STREAM, 0, 1, bytes(4)), True, id="reset without a fault"),
        pytest.param(frame(Kind.GOAWAY, 0, 0, b"\0\0\0\x01" + bytes(4)), False, id="goodbye"),
        pytest.param(frame(0x42, 0xFF, 77, b"x"), False, id="a kind that nobody knows"),
        pytest.param(frame(Kind.WINDOW_UPDATE, 0, 0, b"\0\0\0\x01"), False, id="a larger window"),
    ],
)
def test_what_is_no_fault_is_none(data: bytes, is_complete: bool) -> None:
    response = Response()
    response.receive(SETTINGS + headers(END_HEADERS, OK) + data)
    assert response.is_complete == is_complete


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(frame(Kind.RST_STREAM, 0, 1, b"\0\0\0\x02"), id="reset"),
        pytest.param(frame(Kind.GOAWAY, 0, 0, b"\0\0\0\x01\0\0\0\x01"), id="goodbye with a fault"),
        pytest.param(frame(Kind.GOAWAY, 0, 0, bytes(8)), id="goodbye before the request"),
    ],
)
def test_a_request_that_is_given_up_is_known(data: bytes) -> None:
    with pytest.raises(StreamReset):
        Response().receive(SETTINGS + data)


def test_what_follows_a_response_is_not_looked_at() -> None:
    response = Response()
    response.receive(SETTINGS + headers(END_HEADERS | END_STREAM, OK) + bytes(64))
    assert response.is_complete
