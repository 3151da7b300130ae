import json

import pytest

ELB = "elasticloadbalancing.amazonaws.com"
GROUP = "arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/tg/73e2d6bc24d8a067"
OTHER_REVISION = (
    "PreconditionFailedException",
    "The Revision Id provided does not match the latest Revision Id. "
    "Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
)


@pytest.fixture
def add(api):
    def add(sid="sid", **params):
        given = {"Action": "lambda:InvokeFunction", "Principal": ELB, **params}
        return api.add_permission(FunctionName="fn", StatementId=sid, **given)

    return add


def test_the_statement_for_a_load_balancer_is_that_of_aws(create, add):
    arn = create()["FunctionArn"]
    answer = add("load-balancer", SourceArn=GROUP, SourceAccount="123456789012")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert answer["Statement"] == (
        '{"Sid":"load-balancer","Effect":"Allow",'
        f'"Principal":{{"Service":"{ELB}"}},"Action":"lambda:InvokeFunction","Resource":"{arn}",'
        '"Condition":{"StringEquals":{"AWS:SourceAccount":"123456789012"},'
        f'"ArnLike":{{"AWS:SourceArn":"{GROUP}"}}}}}}'
    )


@pytest.mark.parametrize(
    ("principal", "shown"),
    [
        pytest.param("sns.amazonaws.com", {"Service": "sns.amazonaws.com"}, id="service"),
        pytest.param(
            "logs.us-east-1.amazonaws.com",
            {"Service": "logs.us-east-1.amazonaws.com"},
            id="service of a Region",
        ),
        pytest.param("123456789012", {"AWS": "arn:aws:iam::123456789012:root"}, id="account"),
        pytest.param(
            "arn:aws:iam::123456789012:role/r",
            {"AWS": "arn:aws:iam::123456789012:role/r"},
            id="role",
        ),
        pytest.param("*", "*", id="everybody"),
    ],
)
def test_principals_are_written_as_iam_writes_them(create, add, principal, shown):
    create()
    statement = json.loads(add(Principal=principal)["Statement"])
    assert statement["Principal"] == shown
    assert "Condition" not in statement


@pytest.mark.parametrize("principal", ["amazonaws.com", "me", "12345", "arn:aws:s3:::bucket"])
def test_a_principal_must_be_one(create, add, refused, principal):
    create()
    assert refused(add, Principal=principal) == (
        "InvalidParameterValueException",
        "The provided principal was invalid. Please check the principal and try again.",
    )


@pytest.mark.parametrize(
    ("params", "condition"),
    [
        pytest.param({"SourceArn": GROUP}, {"ArnLike": {"AWS:SourceArn": GROUP}}, id="source"),
        pytest.param(
            {"PrincipalOrgID": "o-1234567890"},
            {"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}},
            id="organization",
        ),
        pytest.param(
            {"EventSourceToken": "token"},
            {"StringEquals": {"lambda:EventSourceToken": "token"}},
            id="token",
        ),
        pytest.param(
            {"FunctionUrlAuthType": "NONE", "Action": "lambda:InvokeFunctionUrl"},
            {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
            id="function URL",
        ),
        pytest.param(
            {"InvokedViaFunctionUrl": True},
            {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}},
            id="by function URL",
        ),
    ],
)
def test_conditions_are_written_as_iam_writes_them(create, add, params, condition):
    create()
    assert json.loads(add(**params)["Statement"])["Condition"] == condition


def test_the_kind_of_a_function_url_limits_its_own_action_only(create, add, refused):
    create()
    assert refused(add, FunctionUrlAuthType="NONE") == (
        "InvalidParameterValueException",
        "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action",
    )


def test_the_policy_holds_all_statements_in_order(api, create, add):
    arn = create()["FunctionArn"]
    statements = [json.loads(add(sid)["Statement"]) for sid in ("b", "a")]
    answer = api.get_policy(FunctionName=f"{arn}:$LATEST")
    assert answer["Policy"].startswith(
        '{"Version":"2012-10-17","Id":"default","Statement":[{"Sid":'
    )
    assert json.loads(answer["Policy"])["Statement"] == statements
    shown = api.get_function_configuration(FunctionName="fn")
    assert answer["RevisionId"] == shown["RevisionId"]


def test_a_statement_id_is_taken_once(create, add, refused):
    create()
    add()
    assert refused(add) == (
        "ResourceConflictException",
        "The statement id (sid) provided already exists. "
        "Please provide a new statement id, or remove the existing statement.",
    )


def test_adding_for_another_revision_is_refused(create, add, refused):
    revision = create()["RevisionId"]
    add("first", RevisionId=revision)
    assert refused(add, sid="second", RevisionId=revision) == OTHER_REVISION


def test_a_policy_for_latest_by_name_is_refused(create, add, refused):
    create()
    assert refused(add, Qualifier="$LATEST") == (
        "InvalidParameterValueException",
        "We currently do not support adding policies for $LATEST.",
    )


def test_a_statement_can_be_removed(api, create, add, refused):
    create()
    add("a")
    add("b")
    answer = api.remove_permission(FunctionName="fn", StatementId="a")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    (left,) = json.loads(api.get_policy(FunctionName="fn")["Policy"])["Statement"]
    assert left["Sid"] == "b"
    api.remove_permission(FunctionName="fn", StatementId="b")
    assert refused(api.get_policy, FunctionName="fn") == (
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )


def test_removing_what_is_not_there_is_refused(api, create, add, refused, account):
    params = {"FunctionName": "fn", "StatementId": "a"}
    arn = f"arn:aws:lambda:us-east-1:{account}:function:fn"
    not_found = "ResourceNotFoundException"
    assert refused(api.remove_permission, **params) == (not_found, f"No policy found for: {arn}")
    create()
    none = "No policy is associated with the given resource."
    assert refused(api.remove_permission, **params) == (not_found, none)
    add("b")
    other = "Statement a is not found in resource policy."
    assert refused(api.remove_permission, **params) == (not_found, other)


def test_removing_for_another_revision_is_refused(api, create, add, refused):
    create()
    add()
    params = {"FunctionName": "fn", "StatementId": "sid", "RevisionId": "other"}
    assert refused(api.remove_permission, **params) == OTHER_REVISION


def test_a_function_that_is_not_there_has_no_policy(api, add, refused, account):
    arn = f"arn:aws:lambda:us-east-1:{account}:function:fn"
    expected = ("ResourceNotFoundException", f"Function not found: {arn}")
    assert refused(api.get_policy, FunctionName="fn") == expected
    assert refused(add) == expected
