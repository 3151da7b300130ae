"""Many requests at once over HTTP/2, from a client that others wrote: h2load of nghttp2."""

import re
import subprocess

import pytest

from tests.support.stack import Front, Stack, fixed
from tests.support.tools import needs

STREAMS = 16

pytestmark = needs("h2load", "nghttp2-client")


@pytest.fixture(scope="module")
def front(traffic: Stack) -> Front:
    made = traffic.server.client("acm").request_certificate(DomainName="www.example.com")
    return traffic.front(port=443, certificate=made["CertificateArn"])


def load(front: Front, requests: int) -> str:
    """Send requests over four connections at once and return what h2load says of them."""
    done = subprocess.run(
        [
            *("h2load", "--clients", "4", "--max-concurrent-streams", str(STREAMS)),
            *("--requests", str(requests), f"https://{front.address}:{front.real_port}/"),
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("action", "requests"),
    [
        pytest.param("function", 500, id="a function"),
        pytest.param("fixed-response", 5000, id="a fixed response"),
    ],
)
def test_every_request_of_a_load_is_answered(front: Front, action: str, requests: int) -> None:
    if action == "fixed-response":
        front.default(fixed(200, "fixed"))
    said = load(front, requests)
    assert "Application protocol: h2" in said
    assert f"{requests} succeeded, 0 failed, 0 errored, 0 timeout" in said
    assert re.search(rf"status codes: {requests} 2xx, 0 3xx, 0 4xx, 0 5xx", said)
