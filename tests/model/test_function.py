"""What a statement of a function's policy allows."""

import pytest

from albatross.model.function import ELB_SERVICE, Statement

TARGET_GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/tg/0123456789abcdef"


@pytest.mark.parametrize(
    ("action", "allowed"),
    [
        pytest.param("lambda:InvokeFunction", True, id="itself"),
        pytest.param("lambda:invokefunction", True, id="small letters"),
        pytest.param("LAMBDA:INVOKEFUNCTION", True, id="capital letters"),
        pytest.param("lambda:*", True, id="all of Lambda"),
        pytest.param("*", True, id="all"),
        pytest.param("lambda:InvokeFunctionUrl", False, id="another one"),
    ],
)
def test_actions_are_named_in_any_letter_case(action: str, allowed: bool) -> None:
    statement = Statement(sid="s", action=action, principal=ELB_SERVICE)
    asked = {"service": ELB_SERVICE, "source_arn": TARGET_GROUP, "account": "123456789012"}
    assert statement.allows(action="lambda:InvokeFunction", **asked) is allowed


@pytest.mark.parametrize("action", ["lambda:invokefunctionurl", "Lambda:InvokeFunctionUrl"])
def test_actions_of_function_urls_are_named_in_any_letter_case(action: str) -> None:
    statement = Statement(sid="s", action=action, principal="*")
    asked = {"auth_type": "NONE", "account": None}
    assert statement.allows_url(action="lambda:InvokeFunctionUrl", **asked)
