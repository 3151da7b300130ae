"""Conditions, weights and transforms: made through the API, met by a client, seen by a function.

Sources: ALB user guide, condition types, action types and transforms for listener rules.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from albatross.model import pages
from tests.support.backends import Backends, backends
from tests.support.envoy import Answer
from tests.support.rules import (
    ANY,
    header,
    host,
    host_rewrite,
    method,
    path,
    query,
    rule,
    source,
    url_rewrite,
    weighted,
)
from tests.support.stack import Front, Stack, event, fixed, forward, request


@pytest.fixture(scope="module")
def front(traffic: Stack) -> Front:
    """A load balancer that answers 404; rules come and go."""
    return traffic.front(fixed(404, "default"))


@pytest.fixture(scope="module")
def servers() -> Iterator[Backends]:
    with backends() as running:
        yield running


USER_AGENT = header("User-Agent", "*Chrome*", "*Safari*")
METHOD = method("CUSTOM-METHOD")
QUERY = query(("version", "v1"), "*example*")
NEAR = source("127.0.0.0/8", "::1/128")
FAR = source("192.0.2.0/24", "198.51.100.10/32")
HOST_REGEX = host(regex=[r"^(.*)\.example\.com$"])
PATH_REGEX = path(regex=[r"^\/api\/(.*)$"])


@pytest.mark.parametrize(
    ("conditions", "hits", "misses"),
    [
        pytest.param(
            [USER_AGENT],
            [request("GET /", "User-Agent: Mozilla (chrome/1)")],
            [request("GET /", "User-Agent: curl"), request("GET /")],
            id="http-header: any case, one of the values",
        ),
        pytest.param(
            [METHOD],
            [request("CUSTOM-METHOD /")],
            [request("custom-method /"), request("GET /")],
            id="http-request-method: custom, case counts",
        ),
        pytest.param(
            [QUERY],
            [request("GET /?version=v1"), request("GET /?a=an%20example")],
            [request("GET /?version=v2"), request("GET /version=v1")],
            id="query-string: one pair suffices, also without a key",
        ),
        pytest.param([NEAR], [request("GET /")], [], id="source-ip: one of the blocks"),
        pytest.param(
            [FAR],
            [],
            [request("GET /", "X-Forwarded-For: 192.0.2.1")],
            id="source-ip: never of X-Forwarded-For",
        ),
        pytest.param(
            [HOST_REGEX, PATH_REGEX],
            [request("GET /api/x", host="A.example.com:8080")],
            [request("GET /api/x", host="example.com"), request("GET /", host="a.example.com")],
            id="RegexValues of host and path",
        ),
        pytest.param(
            [USER_AGENT, QUERY, METHOD],
            [request("CUSTOM-METHOD /?version=v1", "User-Agent: Safari")],
            [request("GET /?version=v1"), request("GET /", "User-Agent: Safari")],
            id="all conditions together",
        ),
    ],
)
def test_a_rule_is_for_requests_for_which_all_its_conditions_hold(
    front: Front, conditions: list[Any], hits: list[bytes], misses: list[bytes]
) -> None:
    with rule(front, *conditions, action=fixed(200, "rule")):
        assert [front.send(one).body for one in hits] == [b"rule"] * len(hits)
        assert [front.send(one).body for one in misses] == [b"default"] * len(misses)


def group_of(answer: Answer) -> str:
    arn: str = event(answer)["requestContext"]["elb"]["targetGroupArn"]
    return arn


def test_functions_share_requests_by_weight_and_clients_stay(front: Front) -> None:
    blue, green = front.stack.group(), front.stack.group()
    with rule(front, ANY, action=weighted({blue: 1, green: 1}, sticky_s=60)) as arn:
        first = [front.get("/%61") for _ in range(40)]
        assert set(map(group_of, first)) == {blue, green}
        seen = event(first[0])
        assert seen["path"] == "/%61"
        assert not any(name.startswith("x-albatross") for name in seen["headers"])
        one = next(answer for answer in first if group_of(answer) == green)
        cookie = next(v for k, v in one.headers if k.lower() == "set-cookie").split(";")[0]
        assert {group_of(front.get("/", f"Cookie: {cookie}")) for _ in range(10)} == {green}
        modify = front.stack.elb.modify_rule
        modify(RuleArn=arn, Actions=[weighted({blue: 1, green: 0}, sticky_s=60)])
        assert {group_of(front.get("/")) for _ in range(10)} == {blue}
        assert group_of(front.get("/", f"Cookie: {cookie}")) == green
        modify(RuleArn=arn, Actions=[weighted({blue: 0, green: 0})])
        answer = front.get("/", f"Cookie: {cookie}")
        assert (answer.status, answer.body.decode()) == (503, pages.page(503))


def test_functions_and_servers_may_share_a_rule(front: Front, servers: Backends) -> None:
    function, elb = front.stack.group(), front.stack.elb
    server = elb.create_target_group(
        Name=front.stack.name(), TargetType="ip", Protocol="HTTP", Port=80, VpcId="vpc-1"
    )["TargetGroups"][0]["TargetGroupArn"]
    backend = servers.start("mixed")
    target = {"Id": "127.0.0.1", "Port": backend.port}
    elb.register_targets(TargetGroupArn=server, Targets=[target])
    large = b"x" * 1_100_000  # a function may have no more than 1 MB
    with rule(front, ANY, action=weighted({function: 1, server: 1})):
        statuses = Counter(front.post("/x", body=large).status for _ in range(20))
        assert set(statuses) == {200, 413}
        kinds = Counter("requestContext" in json.loads(front.get("/y").body) for _ in range(20))
        assert set(kinds) == {True, False}


def test_a_function_sees_what_transforms_have_made(front: Front) -> None:
    transforms = [
        url_rewrite("^/dp/([A-Za-z0-9]+)/?$", "/product.php?id=$1"),
        host_rewrite("^mywebsite-(.+).com$", "internal.dev.$1.myweb.com"),
    ]
    group = forward(front.stack.group())
    with rule(front, path("/dp/*"), action=group, Transforms=transforms) as arn:
        seen = event(front.get("/dp/B09G3HRMW", host="mywebsite-example.com"))
        assert seen["path"] == "/product.php"
        assert seen["queryStringParameters"] == {"id": "B09G3HRMW"}
        assert seen["headers"]["host"] == "internal.dev.example.myweb.com"
        assert not any(name.startswith("x-albatross") for name in seen["headers"])
        assert event(front.get("/dp/-"))["path"] == "/dp/-"
        failing = [url_rewrite("^/dp/", "no path")]
        front.stack.elb.modify_rule(RuleArn=arn, Transforms=failing)
        assert front.get("/dp/x").status == 500
        front.stack.elb.modify_rule(RuleArn=arn, ResetTransforms=True)
        assert event(front.get("/dp/x"))["path"] == "/dp/x"


def test_expressions_that_the_proxy_could_not_match_never_reach_it(front: Front) -> None:
    """A refused rule changes nothing; the largest that is taken works."""
    with rule(front, path(regex=["(?:[^a]{9}){9}" * 9]), action=fixed(200, "rule")):
        assert front.get("/" + "x" * 730).body == b"rule"
        assert front.get("/" + "x" * 700).body == b"default"
    with pytest.raises(front.stack.elb.exceptions.ClientError, match="not a valid regular"):
        front.stack.elb.create_rule(
            ListenerArn=front.listener,
            Priority=1,
            Conditions=[path(regex=["[^a]{999}" * 12])],
            Actions=[fixed(200, "rule")],
        )
