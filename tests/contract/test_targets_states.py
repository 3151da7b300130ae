"""States of targets, their reasons and descriptions, and fail-open, row by row.

Sources: ALB user guide, "Health checks for your target groups"; elbv2 API, `TargetHealth`; example
of the AWS CLI, `describe-target-health`. All targets are made at once and then awaited together:
a target is unhealthy after two checks, which are five seconds apart.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.backends import Backend, Backends
from tests.support.command import until
from tests.support.groups import at, by, health, make_group, set_group, states
from tests.support.rules import path, rule
from tests.support.stack import Front, Stack, event, forward
from tests.support.targets import answering

pytestmark = pytest.mark.timeout(60)  # the first test that needs them waits for all targets
CHECKED = {
    "HealthCheckEnabled": True,
    "HealthCheckIntervalSeconds": 5,
    "HealthCheckTimeoutSeconds": 2,
}
FUNCTION = """
def handler(event, context):
    if "host" in event["headers"]:
        return {"statusCode": 200, "body": "client"}
    %s
"""
# What functions do with health checks.
FUNCTIONS = {
    "healthy": 'return {"statusCode": 200}',
    "mismatch": 'return {"statusCode": 503}',
    "error": 'raise ValueError("on purpose")',
    "invalid": 'return "no response"',
    "slow": "import time; time.sleep(20)",
}
UNHEALTHY_S = 12


def because(state: str, reason: str, description: str) -> dict[str, str]:
    return {"State": state, "Reason": reason, "Description": description}


CHECKING = because("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
TIMED_OUT = because("unhealthy", "Target.Timeout", "Request timed out")


async def _never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def _status(line: str) -> bytes:
    return f"HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n".encode()


@dataclass
class Targets:
    """Target groups by what is in them, each used by a rule of `front` on the path /NAME."""

    traffic: Stack
    front: Front
    groups: dict[str, str]
    first: dict[str, Any]  # what was said of each group's targets right after registration
    well: Backend  # is healthy
    unused: Backend  # is in a group that no rule uses
    cookie: str = ""  # of the target that dies

    def get(self, name: str, *lines: str) -> Any:
        return self.front.get(f"/{name}", *lines)

    def stick(self) -> Any:
        """Begin a session with a target of the group `dying`."""
        answer = self.get("dying")
        (value,) = (value for _, value in answer.headers if value.startswith("AWSALB="))
        self.cookie = f"Cookie: {value.partition(';')[0]}"
        return answer

    def health(self, name: str) -> dict[str, Any]:
        """Return the health of a group's only target."""
        (found,) = health(self.traffic, self.groups[name]).values()
        return found

    def is_unhealthy(self, name: str) -> bool:
        return "unhealthy" in states(self.traffic, self.groups[name]).values()


@pytest.fixture(scope="module")
def sick(servers: Backends) -> Backend:
    return servers.start("sick", healthy=False)


@pytest.fixture(scope="module")
def dying(servers: Backends) -> Backend:
    return servers.start("dying")


@pytest.fixture(scope="module")
def targets(traffic: Stack, servers: Backends, sick: Backend, dying: Backend) -> Targets:
    gone = servers.start("gone")
    servers.stop(gone)
    well = [servers.start(name) for name in ("one", "two")]
    for_servers = {
        "mismatch": [servers.start("mismatch", handler=answering(_status("502 Bad Gateway")))],
        "redirect": [servers.start("redirect", handler=answering(_status("301 Moved")))],
        "timeout": [servers.start("timeout", handler=_never)],
        "gone": [gone],
        "garbage": [servers.start("garbage", handler=answering(b"hello\r\n\r\n"))],
        "all-sick": [sick, servers.start("sicker", healthy=False)],
        "one-sick": [*well, sick],
        "dying": [dying, well[0]],
    }
    groups = {name: make_group(traffic, *all_) for name, all_ in for_servers.items()}
    set_group(traffic, groups["dying"], stickiness__enabled="true")
    for name, body in FUNCTIONS.items():
        group = traffic.group(function=traffic.make(FUNCTION % body, Timeout=30))
        traffic.elb.modify_target_group(TargetGroupArn=group, **CHECKED)
        groups[f"function-{name}"] = group
    front = traffic.front()
    first = {}
    for n, (name, group) in enumerate(groups.items(), 1):
        traffic.elb.create_rule(
            ListenerArn=front.listener,
            Priority=n,
            Conditions=[path(f"/{name}")],
            Actions=[forward(group)],
        )
        first[name] = health(traffic, group)
    until(lambda: CHECKING in health(traffic, groups["function-slow"]).values())
    first["function-slow"] = health(traffic, groups["function-slow"])
    unused = servers.start("unused")
    make_group(traffic, unused)
    made = Targets(traffic, front, groups, first, well[1], unused)
    until(lambda: states(traffic, groups["dying"])[dying.port] == "healthy")
    until(lambda: by(made.stick()) == "dying")
    assert by(made.get("dying", made.cookie)) == "dying"
    dying.healthy = False
    return made


@pytest.fixture(scope="module")
def unhealthy(targets: Targets) -> Targets:
    """The same, once all checks have failed that will."""
    waited_for = set(targets.groups) - {"function-healthy"}
    until(lambda: all(map(targets.is_unhealthy, waited_for)), seconds=UNHEALTHY_S)
    return targets


def test_initial_elb_registration_in_progress_or_initial_health_checking(
    targets: Targets,
) -> None:
    """Until a new target has passed a check, or failed several, it is initial."""
    for name in ("timeout", "mismatch", "function-slow", "function-error"):
        (found,) = targets.first[name].values()
        assert found in (
            because("initial", "Elb.RegistrationInProgress", "Target registration is in progress"),
            because("initial", "Elb.InitialHealthChecking", "Initial health checks in progress"),
        )
    until(
        lambda: (
            targets.health("timeout")
            == because("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
        )
    )


def test_healthy_without_reason_and_description(targets: Targets) -> None:
    until(lambda: targets.health("function-healthy") == {"State": "healthy"})
    until(
        lambda: (
            list(states(targets.traffic, targets.groups["one-sick"]).values())[:2]
            == 2 * ["healthy"]
        )
    )
    found = list(health(targets.traffic, targets.groups["one-sick"]).values())
    assert found[:2] == [{"State": "healthy"}] * 2


def test_unused_target_not_registered(targets: Targets, traffic: Stack) -> None:
    expected = because(
        "unused", "Target.NotRegistered", "Target is not registered to the target group"
    )
    for name, unknown in (
        ("gone", {"Id": "10.0.0.1"}),
        ("gone", {"Id": "127.0.0.1", "Port": 1}),
        ("function-healthy", {"Id": traffic.function}),
    ):
        (found,) = traffic.elb.describe_target_health(
            TargetGroupArn=targets.groups[name], Targets=[unknown]
        )["TargetHealthDescriptions"]
        assert found["Target"]["Id"] == unknown["Id"]
        assert found["TargetHealth"] == expected


def test_unused_target_not_in_use(traffic: Stack, servers: Backends) -> None:
    expected = because(
        "unused",
        "Target.NotInUse",
        "Target group is not configured to receive traffic from the load balancer",
    )
    for group in (make_group(traffic, servers.start("idle")), traffic.group()):
        assert list(health(traffic, group).values()) == [expected]
        with rule(traffic.shared_front(8000), path("/x"), action=forward(group)):
            assert list(health(traffic, group).values()) != [expected]
        assert list(health(traffic, group).values()) == [expected]


def test_draining_target_deregistration_in_progress(traffic: Stack, servers: Backends) -> None:
    leaving = servers.start("leaving")
    group = make_group(traffic, leaving)
    with rule(traffic.shared_front(8000), path("/leaving"), action=forward(group)):
        traffic.elb.deregister_targets(TargetGroupArn=group, Targets=[at(leaving)])
        assert health(traffic, group)[leaving.port] == because(
            "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
        )


def test_unavailable_target_health_check_disabled_exact_api_sample(traffic: Stack) -> None:
    group = traffic.group()
    front = traffic.front(forward(group))
    found = traffic.elb.describe_target_health(TargetGroupArn=group)
    assert found["TargetHealthDescriptions"] == [
        {
            "Target": {"Id": traffic.function, "AvailabilityZone": "all"},
            "TargetHealth": {
                "State": "unavailable",
                "Reason": "Target.HealthCheckDisabled",
                "Description": "Health checks are not enabled for this target",
            },
        }
    ]
    assert event(front.get("/x"))["path"] == "/x"  # it receives traffic normally


@pytest.mark.parametrize(
    ("name", "code"), [("mismatch", 502), ("redirect", 301), ("function-mismatch", 503)]
)
def test_unhealthy_target_response_code_mismatch(unhealthy: Targets, name: str, code: int) -> None:
    assert unhealthy.health(name) == because(
        "unhealthy",
        "Target.ResponseCodeMismatch",
        f"Health checks failed with these codes: [{code}]",
    )


@pytest.mark.parametrize("name", ["timeout", "function-slow"])
def test_unhealthy_target_timeout_request_timed_out(unhealthy: Targets, name: str) -> None:
    assert unhealthy.health(name) == TIMED_OUT


@pytest.mark.parametrize("name", ["gone", "garbage", "function-error", "function-invalid"])
def test_unhealthy_target_failed_health_checks(unhealthy: Targets, name: str) -> None:
    assert unhealthy.health(name) == because(
        "unhealthy", "Target.FailedHealthChecks", "Health checks failed"
    )


def test_each_lb_node_checks_on_its_own_and_here_is_one(unhealthy: Targets) -> None:
    """A healthy target has had two checks, five seconds apart, when others have failed two."""
    assert 2 <= unhealthy.well.checks <= 5


def test_metrics_of_unhealthy_routing_are_still_to_come() -> None:
    page = (Path(__file__).parents[2] / "docs" / "coverage.md").read_text()
    assert "| Delivery of logs to S3, connection logs, CloudWatch metrics | later |" in page


def test_a_target_that_is_not_in_use_is_not_checked(unhealthy: Targets) -> None:
    assert unhealthy.unused.checks == 0


def test_if_all_registered_targets_are_unhealthy_requests_go_to_all(unhealthy: Targets) -> None:
    assert {by(unhealthy.get("all-sick")) for _ in range(8)} == {"sick", "sicker"}
    assert unhealthy.get("gone").status == 502  # not 503: the target is asked


@pytest.mark.parametrize("name", ["mismatch", "error", "invalid", "slow"])
def test_an_unhealthy_lambda_is_still_invoked(unhealthy: Targets, name: str) -> None:
    assert unhealthy.get(f"function-{name}").body == b"client"


def test_an_unhealthy_target_gets_nothing_while_others_are_healthy(unhealthy: Targets) -> None:
    assert {by(unhealthy.get("one-sick")) for _ in range(9)} == {"one", "two"}


@pytest.mark.parametrize(
    ("attributes", "fails_open"),
    [
        pytest.param({"count": "2"}, False, id="as many are healthy"),
        pytest.param({"count": "3"}, True, id="fewer are healthy"),
        pytest.param({"percentage": "66"}, False, id="a larger part is healthy"),
        pytest.param({"percentage": "67"}, True, id="a smaller part is healthy"),
        pytest.param({"count": "1", "percentage": "100"}, True, id="either is enough"),
    ],
)
def test_fewer_than_the_unhealthy_state_routing_thresholds_requests_go_to_all(
    unhealthy: Targets, attributes: dict[str, str], fails_open: bool
) -> None:
    prefix = "target_group_health__unhealthy_state_routing__minimum_healthy_targets"
    group, defaults = unhealthy.groups["one-sick"], {"count": "1", "percentage": "off"}

    def change(of: dict[str, str]) -> None:
        set_group(unhealthy.traffic, group, **{f"{prefix}__{key}": of[key] for key in of})

    change(defaults | attributes)
    try:
        found = Counter(by(unhealthy.get("one-sick")) for _ in range(12))
    finally:
        change(defaults)
    assert set(found) == ({"one", "two", "sick"} if fails_open else {"one", "two"})


def test_fail_open_thresholds_not_configurable_for_lambda_tgs(traffic: Stack, elb: Any) -> None:
    shown = elb.describe_target_group_attributes(TargetGroupArn=traffic.group())["Attributes"]
    assert not any(one["Key"].startswith("target_group_health") for one in shown)


def test_stickiness_dead_target_new_target_new_cookie(unhealthy: Targets) -> None:
    answer = unhealthy.get("dying", unhealthy.cookie)
    assert by(answer) == "one"
    assert any(value.startswith("AWSALB=") for _, value in answer.headers)


def test_states_that_are_never_shown_are_deviations() -> None:
    page = (Path(__file__).parents[2] / "docs" / "deviations.md").read_text()
    (line,) = [one for one in page.splitlines() if one.startswith("- An instance that stops")]
    for reason in ("Target.InvalidState", "Target.IpUnusable", "Target.NotInUse", "Elb.Internal"):
        assert reason in line
