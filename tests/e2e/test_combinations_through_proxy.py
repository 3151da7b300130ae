"""Features of rules, targets and messages together, where each alone is tested elsewhere.

Sources: ALB user guide, action types and transforms for listener rules, "Edit target group
attributes" (sticky sessions), "Troubleshoot your load balancers".
"""

from collections.abc import Iterator
from typing import Any

import pytest

from albatross.model import pages
from tests.e2e.test_rules_through_proxy import ANY, group_of, rule, url_rewrite, weighted
from tests.support.backends import backends
from tests.support.envoy import Answer
from tests.support.groups import by, make_group, set_group, until_healthy
from tests.support.stack import Front, Stack, chunked, event, fixed, forward, redirect, request

API = {"Field": "path-pattern", "Values": ["/api/*"]}
HOST_REWRITE = {
    "Type": "host-header-rewrite",
    "HostHeaderRewriteConfig": {"Rewrites": [{"Regex": "^(.*)$", "Replace": "in.$1"}]},
}
EXPECT = "Expect: 100-continue"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def front(traffic: Stack) -> Front:
    """A load balancer that answers 404; rules come and go."""
    return traffic.front(fixed(404, "default"))


def cookies(answer: Answer) -> dict[str, str]:
    lines = [value for name, value in answer.headers if name.lower() == "set-cookie"]
    return dict(line.split(";")[0].split("=", 1) for line in lines)


def as_line(jar: dict[str, str]) -> str:
    return "Cookie: " + "; ".join(f"{name}={value}" for name, value in jar.items())


@pytest.fixture(scope="class")
def groups(traffic: Stack, front: Front) -> Iterator[tuple[str, str]]:
    single, multi = traffic.group(), traffic.group(multi_value=True)
    action = weighted({single: 1, multi: 1}, sticky_s=60)
    rewrites = [url_rewrite(r"^/api/([^?]*)(\?.*)?$", "/$1$2"), HOST_REWRITE]
    with rule(front, API, action=action, Transforms=rewrites):
        yield single, multi


class TestTransformsWithWeightsAndStickiness:
    """One rule with two sticky groups, of which one wants multi-value headers, and two rewrites."""

    def kept(self, front: Front, group: str) -> str:
        """Return the Cookie line of a client that stays with `group`."""
        while group_of(answer := front.get("/api/")) != group:
            pass
        assert list(cookies(answer)) == ["AWSALBTG", "AWSALBTGCORS"]
        return as_line(cookies(answer))

    def test_each_group_gets_the_rewritten_request_in_its_own_mode(
        self, front: Front, groups: tuple[str, str]
    ) -> None:
        for group, family in zip(groups, ("headers", "multiValueHeaders"), strict=True):
            line = self.kept(front, group)
            for _ in range(4):
                seen = event(front.get("/x/../%61pi/q%41%2f?z=%20", line, host="a.com"))
                assert seen["requestContext"]["elb"]["targetGroupArn"] == group
                assert seen["path"] == "/qA%2F"  # rewritten as rules see the path
                assert seen[family]["host"] in ("in.a.com", ["in.a.com"])
        assert seen["multiValueQueryStringParameters"] == {"z": ["%20"]}

    @pytest.mark.parametrize("twin", ["AWSALBTG", "AWSALBTGCORS"])
    def test_one_of_the_two_cookies_suffices(
        self, front: Front, groups: tuple[str, str], twin: str
    ) -> None:
        jar = dict(
            part.split("=") for part in self.kept(front, groups[1])[len("Cookie: ") :].split("; ")
        )
        lines = ("Cookie: a=b", f"Cookie: {twin}={jar[twin]}; c=d")
        assert {group_of(front.get("/api/", *lines)) for _ in range(8)} == {groups[1]}

    def test_a_body_in_chunks_with_extensions_and_trailers_arrives_whole(
        self, front: Front, groups: tuple[str, str]
    ) -> None:
        line = self.kept(front, groups[0])
        body = b'3;a="b"\r\nabc\r\n2\r\nde\r\n0;last\r\nX-Trailer: v\r\nContent-Length: 9\r\n\r\n'
        lines = (line, "Transfer-Encoding: chunked", "Content-Type: text/plain")
        seen = event(front.send(request("PATCH /api/up", *lines, body=body)))
        assert (seen["httpMethod"], seen["path"], seen["body"]) == ("PATCH", "/up", "abcde")
        assert not seen["headers"].keys() & {"transfer-encoding", "x-trailer", "trailer"}

    @pytest.mark.parametrize(("size", "status"), [(MIB, 200), (MIB + 1, 413)])
    def test_a_body_in_chunks_may_have_1_mb(
        self, front: Front, groups: tuple[str, str], size: int, status: int
    ) -> None:
        lines = (self.kept(front, groups[1]), "Transfer-Encoding: chunked")
        half = size // 2
        body = chunked(b"x" * half, b"x" * (size - half))
        answer = front.send(request("POST /api/../api/-/digest", *lines, body=body))
        assert answer.status == status

    def test_a_websocket_is_refused_also_by_a_chosen_group(
        self, front: Front, groups: tuple[str, str]
    ) -> None:
        upgrade = ("Connection: Upgrade", "Upgrade: websocket")
        answer = front.get("/api/", self.kept(front, groups[0]), *upgrade)
        assert (answer.status, answer.body.decode()) == (400, pages.page(400))


def test_requests_sent_at_once_are_answered_in_order_whoever_answers(single: Front) -> None:
    """Functions, rules and the load balancer's refusals, each after each."""
    kinds = {
        request("GET /function"): 200,
        request("GET /fixed"): 403,
        request("POST /moved", body="abc"): 302,
        request("GET /-/raise"): 502,
        request("TRACE /"): 405,
        request("GET /" + "a" * 16_384): 414,
    }
    pairs = [(one, other) for one in kinds for other in kinds]
    sent = [data for pair in pairs for data in pair]
    with (
        single.rule(fixed(403, "no"), 1, path_pattern=["/fixed"]),
        single.rule(redirect(302, host="b.com"), 2, path_pattern=["/moved"]),
        single.connect() as client,
    ):
        client.write(b"".join(sent) + request("GET /", "Connection: close"))
        found = [client.read() for _ in range(len(sent) + 1)]
        assert client.ends()
    statuses = [answer.status for answer in found]
    assert statuses == [*(kinds[data] for data in sent), 200]
    assert [answer.closed for answer in found] == [False] * len(sent) + [True]


def test_group_and_target_cookies_are_set_and_kept_together(traffic: Stack) -> None:
    with backends() as servers:
        of = {name: [servers.start(f"{name}{n}") for n in range(2)] for name in "ab"}
        groups = [make_group(traffic, *targets) for targets in of.values()]
        for group in groups:
            set_group(traffic, group, stickiness__enabled="true")
        front = traffic.front(weighted(dict.fromkeys(groups, 1), sticky_s=60))
        for group in groups:
            until_healthy(traffic, group)
        first = front.get()
        jar = cookies(first)
        assert list(jar) == ["AWSALBTG", "AWSALBTGCORS", "AWSALB", "AWSALBCORS"]
        assert {by(front.get("/", as_line(jar))) for _ in range(12)} == {by(first)}
        group_only = as_line({name: jar[name] for name in jar if name.startswith("AWSALBTG")})
        of_group = {f"{by(first)[0]}{n}" for n in range(2)}
        assert {by(front.get("/", group_only)) for _ in range(12)} == of_group


class TestHead:
    """HEAD gets the headers of the page, its length, and nothing after them."""

    @pytest.mark.parametrize(
        ("target", "lines", "status", "length"),
        [
            pytest.param("/fixed", (), 403, 2, id="a fixed response"),
            pytest.param("/moved?a", (), 302, 110, id="a redirect"),
            pytest.param("/moved" + "a" * 8192, (), 507, None, id="a Location of more than 8 K"),
            pytest.param("/-/raise", (), 502, 122, id="a function that raises"),
            pytest.param("/empty", (), 503, 162, id="no target"),
            pytest.param("/", ("X-Forwarded-For: " + ",".join("a" * 31),), 463, None, id="463"),
            pytest.param("/" + "a" * 16_384, (), 414, 142, id="a target of more than 16 K"),
            pytest.param("/", ("Content-Length: 1048577",), 413, 148, id="a length of over 1 MB"),
            pytest.param("/", ("A: " + "b" * 16_384,), 400, 122, id="a long header"),
        ],
    )
    def test_of_an_error(
        self,
        traffic: Stack,
        single: Front,
        target: str,
        lines: tuple[str, ...],
        status: int,
        length: int | None,
    ) -> None:
        empty = traffic.elb.create_target_group(Name=traffic.name(), TargetType="lambda")
        nobody = forward(empty["TargetGroups"][0]["TargetGroupArn"])
        with (
            single.rule(fixed(403, "no"), 1, path_pattern=["/fixed"]),
            single.rule(redirect(302, host="b.com"), 2, path_pattern=["/moved*"]),
            single.rule(nobody, 3, path_pattern=["/empty"]),
            single.connect() as client,
        ):
            client.write(request(f"HEAD {target}", *lines))
            answer = client.read(head=True)
            assert answer.status == status
            assert answer.header("Server") == "awselb/2.0"
            assert answer.header("Content-Length") == str(length or len(pages.page(status)))
            if answer.closed:
                assert client.ends()
            else:
                client.write(request("GET /next"))
                assert event(client.read())["path"] == "/next"


class TestExpect:
    """`Expect: 100-continue` is answered at once, whatever becomes of the request."""

    @pytest.mark.parametrize(
        ("action", "status"),
        [
            pytest.param(redirect(301, host="b.com"), 301, id="a redirect"),
            pytest.param(fixed(503, "no"), 503, id="a fixed response"),
        ],
    )
    def test_before_an_answer_that_has_no_use_for_the_body(
        self, front: Front, action: dict[str, Any], status: int
    ) -> None:
        with rule(front, ANY, action=action), front.connect() as client:
            client.write(request("POST /x?y", EXPECT, "Content-Length: 3", body=None))
            assert client.read().status == 100
            client.write("abc")
            answer = client.read()
            assert (answer.status, answer.closed) == (status, False)

    def test_with_a_body_in_chunks(self, single: Front) -> None:
        with single.connect() as client:
            client.write(request("PUT /", EXPECT, "Transfer-Encoding: chunked", body=b""))
            assert client.read().status == 100
            client.write(chunked(b"a", b"b"))
            seen = event(client.read())
        assert (seen["body"], "expect" in seen["headers"]) == ("YWI=", False)


HOSTS = [
    pytest.param(request("GET /x?q", "Host: b.com", host="A.com:99"), "A.com", id="two Hosts"),
    pytest.param(request("GET http://A.com:99/x?q", host="b.com"), "A.com", id="absolute"),
    pytest.param(request("GET http://A.com/x?q", "Host: c.com", host="b.com"), "A.com", id="both"),
    pytest.param(request("GET /x?q", host="[::1]:8080"), "[::1]", id="an address of IPv6"),
]


class TestHostOfARequest:
    """The absolute form before the first Host line, for rules, redirects and targets alike."""

    @pytest.mark.parametrize(("data", "host"), HOSTS)
    def test_in_a_redirect(self, front: Front, data: bytes, host: str) -> None:
        action = redirect(301, protocol="HTTPS", port="443", path="/#{host}/#{path}")
        with rule(front, ANY, action=action):
            location = front.send(data).header("Location")
        assert location == f"https://{host}:443/{host}/x?q"

    @pytest.mark.parametrize(("data", "host"), HOSTS)
    def test_in_an_event(self, single: Front, data: bytes, host: str) -> None:
        seen = event(single.send(data))
        assert (seen["headers"]["host"], seen["path"]) == (host, "/x")
        assert seen["queryStringParameters"] == {"q": ""}

    @pytest.mark.parametrize(("data", "host"), HOSTS[:3])
    def test_in_a_condition(self, front: Front, data: bytes, host: str) -> None:
        condition = {"Field": "host-header", "Values": [host.lower()]}
        with rule(front, condition, action=fixed(200, "rule")):
            assert front.send(data).body == b"rule"


QUERY = {
    "Field": "query-string",
    "QueryStringConfig": {"Values": [{"Key": "k", "Value": r"a\*b"}, {"Key": "k?", "Value": "1"}]},
}


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        pytest.param("k=a*b", True, id="an escaped star is a star"),
        pytest.param("k=axb", False, id="and nothing else"),
        pytest.param("k=a%2Ab", True, id="also one that was sent encoded"),
        pytest.param("k=0&k=a*b", True, id="the last of two with one key"),
        pytest.param("k=a*b&k=0", True, id="the first of two with one key"),
        pytest.param("&&k=a*b&", True, id="between empty parameters"),
        pytest.param("x;k=a*b", False, id="a semicolon separates nothing"),
        pytest.param("x?k=a*b", False, id="nor does a question mark"),
        pytest.param("K%31=1", True, id="a key in another case, encoded"),
        pytest.param("k=1", False, id="a question mark is one character"),
        pytest.param("k%26=1", True, id="which may be an encoded separator"),
        pytest.param('k"=1', True, id="or an odd one"),
        pytest.param("k=a*b=", False, id="the value goes on to the separator"),
        pytest.param("k%=1", True, id="a lone percent sign is a character"),
        pytest.param("k%zz=1", False, id="what is no escape is three characters"),
    ],
)
def test_a_query_condition_and_odd_queries(front: Front, query: str, holds: bool) -> None:
    with rule(front, QUERY, action=fixed(200, "rule")):
        assert front.get(f"/?{query}").body == (b"rule" if holds else b"default")


def test_31_lines_of_one_forwarded_address_are_too_many(single: Front) -> None:
    line = "X-Forwarded-For: 192.0.2.1"
    assert single.get("/", *[line] * 30).status == 200
    answer = single.get("/", *[line] * 31)
    assert (answer.status, answer.body.decode()) == (463, pages.page(463))
