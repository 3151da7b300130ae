"""Rules over HTTP/2: the same as over HTTP/1.1, in HTTP/2's own words.

Sources: ALB user guide, "Listeners", condition types, action types; RFC 9113.
"""

from typing import Any

import pytest

from albatross.model import pages
from tests.support.http2 import NAME, ask
from tests.support.stack import Front, Stack, fixed, redirect


@pytest.fixture(scope="module")
def certificate(traffic: Stack) -> str:
    arn: str = traffic.server.client("acm").request_certificate(
        DomainName=NAME, KeyAlgorithm="EC_prime256v1"
    )["CertificateArn"]
    return arn


@pytest.fixture(scope="module")
def ruled(traffic: Stack, certificate: str) -> Front:
    """An HTTPS listener whose default action any test may replace."""
    return traffic.front(fixed(404, "default"), port=443, certificate=certificate)


def header(name: str, *values: str) -> dict[str, Any]:
    config = {"HttpHeaderName": name, "Values": list(values)}
    return {"Field": "http-header", "HttpHeaderConfig": config}


HOST = {"Field": "host-header", "Values": ["*.example.com"]}
PATH = {"Field": "path-pattern", "Values": ["/api/*"]}
METHOD = {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["CUSTOM-X"]}}
QUERY = {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "1"}]}}
NEAR = {"Field": "source-ip", "SourceIpConfig": {"Values": ["127.0.0.0/8"]}}
FAR = {"Field": "source-ip", "SourceIpConfig": {"Values": ["192.0.2.0/24"]}}
CONDITIONS = [
    pytest.param(HOST, {"authority": "A.EXAMPLE.com:443"}, True, id="host: any case, any port"),
    pytest.param(HOST, {"authority": "example.com"}, False, id="host: star needs the dot"),
    pytest.param(
        HOST,
        {"authority": None, "lines": (("host", "a.example.com"),)},
        True,
        id="host: Host where there is no authority",
    ),
    pytest.param(
        HOST,
        {"authority": "b.com", "lines": (("host", "a.example.com"),)},
        False,
        id="host: the authority before Host",
    ),
    pytest.param(PATH, {"path": "/x/../api/y?z"}, True, id="path: normalised"),
    pytest.param(PATH, {"path": "/API/y"}, False, id="path: case counts"),
    pytest.param(
        header("X-Thing", "One"), {"lines": (("x-thing", "oNE"),)}, True, id="header: any case"
    ),
    pytest.param(
        header("X-Thing", "One"),
        {"lines": (("x-thing", "two"), ("x-thing", "one"))},
        True,
        id="header: one of several fields",
    ),
    pytest.param(
        header("Cookie", "a=1; b=2"),
        {"lines": (("cookie", "a=1"), ("cookie", "b=2"))},
        True,
        id="header: pieces of a cookie are one",
    ),
    pytest.param(header("Host-Name", "*"), {}, False, id="header: absent"),
    pytest.param(METHOD, {"method": "CUSTOM-X"}, True, id="method: custom"),
    pytest.param(METHOD, {"method": "custom-x"}, False, id="method: case counts"),
    pytest.param(QUERY, {"path": "/?a=b&V=1"}, True, id="query: any case"),
    pytest.param(QUERY, {"path": "/?v=12"}, False, id="query: whole value"),
    pytest.param(NEAR, {}, True, id="address: in the block"),
    pytest.param(
        FAR,
        {"lines": (("x-forwarded-for", "192.0.2.1"),)},
        False,
        id="address: not what X-Forwarded-For says",
    ),
]


@pytest.mark.parametrize(("condition", "sent", "holds"), CONDITIONS)
def test_a_condition(
    ruled: Front, condition: dict[str, Any], sent: dict[str, Any], holds: bool
) -> None:
    ruled.default(fixed(404, "default"))
    rule = ruled.stack.elb.create_rule(
        ListenerArn=ruled.listener,
        Priority=1,
        Conditions=[condition],
        Actions=[fixed(200, "rule")],
    )["Rules"][0]
    method, path = sent.get("method", "GET"), sent.get("path", "/")
    lines, authority = sent.get("lines", ()), sent.get("authority", NAME)
    try:
        found = ask(ruled, method, path, *lines, authority=authority)
    finally:
        ruled.stack.elb.delete_rule(RuleArn=rule["RuleArn"])
    assert found.body == (b"rule" if holds else b"default")


@pytest.mark.parametrize(
    ("parts", "location"),
    [
        pytest.param({"port": "8443"}, "https://www.example.com:8443/x?y", id="the port alone"),
        pytest.param({"host": "b.com"}, "https://b.com:443/x?y", id="protocol and port stay"),
        pytest.param(
            {"path": "/n", "query": "p=#{protocol}&o=#{port}&h=#{host}"},
            "https://www.example.com:443/n?p=https&o=443&h=www.example.com",
            id="keywords of an HTTPS listener",
        ),
    ],
)
def test_a_redirect(ruled: Front, parts: dict[str, str], location: str) -> None:
    ruled.default(redirect(301, **parts))
    found = ask(ruled, path="/x?y")
    assert (found.status, found.header("location")) == (301, location)
    assert found.body.decode() == pages.page(301)
    assert ask(ruled, "HEAD", "/x?y").body == b""


def test_https_is_not_redirected_to_http(ruled: Front) -> None:
    with pytest.raises(ruled.stack.elb.exceptions.InvalidLoadBalancerActionException):
        ruled.default(redirect(301, protocol="HTTP", port="80"))


def test_a_fixed_response(ruled: Front) -> None:
    ruled.default(fixed(503, "<b>", "text/html"))
    found = ask(ruled)
    assert (found.status, found.body) == (503, b"<b>")
    assert dict(found.headers).items() >= {
        ("content-type", "text/html; charset=utf-8"),
        ("content-length", "3"),
        ("server", "awselb/2.0"),
    }
    assert ask(ruled, "HEAD").body == b""
