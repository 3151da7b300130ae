"""Which requests each kind of condition holds for."""

import pytest
import re2

from albatross.model.rule import (
    Action,
    Condition,
    FixedResponse,
    HostHeader,
    HttpHeader,
    HttpRequestMethod,
    PathPattern,
    QueryParameter,
    QueryString,
    SourceIp,
)
from albatross.xds import patterns
from tests.support.envoy import Balancer, Proxy


def when(*conditions: Condition) -> Balancer:
    """A load balancer that answers 202 where all `conditions` hold, else 404."""
    rule: tuple[tuple[Condition, ...], Action] = (conditions, FixedResponse(status_code=202))
    return Balancer(rules=[rule], default=FixedResponse(status_code=404))


def header(*values: str, name: str = "X-Thing", regex: str | None = None) -> HttpHeader:
    regex_values = () if regex is None else (regex,)
    return HttpHeader(header_name=name, values=values, regex_values=regex_values)


HEADERS = [
    pytest.param(header("one"), ["X-Thing: one"], True, id="value"),
    pytest.param(header("one"), ["x-THING: ONE"], True, id="name and value in any case"),
    pytest.param(header("one"), [], False, id="absent"),
    pytest.param(header("one"), ["X-Other: one"], False, id="another header"),
    pytest.param(header("one"), ["X-Thing: one two"], False, id="whole value"),
    pytest.param(header("*one*"), ["X-Thing: a one b"], True, id="stars"),
    pytest.param(header("one*"), ["X-Thing: b", "X-Thing: ONE b"], True, id="start, any case"),
    pytest.param(header("one*"), ["X-Thing: a one"], False, id="start alone"),
    pytest.param(header("*one"), ["X-Thing: a One"], True, id="end, any case"),
    pytest.param(header("*one"), ["X-Thing: one b"], False, id="end alone"),
    pytest.param(header("*one"), ["X-Thing: one"], True, id="a star is nothing, too"),
    pytest.param(header("on?"), ["X-Thing: ond"], True, id="question mark"),
    pytest.param(header("on?"), ["X-Thing: on"], False, id="question mark is one"),
    pytest.param(header("*"), ["X-Thing:"], True, id="star holds for an empty value"),
    pytest.param(header("a.b"), ["X-Thing: axb"], False, id="a dot is a dot"),
    pytest.param(header("a", "b"), ["X-Thing: b"], True, id="one of several values"),
    pytest.param(header("two"), ["X-Thing: one", "X-Thing: two"], True, id="second line"),
    pytest.param(header("one, two"), ["X-Thing: one", "X-Thing: two"], False, id="lines apart"),
    pytest.param(header("two"), ["X-Thing: one, two"], False, id="a list in a line is one value"),
    pytest.param(
        header("*Chrome*", "*Safari*", name="User-Agent"),
        ["User-Agent: Mozilla/5.0 (X11) AppleWebKit/537 chrome/9"],
        True,
        id="user agent",
    ),
    pytest.param(
        header("http", name="X-Forwarded-Proto"), ["X-Forwarded-Proto: http"], True, id="proto"
    ),
    pytest.param(
        header("https", name="x-forwarded-proto"),
        ["X-Forwarded-Proto: https"],
        True,
        id="proto as the client says",
    ),
    pytest.param(
        header("http", name="X-Forwarded-Proto"), [], False, id="proto that the client did not say"
    ),
    pytest.param(
        header("10.*", name="X-Forwarded-For"), ["X-Forwarded-For: 10.1.2.3"], True, id="for"
    ),
    pytest.param(
        header("80", name="X-Forwarded-Port"), [], False, id="port that the client did not say"
    ),
    pytest.param(
        header("Root=1", name="X-Amzn-Trace-Id"),
        ["X-Amzn-Trace-Id: Root=1"],
        True,
        id="trace as the client says",
    ),
    pytest.param(header("*", name="X-Amzn-Trace-Id"), [], False, id="trace, not yet added"),
    pytest.param(
        header("keep-alive", name="Connection"),
        ["Connection: Keep-Alive"],
        True,
        id="Connection as the client says",
    ),
    pytest.param(header("*", name="Connection"), [], False, id="no Connection"),
    pytest.param(header("0", name="Content-Length"), ["Content-Length: 0"], True, id="length"),
    pytest.param(header("*", name="X-Albatross-Size"), [], False, id="a header of our own"),
    pytest.param(header("*", name="X-Envoy-External-Address"), [], False, id="one of the proxy's"),
    pytest.param(
        header("websocket", name="Upgrade"),
        ["Connection: Upgrade", "Upgrade: websocket"],
        True,
        id="WebSocket",
    ),
    pytest.param(
        header("*b=2*", name="Cookie"), ["Cookie: a=1", "Cookie: b=2"], True, id="second cookie"
    ),
    pytest.param(
        header("Bearer *", name="Authorization"), ["Authorization: bearer x"], True, id="token"
    ),
    pytest.param(header(r"a\*", name="X"), [r"X: a\b"], True, id="no escapes in a header's value"),
    pytest.param(header("*"), ["X-Thing: \xe9"], True, id="star holds for bytes beyond ASCII"),
    pytest.param(
        header("x", name="Accept"),
        ["Accept: a", "Accept: x"],
        False,
        id="lines that the proxy joins (differs from AWS)",
    ),
    pytest.param(
        header("*", name="Keep-Alive"),
        ["Keep-Alive: timeout=5"],
        False,
        id="Keep-Alive is gone (differs from AWS)",
    ),
    pytest.param(header("*", name="X-Forwarded-For"), [], False, id="for, not yet added"),
    pytest.param(header(regex="^o.e$"), ["X-Thing: one"], True, id="expression"),
    pytest.param(header(regex="^o.e$"), ["X-Thing: ONE"], True, id="expression in any case"),
    pytest.param(header(regex="^o.e$"), ["X-Thing: one "], True, id="expression, no space at ends"),
    pytest.param(header(regex="n"), ["X-Thing: one"], True, id="expression finds a part"),
    pytest.param(header(regex="^n"), ["X-Thing: one"], False, id="expression with an anchor"),
    pytest.param(header(regex="x|^o.*e$"), ["X-Thing: one"], True, id="expression of two"),
    pytest.param(header(regex=".+"), ["X-Thing:"], False, id="expression for any value"),
    pytest.param(
        header(regex="^b$"), ["X-Thing: a", "X-Thing: b"], True, id="expression, second line"
    ),
]


@pytest.mark.parametrize(("condition", "lines", "holds"), HEADERS)
def test_http_header(proxy: Proxy, condition: HttpHeader, lines: list[str], holds: bool) -> None:
    proxy.serve(when(condition))
    assert proxy.get("/", *lines).status == (202 if holds else 404)


METHODS = [
    pytest.param(("GET",), "GET", True, id="GET"),
    pytest.param(("GET",), "POST", False, id="another"),
    pytest.param(("POST", "PUT"), "PUT", True, id="one of two"),
    pytest.param(("CUSTOM-METHOD",), "CUSTOM-METHOD", True, id="custom"),
    pytest.param(("MKCOL_X",), "MKCOL_X", True, id="underscore"),
    pytest.param(("GET",), "get", False, id="case counts"),
    pytest.param(("GET",), "GETS", False, id="whole method"),
    pytest.param(("HEAD",), "HEAD", True, id="HEAD is not GET"),
    pytest.param(("GET",), "HEAD", False, id="GET is not HEAD"),
]


@pytest.mark.parametrize(("values", "method", "holds"), METHODS)
def test_http_request_method(
    proxy: Proxy, values: tuple[str, ...], method: str, holds: bool
) -> None:
    proxy.serve(when(HttpRequestMethod(values=values)))
    answer = proxy.send(f"{method} / HTTP/1.1\r\nHost: a.com\r\n\r\n", head=method == "HEAD")
    assert answer.status == (202 if holds else 404)


QUERIES = [
    pytest.param("version", "v1", "version=v1", True, id="pair"),
    pytest.param("version", "v1", "VERSION=V1", True, id="any case"),
    pytest.param("version", "v1", "a=b&version=v1&c=d", True, id="among others"),
    pytest.param("version", "v1", "version=v2&version=v1", True, id="second of the same key"),
    pytest.param("version", "v1", "version=v10", False, id="whole value"),
    pytest.param("version", "v1", "aversion=v1", False, id="whole key"),
    pytest.param("version", "v1", "version", False, id="key without a value"),
    pytest.param("version", "v1", "", False, id="empty query"),
    pytest.param("version", "v1", None, False, id="no query"),
    pytest.param("version", "v*", "version=v1.2", True, id="star"),
    pytest.param("version", "v*", "version=v&x=1", True, id="star may be empty"),
    pytest.param("version", "v?", "version=v1", True, id="question mark"),
    pytest.param("version", "v?", "version=v", False, id="question mark is one"),
    pytest.param("version", "v?", "version=v%20", True, id="an escape is one character"),
    pytest.param("version", "v?", "version=v12", False, id="question mark is not two"),
    pytest.param("ver*", "v1", "version=v1", True, id="star in a key"),
    pytest.param("ver*", "v1", "version=x&y=v1", False, id="star stays within a key"),
    pytest.param("version", "*1", "version=x&y=v1", False, id="star stays within a value"),
    pytest.param("a", r"\*", "a=*", True, id="escaped star"),
    pytest.param("a", r"\*", "a=b", False, id="escaped star is no wildcard"),
    pytest.param("a", r"\?\*", "a=?*", True, id="escaped question mark"),
    pytest.param("a", r"b\c", r"a=b\c", True, id="backslash before others is one"),
    pytest.param("a", "b", "%61=%62", True, id="decoded"),
    pytest.param("a", "%62", "a=%62", True, id="as sent"),
    pytest.param("a", "%62", "a=b", False, id="the condition is not decoded"),
    pytest.param("a", "b&c", "a=b%26c", True, id="escaped separator"),
    pytest.param("a", "b", "a=b%26c", False, id="escaped separator is part of the value"),
    pytest.param("a=b", "c", "a%3Db=c", True, id="escaped equals sign"),
    pytest.param("a", "b=c", "a=b=c", True, id="equals sign in a value"),
    pytest.param("a", "b+c", "a=b+c", True, id="plus"),
    pytest.param("a", "b+c", "a=b%2Bc", True, id="escaped plus"),
    pytest.param("a", "b", "x=1;a=b", False, id="semicolon is no separator"),
    pytest.param("a", "b", "&&a=b&", True, id="empty pairs"),
    pytest.param("*", "b", "anything=b", True, id="star for any key"),
    pytest.param("a", "b/c", "a=b%2fC", True, id="escape in lower case"),
    pytest.param(None, "v1", "x=v1", True, id="any key"),
    pytest.param(None, "*example*", "x=1&y=an-example-1", True, id="any key, stars"),
    pytest.param(None, "*example*", "example=1", False, id="value, not key"),
    pytest.param(None, "v1", "v1", False, id="a word is no value"),
    pytest.param("flag", "*", "flag", True, id="key without a value, star"),
    pytest.param("flag", "*", "flag=", True, id="key with an empty value, star"),
    pytest.param("flag", "*", "flags=1", False, id="another key, star"),
    pytest.param(None, "*", "x", True, id="anything"),
    pytest.param(None, "*", "", False, id="nothing"),
    pytest.param("*", "*", "", False, id="nothing, with a star for the key"),
    pytest.param("*", "*", "x", True, id="anything, with a star for the key"),
]


@pytest.mark.parametrize(("key", "value", "query", "holds"), QUERIES)
def test_query_string(
    proxy: Proxy, key: str | None, value: str, query: str | None, holds: bool
) -> None:
    proxy.serve(when(QueryString(values=(QueryParameter(key=key, value=value),))))
    target = "/a" if query is None else f"/a?{query}"
    assert proxy.get(target).status == (202 if holds else 404)


def test_one_of_several_query_parameters_suffices(proxy: Proxy) -> None:
    version, example = QueryParameter(key="version", value="v1"), QueryParameter(value="*example*")
    proxy.serve(when(QueryString(values=(version, example))))
    statuses = [proxy.get(f"/?{query}").status for query in ("version=v1", "a=example", "b=c")]
    assert statuses == [202, 202, 404]


ADDRESSES = [
    pytest.param(("127.0.0.0/8",), True, id="block"),
    pytest.param(("127.0.0.1/32",), True, id="address"),
    pytest.param(("127.0.0.9/24",), True, id="block with more bits"),
    pytest.param(("0.0.0.0/0",), True, id="all"),
    pytest.param(("10.0.0.0/8",), False, id="another block"),
    pytest.param(("10.0.0.0/8", "127.0.0.0/8"), True, id="one of two"),
    pytest.param(("::/0",), False, id="IPv6"),
]


@pytest.mark.parametrize(("blocks", "holds"), ADDRESSES)
def test_source_ip(proxy: Proxy, blocks: tuple[str, ...], holds: bool) -> None:
    proxy.serve(when(SourceIp(values=blocks)))
    assert proxy.get("/", "X-Forwarded-For: 10.1.2.3").status == (202 if holds else 404)


def test_source_ip_of_ipv6(proxy: Proxy) -> None:
    proxy.serve(when(SourceIp(values=("10.0.0.0/8", "::1/128"))), address="::1")
    with proxy.connect("::1") as client:
        client.write("GET / HTTP/1.1\r\nHost: a.com\r\n\r\n")
        assert client.read().status == 202


HOSTS = [
    pytest.param(r"^(.*)\.example\.com$", "a.example.com", True, id="anchors"),
    pytest.param(r"^(.*)\.example\.com$", "A.EXAMPLE.com", True, id="any case"),
    pytest.param(r"^(.*)\.example\.com$", "a.example.com:8080", True, id="port"),
    pytest.param(r"^(.*)\.example\.com$", "example.com", False, id="no match"),
    pytest.param(r"^(.*)\.example\.com$", "a.example.com.evil.net", False, id="end"),
    pytest.param(r"example", "a.example.com", True, id="part"),
    pytest.param(r"80", "a.example.com:8080", False, id="not in the port"),
    pytest.param(r"^a[0-9]{2}\.x\.com$|^b\.com$", "b.com:1", True, id="alternatives"),
]


@pytest.mark.parametrize(("regex", "host", "holds"), HOSTS)
def test_regular_expression_for_a_host(proxy: Proxy, regex: str, host: str, holds: bool) -> None:
    proxy.serve(when(HostHeader(regex_values=(regex,))))
    assert proxy.get("/", host=host).status == (202 if holds else 404)


PATHS = [
    pytest.param(r"^\/api\/(.*)$", "/api/x/y?z", True, id="anchors"),
    pytest.param(r"^\/api\/(.*)$", "/API/x", False, id="case counts"),
    pytest.param(r"(?i)^\/api\/(.*)$", "/API/x", True, id="unless told"),
    pytest.param(r"^\/api\/(.*)$", "/v/api/x", False, id="beginning"),
    pytest.param(r"/v[0-9]+/", "/api/v12/x", True, id="part"),
    pytest.param(r"^/a$", "/a?b", True, id="the query is not looked at"),
    pytest.param(r"b", "/a?b", False, id="not in the query"),
    pytest.param(r"^/a$", "/%61", True, id="normalised"),
    pytest.param(r"^/x$", "/y/../x", True, id="dot segments"),
    pytest.param(r"^/a%20b$", "/a%20b", True, id="escapes of others stay"),
    pytest.param(r"^/a%2Fb$", "/a%2fb", True, id="escapes in capitals"),
    pytest.param(r"^/$", "http://a.com", True, id="absolute form without a path"),
    pytest.param(r"^/(?P<n>\d{4})-\w+$", "/2026-q", True, id="named group"),
    pytest.param(r"^/\Qa(b", "/a(b", True, id="quotation without an end"),
    pytest.param(r"^/\Qa.b", "/axb", False, id="what is quoted is literal"),
    pytest.param(r"^\Q/a.b\E$", "/a.b", True, id="quotation with an end"),
]


@pytest.mark.parametrize(("regex", "target", "holds"), PATHS)
def test_regular_expression_for_a_path(proxy: Proxy, regex: str, target: str, holds: bool) -> None:
    proxy.serve(when(PathPattern(regex_values=(regex,))))
    assert proxy.get(target).status == (202 if holds else 404)


def test_expressions_may_have_groups_of_the_same_name(proxy: Proxy) -> None:
    paths = PathPattern(regex_values=("^/(?P<n>a)$", "^/(?P<n>b)$"))
    teapot = FixedResponse(status_code=418)
    balancers = [
        Balancer(f"b{n}", rules=[((HostHeader(regex_values=(f"(?P<n>{n})",)), paths), teapot)])
        for n in range(5)
    ]
    proxy.serve(*balancers)
    assert proxy.get("/b", host="4").status == 418
    assert proxy.get("/c", host="4").status == 200


def test_all_conditions_of_a_rule_must_hold(proxy: Proxy) -> None:
    proxy.serve(
        when(
            header("1", name="A"),
            header("2", name="B"),
            QueryString(values=(QueryParameter(key="x", value="1"),)),
            QueryString(values=(QueryParameter(key="y", value="2"),)),
            SourceIp(values=("127.0.0.1/32",)),
        )
    )
    assert proxy.get("/?y=2&x=1", "A: 1", "B: 2").status == 202
    assert proxy.get("/?x=1", "A: 1", "B: 2").status == 404
    assert proxy.get("/?y=2&x=1", "A: 1").status == 404


def test_a_request_forwarded_by_a_host_expression_keeps_its_port(proxy: Proxy) -> None:
    balancer = Balancer(attributes={"routing.http.preserve_host_header.enabled": "true"})
    balancer.rules = [((HostHeader(regex_values=("^a$",)),), FixedResponse(status_code=202))]
    proxy.serve(balancer)
    assert proxy.get("/%61/../b", host="x:99").received.header("host") == "x:99"
    assert proxy.get("/%61/../b", host="x:99").received.request == "GET /%61/../b HTTP/1.1"
    assert proxy.get(host="a:99").status == 202


def test_load_balancers_on_a_socket_are_told_apart_by_host_expressions(proxy: Proxy) -> None:
    oldest = Balancer("oldest", default=FixedResponse(status_code=201))
    second = Balancer("second", default=FixedResponse(status_code=202))
    second.rules = [
        ((HostHeader(regex_values=(r"^\w+\.shop\.com$",)),), FixedResponse(status_code=212))
    ]
    proxy.serve(oldest, second)
    assert proxy.get(host="a.shop.com:81").status == 212
    assert proxy.get(host="shop.com:81").status == 201


def test_the_longest_conditions_make_an_expression_that_the_proxy_takes(proxy: Proxy) -> None:
    parameter = QueryParameter(key="k" * 126 + "*", value="v" * 127 + "?")
    long = tuple("/" + c * 126 + "*" for c in "abcde")
    proxy.serve(when(QueryString(values=(parameter,) * 5), PathPattern(values=long)))
    assert proxy.get("/").status == 404


@pytest.mark.parametrize("regex", [r"\x{100}", "(", r"(\w{600}){3}"])
def test_an_expression_that_the_proxy_does_not_know_holds_for_nothing(
    proxy: Proxy, regex: str
) -> None:
    """Older versions took some that the API refuses today. Other rules are served all the same."""
    teapot = FixedResponse(status_code=418)
    rules: list[tuple[tuple[Condition, ...], Action]] = [
        ((PathPattern(regex_values=(regex,)),), teapot),
        ((HostHeader(regex_values=(regex,)),), teapot),
        ((header(regex=regex),), teapot),
        ((PathPattern(regex_values=(regex, "^/b$")),), FixedResponse(status_code=202)),
    ]
    proxy.serve(Balancer(rules=rules, default=FixedResponse(status_code=404)))
    assert [proxy.get(path, "X-Thing: a").status for path in ("/", "/b")] == [404, 202]


@pytest.mark.parametrize("regex", ["(?:[a-z]{1,50}){9}", r"(\w{30}x){10}", "(a?){100}b{100}"])
def test_five_large_expressions_together_are_taken(proxy: Proxy, regex: str) -> None:
    re2.compile(regex)
    proxy.serve(when(PathPattern(regex_values=(regex,) * 5)))
    assert proxy.get("/").status == 404


def test_conditions_are_expressions_for_whole_values() -> None:
    assert patterns.wildcard("a*?.b", ".") == r"a.*.\.b"
