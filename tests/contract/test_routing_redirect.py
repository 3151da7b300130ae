"""The action redirect, row by row. Sources: ALB user guide, "Action types for listener rules";
elbv2 API, `RedirectActionConfig`.
"""

from typing import Any

import pytest

from albatross.model import pages
from tests.support.rules import Document, refused
from tests.support.stack import Front, Stack, fixed, redirect, request
from tests.support.tls import TlsClient

LOOP = "The redirect configuration is not valid because it creates a loop."


@pytest.fixture(scope="module")
def front(traffic: Stack) -> Front:
    """A load balancer on port 80; tests set its default action."""
    return traffic.front(fixed())


@pytest.fixture(scope="module")
def secure(traffic: Stack) -> Front:
    arn = traffic.server.client("acm").request_certificate(
        DomainName="redirect.example.com", KeyAlgorithm="EC_prime256v1"
    )["CertificateArn"]
    return traffic.front(fixed(), port=443, certificate=arn)


def config(action: Document, front: Front) -> Document:
    """Set the default action and return its configuration as it is described."""
    front.default(action)
    (listener,) = front.stack.elb.describe_listeners(ListenerArns=[front.listener])["Listeners"]
    found = listener["DefaultActions"][0]["RedirectConfig"]
    assert isinstance(found, dict)
    return found


def location(front: Front, action: Document, target: str = "/a/b?c=d", **options: Any) -> str:
    front.default(action)
    found = front.get(target, **options).header("Location")
    assert found is not None
    return found


def refusal(elb: Any, front: Front, **config: str) -> tuple[str, str]:
    action = {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", **config}}
    return refused(elb.modify_listener, ListenerArn=front.listener, DefaultActions=[action])


def test_default_when_omitted(front: Front) -> None:
    assert config(redirect(301, host="b.com"), front) == {
        "Protocol": "#{protocol}",
        "Host": "b.com",
        "Port": "#{port}",
        "Path": "/#{path}",
        "Query": "#{query}",
        "StatusCode": "HTTP_301",
    }
    assert config(redirect(302, port="81"), front)["Host"] == "#{host}"
    assert location(front, redirect(host="b.com")) == "http://b.com:80/a/b?c=d"


class TestProtocol:
    @pytest.mark.parametrize(
        ("protocol", "made"), [("HTTP", "http"), ("HTTPS", "https"), ("#{protocol}", "http")]
    )
    def test_http_https_protocol(self, front: Front, protocol: str, made: str) -> None:
        action = redirect(protocol=protocol, port="444")
        assert location(front, action) == f"{made}://example.com:444/a/b?c=d"

    def test_protocol_of_an_https_listener(self, secure: Front) -> None:
        secure.default(redirect(path="/x"))
        with TlsClient(secure.real_port, address=secure.address) as client:
            client.write(request("GET /a"))
            assert client.read().header("Location") == "https://example.com:443/x"

    def test_https_to_http_refused(self, elb: Any, secure: Front) -> None:
        code, message = refusal(elb, secure, Protocol="HTTP", Port="80")
        assert (code, message) == (
            "InvalidLoadBalancerAction",
            "You cannot redirect from HTTPS to HTTP",
        )

    @pytest.mark.parametrize("protocol", ["http", "TCP", "HTTP2", "#{host}", ""])
    def test_no_other(self, elb: Any, front: Front, protocol: str) -> None:
        code, _ = refusal(elb, front, Protocol=protocol)
        assert code in ("InvalidLoadBalancerAction", "ValidationError")


class TestHost:
    def test_at_most_128_chars(self, elb: Any, front: Front) -> None:
        longest = "h" * 128
        assert location(front, redirect(host=longest)) == f"http://{longest}:80/a/b?c=d"
        code, _ = refusal(elb, front, Host=longest + "h")
        assert code == "ValidationError"

    def test_not_empty(self, elb: Any, front: Front) -> None:
        code, _ = refusal(elb, front, Host="")
        assert code == "ValidationError"


class TestPort:
    @pytest.mark.parametrize("port", ["1", "65535"])
    def test_1_to_65535(self, front: Front, port: str) -> None:
        assert location(front, redirect(port=port)) == f"http://example.com:{port}/a/b?c=d"

    def test_or_port(self, front: Front) -> None:
        assert location(front, redirect(port="#{port}", path="/x")) == "http://example.com:80/x?c=d"

    @pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "8#{port}", "080", " 80", ""])
    def test_no_other(self, elb: Any, front: Front, port: str) -> None:
        code, _ = refusal(elb, front, Port=port)
        assert code in ("InvalidLoadBalancerAction", "ValidationError")


class TestPath:
    def test_at_most_128(self, elb: Any, front: Front) -> None:
        longest = "/" + "p" * 127
        assert location(front, redirect(path=longest)) == f"http://example.com:80{longest}?c=d"
        code, _ = refusal(elb, front, Path=longest + "p")
        assert code == "ValidationError"

    @pytest.mark.parametrize("path", ["x", "#{path}", "", "x/#{path}"])
    def test_starts_with_slash(self, elb: Any, front: Front, path: str) -> None:
        code, _ = refusal(elb, front, Path=path)
        assert code in ("InvalidLoadBalancerAction", "ValidationError")

    def test_path_has_no_leading_slash(self, front: Front) -> None:
        assert location(front, redirect(path="/x/#{path}")) == "http://example.com:80/x/a/b?c=d"
        assert location(front, redirect(path="/x#{path}")) == "http://example.com:80/xa/b?c=d"


class TestQuery:
    def test_at_most_128(self, elb: Any, front: Front) -> None:
        longest = "q" * 128
        action = redirect(path="/x", query=longest)
        assert location(front, action) == f"http://example.com:80/x?{longest}"
        code, _ = refusal(elb, front, Path="/x", Query=longest + "q")
        assert code == "ValidationError"

    def test_no_leading_question_mark(self, elb: Any, front: Front) -> None:
        code, _ = refusal(elb, front, Path="/x", Query="?a=b")
        assert code in ("InvalidLoadBalancerAction", "ValidationError")
        assert location(front, redirect(path="/x", query="a=b?")) == "http://example.com:80/x?a=b?"

    @pytest.mark.parametrize("target", ["/a", "/a?"])
    def test_empty_query_no_trailing_question_mark(self, front: Front, target: str) -> None:
        assert location(front, redirect(path="/x"), target) == "http://example.com:80/x"
        assert location(front, redirect(path="/x", query="")) == "http://example.com:80/x"


class TestStatusCode:
    @pytest.mark.parametrize(("status", "reason"), [(301, "Moved Permanently"), (302, "Found")])
    def test_http_301_http_302(self, front: Front, status: int, reason: str) -> None:
        front.default(redirect(status, host="b.com"))
        answer = front.get()
        assert (answer.status, answer.reason) == (status, reason)

    @pytest.mark.parametrize("code", ["HTTP_303", "HTTP_307", "HTTP_308", "301", "", "http_301"])
    def test_no_other(self, elb: Any, front: Front, code: str) -> None:
        found, message = refusal(elb, front, Host="b.com", StatusCode=code)
        assert found == "ValidationError"
        assert "[HTTP_301, HTTP_302]" in message


class TestKeywords:
    @pytest.mark.parametrize(
        ("parts", "made"),
        [
            pytest.param(
                {"protocol": "#{protocol}", "path": "/x", "query": "#{protocol}"},
                "http://example.com:80/x?http",
                id="protocol in protocol, query",
            ),
            pytest.param(
                {"host": "h.#{host}", "path": "/#{host}", "query": "#{host}"},
                "http://h.example.com:80/example.com?example.com",
                id="host in host, path, query",
            ),
            pytest.param(
                {"port": "#{port}", "path": "/#{port}", "query": "#{port}"},
                "http://example.com:80/80?80",
                id="port in port, path, query",
            ),
            pytest.param(
                {"path": "/x/#{path}", "query": "#{path}"},
                "http://example.com:80/x/a/b?a/b",
                id="path in path, query",
            ),
            pytest.param(
                {"path": "/x", "query": "e=f&#{query}&#{query}"},
                "http://example.com:80/x?e=f&c=d&c=d",
                id="query in query",
            ),
        ],
    )
    def test_where_each_may_stand(self, front: Front, parts: dict[str, str], made: str) -> None:
        assert location(front, redirect(**parts)) == made

    @pytest.mark.parametrize(
        ("part", "value"),
        [
            *[("Host", f"#{{{word}}}.com") for word in ("protocol", "port", "path", "query")],
            *[("Path", f"/#{{{word}}}") for word in ("protocol", "query", "unknown", "HOST")],
            *[("Port", f"#{{{word}}}") for word in ("protocol", "host", "path", "query")],
            ("Query", "#{unknown}"),
        ],
    )
    def test_nowhere_else(self, elb: Any, front: Front, part: str, value: str) -> None:
        code, _ = refusal(elb, front, **{"Path": "/x", part: value})
        assert code in ("InvalidLoadBalancerAction", "ValidationError")


class TestLoopRule:
    @pytest.mark.parametrize(
        "parts",
        [
            {},
            {"Query": "a=b"},
            {"Protocol": "#{protocol}", "Host": "#{host}", "Port": "#{port}", "Path": "/#{path}"},
        ],
        ids=["nothing", "query", "keywords"],
    )
    def test_api_refuses_invalidloadbalanceraction(
        self, elb: Any, front: Front, parts: dict[str, str]
    ) -> None:
        assert refusal(elb, front, **parts) == ("InvalidLoadBalancerAction", LOOP)

    @pytest.mark.parametrize(
        "parts", [{"protocol": "HTTPS"}, {"host": "b.com"}, {"port": "81"}, {"path": "/x"}]
    )
    def test_at_least_one_of_protocol_host_port_path_must_change(
        self, front: Front, parts: dict[str, str]
    ) -> None:
        front.default(redirect(**parts))
        assert front.get().status == 302


class TestLocation:
    @pytest.mark.parametrize("host", ["example.com", "example.com:80", "example.com:9999"])
    def test_always_absolute_with_explicit_port(self, front: Front, host: str) -> None:
        action = redirect(protocol="HTTPS", port="443")
        made = "https://example.com:443/path?query"
        assert location(front, action, "/path?query", host=host) == made

    @pytest.mark.parametrize(
        "target", ["/a%20b/%2F?q=%26", "//a//b", "/a/../b/./c", "/%zz?%", "/a?b?c=/"]
    )
    def test_path_and_query_as_they_came(self, front: Front, target: str) -> None:
        assert location(front, redirect(host="b.com"), target) == f"http://b.com:80{target}"

    def test_the_port_of_the_listener_whatever_it_is(self, traffic: Stack) -> None:
        other = traffic.shared_front(18_080)
        assert (
            location(other, redirect(path="/x/#{port}")) == "http://example.com:18080/x/18080?c=d"
        )

    @pytest.mark.parametrize(
        ("path", "made"), [("/#{path}/#{path}", "/a/b/a/b"), ("/#{path}x", "/a/bx")]
    )
    def test_path_twice_and_within(self, front: Front, path: str, made: str) -> None:
        assert location(front, redirect(path=path)) == f"http://example.com:80{made}?c=d"

    def test_an_empty_path(self, front: Front) -> None:
        assert location(front, redirect(path="/#{path}x"), "/") == "http://example.com:80/x"

    @pytest.mark.parametrize(
        "data",
        [
            request("POST /a", body="x" * 1000),
            request("FOO /a"),
            request("PUT /a", "Transfer-Encoding: chunked", body=b"1\r\na\r\n0\r\n\r\n"),
            request("GET /a", "Connection: Upgrade", "Upgrade: websocket"),
            b"GET /a HTTP/1.0\r\nHost: example.com\r\n\r\n",
        ],
        ids=["POST", "FOO", "chunked", "WebSocket", "HTTP/1.0"],
    )
    def test_of_every_request(self, front: Front, data: bytes) -> None:
        front.default(redirect(302, host="b.com"))
        answer = front.send(data)
        assert (answer.status, answer.header("Location")) == (302, "http://b.com:80/a")

    @pytest.mark.parametrize(("length", "status"), [(8192, 302), (8193, 507)])
    def test_more_than_8_k_507(self, front: Front, length: int, status: int) -> None:
        front.default(redirect(host="b.com"))
        answer = front.get("/".ljust(length - len("http://b.com:80"), "p"))
        assert answer.status == status
        assert answer.body.decode() == pages.page(status)

    @pytest.mark.parametrize("status", [301, 302])
    def test_body_the_html_page_with_the_301_302_title(self, front: Front, status: int) -> None:
        front.default(redirect(status, host="b.com"))
        answer = front.get()
        assert answer.body.decode() == pages.page(status)
        assert len(answer.body) == {301: 134, 302: 110}[status]
        assert answer.header("Content-Type") == "text/html"
        assert answer.header("Server") == "awselb/2.0"
        head = front.send(request("HEAD /"), head=True)
        assert (head.status, head.header("Location")) == (status, "http://b.com:80/")
