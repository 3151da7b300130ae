"""What a listener's attributes do to responses, of targets and of the load balancer itself.

Source: ALB user guide, "HTTP header modification for your Application Load Balancer".
"""

import pytest

from albatross.model import attributes
from albatross.model.rule import FixedResponse, Forward, PathPattern, Redirect
from tests.support.envoy import TARGET_GROUP, Answer, Balancer, Proxy, reply

HSTS = "max-age=31536000; includeSubDomains"
KEY = "routing.http.response.{}.header_value"
SERVER_OFF = {"routing.http.response.server.enabled": "false"}
ALL = {key: f"value of {name}" for key, name in attributes.RESPONSE_HEADERS.items()}
OWN = (
    b"HTTP/1.1 200 OK\r\nServer: mine\r\nX-Frame-Options: ALLOWALL\r\nX-Frame-Options: two\r\n"
    b"Content-Length: 0\r\n\r\n"
)
ANSWERS = [
    pytest.param("GET /target", id="a target's response"),
    pytest.param("GET /fixed", id="a fixed response"),
    pytest.param("GET /moved", id="a redirect"),
    pytest.param("TRACE /target", id="405"),
    pytest.param("TRACE /fixed", id="405 on a fixed response"),
    pytest.param("GET /" + "x" * 20_000, id="414"),
    pytest.param("POST /target", id="413"),
]


def balancer(listener_attributes: dict[str, str]) -> Balancer:
    return Balancer(
        rules=[
            (
                (PathPattern(values=("/fixed",)),),
                FixedResponse(status_code=200, message_body="hi", content_type="text/plain"),
            ),
            ((PathPattern(values=("/moved",)),), Redirect(status_code=301, host="b")),
        ],
        default=Forward.to(TARGET_GROUP),
        listener_attributes=listener_attributes,
    )


def answer(proxy: Proxy, line: str, *lines: str) -> Answer:
    length = ["Content-Length: 1048577"] if line.startswith("POST") else []
    head = [f"{line} HTTP/1.1", "Host: a", *length, *lines]
    return proxy.send("\r\n".join([*head, "", ""]))


@pytest.mark.parametrize("line", ANSWERS)
def test_every_response_has_the_headers_that_are_set(proxy: Proxy, line: str) -> None:
    proxy.serve(balancer(ALL))
    found = answer(proxy, line)
    for key, name in attributes.RESPONSE_HEADERS.items():
        assert (name, ALL[key]) in found.headers
        assert found.header(name) == ALL[key]


@pytest.mark.parametrize("line", ANSWERS)
def test_server_goes_where_it_is_off(proxy: Proxy, line: str) -> None:
    proxy.serve(balancer({}))
    assert answer(proxy, line).header("Server") in ("awselb/2.0", "echo")
    proxy.serve(balancer(SERVER_OFF))
    assert answer(proxy, line).header("Server") is None


def test_a_targets_own_headers_are_replaced(proxy: Proxy) -> None:
    proxy.serve(balancer({KEY.format("x_frame_options"): "DENY"} | SERVER_OFF))
    found = answer(proxy, "GET /target", reply(OWN))
    assert found.header("X-Frame-Options") == "DENY"
    assert found.header("Server") is None


def test_what_is_not_set_is_left_alone(proxy: Proxy) -> None:
    proxy.serve(balancer({KEY.format("strict_transport_security"): HSTS}))
    found = answer(proxy, "GET /target", reply(OWN))
    assert found.header("Server") == "mine"
    assert [value for name, value in found.headers if name == "X-Frame-Options"] == [
        "ALLOWALL",
        "two",
    ]
    assert found.header("Access-Control-Max-Age") is None


def test_a_percent_sign_is_a_character(proxy: Proxy) -> None:
    value = "default-src 'self' %REQ(HOST)% 100%"
    proxy.serve(balancer({KEY.format("content_security_policy"): value}))
    assert answer(proxy, "GET /target").header("Content-Security-Policy") == value


def test_a_change_is_in_force_at_once_on_open_connections(proxy: Proxy) -> None:
    proxy.serve(balancer({}))
    with proxy.connect() as client:
        for value in (None, HSTS, "max-age=0", None):
            settings = {KEY.format("strict_transport_security"): value} if value else {}
            proxy.serve(balancer(settings))
            client.write("GET /target HTTP/1.1\r\nHost: a\r\n\r\n")
            found = client.read()
            assert found.header("Strict-Transport-Security") == value
            assert not found.closed


def test_load_balancers_on_one_socket_have_their_own(proxy: Proxy) -> None:
    with_header = balancer({KEY.format("x_frame_options"): "DENY"})
    with_header.name = "other"
    proxy.serve(balancer({}), with_header)
    other = proxy.get("/target", host="other-1.us-east-1.elb.localhost")
    assert other.header("X-Frame-Options") == "DENY"
    assert proxy.get("/target", host="web-1.us-east-1.elb.localhost").header("Server") == "echo"
    assert proxy.get("/target", host="x").header("X-Frame-Options") is None
