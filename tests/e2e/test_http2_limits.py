"""What an HTTP/2 connection carries. Source: ALB user guide, "Listeners" (HTTP/2 requests)."""

import time

import pytest
from hyperframe.frame import GoAwayFrame, HeadersFrame, PingFrame, SettingsFrame

from albatross.xds.https import REQUESTS_PER_CONNECTION_MAX
from tests.e2e.test_http2_conformance import GET, PING, PREFACE, SETTINGS, block, connect, received
from tests.support.stack import Front, Stack, fixed

AT_ONCE = 50


@pytest.fixture(scope="module")
def front(traffic: Stack) -> Front:
    made = traffic.server.client("acm").request_certificate(DomainName="www.example.com")
    return traffic.front(fixed(204), port=443, certificate=made["CertificateArn"])


def test_a_connection_has_10_000_requests_and_then_goes_away(front: Front) -> None:
    get = block(*GET)
    answered, sent, goodbye = 0, 0, None
    with connect(front) as client:
        client.write(PREFACE + SETTINGS.serialize())
        for frame in received(client):
            if isinstance(frame, HeadersFrame):
                answered += 1
            if isinstance(frame, GoAwayFrame):
                goodbye = frame
            if answered == sent and goodbye is None:
                streams = range(2 * sent + 1, 2 * (sent + AT_ONCE), 2)
                frames = (
                    HeadersFrame(n, get, flags=["END_HEADERS", "END_STREAM"]) for n in streams
                )
                client.write(b"".join(one.serialize() for one in frames))
                sent += AT_ONCE
    assert goodbye is not None
    assert goodbye.error_code == 0
    assert answered == sent  # nothing that was sent before is lost
    assert REQUESTS_PER_CONNECTION_MAX <= answered <= REQUESTS_PER_CONNECTION_MAX + AT_ONCE


def test_pings_do_not_keep_an_idle_connection_open(front: Front) -> None:
    front.set(idle_timeout__timeout_seconds="1")
    pings = 0
    with connect(front) as client:
        client.write(PREFACE + SETTINGS.serialize() + PING.serialize())
        for frame in received(client):
            if isinstance(frame, GoAwayFrame):
                assert frame.error_code == 0
                break
            if isinstance(frame, PingFrame) and "ACK" in frame.flags:
                pings += 1
                time.sleep(0.05)
                client.write(PING.serialize())
        else:
            pytest.fail("the connection ended without GOAWAY")
    assert pings > 1
    front.set(idle_timeout__timeout_seconds="60")


def test_a_connection_has_128_streams_at_once(front: Front) -> None:
    with connect(front) as client:
        client.write(PREFACE + SETTINGS.serialize())
        settings = next(one for one in received(client) if isinstance(one, SettingsFrame))
    assert settings.settings[SettingsFrame.MAX_CONCURRENT_STREAMS] == 128
