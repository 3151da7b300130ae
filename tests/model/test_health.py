from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from albatross.model.health import HEALTHY, because, shown
from albatross.model.target_group import HealthCheck, Target, TargetGroup

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TARGET = Target(id="10.0.0.1", port=80)
GROUP = TargetGroup(
    arn="arn:group", name="web", target_type="ip", health_check=HealthCheck(enabled=True)
)


@pytest.mark.parametrize(
    ("changes", "used", "found", "reason"),
    [
        pytest.param({}, True, HEALTHY, None, id="what checks have found"),
        pytest.param({}, True, None, "Elb.RegistrationInProgress", id="nothing was found yet"),
        pytest.param({}, False, HEALTHY, "Target.NotInUse", id="no listener uses the group"),
        pytest.param(
            {"health_check": HealthCheck()},
            True,
            None,
            "Target.HealthCheckDisabled",
            id="checks are off",
        ),
        pytest.param(
            {"health_check": HealthCheck()}, False, None, "Target.NotInUse", id="off and unused"
        ),
    ],
)
def test_what_is_shown_of_a_registered_target(
    changes: dict[str, Any], used: bool, found: Any, reason: str | None
) -> None:
    assert shown(replace(GROUP, **changes), TARGET, found, used=used, now=NOW).reason == reason


@pytest.mark.parametrize(
    ("left_s", "state", "reason"),
    [
        pytest.param(1, "draining", "Target.DeregistrationInProgress", id="within the delay"),
        pytest.param(0, "unused", "Target.NotRegistered", id="after it"),
    ],
)
def test_a_deregistered_target_drains_until_its_delay_is_over(
    left_s: int, state: str, reason: str
) -> None:
    target = replace(TARGET, draining_until=NOW + timedelta(seconds=left_s))
    health = shown(GROUP, target, HEALTHY, used=True, now=NOW)
    assert (health.state, health.reason) == (state, reason)


def test_reasons_have_the_words_of_the_api() -> None:
    assert because("Target.HealthCheckDisabled").description == (
        "Health checks are not enabled for this target"
    )
    assert because("Target.ResponseCodeMismatch", code=404).description == (
        "Health checks failed with these codes: [404]"
    )
