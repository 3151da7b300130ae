"""Function URL configurations: their operations and checks."""

from collections.abc import Iterator
from typing import Any

import pytest

from albatross.lambda_ import OPERATIONS
from albatross.lambda_.function_urls import FunctionUrls
from tests.support.server import client, serve

NO_FUNCTION = "Function does not exist"
NO_RESOURCE = "The resource you requested does not exist."
CORS = {
    "AllowCredentials": True,
    "AllowHeaders": ["x-a"],
    "AllowMethods": ["GET", "*"],
    "AllowOrigins": ["https://a.example"],
    "ExposeHeaders": [],
    "MaxAge": 0,
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve({"lambda": {**OPERATIONS, **FunctionUrls(4567).operations()}}) as url:
        yield url


@pytest.fixture
def api(url: str, account: str) -> Any:
    return client("lambda", url, access_key=account, parameter_validation=False)


def test_the_url_stays_while_what_it_does_changes(api, create, account):
    create("fn")
    made = api.create_function_url_config(FunctionName="fn", AuthType="NONE", Cors=CORS)
    host, _, rest = made["FunctionUrl"].removeprefix("http://").partition(".")
    assert len(host) == 32
    assert rest == "lambda-url.us-east-1.localhost:4567/"
    assert made["FunctionArn"] == f"arn:aws:lambda:us-east-1:{account}:function:fn"
    assert (made["AuthType"], made["InvokeMode"], made["Cors"]) == ("NONE", "BUFFERED", CORS)
    assert "LastModifiedTime" not in made
    changed = api.update_function_url_config(FunctionName="fn", AuthType="AWS_IAM")
    assert changed["FunctionUrl"] == made["FunctionUrl"]
    assert (changed["AuthType"], changed["Cors"]) == ("AWS_IAM", CORS)
    assert changed["LastModifiedTime"] >= changed["CreationTime"] == made["CreationTime"]
    without = api.update_function_url_config(FunctionName="fn", Cors={})
    assert "Cors" not in without
    got = api.get_function_url_config(FunctionName="fn")
    del got["ResponseMetadata"], without["ResponseMetadata"]
    assert got == without
    assert (
        api.delete_function_url_config(FunctionName="fn")["ResponseMetadata"]["HTTPStatusCode"]
        == 204
    )
    again = api.create_function_url_config(FunctionName="fn", AuthType="NONE")
    assert again["FunctionUrl"] != made["FunctionUrl"]


def test_aliases_have_their_own_and_all_are_listed(api, create):
    create("fn", Publish=True)
    for name in ("live", "test"):
        api.create_alias(FunctionName="fn", Name=name, FunctionVersion="1")
        api.create_function_url_config(FunctionName="fn", Qualifier=name, AuthType="NONE")
    api.create_function_url_config(FunctionName="fn", AuthType="NONE")
    first = api.list_function_url_configs(FunctionName="fn", MaxItems=2)
    rest = api.list_function_url_configs(FunctionName="fn", Marker=first["NextMarker"])
    listed = first["FunctionUrlConfigs"] + rest["FunctionUrlConfigs"]
    assert [one["FunctionArn"].rpartition(":")[2] for one in listed] == ["fn", "live", "test"]
    assert len({one["FunctionUrl"] for one in listed}) == 3
    api.delete_alias(FunctionName="fn", Name="live")
    assert len(api.list_function_url_configs(FunctionName="fn")["FunctionUrlConfigs"]) == 2
    version = api.publish_version(FunctionName="fn", Description="x")
    assert version["ResponseMetadata"]["HTTPStatusCode"] == 201


def test_a_function_url_is_no_part_of_a_version(api, create):
    create("fn", Publish=True)
    api.create_function_url_config(FunctionName="fn", AuthType="NONE")
    api.put_function_event_invoke_config(FunctionName="fn", MaximumRetryAttempts=1)
    assert api.publish_version(FunctionName="fn")["Version"] == "1"


def test_there_is_one_at_most(api, create, refused, account):
    create("fn")
    api.create_function_url_config(FunctionName="fn", AuthType="NONE")
    arn = f"arn:aws:lambda:us-east-1:{account}:function:fn"
    assert refused(api.create_function_url_config, FunctionName="fn", AuthType="NONE") == (
        "ResourceConflictException",
        f"Failed to create function url config for [functionArn = {arn}]. "
        "Error message:  FunctionUrlConfig exists for this Lambda function",
    )


@pytest.mark.parametrize(
    "operation, params, code",
    [
        pytest.param("create", {"FunctionName": "none"}, "ResourceNotFoundException", id="none"),
        pytest.param("create", {"Qualifier": "gone"}, "ResourceNotFoundException", id="no alias"),
        pytest.param("create", {"Qualifier": "1"}, "ValidationException", id="a version"),
        pytest.param("create", {"AuthType": "X"}, "ValidationException", id="another type"),
        pytest.param(
            "create",
            {"Cors": {"AllowMethods": ["BREW"]}},
            "InvalidParameterValueException",
            id="method",
        ),
    ],
)
def test_what_is_not_possible_is_refused(api, create, refused, operation, params, code):
    create("fn", Publish=True)
    given = {"FunctionName": "fn", **({"AuthType": "NONE"} if operation == "create" else {})}
    found, _ = refused(getattr(api, f"{operation}_function_url_config"), **{**given, **params})
    assert found == code


@pytest.mark.parametrize(
    "operation, of_function, of_url",
    [
        pytest.param("get", NO_RESOURCE, NO_RESOURCE, id="get"),
        pytest.param("update", NO_FUNCTION, NO_RESOURCE, id="update"),
        pytest.param("delete", NO_RESOURCE, NO_RESOURCE, id="delete"),
    ],
)
def test_what_is_missing_is_said_in_aws_words(api, create, refused, operation, of_function, of_url):
    create("fn")
    call = getattr(api, f"{operation}_function_url_config")
    for name in ("none", "fn:gone"):
        assert refused(call, FunctionName=name) == ("ResourceNotFoundException", of_function)
    assert refused(call, FunctionName="fn") == ("ResourceNotFoundException", of_url)


def test_a_function_that_is_not_there_has_no_url(api, refused):
    expected = ("ResourceNotFoundException", NO_FUNCTION)
    params = {"FunctionName": "none"}
    assert refused(api.list_function_url_configs, **params) == expected
    assert refused(api.create_function_url_config, AuthType="NONE", **params) == expected


def test_the_invoke_mode_is_buffered_until_it_is_said(api, create):
    create("fn")
    made = api.create_function_url_config(FunctionName="fn", AuthType="NONE")
    changed = api.update_function_url_config(FunctionName="fn", InvokeMode="RESPONSE_STREAM")
    kept = api.update_function_url_config(FunctionName="fn", AuthType="NONE")
    modes = [one["InvokeMode"] for one in (made, changed, kept)]
    assert modes == ["BUFFERED", "RESPONSE_STREAM", "RESPONSE_STREAM"]


def test_a_server_without_a_port_for_them_says_so(account, refused):
    with serve({"lambda": {**OPERATIONS, **FunctionUrls(0).operations()}}) as url:
        api = client("lambda", url, access_key=account)
        code, text = refused(api.create_function_url_config, FunctionName="fn", AuthType="NONE")
        assert (code, "function_url_port" in text) == ("InvalidParameterValueException", True)
