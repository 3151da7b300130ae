"""Cookies of sticky sessions, row by row.

Source: ALB user guide, "Edit target group attributes".
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from tests.support.backends import Backend, Backends
from tests.support.command import until
from tests.support.envoy import Answer
from tests.support.groups import (
    at,
    by,
    make_group,
    set_group,
    until_healthy,
)
from tests.support.rules import weighted
from tests.support.stack import Front, Stack, forward


def set_cookies(answer: Answer) -> dict[str, str]:
    """Return value and attributes of each cookie that is set, by name."""
    lines = [value for name, value in answer.headers if name.lower() == "set-cookie"]
    return dict(line.split("=", 1) for line in lines)


def value_of(answer: Answer, name: str = "AWSALB") -> str:
    return set_cookies(answer)[name].split(";")[0]


Sticky = tuple[Front, str, list[Backend]]


def make_sticky(
    traffic: Stack, servers: Backends, *, sends: Sequence[str] = (), **attributes: str
) -> Sticky:
    """Return a load balancer, its group with stickiness and `attributes`, servers a, b and c.

    `sends`: header lines of their answers.
    """
    three = [servers.start(name, headers=list(sends)) for name in "abc"]
    group = make_group(traffic, *three)
    set_group(traffic, group, stickiness__enabled="true", **attributes)
    front = traffic.front(forward(group))
    until_healthy(traffic, group)
    return front, group, three


def by_application(name: str) -> dict[str, str]:
    """Return the attributes for sessions by the application's cookie `name`."""
    return {"stickiness__type": "app_cookie", "stickiness__app_cookie__cookie_name": name}


@pytest.fixture(scope="module")
def sticky(traffic: Stack, servers: Backends) -> Sticky:
    """A load balancer in front of three servers with which clients stay."""
    return make_sticky(traffic, servers)


def test_awsalb_encrypted_target_reference_keeps_a_client_at_its_target(sticky: Sticky) -> None:
    front, *_ = sticky
    first = front.get()
    value = value_of(first)
    for _ in range(9):
        answer = front.get("/", f"Cookie: a=b; AWSALB={value}; c=d")
        assert by(answer) == by(first)
        value = value_of(answer)
    assert len({by(front.get()) for _ in range(9)}) == 3


def test_awsalb_expires_now_7_days_path_refreshed_on_every_response_awsalbcors_same_value_secure(
    sticky: Sticky,
) -> None:
    front, *_ = sticky
    value = value_of(front.get())
    cookies = set_cookies(front.get("/", f"Cookie: AWSALB={value}"))
    assert list(cookies) == ["AWSALB", "AWSALBCORS"]
    found = re.fullmatch(r"([^;]+); Expires=([^;]+ GMT); Path=/", cookies["AWSALB"])
    assert found
    assert cookies["AWSALBCORS"] == f"{cookies['AWSALB']}; SameSite=None; Secure"
    expires = parsedate_to_datetime(found[2])
    in_a_week = datetime.now(UTC) + timedelta(days=7)
    assert "max-age" not in "".join(cookies.values()).lower()
    assert abs(expires - in_a_week) < timedelta(seconds=5)


def test_awsalbcors_wins_over_awsalb_if_both_arrive(sticky: Sticky) -> None:
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
def test_undecodable_or_url_encoded_cookie_new_target_new_cookie(
    sticky: Sticky, value: str
) -> None:
    front, *_ = sticky
    answers = [front.get("/", f"Cookie: AWSALB={value}") for _ in range(6)]
    assert len({by(answer) for answer in answers}) == 3
    assert all("AWSALB" in set_cookies(answer) for answer in answers)


def test_awsalb_content_does_not_show_the_target(sticky: Sticky) -> None:
    front, _, three = sticky
    value = value_of(front.get())
    assert not any(str(one.port) in value or f"{one.port:x}" in value for one in three)
    assert "127" not in value[:4]


def test_stickiness_lb_cookie_duration_seconds_ends_the_session(
    traffic: Stack, servers: Backends
) -> None:
    front, *_ = make_sticky(traffic, servers, stickiness__lb_cookie__duration_seconds="1")
    first = front.get()
    line = f"Cookie: AWSALB={value_of(first)}"
    until(lambda: by(front.get("/", line)) != by(first), seconds=5)


def test_target_that_drains_new_target_new_cookie(traffic: Stack, servers: Backends) -> None:
    """One that dies: test_targets_states.py, where others are awaited meanwhile."""
    front, group, (one, *_) = make_sticky(traffic, servers)
    line = {
        by(answer): f"Cookie: AWSALB={value_of(answer)}"
        for answer in (front.get() for _ in range(12))
    }
    assert by(front.get("/", line["a"])) == "a"
    traffic.elb.deregister_targets(TargetGroupArn=group, Targets=[at(one)])
    moved = front.get("/", line["a"])
    assert by(moved) != "a"
    assert by(front.get("/", f"Cookie: AWSALB={value_of(moved)}")) == by(moved)


def test_awsalbapp_generated_only_when_the_target_sets_the_configured_cookie_secure_for_chromium_80(
    traffic: Stack, servers: Backends
) -> None:
    front, _, three = make_sticky(traffic, servers, **by_application("SESSION"))
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
    for agent, suffix in {
        "Chrome/79.0.0.0 Safari/537.36": "; Path=/",
        "Chrome/80.0.0.0 Safari/537.36": "; SameSite=None; Secure",
        "Chromium/120.0 Chrome/120.0 Safari/537.36": "; SameSite=None; Secure",
        "Version/17.0 Safari/605.1.15": "; Path=/",
    }.items():
        answer = front.get("/", line, f"User-Agent: Mozilla/5.0 {agent}")
        assert by(answer) == by(first)
        assert set_cookies(answer)["AWSALBAPP-0"].endswith(suffix)


@pytest.mark.parametrize("name", ["SESSION", "a.b+c*d-e%f"])
def test_app_cookie_clients_return_both_cookies_to_stay(
    traffic: Stack, servers: Backends, name: str
) -> None:
    sends = [f"Set-Cookie: {name}=1"]
    front, _, three = make_sticky(traffic, servers, sends=sends, **by_application(name))
    first = front.get()
    for one in three:
        one.headers = []
    ours = f"AWSALBAPP-0={value_of(first, 'AWSALBAPP-0')}"
    for both in (f"{name}=any; {ours}", f"x=1; {ours}; {name}="):
        answers = [front.get("/", f"Cookie: {both}") for _ in range(6)]
        assert {by(answer) for answer in answers} == {by(first)}
        assert all("AWSALBAPP-0" in set_cookies(answer) for answer in answers)  # renewed
    for not_both in (ours, f"{name}=1", f"x{name}=1; {ours}", f"{name.swapcase()}=1; {ours}"):
        answers = [front.get("/", f"Cookie: {not_both}") for _ in range(6)]
        assert len({by(answer) for answer in answers}) == 3
        assert not any(set_cookies(answer) for answer in answers)


def test_app_cookie_duration_seconds_ends_the_session(traffic: Stack, servers: Backends) -> None:
    front, *_ = make_sticky(
        traffic,
        servers,
        sends=["Set-Cookie: SESSION=1"],
        **by_application("SESSION"),
        stickiness__app_cookie__duration_seconds="1",
        stickiness__lb_cookie__duration_seconds="604800",  # of the other type
    )
    first = front.get()
    line = f"Cookie: SESSION=1; AWSALBAPP-0={value_of(first, 'AWSALBAPP-0')}"
    until(lambda: by(front.get("/", line)) != by(first), seconds=5)


def test_awsalbtg_awsalbtgcors_tg_choice(traffic: Stack, servers: Backends) -> None:
    """With the stickiness of groups a client stays with its group, and in it with its target."""
    one, two = (make_group(traffic, servers.start(name)) for name in ("one", "two"))
    for group in (one, two):
        set_group(traffic, group, stickiness__enabled="true")
    front = traffic.front(weighted({one: 1, two: 1}, sticky_s=60))
    for group in (one, two):
        until_healthy(traffic, group)
    first = front.get()
    cookies = set_cookies(first)
    assert set(cookies) == {"AWSALB", "AWSALBCORS", "AWSALBTG", "AWSALBTGCORS"}
    line = f"Cookie: AWSALBTG={value_of(first, 'AWSALBTG')}"
    assert {by(front.get("/", line)) for _ in range(8)} == {by(first)}


def test_without_stickiness_there_are_no_cookies(traffic: Stack, servers: Backends) -> None:
    group = make_group(traffic, servers.start("only"))
    front = traffic.front(forward(group))
    until_healthy(traffic, group)
    assert set_cookies(front.get()) == {}
    set_group(traffic, group, stickiness__enabled="true")
    assert set(set_cookies(front.get())) == {"AWSALB", "AWSALBCORS"}
    set_group(traffic, group, stickiness__enabled="false")
    assert set_cookies(front.get()) == {}


def test_app_cookie_with_weighted_tgs_and_one_cookie_not_four_are_deviations() -> None:
    page = (Path(__file__).parents[2] / "docs" / "deviations.md").read_text()
    assert "Cookies of applications work with weighted target groups, too." in page
    assert "AWSALBAPP-0; there is no -1 to -3" in page
    assert "The key of the cookies of sticky sessions does not change" in page
