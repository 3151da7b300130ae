"""X-Forwarded headers, Host and names of headers, by the attributes of the load balancer.

Source: ALB user guide, "X-Forwarded headers", "Edit load balancer attributes".
"""

import pytest

from tests.e2e.test_event_through_proxy import OWN
from tests.support.stack import event, request


@pytest.fixture(scope="module")
def other(traffic):
    """A load balancer on another port than 80."""
    return traffic.front(port=18080)


class TestForwarded:
    """Each change of an attribute is in force with the API's answer."""

    @pytest.mark.parametrize(
        ("mode", "port", "incoming", "expected"),
        [
            pytest.param("append", "false", None, "127.0.0.1", id="append creates"),
            pytest.param("append", "false", "203.0.113.7", "203.0.113.7, 127.0.0.1", id="append"),
            pytest.param("append", "false", " ", "127.0.0.1", id="append to an empty one"),
            pytest.param(
                "append", "false", "a\r\nX-Forwarded-For: b", "a,b, 127.0.0.1", id="two lines"
            ),
            pytest.param("append", "true", " ", "127.0.0.1:PORT", id="port to an empty one"),
            pytest.param("append", "true", None, "127.0.0.1:PORT", id="port"),
            pytest.param(
                "append", "true", "1.2.3.4:5", "1.2.3.4:5, 127.0.0.1:PORT", id="port appended"
            ),
            pytest.param("preserve", "false", None, None, id="preserve adds nothing"),
            pytest.param("preserve", "true", "a, b", "a, b", id="preserve"),
            pytest.param("preserve", "false", " ", "", id="preserve an empty one"),
            pytest.param("remove", "false", "a", None, id="remove"),
            pytest.param("remove", "true", None, None, id="remove adds nothing"),
        ],
    )
    def test_for(self, other, mode, port, incoming, expected):
        other.set(
            routing__http__xff_header_processing__mode=mode,
            routing__http__xff_client_port__enabled=port,
        )
        with other.connect() as client:
            client.write(request("GET /", *([f"X-Forwarded-For: {incoming}"] if incoming else [])))
            found = event(client.read())["headers"].get("x-forwarded-for")
            assert found == (expected and expected.replace("PORT", str(client.local_port)))

    def test_port_and_proto_are_the_listeners_whatever_the_client_says(self, other):
        for proto in ("https", "", "a b", "http, https", "https\r\nX-Forwarded-Proto: x"):
            lines = ("X-Forwarded-Port: 1", f"X-Forwarded-Proto: {proto}")
            headers = event(other.get("/", *lines))["headers"]
            assert (headers["x-forwarded-port"], headers["x-forwarded-proto"]) == ("18080", "http")


class TestHost:
    @pytest.mark.parametrize(
        ("line", "host", "on_80", "on_18080"),
        [
            pytest.param(
                "GET /", "Example.COM", "Example.COM", "Example.COM:18080", id="case kept"
            ),
            pytest.param("GET /", "example.com:80", "example.com", "example.com:80", id="a port"),
            pytest.param(
                "GET /", "example.com:18080", "example.com", "example.com:18080", id="the port"
            ),
            pytest.param("GET /", "[::1]:80", "[::1]", "[::1]:80", id="IPv6"),
            pytest.param("GET /", "[::1]", "[::1]", "[::1]:18080", id="IPv6 without"),
            pytest.param(
                "GET http://dns-name/x", "a.com", "dns-name", "dns-name:18080", id="absolute form"
            ),
            pytest.param(
                "GET https://dns-name/x", "a.com", "dns-name", "dns-name:18080", id="absolute https"
            ),
            pytest.param(
                "GET HTTP://dns-name:81/x",
                "a.com",
                "dns-name",
                "dns-name:81",
                id="absolute with port",
            ),
        ],
    )
    def test_is_written_for_the_listeners_port(self, single, other, line, host, on_80, on_18080):
        for front, expected in ((single, on_80), (other, on_18080)):
            seen = event(front.send(request(line, host=host)))
            assert seen["headers"]["host"] == expected
            assert seen["headers"]["x-forwarded-proto"] == "http"

    def test_is_left_alone_with_preserve_host_header(self, single, other):
        for front in (single, other):
            front.set(routing__http__preserve_host_header__enabled="true")
            for host in ("Example.com", "example.com:80", "example.com:18080"):
                assert event(front.get("/", host=host))["headers"]["host"] == host
            front.set(routing__http__preserve_host_header__enabled="false")

    @pytest.mark.parametrize(
        "data",
        [b"GET /x HTTP/1.0\r\n\r\n", b"GET /x\r\n\r\n"],
        ids=["HTTP/1.0", "HTTP/0.9"],
    )
    def test_is_the_load_balancers_name_where_the_client_gives_none(self, single, data):
        seen = event(single.send(data))
        assert seen["headers"]["host"] == single.dns_name
        assert seen["path"] == "/x"

    def test_of_http_1_0_is_kept(self, single):
        seen = event(single.send(b"GET / HTTP/1.0\r\nHost: a.com:80\r\n\r\n"))
        assert seen["headers"]["host"] == "a.com"

    def test_of_several_lines_the_first_counts(self, single):
        assert event(single.get("/", "Host: b.com", host="a.com"))["headers"]["host"] == "a.com"


@pytest.mark.parametrize(
    ("drop", "expected"),
    [
        pytest.param("false", {"x_a": "1", "x.b": "2", "x-c": "3"}, id="kept"),
        pytest.param("true", {"x-c": "3"}, id="dropped"),
    ],
)
def test_header_names_that_are_not_valid(traffic, drop, expected):
    front = traffic.front(routing__http__drop_invalid_header_fields__enabled=drop)
    seen = event(front.get("/", "X_A: 1", "X.B: 2", "X-C: 3"))["headers"]
    assert {
        name: seen[name] for name in seen if name.startswith("x") and len(name) == 3
    } == expected
    assert seen.keys() >= OWN
