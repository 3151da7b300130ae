import base64
import hashlib
import urllib.request
from datetime import datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.support.server import client


def function_arn(account, name="fn", region="us-east-1"):
    return f"arn:aws:lambda:{region}:{account}:function:{name}"


def test_creating_answers_what_aws_answers(api, account, archive):
    content = archive(app="x = 1")
    answer = api.create_function(
        FunctionName="fn",
        Runtime="python3.12",
        Handler="app.handler",
        Role="arn:aws:iam::123456789012:role/any",
        Code={"ZipFile": content},
    )
    assert answer.pop("ResponseMetadata")["HTTPStatusCode"] == 201
    modified = datetime.strptime(answer.pop("LastModified"), "%Y-%m-%dT%H:%M:%S.%f%z")
    assert abs(datetime.now(modified.tzinfo) - modified) < timedelta(minutes=1)
    assert len(answer.pop("RevisionId")) == 36
    assert answer.pop("RuntimeVersionConfig")["RuntimeVersionArn"].startswith(
        "arn:aws:lambda:us-east-1::runtime:"
    )
    assert answer == {
        "FunctionName": "fn",
        "FunctionArn": function_arn(account),
        "Runtime": "python3.12",
        "Role": "arn:aws:iam::123456789012:role/any",
        "Handler": "app.handler",
        "CodeSize": len(content),
        "CodeSha256": base64.b64encode(hashlib.sha256(content).digest()).decode(),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"},
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/fn"},
    }


def test_a_created_function_is_active_at_once(api, create):
    create()
    api.get_waiter("function_active_v2").wait(FunctionName="fn", WaiterConfig={"MaxAttempts": 1})
    api.get_waiter("function_updated_v2").wait(FunctionName="fn", WaiterConfig={"MaxAttempts": 1})
    shown = api.get_function_configuration(FunctionName="fn")
    assert (shown["State"], shown["LastUpdateStatus"]) == ("Active", "Successful")
    assert "StateReason" not in shown


def test_get_function_says_where_the_code_is(api, create, archive):
    content = archive(app="x = 1")
    create(Code={"ZipFile": content}, Tags={"team": "a"})
    answer = api.get_function(FunctionName="fn")
    assert answer["Configuration"]["FunctionName"] == "fn"
    assert answer["Code"]["RepositoryType"] == "S3"
    with urllib.request.urlopen(answer["Code"]["Location"]) as response:
        assert response.read() == content
    assert answer["Tags"] == {"team": "a"}
    assert "Concurrency" not in answer


def test_tags_and_concurrency_are_shown_only_where_there_are_any(api, create):
    create()
    api.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=0)
    answer = api.get_function(FunctionName="fn")
    assert "Tags" not in answer
    assert answer["Concurrency"] == {"ReservedConcurrentExecutions": 0}


@pytest.mark.parametrize(
    ("called", "qualifier", "suffix"),
    [
        pytest.param("fn", None, "", id="name"),
        pytest.param("fn:$LATEST", None, ":$LATEST", id="name with qualifier"),
        pytest.param("{account}:function:fn", None, "", id="partial ARN"),
        pytest.param("{arn}", None, "", id="ARN"),
        pytest.param("{arn}:$LATEST", None, ":$LATEST", id="qualified ARN"),
        pytest.param("fn", "$LATEST", ":$LATEST", id="name and qualifier"),
        pytest.param("{arn}:$LATEST", "$LATEST", ":$LATEST", id="the same qualifier twice"),
    ],
)
def test_a_function_is_found_by_name_or_arn(api, create, account, called, qualifier, suffix):
    arn = create()["FunctionArn"]
    params = {"FunctionName": called.format(arn=arn, account=account)}
    params |= {"Qualifier": qualifier} if qualifier else {}
    assert api.get_function_configuration(**params)["FunctionArn"] == arn + suffix
    assert api.get_function(**params)["Configuration"]["FunctionArn"] == arn + suffix


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        pytest.param({"FunctionName": "other"}, "other", id="no such function"),
        pytest.param({"FunctionName": "fn", "Qualifier": "7"}, "fn:7", id="no such version"),
        pytest.param({"FunctionName": "fn:prod"}, "fn:prod", id="no such alias"),
        pytest.param(
            {"FunctionName": "other", "Qualifier": "$LATEST"}, "other:$LATEST", id="qualified"
        ),
    ],
)
def test_what_is_not_there_is_not_found(api, create, refused, account, params, expected):
    create()
    not_found = (
        "ResourceNotFoundException",
        f"Function not found: {function_arn(account, expected)}",
    )
    assert refused(api.get_function, **params) == not_found
    assert refused(api.get_function_configuration, **params) == not_found


def test_a_missing_function_is_404_and_the_callers_fault(api):
    with pytest.raises(api.exceptions.ResourceNotFoundException) as raised:
        api.get_function(FunctionName="fn")
    assert raised.value.response["Type"] == "User"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_a_function_of_another_region_is_out_of_reach(api, create, refused, account):
    create()
    arn = function_arn(account, region="eu-west-1")
    assert refused(api.get_function, FunctionName=arn) == (
        "ResourceNotFoundException",
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
    )


def test_a_function_of_another_account_is_out_of_reach(api, create, refused, account):
    create()
    arn = function_arn("999999999999")
    assert refused(api.get_function, FunctionName=arn) == (
        "AccessDeniedException",
        f"User: arn:aws:iam::{account}:root is not authorized to perform this action on resource: "
        f"{arn} because no resource-based policy allows it",
    )


def test_two_qualifiers_must_agree(api, create, refused):
    create()
    assert refused(api.get_function, FunctionName="fn:1", Qualifier="$LATEST") == (
        "InvalidParameterValueException",
        "The derived qualifier from the function name does not match the specified qualifier.",
    )


def test_a_name_is_taken_once(create, refused):
    create()
    expected = ("ResourceConflictException", "Function already exist: fn")
    assert refused(create) == expected


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        pytest.param(
            {"Runtime": None},
            "InvalidParameterValueException",
            "Runtime and Handler are mandatory parameters for functions created with "
            "deployment packages.",
            id="no runtime",
        ),
        pytest.param(
            {"Handler": None},
            "InvalidParameterValueException",
            "Runtime and Handler are mandatory parameters for functions created with "
            "deployment packages.",
            id="no handler",
        ),
        pytest.param(
            {"Handler": "a b"},
            "ValidationException",
            "1 validation error detected: Value 'a b' at 'handler' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [^\\s]+",
            id="space in the handler",
        ),
        pytest.param(
            {"Role": "role"},
            "ValidationException",
            "1 validation error detected: Value 'role' at 'role' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: "
            "arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
            id="role",
        ),
        pytest.param(
            {"FunctionName": "n" * 65},
            "InvalidParameterValueException",
            f"1 validation error detected: Value '{'n' * 65}' at 'functionName' failed to satisfy "
            "constraint: Member must have length less than or equal to 64",
            id="name too long",
        ),
        pytest.param(
            {"FunctionName": "fn:$LATEST"},
            "ValidationException",
            "1 validation error detected: Value 'fn:$LATEST' at 'functionName' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+",
            id="name with qualifier",
        ),
        pytest.param(
            {"Tags": {f"k{n}": "" for n in range(51)}},
            "InvalidParameterValueException",
            "Number of tags exceeds resource tag limit.",
            id="too many tags",
        ),
        pytest.param(
            {"PackageType": "Image"},
            "NotImplemented",
            "PackageType Image is not supported here yet; see docs/coverage.md.",
            id="image",
        ),
    ],
)
def test_a_bad_request_creates_nothing(api, create, refused, params, code, message):
    assert refused(create, **params) == (code, message)
    assert api.list_functions()["Functions"] == []


def test_a_name_of_64_characters_is_fine(create):
    assert create("n" * 64)["FunctionName"] == "n" * 64


def test_a_function_may_be_created_by_its_arn(create, account):
    assert create(function_arn(account, "by-arn"))["FunctionName"] == "by-arn"


def test_listing_shows_everything_but_the_state(api, create):
    created = create("b")
    create("a")
    functions = api.list_functions()["Functions"]
    assert [function["FunctionName"] for function in functions] == ["a", "b"]
    ours = {"State", "StateReason", "StateReasonCode", "RuntimeVersionConfig", "ResponseMetadata"}
    assert functions[1] == {key: value for key, value in created.items() if key not in ours}


def test_listing_all_versions_shows_qualified_arns(api, create):
    arn = create()["FunctionArn"]
    (function,) = api.list_functions(FunctionVersion="ALL")["Functions"]
    assert function["FunctionArn"] == f"{arn}:$LATEST"


def test_listing_goes_page_by_page_though_functions_come_and_go(api, create):
    for name in "abcde":
        create(name)
    page = api.list_functions(MaxItems=2)
    assert [function["FunctionName"] for function in page["Functions"]] == ["a", "b"]
    api.delete_function(FunctionName="b")
    page = api.list_functions(MaxItems=2, Marker=page["NextMarker"])
    assert [function["FunctionName"] for function in page["Functions"]] == ["c", "d"]
    page = api.list_functions(MaxItems=2, Marker=page["NextMarker"])
    assert [function["FunctionName"] for function in page["Functions"]] == ["e"]
    assert "NextMarker" not in page


def test_a_page_holds_50_functions_at_most(api, create):
    for number in range(51):
        create(f"f{number:02}")
    pages = list(api.get_paginator("list_functions").paginate())
    assert [len(page["Functions"]) for page in pages] == [50, 1]
    assert len(api.list_functions(MaxItems=10_000)["Functions"]) == 50


@pytest.mark.parametrize("marker", ["?", "a", "gICA"])
def test_a_marker_must_have_been_handed_out(api, refused, marker):
    code, message = refused(api.list_functions, Marker=marker)
    assert (code, message) == ("InvalidParameterValueException", f"Invalid Marker: {marker}")


def test_deleting_a_function_deletes_all_of_it(api, create, refused, account):
    create(Tags={"team": "a"})
    answer = api.delete_function(FunctionName="fn")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    expected = ("ResourceNotFoundException", f"Function not found: {function_arn(account)}")
    assert refused(api.delete_function, FunctionName="fn") == expected
    create()
    assert "Tags" not in api.get_function(FunctionName="fn")


def test_the_latest_version_alone_cannot_be_deleted(api, create, refused):
    create()
    assert refused(api.delete_function, FunctionName="fn", Qualifier="$LATEST") == (
        "InvalidParameterValueException",
        "$LATEST version cannot be deleted without deleting the function.",
    )
    assert api.get_function(FunctionName="fn")


def test_accounts_do_not_see_each_other(api, create, url):
    create()
    other = client("lambda", url, access_key="999999999999")
    assert other.list_functions()["Functions"] == []
    with pytest.raises(ClientError, match="Function not found"):
        other.get_function(FunctionName="fn")
