"""Registering and deregistering, row by row. Sources: elbv2 API, `RegisterTargets`,
`DeregisterTargets`, `TargetDescription`; ALB user guide, "Lambda functions as targets".
"""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.command import make_function, until, zipped
from tests.support.rules import ANY, refused, rule, weighted
from tests.support.stack import Stack, event, fixed, forward, request

HELLO = 'def handler(event, context): return {{"statusCode": 200, "body": "{body}"}}'
PERMISSION = {
    "StatementId": "elb",
    "Action": "lambda:InvokeFunction",
    "Principal": "elasticloadbalancing.amazonaws.com",
}


def registered(elb: Any, group: str) -> list[dict[str, Any]]:
    found = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return [one["Target"] for one in found]


@pytest.fixture
def group(traffic: Stack) -> str:
    """A target group for a function, empty."""
    made = traffic.elb.create_target_group(Name=traffic.name(), TargetType="lambda")
    arn: str = made["TargetGroups"][0]["TargetGroupArn"]
    return arn


@pytest.fixture(scope="module")
def other(traffic: Stack) -> str:
    """Another function."""
    return traffic.make(HELLO.format(body="other"))


def test_register_targets_lambda_id_is_the_function_arn_port_ignored_zone_optional_only_all(
    traffic: Stack, elb: Any, group: str
) -> None:
    target = {"Id": traffic.function}
    expected = [{"Id": traffic.function, "AvailabilityZone": "all"}]
    for more in ({}, {"Port": 1}, {"Port": 65_535}, {"AvailabilityZone": "all"}):
        elb.register_targets(TargetGroupArn=group, Targets=[target | more])
        assert registered(elb, group) == expected
        elb.deregister_targets(TargetGroupArn=group, Targets=[target | more])
        assert registered(elb, group) == []
    for zone in ("us-east-1a", "ALL", ""):
        assert refused(
            elb.register_targets,
            TargetGroupArn=group,
            Targets=[target | {"AvailabilityZone": zone}],
        ) == (
            "ValidationError",
            f"The Availability Zone '{zone}' is not valid for a target group with "
            "target type 'lambda'; it must be 'all'",
        )
    assert registered(elb, group) == []


def test_second_function_too_many_targets(traffic: Stack, elb: Any, group: str, other: str) -> None:
    expected = (
        "TooManyTargets",
        "Up to '1' Lambda function target(s) can be registered, but '2' were specified",
    )
    one, two = {"Id": traffic.function}, {"Id": other}
    assert refused(elb.register_targets, TargetGroupArn=group, Targets=[one, two]) == expected
    assert registered(elb, group) == []
    elb.register_targets(TargetGroupArn=group, Targets=[one])
    for second in (two, {"Id": f"{traffic.function}:$LATEST"}, {"Id": f"{other}-gone"}):
        assert refused(elb.register_targets, TargetGroupArn=group, Targets=[second]) == expected
    elb.deregister_targets(TargetGroupArn=group, Targets=[one])
    elb.register_targets(TargetGroupArn=group, Targets=[two])
    assert [one["Id"] for one in registered(elb, group)] == [other]


def test_re_registering_the_same_arn_is_idempotent(traffic: Stack, elb: Any, group: str) -> None:
    target = {"Id": traffic.function}
    for targets in ([target, target], [target]):
        elb.register_targets(TargetGroupArn=group, Targets=targets)
        assert [one["Id"] for one in registered(elb, group)] == [traffic.function]


def test_missing_permission_access_denied_http_403(traffic: Stack, elb: Any, group: str) -> None:
    functions, name = traffic.functions, traffic.name()
    arn = make_function(traffic.server, name, HELLO.format(body="permitted"))
    functions.remove_permission(FunctionName=name, StatementId="elb")
    elsewhere = group.replace("targetgroup/", "targetgroup/another-")

    def assert_denied(id_: str) -> None:
        with pytest.raises(ClientError) as raised:
            elb.register_targets(TargetGroupArn=group, Targets=[{"Id": id_}])
        answer = raised.value.response
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403
        assert answer["Error"]["Code"] == "AccessDenied"
        assert answer["Error"]["Message"] == (
            "elasticloadbalancing principal does not have permission to invoke "
            f"{id_} from target group {group}"
        )

    assert_denied(arn)
    for wrong in (
        {"SourceArn": elsewhere},
        {"Principal": "events.amazonaws.com"},
        {"Action": "lambda:GetFunction"},
        {"SourceAccount": "999999999999"},
    ):
        functions.add_permission(FunctionName=name, **PERMISSION | wrong)
        assert_denied(arn)
        functions.remove_permission(FunctionName=name, StatementId="elb")
    functions.add_permission(FunctionName=name, **PERMISSION | {"SourceArn": group})
    version = functions.publish_version(FunctionName=name)["Version"]
    assert_denied(f"{arn}:{version}")  # a version has a policy of its own
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": arn}])
    assert traffic.front(forward(group)).get().body == b"permitted"


def test_non_existent_function_at_registration_invalid_target(
    traffic: Stack, elb: Any, group: str
) -> None:
    for id_ in (f"{traffic.function}-2", f"{traffic.function}:1", f"{traffic.function}:live"):
        assert refused(elb.register_targets, TargetGroupArn=group, Targets=[{"Id": id_}]) == (
            "InvalidTarget",
            f"The Lambda function '{id_}' does not exist",
        )
    assert registered(elb, group) == []


def test_deregister_in_flight_requests_fail_5xx_no_deregistration_delay_for_lambda(
    traffic: Stack, elb: Any
) -> None:
    group = traffic.group()
    front = traffic.front(forward(group))
    target = [{"Id": traffic.function}]
    with front.connect() as client:
        client.write(request("GET /-/sleep/deregistered/1.5"))
        until(lambda: traffic.noted("deregistered") == 1)
        elb.deregister_targets(TargetGroupArn=group, Targets=target)
        assert registered(elb, group) == []  # it does not drain
        answer = client.read()
        assert (answer.status, answer.header("Server")) == (502, "awselb/2.0")
        assert traffic.noted("deregistered") == 1  # the answer has not waited for the function
        client.write(request("GET /next"))
        assert client.read().status == 503
        elb.register_targets(TargetGroupArn=group, Targets=target)
        client.write(request("GET /next"))
        assert event(client.read())["path"] == "/next"
    until(lambda: traffic.noted("deregistered") == 2)


def test_deregistering_an_unknown_target_succeeds_silently(
    traffic: Stack, elb: Any, group: str
) -> None:
    for id_ in (traffic.function, f"{traffic.function}-gone", "10.0.0.1", "anything"):
        elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": id_}])
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": traffic.function}])
    elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": f"{traffic.function}:$LATEST"}])
    assert [one["Id"] for one in registered(elb, group)] == [traffic.function]
    assert refused(
        elb.deregister_targets,
        TargetGroupArn=f"{group[:-4]}0000",
        Targets=[{"Id": traffic.function}],
    ) == ("TargetGroupNotFound", "One or more target groups not found")


def test_registering_nothing_is_refused(elb: Any, group: str) -> None:
    for call in (elb.register_targets, elb.deregister_targets):
        assert refused(call, TargetGroupArn=group, Targets=[]) == (
            "ValidationError",
            "A target must be specified",
        )
        assert refused(call, TargetGroupArn=group) == (
            "ValidationError",
            "1 validation error detected: Value null at 'targets' failed to satisfy constraint: "
            "Member must not be null",
        )


def test_delete_tg_referenced_by_an_action_resource_in_use(traffic: Stack, elb: Any) -> None:
    group = traffic.group()
    expected = (
        "ResourceInUse",
        f"Target group '{group}' is currently in use by a listener or a rule",
    )
    front = traffic.front(forward(group), port=8001)
    assert refused(elb.delete_target_group, TargetGroupArn=group) == expected
    with rule(front, ANY, action=forward(group)):
        front.default(fixed(200))
        assert refused(elb.delete_target_group, TargetGroupArn=group) == expected
    with rule(front, ANY, action=weighted({group: 0, traffic.group(): 1})):
        assert refused(elb.delete_target_group, TargetGroupArn=group) == expected
    elb.delete_target_group(TargetGroupArn=group)
    elb.delete_target_group(TargetGroupArn=group)
    assert refused(elb.describe_target_groups, TargetGroupArns=[group]) == (
        "TargetGroupNotFound",
        "One or more target groups not found",
    )


def test_replacing_a_function_advice_is_a_new_tg(traffic: Stack, other: str) -> None:
    front = traffic.front()
    assert event(front.get("/old"))["path"] == "/old"
    front.default(forward(traffic.group(function=other)))
    assert front.get().body == b"other"


def test_replacing_a_function_advice_is_to_point_an_alias_elsewhere(traffic: Stack) -> None:
    functions, name = traffic.functions, traffic.name()
    arn = make_function(traffic.server, name, HELLO.format(body="first"))
    alias = {"FunctionName": name, "Name": "live"}
    first = functions.publish_version(FunctionName=name)["Version"]
    functions.create_alias(FunctionVersion=first, **alias)
    functions.add_permission(FunctionName=name, Qualifier="live", **PERMISSION)
    front = traffic.front(forward(traffic.group(function=f"{arn}:live")))
    assert front.get().body == b"first"
    functions.update_function_code(FunctionName=name, ZipFile=zipped(HELLO.format(body="second")))
    second = functions.publish_version(FunctionName=name)["Version"]
    assert front.get().body == b"first"
    functions.update_alias(FunctionVersion=second, **alias)
    assert front.get().body == b"second"
