"""Which target group a request gets, and how a client stays with it."""

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import product

import pytest

from albatross.model.rule import (
    Condition,
    FixedResponse,
    Forward,
    HostHeader,
    HttpHeader,
    HttpRequestMethod,
    PathPattern,
    QueryParameter,
    QueryString,
    SourceIp,
    WeightedTargetGroup,
)
from albatross.model.target_group import TargetGroup
from tests.support.envoy import PREFIX, Answer, Balancer, Proxy, reply, to_snapshot

BLUE, GREEN, RED = (f"{PREFIX}:targetgroup/{name}/1" for name in ("blue", "green", "red"))
GROUPS = tuple(TargetGroup(arn=arn, name="g", target_type="lambda") for arn in (BLUE, GREEN, RED))
COOKIE = re.compile(r"AWSALBTG=([0-9a-f]{64}); Expires=(.+); Path=/")


def forward(*groups: tuple[str, int], sticky_s: int | None = None) -> Forward:
    return Forward(
        target_groups=tuple(WeightedTargetGroup(arn=arn, weight=weight) for arn, weight in groups),
        is_sticky=sticky_s is not None,
        stickiness_s=sticky_s,
    )


def serve(proxy: Proxy, *balancers: Balancer) -> None:
    proxy.serve_snapshot(replace(to_snapshot(*balancers), target_groups=GROUPS))


def group_of(answer: Answer) -> str | None:
    return answer.received.header("x-albatross-target-group")


def cookies(answer: Answer) -> list[str]:
    return [value for name, value in answer.headers if name.lower() == "set-cookie"]


def value_of(answer: Answer) -> str:
    match = COOKIE.fullmatch(cookies(answer)[0])
    assert match, answer
    return match[1]


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        pytest.param({BLUE: 30, GREEN: 70}, {BLUE: 0.3, GREEN: 0.7}, id="30 and 70"),
        pytest.param({BLUE: 1, GREEN: 0}, {BLUE: 1, GREEN: 0}, id="0 gets nothing"),
        pytest.param({BLUE: 1, GREEN: 1, RED: 2}, {BLUE: 1 / 4, GREEN: 1 / 4, RED: 1 / 2}, id="3"),
        pytest.param({BLUE: 999, GREEN: 999}, {BLUE: 0.5, GREEN: 0.5}, id="the largest"),
    ],
)
def test_requests_are_spread_by_weight(
    proxy: Proxy, weights: dict[str, int], expected: dict[str, float]
) -> None:
    serve(proxy, Balancer(default=forward(*weights.items())))
    count = 1000
    with proxy.connect() as client:
        client.write("GET /x HTTP/1.1\r\nHost: a.com\r\n\r\n" * count)
        answers = [client.read() for _ in range(count)]
    found = Counter(map(group_of, answers))
    assert found.keys() <= set(weights)
    for arn, share in expected.items():  # within five standard deviations
        assert abs(found[arn] / count - share) <= 5 * (share * (1 - share) / count) ** 0.5
    assert not any(map(cookies, answers))


@pytest.mark.parametrize("groups", [[(BLUE, 0)], [(BLUE, 0), (GREEN, 0)]])
def test_all_weights_0_is_a_503(proxy: Proxy, groups: list[tuple[str, int]]) -> None:
    serve(proxy, Balancer(default=forward(*groups)))
    answer = proxy.get("/%61")
    assert (answer.status, answer.header("server")) == (503, "awselb/2.0")
    assert b"503 Service Temporarily Unavailable" in answer.body


def test_a_request_to_a_chosen_group_is_as_every_other(proxy: Proxy) -> None:
    serve(proxy, Balancer(port=8080, default=forward((BLUE, 1), (GREEN, 1))))
    answer = proxy.get("/%61/../b?c=%64", "X-Forwarded-For: 1.2.3.4", "x-albatross-group: x")
    received = answer.received
    assert received.request == "GET /%61/../b?c=%64 HTTP/1.1"
    assert received.header("host") == "example.com:8080"
    assert received.header("x-forwarded-for") == "1.2.3.4, 127.0.0.1"
    assert received.header("x-forwarded-port") == "8080"
    ours = {name for name, _ in received.headers if name.startswith("x-albatross-")}
    assert ours == {"x-albatross-target-group"}


CONDITIONS: tuple[Condition, ...] = (
    HostHeader(regex_values=(r"^shop\.com$",)),
    PathPattern(values=("/a/*",)),
    HttpHeader(header_name="x_odd", values=("1",)),
    HttpHeader(header_name="X-Forwarded-For", values=("1.2.3.4",)),
    HttpRequestMethod(values=("MKCOL",)),
)


@pytest.mark.parametrize("sticky_s", [None, 60])
def test_the_choice_is_within_the_rule_that_the_request_matched(
    proxy: Proxy, sticky_s: int | None
) -> None:
    """Though the script changes what conditions look at before the group's route is taken."""
    rules = [
        ((PathPattern(values=("/z",)),), FixedResponse(status_code=201)),
        (CONDITIONS, forward((BLUE, 1), (GREEN, 0), sticky_s=sticky_s)),
        ((PathPattern(values=("/a/*",)),), forward((GREEN, 1), (RED, 0))),
    ]
    attributes = {"routing.http.drop_invalid_header_fields.enabled": "true"}
    default = FixedResponse(status_code=202)
    balancer = Balancer(port=81, rules=rules, default=default, attributes=attributes)
    serve(proxy, balancer)
    lines = ("Host: shop.com:99", "x_odd: 1", "X-Forwarded-For: 1.2.3.4", "", "")
    answer = proxy.send("\r\n".join(["MKCOL /z/../%61/x?y HTTP/1.1", *lines]))
    assert group_of(answer) == BLUE
    assert answer.received.header("x_odd") is None
    assert answer.received.request == "DELETE /z/../%61/x?y HTTP/1.1"
    assert answer.received.header("x-albatross-method") == "MKCOL"
    assert group_of(proxy.get("/z/../a/x", host="shop.com:99")) == GREEN


def test_groups_are_chosen_among_many_rules(proxy: Proxy) -> None:
    """The table is then an index by host and path."""
    rules = [
        ((PathPattern(values=(f"/{n}/*",)),), forward(((BLUE, GREEN, RED)[n % 3], 1), (BLUE, 0)))
        if n % 3
        else ((PathPattern(values=(f"/{n}/*",)),), forward((BLUE, 1), (GREEN, 0)))
        for n in range(60)
    ]
    serve(proxy, Balancer(rules=rules, default=FixedResponse(status_code=404)))
    for number, path in product((0, 1, 2, 58, 59), ("/{}/x", "/x/../{}/%61")):
        target = path.format(number)
        answer = proxy.get(target)
        assert group_of(answer) == (BLUE, GREEN, RED)[number % 3]
        assert answer.received.request == f"GET {target} HTTP/1.1"


def test_load_balancers_on_a_socket_have_choices_of_their_own(proxy: Proxy) -> None:
    host = (HostHeader(regex_values=(r"^shop\.com$",)),)
    oldest = Balancer("oldest", default=forward((RED, 1), (GREEN, 0)))
    second = Balancer("second", default=forward((GREEN, 1), (RED, 0)))
    second.rules = [(host, forward((BLUE, 1), (RED, 0)))]
    serve(proxy, oldest, second)
    assert group_of(proxy.get(host="shop.com:81")) == BLUE
    assert group_of(proxy.get(host="x.com:81")) == RED
    assert group_of(proxy.get(host="second-1.us-east-1.elb.localhost:81")) == GREEN


def test_every_response_sets_both_cookies(proxy: Proxy) -> None:
    serve(proxy, Balancer(default=forward((BLUE, 1), (GREEN, 1), sticky_s=60)))
    first = proxy.get("/")
    for answer in (first, proxy.get("/", f"Cookie: AWSALBTG={value_of(first)}")):
        plain, cors = cookies(answer)
        match = COOKIE.fullmatch(plain)
        assert match
        assert cors == plain.replace("AWSALBTG", "AWSALBTGCORS") + "; SameSite=None; Secure"
        expires = parsedate_to_datetime(match[2])
        assert abs(expires - datetime.now(UTC) - timedelta(days=7)) < timedelta(seconds=10)
        assert "blue" not in plain and "green" not in plain


def test_cookies_of_the_target_stay(proxy: Proxy) -> None:
    serve(proxy, Balancer(default=forward((BLUE, 1), sticky_s=60)))
    raw = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    answer = proxy.get("/", reply(raw))
    assert cookies(answer)[0] == "a=b"
    assert len(cookies(answer)) == 3


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["Cookie: AWSALBTG={}"], id="AWSALBTG"),
        pytest.param(["Cookie: AWSALBTGCORS={}"], id="AWSALBTGCORS"),
        pytest.param(["Cookie: a=b; AWSALBTG={}; c=d"], id="among others"),
        pytest.param(["Cookie: a=b;AWSALBTG={} ;c=d"], id="odd spaces"),
        pytest.param(["Cookie: a=b", "Cookie: AWSALBTG={}"], id="second line"),
        pytest.param(["Cookie: AWSALBTG=bad; AWSALBTGCORS={}"], id="the twin counts first"),
    ],
)
def test_a_client_stays_with_its_group(proxy: Proxy, lines: list[str]) -> None:
    serve(proxy, Balancer(default=forward((BLUE, 1), (GREEN, 1), sticky_s=60)))
    for _ in range(4):
        first = proxy.get("/")
        kept = [line.format(value_of(first)) for line in lines]
        assert {group_of(proxy.get("/", *kept)) for _ in range(12)} == {group_of(first)}


def test_a_client_stays_when_its_group_has_no_weight_any_more(proxy: Proxy) -> None:
    serve(proxy, Balancer(default=forward((BLUE, 1), (GREEN, 0), sticky_s=60)))
    line = f"Cookie: AWSALBTG={value_of(proxy.get('/'))}"
    serve(proxy, Balancer(default=forward((BLUE, 0), (GREEN, 1), sticky_s=60)))
    assert group_of(proxy.get("/")) == GREEN
    assert group_of(proxy.get("/", line)) == BLUE
    serve(proxy, Balancer(default=forward((BLUE, 0), (GREEN, 0), sticky_s=60)))
    assert group_of(proxy.get("/", line)) == BLUE
    assert proxy.get("/").status == 503


def test_a_cookie_for_a_group_that_the_rule_has_not_leads_to_a_new_choice(proxy: Proxy) -> None:
    serve(proxy, Balancer(default=forward((RED, 1), (GREEN, 0), sticky_s=60)))
    line = f"Cookie: AWSALBTG={value_of(proxy.get('/'))}"
    serve(proxy, Balancer(default=forward((BLUE, 1), (GREEN, 0), sticky_s=60)))
    assert group_of(proxy.get("/", line)) == BLUE


def test_a_group_is_kept_across_rules(proxy: Proxy) -> None:
    rule = ((PathPattern(values=("/x",)),), forward((GREEN, 1), (BLUE, 1), sticky_s=60))
    serve(proxy, Balancer(rules=[rule], default=forward((BLUE, 1), (RED, 0), sticky_s=60)))
    line = f"Cookie: AWSALBTG={value_of(proxy.get('/'))}"
    assert {group_of(proxy.get("/x", line)) for _ in range(12)} == {BLUE}


def test_a_client_stays_no_longer_than_the_duration(proxy: Proxy) -> None:
    """The cookie is renewed by every response: what counts is the time since the last one."""
    serve(proxy, Balancer(default=forward((BLUE, 1), (GREEN, 0), sticky_s=604_800)))
    value = value_of(proxy.get("/"))
    old, new = forward((BLUE, 0), (GREEN, 1), sticky_s=1), forward((GREEN, 1), (BLUE, 1))

    def aged(by_ms: int) -> str:
        time = (int(value[52:], 16) - by_ms) % 2**48
        return f"Cookie: AWSALBTG={value[:52]}{time:012x}"

    serve(proxy, Balancer(default=replace(old, stickiness_s=100)))
    assert group_of(proxy.get("/", aged(0))) == BLUE
    assert group_of(proxy.get("/", aged(90_000))) == BLUE
    assert group_of(proxy.get("/", aged(100_001))) == GREEN
    assert group_of(proxy.get("/", aged(-60_000))) == GREEN  # from the future
    serve(proxy, Balancer(default=replace(old, stickiness_s=604_800)))
    assert group_of(proxy.get("/", aged(604_700_000))) == BLUE
    serve(proxy, Balancer(default=new))  # without stickiness cookies are not looked at
    assert {group_of(proxy.get("/", aged(0))) for _ in range(24)} == {BLUE, GREEN}


@pytest.mark.parametrize(
    "value",
    ["", "x", "%61", "0" * 64, "z" * 64, "a" * 4000, "a=b=c", '"quoted"', "\xe4"],
)
def test_a_bad_cookie_leads_to_a_new_choice(proxy: Proxy, value: str) -> None:
    serve(proxy, Balancer(default=forward((BLUE, 1), (GREEN, 0), sticky_s=60)))
    answer = proxy.get("/", f"Cookie: AWSALBTG={value}")
    assert group_of(answer) == BLUE
    assert value_of(answer)


def test_one_group_alone_may_be_sticky(proxy: Proxy) -> None:
    serve(proxy, Balancer(default=forward((BLUE, 1), sticky_s=60)))
    answer = proxy.get("/")
    assert group_of(answer) == BLUE
    assert len(cookies(answer)) == 2


def test_source_ip_and_query_conditions_lead_to_choices(proxy: Proxy) -> None:
    parameter = QueryParameter(key="a", value="b")
    conditions = (SourceIp(values=("127.0.0.0/8",)), QueryString(values=(parameter,)))
    rule = (conditions, forward((GREEN, 1), (BLUE, 0), sticky_s=60))
    serve(proxy, Balancer(rules=[rule], default=forward((BLUE, 1), (RED, 0))))
    assert group_of(proxy.get("/?a=b")) == GREEN
    assert group_of(proxy.get("/?a=c")) == BLUE
