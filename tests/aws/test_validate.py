"""Checks against the service model, in AWS's words."""

import pytest

from albatross.aws.errors import ValidationException
from albatross.aws.service import service
from albatross.aws.validate import validate
from albatross.model.errors import ValidationError

LB = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/a/1"


def message(name, operation, params):
    """Return what `validate` complains about, or None."""
    target = service(name)
    shape = target.operation(operation).input_shape
    try:
        validate(shape, params, is_query=target.is_query)
    except (ValidationError, ValidationException) as error:
        return error.message
    return None


def rule(**changes):
    return {
        "ListenerArn": "l",
        "Priority": 1,
        "Conditions": [{"Field": "path-pattern", "Values": ["/"]}],
        "Actions": [{"Type": "forward", "TargetGroupArn": "t"}],
    } | changes


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, None, id="nothing wrong"),
        pytest.param(
            {"Priority": 50001},
            "1 validation error detected: Value '50001' at 'priority' failed to satisfy "
            "constraint: Member must have value less than or equal to 50000",
            id="maximum",
        ),
        pytest.param(
            {"Priority": 0},
            "1 validation error detected: Value '0' at 'priority' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
            id="minimum",
        ),
        pytest.param(
            {"Actions": [{"TargetGroupArn": "t"}]},
            "1 validation error detected: Value null at 'actions.1.member.type' failed to satisfy "
            "constraint: Member must not be null",
            id="required member of a list item",
        ),
        pytest.param(
            {
                "Actions": [
                    {
                        "Type": "fixed-response",
                        "FixedResponseConfig": {"StatusCode": "302", "MessageBody": "x" * 1025},
                    }
                ]
            },
            "2 validation errors detected: Value '" + "x" * 1024 + "' at "
            "'actions.1.member.fixedResponseConfig.messageBody' failed to satisfy constraint: "
            "Member must have length less than or equal to 1024; Value '302' at "
            "'actions.1.member.fixedResponseConfig.statusCode' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: ^(2|4|5)\\d\\d$",
            id="two faults, the long value cut",
        ),
        pytest.param(
            {"Tags": []},
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member "
            "must have length greater than or equal to 1",
            id="length of a list",
        ),
        pytest.param(
            {"Tags": [{"Key": "a\u00e9 \u0661_.:/=+-@", "Value": ""}]}, None, id="tag letters"
        ),
        pytest.param(
            {"Tags": [{"Key": "no!", "Value": ""}]},
            "1 validation error detected: Value 'no!' at 'tags.1.member.key' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: "
            "^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$",
            id="pattern with Unicode categories",
        ),
        pytest.param({"Tags": [{"Key": "end\n"}]}, ..., id="a pattern covers the whole value"),
    ],
)
def test_a_rule_is_checked_by_the_model(changes, expected):
    found = message("elasticloadbalancing", "CreateRule", rule(**changes))
    assert found == expected or (expected is ... and found is not None)


def test_an_unknown_action_type_is_answered_with_the_known_ones():
    found = message(
        "elasticloadbalancing", "CreateRule", rule(Actions=[{"Type": "x", "TargetGroupArn": "t"}])
    )
    assert found is not None
    assert found.startswith(
        "1 validation error detected: Value 'x' at 'actions.1.member.type' failed to satisfy "
        "constraint: Member must satisfy enum value set: [forward, "
    )


def function(**changes):
    return {"FunctionName": "f", "Role": "arn:aws:iam::123456789012:role/r", "Code": {}} | changes


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, None, id="nothing wrong"),
        pytest.param(
            {"FunctionName": "a b"},
            "Value 'a b' at 'functionName' failed to satisfy constraint: Member must satisfy "
            "regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?",
            id="function name",
        ),
        pytest.param(
            {"Architectures": ["sparc"]},
            "Value '[sparc]' at 'architectures' failed to satisfy constraint: Member must satisfy "
            "constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be "
            "null]",
            id="item of a list",
        ),
        pytest.param(
            {"MemorySize": 32769},
            "Value '32769' at 'memorySize' failed to satisfy constraint: Member must have value "
            "less than or equal to 32768",
            id="maximum",
        ),
        pytest.param({"Runtime": "python9.9"}, None, id="runtimes are the operation's"),
    ],
)
def test_a_function_is_checked_by_the_model(changes, expected):
    found = message("lambda", "CreateFunction", function(**changes))
    assert found == expected or found.startswith(f"1 validation error detected: {expected}")


def test_the_apis_name_the_error_differently():
    with pytest.raises(ValidationError):
        validate(
            service("sts").operation("AssumeRole").input_shape, {"RoleArn": "x"}, is_query=True
        )
    with pytest.raises(ValidationException):
        validate(service("lambda").operation("GetFunction").input_shape, {}, is_query=False)


def test_secret_values_are_not_repeated():
    found = message(
        "lambda", "CreateFunction", function(Environment={"Variables": {"1": "hidden"}})
    )
    assert found is not None
    assert "Value at 'environment.variables' failed to satisfy constraint: Map keys" in found
    assert "hidden" not in found
