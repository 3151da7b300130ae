import pytest
from botocore.exceptions import ClientError


def register(elb, group, *ids, **extra):
    targets = [{"Id": id_, **extra} for id_ in ids]
    return elb.register_targets(TargetGroupArn=group, Targets=targets)


def health(elb, group, *ids):
    asked = {"Targets": [{"Id": id_} for id_ in ids]} if ids else {}
    return elb.describe_target_health(TargetGroupArn=group, **asked)["TargetHealthDescriptions"]


def test_a_function_without_health_checks_is_unavailable_as_aws_says_it(
    elb, make_balancer, make_listener, make_group, make_function, forward
):
    group, function = make_group(), make_function()
    make_listener(make_balancer(), 80, forward(group))
    register(elb, group, function)
    assert health(elb, group) == [
        {
            "Target": {"Id": function, "AvailabilityZone": "all"},
            "TargetHealth": {
                "State": "unavailable",
                "Reason": "Target.HealthCheckDisabled",
                "Description": "Health checks are not enabled for this target",
            },
        }
    ]


def test_a_function_of_an_unused_target_group_is_unused(elb, make_group, make_function):
    group = make_group()
    register(elb, group, make_function())
    assert health(elb, group)[0]["TargetHealth"] == {
        "State": "unused",
        "Reason": "Target.NotInUse",
        "Description": "Target group is not configured to receive traffic from the load balancer",
    }


def test_a_function_with_health_checks_awaits_the_first(
    elb, make_balancer, make_listener, make_group, make_function, forward
):
    group = make_group(HealthCheckEnabled=True)
    make_listener(make_balancer(), 80, forward(group))
    register(elb, group, make_function())
    assert health(elb, group)[0]["TargetHealth"] == {
        "State": "initial",
        "Reason": "Elb.RegistrationInProgress",
        "Description": "Target registration is in progress",
    }


def test_what_is_not_registered_is_unused(elb, make_group, make_function):
    group, function = make_group(), make_function()
    assert health(elb, group) == []
    assert health(elb, group, function)[0]["TargetHealth"] == {
        "State": "unused",
        "Reason": "Target.NotRegistered",
        "Description": "Target is not registered to the target group",
    }


def test_a_target_group_has_one_function(elb, refused, make_group, make_function):
    group, first, second = make_group(), make_function("first"), make_function("second")
    register(elb, group, first, first, Port=80, AvailabilityZone="all")
    register(elb, group, first)
    expected = (
        "TooManyTargets",
        "Up to '1' Lambda function target(s) can be registered, but '2' were specified",
    )
    assert refused(lambda: register(elb, group, second)) == expected
    assert refused(lambda: register(elb, make_group("other"), first, second)) == expected
    elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": first}])
    elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": first}])  # again: no error
    register(elb, group, f"{second}:$LATEST")
    assert [each["Target"]["Id"] for each in health(elb, group)] == [f"{second}:$LATEST"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(("function:fn", "function:other"), "InvalidTarget", id="no such function"),
        pytest.param(("function:fn", "function:fn:live"), "InvalidTarget", id="no such alias"),
        pytest.param(("us-east-1", "eu-west-1"), "InvalidTarget", id="another Region"),
        pytest.param((":2", ":1"), "InvalidTarget", id="another account"),
        pytest.param(("arn:aws:lambda", "arn:aws:s3"), "ValidationError", id="another service"),
    ],
)
def test_what_is_no_function_of_the_account_is_refused(
    elb, refused, make_group, make_function, change, code
):
    function = make_function().replace(*change)
    found, message = refused(lambda: register(elb, make_group(), function))
    assert found == code
    assert function in message


def test_a_name_is_no_target(elb, refused, make_group, make_function):
    make_function("fn")
    assert refused(lambda: register(elb, make_group(), "fn")) == (
        "ValidationError",
        "'fn' is not a valid Lambda function ARN",
    )


def test_a_function_must_let_the_load_balancer_invoke_it(elb, refused, make_group, make_function):
    group = make_group()
    forbidden = make_function("forbidden", permit=False)
    assert refused(lambda: register(elb, group, forbidden)) == (
        "AccessDenied",
        "elasticloadbalancing principal does not have permission to invoke "
        f"{forbidden} from target group {group}",
    )
    with pytest.raises(ClientError) as raised:
        register(elb, group, forbidden)
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    other = make_function("other", source_arn=make_group("other"))
    assert refused(lambda: register(elb, group, other))[0] == "AccessDenied"
    register(elb, group, make_function("allowed", source_arn=group))


def test_zones_and_empty_lists_are_refused(elb, refused, make_group, make_function):
    group, function = make_group(), make_function()
    code, _ = refused(lambda: register(elb, group, function, AvailabilityZone="us-east-1a"))
    assert code == "ValidationError"
    assert refused(lambda: register(elb, group)) == (
        "ValidationError",
        "A target must be specified",
    )
    gone = group[:-16] + "0" * 16
    assert refused(lambda: register(elb, gone, function))[0] == "TargetGroupNotFound"
    assert refused(lambda: health(elb, gone))[0] == "TargetGroupNotFound"
