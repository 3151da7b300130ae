"""Which targets get requests, by the states of all."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from albatross.health.routing import routable
from albatross.model.health import HEALTHY, TargetHealth, because
from albatross.model.target_group import Target, TargetGroup
from tests.support.targets import make_group

STATES = {
    "h": HEALTHY,
    "u": because("Target.Timeout"),
    "i": because("Elb.InitialHealthChecking"),
    "n": because("Target.NotInUse"),
    "a": because("Target.HealthCheckDisabled"),
    "d": because("Target.DeregistrationInProgress"),
}
MINIMUM = "target_group_health.unhealthy_state_routing.minimum_healthy_targets"


def place(
    letters: str, **attributes: str
) -> tuple[TargetGroup, dict[tuple[str, int | None], TargetHealth]]:
    group = make_group(*range(1, len(letters) + 1))
    targets = tuple(
        replace(target, draining_until=datetime.now(UTC) if letter == "d" else None)
        for target, letter in zip(group.targets, letters, strict=True)
    )
    keys = {f"{MINIMUM}.{name}": value for name, value in attributes.items()}
    states = {target.key: STATES[letter] for target, letter in zip(targets, letters, strict=True)}
    return replace(group, targets=targets, attributes=keys), states


@pytest.mark.parametrize(
    ("letters", "attributes", "ports"),
    [
        pytest.param("hhu", {}, {1, 2}, id="healthy ones only"),
        pytest.param("hii", {}, {1}, id="new ones wait for their first success"),
        pytest.param("uuu", {}, {1, 2, 3}, id="all when none is healthy"),
        pytest.param("iu", {}, {1, 2}, id="new ones too when none is healthy"),
        pytest.param("ii", {}, {1, 2}, id="all when all are new"),
        pytest.param("hd", {}, {1}, id="none that drains"),
        pytest.param("ud", {}, {1}, id="none that drains when it fails open"),
        pytest.param("dd", {}, set(), id="nothing when all drain"),
        pytest.param("", {}, set(), id="nothing where nothing is registered"),
        pytest.param("n", {}, {1}, id="before the group is known to be in use"),
        pytest.param("hhuu", {"count": "2"}, {1, 2}, id="the count is met"),
        pytest.param("huuu", {"count": "2"}, {1, 2, 3, 4}, id="the count is not met"),
        pytest.param("hhuu", {"percentage": "50"}, {1, 2}, id="the percentage is met"),
        pytest.param("hhuu", {"percentage": "51"}, {1, 2, 3, 4}, id="the percentage is not met"),
        pytest.param("hud", {"percentage": "50"}, {1}, id="of those that do not drain"),
        pytest.param(
            "huu", {"count": "1", "percentage": "50"}, {1, 2, 3}, id="one of the two is not met"
        ),
        pytest.param(
            "hhu", {"count": "3", "percentage": "50"}, {1, 2, 3}, id="the other is not met"
        ),
        pytest.param("uuu", {"percentage": "off"}, {1, 2, 3}, id="the percentage is off"),
    ],
)
def test_requests_go_to_healthy_targets_or_fail_open(
    letters: str, attributes: dict[str, str], ports: set[int]
) -> None:
    group, states = place(letters, **attributes)
    assert {port for _, port in routable(group, states)} == ports


@pytest.mark.parametrize("letter", "huia")
def test_a_function_is_always_invoked(letter: str) -> None:
    group = make_group(target_type="lambda", targets=(Target(id="arn:fn"),))
    assert routable(group, {("arn:fn", None): STATES[letter]}) == {("arn:fn", None)}
