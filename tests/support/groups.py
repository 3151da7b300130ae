"""Target groups of servers behind the whole product: made, changed, watched."""

import json
from typing import Any

from tests.support.backends import Backend
from tests.support.command import until
from tests.support.envoy import Answer
from tests.support.stack import Stack

CHECK = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2}


def make_group(stack: Stack, *targets: Backend, protocol: str = "HTTP", **params: Any) -> str:
    group: str = stack.elb.create_target_group(
        Name=stack.name(),
        **{
            "TargetType": "ip",
            "Protocol": protocol,
            "Port": 80,
            "VpcId": "vpc-1",
            **CHECK,
            **params,
        },
    )["TargetGroups"][0]["TargetGroupArn"]
    if targets:
        stack.elb.register_targets(TargetGroupArn=group, Targets=[at(one) for one in targets])
    return group


def at(backend: Backend) -> dict[str, Any]:
    return {"Id": "127.0.0.1", "Port": backend.port}


def set_group(stack: Stack, group: str, **attributes: str) -> dict[str, str]:
    """Change attributes of a group, in whose names `__` stands for a dot; return all."""
    return values(
        stack.elb.modify_target_group_attributes(
            TargetGroupArn=group,
            Attributes=[
                {"Key": name.replace("__", "."), "Value": value}
                for name, value in attributes.items()
            ],
        )
    )


def values(answer: dict[str, Any]) -> dict[str, str]:
    """Return the attributes in an answer as key and value."""
    return {each["Key"]: each["Value"] for each in answer["Attributes"]}


def health(stack: Stack, group: str) -> dict[int | None, dict[str, Any]]:
    """Return the health of each target, by its port; functions have none."""
    found = stack.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return {one["Target"].get("Port"): one["TargetHealth"] for one in found}


def states(stack: Stack, group: str) -> dict[int | None, str]:
    return {port: one["State"] for port, one in health(stack, group).items()}


def until_state(stack: Stack, group: str, backend: Backend, state: str | None) -> None:
    until(lambda: states(stack, group).get(backend.port) == state)


def until_healthy(stack: Stack, group: str) -> None:
    until(lambda: set(states(stack, group).values()) == {"healthy"})


def document(answer: Answer) -> dict[str, Any]:
    """Return what a server says of the request that it got."""
    assert answer.status == 200, answer
    found: dict[str, Any] = json.loads(answer.body)
    return found


def by(answer: Answer) -> str:
    return str(document(answer)["by"])
