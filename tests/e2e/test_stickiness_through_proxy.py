"""Clients that stay with their target, behind the whole product."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from tests.e2e.test_servers_through_proxy import (
    at,
    by,
    make_group,
    set_group,
    until_healthy,
    until_state,
)
from tests.support.backends import Backend, Backends, backends
from tests.support.command import until
from tests.support.envoy import Answer
from tests.support.stack import Front, Stack, forward


@pytest.fixture(scope="module")
def servers() -> Iterator[Backends]:
    with backends() as running:
        yield running


def set_cookies(answer: Answer) -> dict[str, str]:
    """Return value and attributes of each cookie that is set, by name."""
    lines = [value for name, value in answer.headers if name.lower() == "set-cookie"]
    return dict(line.split("=", 1) for line in lines)


def value_of(answer: Answer, name: str = "AWSALB") -> str:
    return set_cookies(answer)[name].split(";")[0]


Sticky = tuple[Front, str, list[Backend]]


@pytest.fixture(scope="module")
def sticky(traffic: Stack, servers: Backends) -> Sticky:
    """A load balancer in front of three servers with which clients stay."""
    three = [servers.start(name) for name in "abc"]
    group = make_group(traffic, *three)
    set_group(traffic, group, stickiness__enabled="true")
    front = traffic.front(forward(group))
    until_healthy(traffic, group)
    return front, group, three


def test_a_client_with_the_cookie_stays(sticky: Sticky) -> None:
    front, *_ = sticky
    first = front.get()
    value = value_of(first)
    for _ in range(9):
        answer = front.get("/", f"Cookie: a=b; AWSALB={value}; c=d")
        assert by(answer) == by(first)
        value = value_of(answer)
    assert len({by(front.get()) for _ in range(9)}) == 3


def test_both_cookies_are_set_on_every_response_for_seven_days(sticky: Sticky) -> None:
    front, *_ = sticky
    value = value_of(front.get())
    cookies = set_cookies(front.get("/", f"Cookie: AWSALB={value}"))
    assert list(cookies) == ["AWSALB", "AWSALBCORS"]
    found = re.fullmatch(r"([^;]+); Expires=([^;]+ GMT); Path=/", cookies["AWSALB"])
    assert found
    assert cookies["AWSALBCORS"] == f"{cookies['AWSALB']}; SameSite=None; Secure"
    expires = parsedate_to_datetime(found[2])
    in_a_week = datetime.now(UTC) + timedelta(days=7)
    assert abs(expires - in_a_week) < timedelta(seconds=5)


def test_the_cookie_of_cross_origin_requests_wins(sticky: Sticky) -> None:
    front, *_ = sticky
    by_server = {}
    while len(by_server) < 2:
        answer = front.get()
        by_server[by(answer)] = value_of(answer)
    (one, value), (other, other_value) = by_server.items()
    for _ in range(3):
        assert by(front.get("/", f"Cookie: AWSALBCORS={value}; AWSALB={other_value}")) == one
        assert by(front.get("/", f"Cookie: AWSALBCORS={other_value}; AWSALB={value}")) == other


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("x", id="short"),
        pytest.param("0" * 64, id="unknown token"),
        pytest.param("127.0.0.1:22", id="an address"),
        pytest.param("%41" * 40, id="URL-encoded"),
    ],
)
def test_a_cookie_that_is_none_of_ours_leaves_the_choice_to_the_balancer(
    sticky: Sticky, value: str
) -> None:
    front, *_ = sticky
    answers = [front.get("/", f"Cookie: AWSALB={value}") for _ in range(6)]
    assert len({by(answer) for answer in answers}) == 3
    assert all("AWSALB" in set_cookies(answer) for answer in answers)


def test_the_value_does_not_show_the_target(sticky: Sticky) -> None:
    front, _, three = sticky
    value = value_of(front.get())
    assert not any(str(one.port) in value or f"{one.port:x}" in value for one in three)
    assert "127" not in value[:4]


def test_the_session_ends_with_its_duration(traffic: Stack, servers: Backends) -> None:
    three = [servers.start(name) for name in "abc"]
    group = make_group(traffic, *three)
    set_group(
        traffic,
        group,
        stickiness__enabled="true",
        stickiness__lb_cookie__duration_seconds="1",
    )
    front = traffic.front(forward(group))
    until_healthy(traffic, group)
    first = front.get()
    line = f"Cookie: AWSALB={value_of(first)}"
    until(lambda: by(front.get("/", line)) != by(first), seconds=5)


def test_a_target_that_drains_or_dies_loses_its_clients(traffic: Stack, servers: Backends) -> None:
    one, two, three = (servers.start(name) for name in "abc")
    group = make_group(traffic, one, two, three)
    set_group(traffic, group, stickiness__enabled="true")
    front = traffic.front(forward(group))
    until_healthy(traffic, group)
    line = {
        by(answer): f"Cookie: AWSALB={value_of(answer)}"
        for answer in (front.get() for _ in range(12))
    }
    assert by(front.get("/", line["a"])) == "a"
    traffic.elb.deregister_targets(TargetGroupArn=group, Targets=[at(one)])
    moved = front.get("/", line["a"])
    assert by(moved) != "a"
    assert by(front.get("/", f"Cookie: AWSALB={value_of(moved)}")) == by(moved)
    two.healthy = False
    until_state(traffic, group, two, "unhealthy")
    until(lambda: by(front.get("/", line["b"])) == "c")


def test_application_cookies_begin_a_session(traffic: Stack, servers: Backends) -> None:
    three = [servers.start(name) for name in "abc"]
    group = make_group(traffic, *three)
    set_group(
        traffic,
        group,
        stickiness__enabled="true",
        stickiness__type="app_cookie",
        stickiness__app_cookie__cookie_name="SESSION",
    )
    front = traffic.front(forward(group))
    until_healthy(traffic, group)
    assert set_cookies(front.get()) == {}
    for one in three:
        one.headers = ["Set-Cookie: OTHER=1", "Set-Cookie: SESSION=2; Path=/"]
    first = front.get()
    cookies = set_cookies(first)
    assert list(cookies) == ["OTHER", "SESSION", "AWSALBAPP-0"]
    assert re.fullmatch(r"[^;]+; Expires=[^;]+ GMT; Path=/", cookies["AWSALBAPP-0"])
    for one in three:
        one.headers = []
    line = f"Cookie: SESSION=2; AWSALBAPP-0={value_of(first, 'AWSALBAPP-0')}"
    chrome = "User-Agent: Mozilla/5.0 AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36"
    for _ in range(5):
        answer = front.get("/", line, chrome)
        assert by(answer) == by(first)
        assert set_cookies(answer)["AWSALBAPP-0"].endswith("; SameSite=None; Secure")
