"""Health checks of functions through the API: DescribeTargetHealth tells what they find."""

import time
from typing import Any

import pytest

from tests.support.command import make_function
from tests.support.stack import Stack, forward

CHECKED = {
    "HealthCheckEnabled": True,
    "HealthCheckIntervalSeconds": 5,
    "HealthCheckTimeoutSeconds": 2,
}
WAIT_S = 10
FUNCTION = """
def handler(event, context):
    if "host" in event["headers"]:
        return {{"statusCode": 200, "body": "client"}}
    del event["requestContext"]
    assert event == {{
        "httpMethod": "GET",
        "path": "/",
        "queryStringParameters": {{}},
        "headers": {{"user-agent": "ELB-HealthChecker/2.0"}},
        "body": "",
        "isBase64Encoded": False,
    }}, event
    return {{"statusCode": {status}}}
"""


def health(traffic: Stack, group: str) -> dict[str, Any]:
    (described,) = traffic.elb.describe_target_health(TargetGroupArn=group)[
        "TargetHealthDescriptions"
    ]
    found: dict[str, Any] = described["TargetHealth"]
    return found


def wait_for(traffic: Stack, group: str, state: str) -> dict[str, Any]:
    """Return the health of the group's target once it is `state`, or what it is at last."""
    deadline = time.monotonic() + WAIT_S
    while (found := health(traffic, group))["State"] != state and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(200, {"State": "healthy"}, id="healthy after one check"),
        pytest.param(
            503,
            {
                "State": "unhealthy",
                "Reason": "Target.ResponseCodeMismatch",
                "Description": "Health checks failed with these codes: [503]",
            },
            id="unhealthy after two",
        ),
    ],
)
def test_a_function_is_as_healthy_as_its_answers_and_invoked_all_the_same(
    traffic: Stack, status: int, expected: dict[str, str]
) -> None:
    function = make_function(traffic.server, traffic.name(), FUNCTION.format(status=status))
    group = traffic.group(function=function)
    assert health(traffic, group)["Reason"] == "Target.NotInUse"
    front = traffic.front(forward(group), port=8000 + status)
    assert health(traffic, group)["Reason"] == "Target.HealthCheckDisabled"
    traffic.elb.modify_target_group(TargetGroupArn=group, **CHECKED)
    assert health(traffic, group)["State"] in ("initial", "healthy")
    assert wait_for(traffic, group, expected["State"]) == expected
    assert front.get().body == b"client"  # also where it is unhealthy: there is no other target
