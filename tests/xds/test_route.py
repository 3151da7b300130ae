"""Which load balancer and which rule a request belongs to."""

import pytest
import re2  # type: ignore[import-untyped]

from albatross.model.rule import Action, FixedResponse, HostHeader, PathPattern
from albatross.xds import patterns
from tests.support.envoy import Balancer, Proxy


def status(code: int) -> FixedResponse:
    return FixedResponse(status_code=code)


OLDEST = Balancer("oldest", default=status(201))
SECOND = Balancer(
    "second",
    default=status(202),
    rules=[
        ((HostHeader(values=("*.shop.com", "exact.com")), PathPattern(values=("/x",))), status(212))
    ],
)
THIRD = Balancer(
    "third",
    default=status(203),
    rules=[((HostHeader(values=("a.shop.com", "third.com")),), status(213))],
)


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        pytest.param("second-1.us-east-1.elb.localhost", "/", 202, id="DNS name"),
        pytest.param("second-1.us-east-1.elb.localhost:8080", "/", 202, id="with port"),
        pytest.param("Second-1.US-East-1.elb.localhost", "/", 202, id="any case"),
        pytest.param("oldest-1.us-east-1.elb.localhost", "/", 201, id="the oldest's DNS name"),
        pytest.param("b.shop.com", "/x", 212, id="named by a rule that matches"),
        pytest.param("b.shop.com", "/y", 202, id="named by a rule that does not"),
        pytest.param("B.SHOP.com:81", "/y", 202, id="named in any case, with port"),
        pytest.param("a.shop.com", "/", 202, id="named by two: the older one"),
        pytest.param("third.com", "/", 213, id="named by the youngest"),
        pytest.param("shop.com", "/", 201, id="named by nobody"),
        pytest.param("127.0.0.1", "/", 201, id="an address"),
    ],
)
def test_load_balancers_share_a_socket(proxy: Proxy, host: str, path: str, expected: int) -> None:
    proxy.serve(OLDEST, SECOND, THIRD)
    assert proxy.get(path, host=host).status == expected


def large(number: int) -> HostHeader:
    """Return a condition that takes about a tenth of what the proxy has for an expression."""
    values = [rf"^h{number}-{n}\.\w{{0,600}}\w{{0,600}}\.com$" for n in range(5)]
    return HostHeader(values=(), regex_values=tuple(values))


def test_so_many_expressions_for_hosts_that_they_are_too_large_together(proxy: Proxy) -> None:
    hosts = tuple(large(number) for number in range(20))
    with pytest.raises(re2.error):
        re2.compile(patterns.any_host(hosts))
    path = PathPattern(values=("/x",))
    rules = [((host, path), status(210 + number)) for number, host in enumerate(hosts)]
    proxy.serve(OLDEST, Balancer("second", default=status(202), rules=rules))
    found = [proxy.get("/x", host=f"h{number}-4.shop.com").status for number in range(20)]
    assert found == [210 + number for number in range(20)]
    assert [proxy.get("/", host=f"h{n}-0.shop.com").status for n in (0, 19, 20)] == [202, 202, 201]


def test_each_request_follows_its_load_balancers_attributes(proxy: Proxy) -> None:
    key = "routing.http.xff_header_processing.mode"
    proxy.serve(Balancer("one"), Balancer("two", port=9000, attributes={key: "remove"}))
    one = proxy.get(host="one-1.us-east-1.elb.localhost").received
    two = proxy.get(host="two-1.us-east-1.elb.localhost").received
    assert (one.header("x-forwarded-for"), one.header("x-forwarded-port")) == ("127.0.0.1", "80")
    assert (two.header("x-forwarded-for"), two.header("x-forwarded-port")) == (None, "9000")


HOSTS = [
    pytest.param("www.example.com", "www.example.com", True, id="literal"),
    pytest.param("www.example.com", "WWW.Example.COM:8080", True, id="any case and port"),
    pytest.param("*.example.com", "a.b.example.com", True, id="star crosses dots"),
    pytest.param("*.example.com", "example.com", False, id="star does not eat the dot"),
    pytest.param("api?.example.com", "api1.example.com", True, id="question mark"),
    pytest.param("api?.example.com", "api.example.com", False, id="question mark is one"),
    pytest.param("www.example.com", "wwwxexample.com", False, id="a dot is a dot"),
    pytest.param("www.example.com", "www.example.com.evil.net", False, id="whole value"),
]
PATHS = [
    pytest.param("/img/*", "/img/a/b.png?x", True, id="star crosses slashes"),
    pytest.param("/img/*", "/img/", True, id="star may be empty"),
    pytest.param("/img/*", "/img", False, id="the slash counts"),
    pytest.param("/img/*", "/IMG/a", False, id="case counts"),
    pytest.param("/img/?", "/img/a", True, id="question mark"),
    pytest.param("/img/?", "/img/", False, id="question mark is one"),
    pytest.param("/exact", "/exact?query", True, id="literal without query"),
    pytest.param("/exact", "/exact/", False, id="literal is whole"),
    pytest.param("/a.b+c$", "/a.b+c$", True, id="signs are themselves"),
    pytest.param("/a.b", "/axb", False, id="a dot is a dot"),
    pytest.param("*.php", "/x/y.php", True, id="suffix"),
    pytest.param("*.php", "/x?y.php", False, id="suffix of the path, not of the query"),
    pytest.param("*", "/", True, id="everything"),
    pytest.param("/a*b*", "/a/x/b/", True, id="two stars"),
]


@pytest.mark.parametrize(("pattern", "host", "matches"), HOSTS)
def test_host_header_condition(proxy: Proxy, pattern: str, host: str, matches: bool) -> None:
    rule: tuple[tuple[HostHeader, ...], Action] = ((HostHeader(values=(pattern,)),), status(202))
    proxy.serve(Balancer(rules=[rule], default=status(404)))
    assert proxy.get(host=host).status == (202 if matches else 404)


@pytest.mark.parametrize(("pattern", "target", "matches"), PATHS)
def test_path_pattern_condition(proxy: Proxy, pattern: str, target: str, matches: bool) -> None:
    rule: tuple[tuple[PathPattern, ...], Action] = ((PathPattern(values=(pattern,)),), status(202))
    proxy.serve(Balancer(rules=[rule], default=status(404)))
    assert proxy.get(target).status == (202 if matches else 404)


def test_the_first_rule_that_matches_wins_and_all_its_conditions_must(proxy: Proxy) -> None:
    proxy.serve(
        Balancer(
            rules=[
                ((HostHeader(values=("a.com",)), PathPattern(values=("/x", "/y"))), status(202)),
                ((PathPattern(values=("/*",)),), status(203)),
                ((PathPattern(values=("/y",)),), status(204)),
            ]
        )
    )
    answers = {
        (host, path): proxy.get(path, host=host).status
        for host in ("a.com", "b.com")
        for path in ("/x", "/y", "/z")
    }
    assert answers == {
        ("a.com", "/x"): 202,
        ("a.com", "/y"): 202,
        ("a.com", "/z"): 203,
        ("b.com", "/x"): 203,
        ("b.com", "/y"): 203,
        ("b.com", "/z"): 203,
    }


@pytest.mark.parametrize(
    ("action", "content_type", "body"),
    [
        pytest.param(FixedResponse(status_code=200), None, b"", id="nothing"),
        pytest.param(
            FixedResponse(status_code=404, message_body="no"),
            "text/plain; charset=utf-8",
            b"no",
            id="body alone",
        ),
        pytest.param(
            FixedResponse(status_code=503, content_type="application/json", message_body="{}"),
            "application/json",
            b"{}",
            id="JSON, with a status that has a page",
        ),
        pytest.param(
            FixedResponse(status_code=418, content_type="text/html", message_body="\u00e9" * 1024),
            "text/html; charset=utf-8",
            "\u00e9".encode() * 1024,
            id="1,024 characters",
        ),
    ],
)
def test_fixed_responses(
    proxy: Proxy, action: FixedResponse, content_type: str | None, body: bytes
) -> None:
    proxy.serve(Balancer(default=action))
    answer = proxy.get()
    assert answer.status == action.status_code
    assert answer.header("content-type") == content_type
    assert answer.header("server") == "awselb/2.0"
    assert answer.header("date")
    assert answer.body == body
    assert not answer.closed
