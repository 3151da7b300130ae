"""Aliases: what they may point to."""

import pytest

ARN = "arn:aws:lambda:us-east-1:{}:function:fn"
VALUES = (
    "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, "
    "Member must have value greater than or equal to 0.0, Member must not be null]"
)
KEYS = (
    "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, "
    "Member must have length greater than or equal to 1, "
    "Member must satisfy regular expression pattern: [0-9]+, Member must not be null]"
)


@pytest.fixture
def versions(api, create, archive):
    """Make a function with the versions 1, 2 and 3."""
    create()
    for number in (1, 2, 3):
        archived = archive(app=f"x = {number}")
        api.update_function_code(FunctionName="fn", ZipFile=archived, Publish=True)


@pytest.fixture
def alias(api, versions):
    """`alias(Name="other")` creates an alias of version 1."""
    return lambda **params: shown(
        api.create_alias(**{"FunctionName": "fn", "Name": "live", "FunctionVersion": "1", **params})
    )


def shown(answer):
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def weights(**of):
    return {"AdditionalVersionWeights": {name.lstrip("v"): weight for name, weight in of.items()}}


def test_an_alias_is_shown_as_it_was_created(api, alias, account):
    made = alias(Description="prod", RoutingConfig=weights(v2=0.25))
    assert made == {
        "AliasArn": f"{ARN.format(account)}:live",
        "Name": "live",
        "FunctionVersion": "1",
        "Description": "prod",
        "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.25}},
        "RevisionId": made["RevisionId"],
    }
    assert shown(api.get_alias(FunctionName="fn", Name="live")) == made
    assert "RoutingConfig" not in alias(Name="plain", FunctionVersion="$LATEST")


def test_what_is_not_given_stays_when_an_alias_is_updated(api, alias):
    made = alias(Description="prod", RoutingConfig=weights(v2=0.25))
    named = {"FunctionName": "fn", "Name": "live"}
    updated = shown(api.update_alias(**named, FunctionVersion="3"))
    assert updated == {**made, "FunctionVersion": "3", "RevisionId": updated["RevisionId"]}
    assert updated["RevisionId"] != made["RevisionId"]
    assert api.update_alias(**named, Description="")["Description"] == ""
    assert "RoutingConfig" not in api.update_alias(**named, RoutingConfig=weights())


def test_an_alias_is_updated_at_the_revision_that_was_seen_only(api, alias, refused):
    made = alias()
    named = {"FunctionName": "fn", "Name": "live", "RevisionId": made["RevisionId"]}
    api.update_alias(**named, FunctionVersion="2")
    assert refused(api.update_alias, **named, FunctionVersion="3") == (
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. "
        "Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
    )


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        pytest.param(
            {"FunctionVersion": "7"},
            "ResourceNotFoundException",
            "Function not found: {arn}:7",
            id="no such version",
        ),
        pytest.param(
            {"RoutingConfig": weights(v7=0.1)},
            "ResourceNotFoundException",
            "Function not found: {arn}:7",
            id="no such version by weight",
        ),
        pytest.param(
            {"RoutingConfig": weights(v1=0.1)},
            "InvalidParameterValueException",
            "Invalid function version 1. Function version 1 is already included in routing "
            "configuration.",
            id="twice the same",
        ),
        pytest.param(
            {"RoutingConfig": weights(v2=0.1, v3=0.1)},
            "InvalidParameterValueException",
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
            id="three versions",
        ),
        pytest.param(
            {"FunctionVersion": "$LATEST", "RoutingConfig": weights(v2=0.1)},
            "InvalidParameterValueException",
            "$LATEST is not supported for an alias pointing to more than 1 version",
            id="$LATEST with weights",
        ),
        pytest.param(
            {"RoutingConfig": weights(v2=1.5)},
            "ValidationException",
            "1 validation error detected: Value '{{2=1.5}}' at "
            f"'routingConfig.additionalVersionWeights' failed to satisfy constraint: {VALUES}",
            id="more than all",
        ),
        pytest.param(
            {"RoutingConfig": weights(live=0.5)},
            "ValidationException",
            "1 validation error detected: Value '{{live=0.5}}' at "
            f"'routingConfig.additionalVersionWeights' failed to satisfy constraint: {KEYS}",
            id="no number",
        ),
        pytest.param(
            {"Name": "12"},
            "ValidationException",
            "1 validation error detected: Value '12' at 'name' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)",
            id="a number as name",
        ),
        pytest.param(
            {"Name": "taken"},
            "ResourceConflictException",
            "Alias already exists: {arn}:taken",
            id="twice",
        ),
    ],
)
def test_a_bad_alias_is_refused(api, alias, account, refused, params, code, message):
    alias(Name="taken")
    message = message.format(arn=ARN.format(account))
    assert refused(alias, **params) == (code, message)
    assert [each["Name"] for each in api.list_aliases(FunctionName="fn")["Aliases"]] == ["taken"]


def test_an_update_must_leave_a_possible_alias(api, alias, refused):
    alias(RoutingConfig=weights(v2=0.5))
    for version in ("2", "$LATEST"):
        code, _ = refused(api.update_alias, FunctionName="fn", Name="live", FunctionVersion=version)
        assert code == "InvalidParameterValueException"


def test_aliases_are_listed_by_name_and_by_version(api, alias):
    alias(Name="b", FunctionVersion="2")
    alias(Name="a")
    alias(Name="c", RoutingConfig=weights(v3=0.5))
    pages = api.get_paginator("list_aliases").paginate(
        FunctionName="fn", PaginationConfig={"PageSize": 2}
    )
    pages = [[each["Name"] for each in page["Aliases"]] for page in pages]
    assert pages == [["a", "b"], ["c"]]
    for version, names in {"1": ["a", "c"], "3": ["c"], "$LATEST": []}.items():
        found = api.list_aliases(FunctionName="fn", FunctionVersion=version)["Aliases"]
        assert [each["Name"] for each in found] == names


def test_a_deleted_alias_is_gone_and_deleting_again_is_no_error(api, alias, account, refused):
    alias()
    for _ in range(2):
        api.delete_alias(FunctionName="fn", Name="live")
    arn = f"{ARN.format(account)}:live"
    assert refused(api.get_alias, FunctionName="fn", Name="live") == (
        "ResourceNotFoundException",
        f"Cannot find alias arn: {arn}",
    )
    assert refused(api.update_alias, FunctionName="fn", Name="live", Description="") == (
        "ResourceNotFoundException",
        f"Alias not found: {arn}",
    )


def test_an_alias_needs_its_function(api, refused, account):
    params = {"FunctionName": "fn", "Name": "live", "FunctionVersion": "$LATEST"}
    message = f"Function not found: {ARN.format(account)}:$LATEST"
    assert refused(api.create_alias, **params) == ("ResourceNotFoundException", message)


def test_a_configuration_by_alias_has_its_arn(api, alias, account):
    alias(FunctionVersion="2")
    found = api.get_function_configuration(FunctionName="fn:live")
    assert (found["Version"], found["FunctionArn"]) == ("2", f"{ARN.format(account)}:live")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param(
            {"Role": "arn:aws:iam::123456789012:role/other"},
            "Specified versions must be associated with the same execution role",
            id="roles",
        ),
        pytest.param(
            {"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:q"}},
            "Specified versions must have the same dead letter queue",
            id="dead letter queues",
        ),
    ],
)
def test_versions_that_share_an_alias_are_alike(api, alias, refused, changed, message):
    alias()
    api.update_function_configuration(FunctionName="fn", **changed)
    version = api.publish_version(FunctionName="fn")["Version"]
    named = {"FunctionName": "fn", "Name": "live"}
    refusal = ("InvalidParameterValueException", message)
    assert refused(api.update_alias, **named, RoutingConfig=weights(v4=0.5)) == refusal
    assert api.update_alias(**named, FunctionVersion=version)["FunctionVersion"] == "4"
