"""Published versions: what they keep, and what may be done with them."""

import pytest

ARN = "arn:aws:lambda:us-east-1:{}:function:fn"


def publish(api, **params):
    return api.publish_version(FunctionName="fn", **params)


@pytest.fixture
def change(api, archive):
    """`change("x = 2")` gives the function other code."""
    return lambda source, **params: api.update_function_code(
        FunctionName="fn", ZipFile=archive(app=source), **params
    )


def test_versions_are_numbered_from_one(api, create, change, account):
    create(Description="mine")
    first = publish(api)
    assert (first["Version"], first["FunctionArn"]) == ("1", ARN.format(account) + ":1")
    assert (first["State"], first["LastUpdateStatus"]) == ("Active", "Successful")
    change("x = 2")
    second = publish(api, Description="second")
    assert (second["Version"], second["Description"]) == ("2", "second")
    api.get_waiter("published_version_active").wait(FunctionName="fn", Qualifier="2")


def test_a_version_stays_as_it_was_published(api, create, change):
    before = create(Description="mine", Timeout=7, Environment={"Variables": {"KEY": "1"}})
    publish(api)
    change("x = 2")
    api.update_function_configuration(
        FunctionName="fn", Timeout=8, Description="", Environment={"Variables": {}}
    )
    kept = api.get_function_configuration(FunctionName="fn", Qualifier="1")
    assert (kept["CodeSha256"], kept["Timeout"]) == (before["CodeSha256"], 7)
    assert kept["Environment"] == {"Variables": {"KEY": "1"}}
    assert kept["LastModified"] == before["LastModified"]
    assert kept["RevisionId"] != before["RevisionId"]


@pytest.mark.parametrize(
    "between",
    [
        pytest.param(lambda api, change: None, id="nothing"),
        pytest.param(lambda api, change: change("x = 1"), id="the same code again"),
        pytest.param(
            lambda api, change: api.update_function_configuration(FunctionName="fn", Timeout=3),
            id="the same settings again",
        ),
        pytest.param(
            lambda api, change: api.put_function_concurrency(
                FunctionName="fn", ReservedConcurrentExecutions=1
            ),
            id="concurrency",
        ),
        pytest.param(
            lambda api, change: api.add_permission(
                FunctionName="fn", StatementId="s", Action="lambda:*", Principal="*"
            ),
            id="policy",
        ),
    ],
)
def test_nothing_is_published_where_code_and_settings_are_the_same(
    api, create, archive, change, between
):
    create(Code={"ZipFile": archive(app="x = 1")})
    first = publish(api, Description="first")
    between(api, change)
    again = publish(api, Description="again")
    assert (again["Version"], again["Description"]) == ("1", "first")
    assert (again["RevisionId"], again["State"]) == (first["RevisionId"], "Active")


def test_a_changed_setting_is_reason_enough_for_a_version(api, create):
    create()
    publish(api)
    api.update_function_configuration(FunctionName="fn", Description="other")
    assert publish(api)["Version"] == "2"


def test_publishing_is_refused_for_other_code_or_another_revision(api, create, change, refused):
    created = create()
    present = change("x = 2")
    wrong = created["CodeSha256"]
    assert refused(api.publish_version, FunctionName="fn", CodeSha256=wrong) == (
        "InvalidParameterValueException",
        f"CodeSHA256 ({wrong}) is different from current CodeSHA256 in $LATEST "
        f"({present['CodeSha256']}). Please try again with the CodeSHA256 in $LATEST.",
    )
    code, _ = refused(api.publish_version, FunctionName="fn", RevisionId=created["RevisionId"])
    assert code == "PreconditionFailedException"
    right = {"CodeSha256": present["CodeSha256"], "RevisionId": present["RevisionId"]}
    assert publish(api, **right)["Version"] == "1"


def test_creating_and_updating_can_publish(api, create, change, account):
    created = create(Publish=True)
    assert (created["Version"], created["FunctionArn"]) == ("1", ARN.format(account))
    updated = change("x = 2", Publish=True)
    assert (updated["Version"], updated["FunctionArn"]) == ("2", ARN.format(account) + ":2")
    assert (updated["State"], "LastUpdateStatus" in updated) == ("Pending", False)
    assert change("x = 3", Publish=True, DryRun=True)["Version"] == "$LATEST"
    assert len(api.list_versions_by_function(FunctionName="fn")["Versions"]) == 3


def test_a_new_version_changes_the_revision_of_latest(api, create):
    create()

    def latest():
        return api.get_function_configuration(FunctionName="fn")["RevisionId"]

    before = latest()
    publish(api, RevisionId=before)
    after = latest()
    assert after != before
    publish(api)  # nothing new
    assert latest() == after


def test_versions_are_listed_in_order_by_pages(api, create, account):
    create()
    for number in range(1, 13):
        api.update_function_configuration(FunctionName="fn", Description=str(number))
        publish(api)
    pages = api.get_paginator("list_versions_by_function").paginate(
        FunctionName="fn", PaginationConfig={"PageSize": 5}
    )
    pages = [page["Versions"] for page in pages]
    assert [len(page) for page in pages] == [5, 5, 3]
    listed = [version for page in pages for version in page]
    numbers = ["$LATEST", *map(str, range(1, 13))]
    assert [version["Version"] for version in listed] == numbers
    assert [each["FunctionArn"] for each in listed] == [
        f"{ARN.format(account)}:{number}" for number in numbers
    ]
    assert "State" not in listed[0]


def test_every_version_of_every_function_can_be_listed(api, create, account):
    create("one", Publish=True)
    create("two")
    listed = api.list_functions(FunctionVersion="ALL")["Functions"]
    assert [(each["FunctionName"], each["Version"]) for each in listed] == [
        ("one", "$LATEST"),
        ("one", "1"),
        ("two", "$LATEST"),
    ]
    assert api.list_functions(FunctionVersion="ALL", MasterRegion="us-east-1")["Functions"] == []
    assert [each["Version"] for each in api.list_functions()["Functions"]] == ["$LATEST"] * 2


def test_a_master_region_needs_all_versions(api, refused):
    code, _ = refused(api.list_functions, MasterRegion="us-east-1")
    assert code == "InvalidParameterValueException"


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda account: {"FunctionName": "fn", "Qualifier": "1"}, id="qualifier"),
        pytest.param(lambda account: {"FunctionName": "fn:1"}, id="name"),
        pytest.param(lambda account: {"FunctionName": "function:fn:1"}, id="function:"),
        pytest.param(lambda account: {"FunctionName": f"{account}:function:fn:1"}, id="account"),
        pytest.param(
            lambda account: {"FunctionName": f"us-east-1:{account}:function:fn:1"}, id="region"
        ),
        pytest.param(lambda account: {"FunctionName": ARN.format(account) + ":1"}, id="ARN"),
        pytest.param(
            lambda account: {"FunctionName": ARN.format(account) + ":1", "Qualifier": "1"},
            id="both",
        ),
        pytest.param(lambda account: {"FunctionName": "fn:live"}, id="alias"),
        pytest.param(
            lambda account: {"FunctionName": ARN.format(account), "Qualifier": "live"},
            id="alias beside an ARN",
        ),
    ],
)
def test_a_version_is_found_by_every_form_of_its_name(api, create, account, call):
    create(Publish=True)
    api.update_function_configuration(FunctionName="fn", Description="newer")
    api.create_alias(FunctionName="fn", Name="live", FunctionVersion="1")
    found = api.get_function(**call(account))["Configuration"]
    assert (found["Version"], found["Description"]) == ("1", "")
    assert api.get_function_configuration(**call(account))["Version"] == "1"


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        pytest.param(
            {"FunctionName": "fn:1", "Qualifier": "2"},
            "InvalidParameterValueException",
            "The derived qualifier from the function name does not match the specified qualifier.",
            id="two qualifiers",
        ),
        pytest.param(
            {"FunctionName": "fn", "Qualifier": "7"},
            "ResourceNotFoundException",
            "Function not found: arn:aws:lambda:us-east-1:{account}:function:fn:7",
            id="no such version",
        ),
    ],
)
def test_what_is_not_there_is_not_found(api, create, account, refused, params, code, message):
    create(Publish=True)
    assert refused(api.get_function, **params) == (code, message.format(account=account))


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param("update_function_configuration", id="configuration"),
        pytest.param("publish_version", id="publish"),
        pytest.param("get_function_concurrency", id="concurrency"),
    ],
)
def test_what_concerns_the_function_takes_no_version(api, create, refused, operation):
    create(Publish=True)
    code, message = refused(getattr(api, operation), FunctionName="fn:1")
    assert code == "InvalidParameterValueException"
    assert "Aliases and versions do not support this operation" in message


# Deletion


def test_a_version_can_be_deleted_and_its_number_is_not_used_again(api, create, refused):
    create(Publish=True)
    api.delete_function(FunctionName="fn", Qualifier="1")
    code, _ = refused(api.get_function, FunctionName="fn:1")
    assert code == "ResourceNotFoundException"
    assert api.delete_function(FunctionName="fn:1")["StatusCode"] == 204  # again: no error
    assert publish(api)["Version"] == "2"


def test_no_version_of_a_function_that_is_not_there_can_be_deleted(api, refused, account):
    assert refused(api.delete_function, FunctionName="fn", Qualifier="1") == (
        "ResourceNotFoundException",
        f"Function not found: {ARN.format(account)}",
    )


@pytest.mark.parametrize("weights", [{}, {"2": 0.1}], ids=["of an alias", "with a weight"])
def test_a_version_to_which_an_alias_leads_is_kept(api, create, change, refused, weights):
    create(Publish=True)
    change("x = 2", Publish=True)
    version = "2" if weights else "1"
    api.create_alias(
        FunctionName="fn",
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": weights},
    )
    assert refused(api.delete_function, FunctionName="fn", Qualifier=version) == (
        "ResourceConflictException",
        "Unable to delete version because the following aliases reference it: [live]",
    )


@pytest.mark.parametrize(
    ("qualifier", "message"),
    [
        ("$LATEST", "$LATEST version cannot be deleted without deleting the function."),
        ("live", "Deletion of aliases is not currently supported."),
    ],
)
def test_only_numbers_can_be_deleted(api, create, refused, qualifier, message):
    create()
    assert refused(api.delete_function, FunctionName="fn", Qualifier=qualifier) == (
        "InvalidParameterValueException",
        message,
    )


def test_everything_goes_with_the_function_but_the_count(api, create, refused):
    create(Publish=True)
    api.create_alias(FunctionName="fn", Name="live", FunctionVersion="1")
    api.delete_function(FunctionName="fn")
    assert api.list_functions(FunctionVersion="ALL")["Functions"] == []
    assert create(Publish=True)["Version"] == "2"
    code, _ = refused(api.get_alias, FunctionName="fn", Name="live")
    assert code == "ResourceNotFoundException"
    versions = api.list_versions_by_function(FunctionName="fn")["Versions"]
    assert [each["Version"] for each in versions] == ["$LATEST", "2"]


# Policies


def allow(api, qualifier=None, **params):
    return api.add_permission(
        FunctionName="fn",
        **({"Qualifier": qualifier} if qualifier else {}),
        **{"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "*", **params},
    )


def test_each_qualifier_has_a_policy_of_its_own(api, create, account, refused):
    create(Publish=True)
    api.create_alias(FunctionName="fn", Name="live", FunctionVersion="1")
    for qualifier in (None, "1", "live"):
        resource = ARN.format(account) + (f":{qualifier}" if qualifier else "")
        assert f'"Resource":"{resource}"' in allow(api, qualifier)["Statement"]
    api.remove_permission(FunctionName="fn", Qualifier="1", StatementId="s")
    code, _ = refused(api.get_policy, FunctionName="fn", Qualifier="1")
    assert code == "ResourceNotFoundException"
    assert "live" in api.get_policy(FunctionName="fn:live")["Policy"]
    assert "live" not in api.get_policy(FunctionName="fn")["Policy"]


def test_a_policy_changes_the_revision_of_its_qualifier_alone(api, create, refused):
    create(Publish=True)
    latest = api.get_function_configuration(FunctionName="fn")["RevisionId"]
    before = api.get_function_configuration(FunctionName="fn:1")["RevisionId"]
    allow(api, "1", RevisionId=before)
    code, _ = refused(allow, api=api, qualifier="1", StatementId="t", RevisionId=before)
    assert code == "PreconditionFailedException"
    after = api.get_policy(FunctionName="fn:1")["RevisionId"]
    assert after == api.get_function_configuration(FunctionName="fn:1")["RevisionId"] != before
    assert api.get_function_configuration(FunctionName="fn")["RevisionId"] == latest


@pytest.mark.parametrize("qualifier", ["7", "none"])
def test_what_is_not_there_has_no_policy(api, create, refused, qualifier):
    create()
    assert refused(api.get_policy, FunctionName="fn", Qualifier=qualifier) == (
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )


def test_a_policy_for_what_no_alias_can_be_called_is_refused(api, create, account, refused):
    create()
    message = f"Function not found: {ARN.format(account)}:a$b"
    assert refused(allow, api=api, qualifier="a$b") == ("ResourceNotFoundException", message)


def test_a_policy_for_an_alias_that_is_not_there_is_refused(api, create, account, refused):
    create()
    message = f"Cannot find alias arn: {ARN.format(account)}:live"
    assert refused(allow, api=api, qualifier="live") == ("ResourceNotFoundException", message)
