"""Provisioned concurrency: what may be asked for. What becomes of it: `tests/e2e`."""

import pytest

BELOW = (
    "Specified ConcurrentExecutions for function decreases account's "
    "UnreservedConcurrentExecution below its minimum value of [100]."
)


@pytest.fixture
def put(api, create, archive):
    """A function with the versions 1 and 2, and aliases of them; `put("1", 5)`."""
    create(Publish=True)
    api.update_function_code(FunctionName="fn", ZipFile=archive(app="x = 2"), Publish=True)
    for name, version in {"one": "1", "two": "2", "latest": "$LATEST"}.items():
        api.create_alias(FunctionName="fn", Name=name, FunctionVersion=version)
    return lambda qualifier, count: api.put_provisioned_concurrency_config(
        FunctionName="fn", Qualifier=qualifier, ProvisionedConcurrentExecutions=count
    )


def unreserved(api):
    return api.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]


def test_environments_are_asked_for_and_given_up(api, put):
    answer = put("1", 5)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["RequestedProvisionedConcurrentExecutions"] == 5
    assert (answer["Status"], answer["AllocatedProvisionedConcurrentExecutions"]) == (
        "IN_PROGRESS",
        0,
    )
    put("two", 7)
    assert unreserved(api) == 988
    put("two", 3)  # instead
    assert unreserved(api) == 992
    for _ in range(2):
        api.delete_provisioned_concurrency_config(FunctionName="fn", Qualifier="1")
    assert unreserved(api) == 997


def test_it_counts_within_the_reservation_of_a_function(api, put, refused):
    api.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=10)
    put("1", 6)
    assert unreserved(api) == 990
    assert refused(put, qualifier="2", count=5) == (
        "InvalidParameterValueException",
        "Requested Provisioned Concurrency should not be greater than the "
        "reservedConcurrentExecution for function",
    )
    put("2", 4)
    code, message = refused(
        api.put_function_concurrency, FunctionName="fn", ReservedConcurrentExecutions=9
    )
    assert code == "InvalidParameterValueException"
    assert message.endswith("function's total provisioned concurrency [10].")
    api.delete_function_concurrency(FunctionName="fn")
    assert unreserved(api) == 990


@pytest.mark.parametrize(
    ("qualifier", "count", "code", "message"),
    [
        pytest.param(
            "1",
            0,
            "ValidationException",
            "1 validation error detected: Value '0' at 'provisionedConcurrentExecutions' failed to "
            "satisfy constraint: Member must have value greater than or equal to 1",
            id="none",
        ),
        pytest.param(
            "$LATEST",
            1,
            "InvalidParameterValueException",
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
            id="$LATEST",
        ),
        pytest.param(
            "latest",
            1,
            "InvalidParameterValueException",
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
            id="alias of $LATEST",
        ),
        pytest.param("1", 901, "InvalidParameterValueException", BELOW, id="nearly all"),
        pytest.param(
            "1",
            1001,
            "InvalidParameterValueException",
            "Specified ConcurrentExecutions for function is greater than account's unreserved "
            "concurrency [1000].",
            id="more than all",
        ),
        pytest.param(
            "7",
            1,
            "ResourceNotFoundException",
            "Function not found: arn:aws:lambda:us-east-1:{}:function:fn:7",
            id="no such version",
        ),
        pytest.param(
            "nothing",
            1,
            "ResourceNotFoundException",
            "Cannot find alias arn: arn:aws:lambda:us-east-1:{}:function:fn:nothing",
            id="no such alias",
        ),
    ],
)
def test_what_cannot_be_provisioned_is_refused(
    api, put, account, refused, qualifier, count, code, message
):
    assert refused(put, qualifier=qualifier, count=count) == (code, message.format(account))
    assert unreserved(api) == 1000


@pytest.mark.parametrize(
    ("name", "qualifier", "code", "message"),
    [
        pytest.param(
            "fn",
            "$LATEST",
            "InvalidParameterValueException",
            "The function resource provided must be an alias or a published version.",
            id="$LATEST",
        ),
        pytest.param(
            "none",
            "1",
            "ResourceNotFoundException",
            "Function not found: arn:aws:lambda:us-east-1:{}:function:none:1",
            id="version of no function",
        ),
        pytest.param(
            "none",
            "live",
            "ResourceNotFoundException",
            "Cannot find alias arn: arn:aws:lambda:us-east-1:{}:function:none:live",
            id="alias of no function",
        ),
    ],
)
def test_what_was_never_provisioned_is_refused(
    api, put, account, refused, name, qualifier, code, message
):
    delete = api.delete_provisioned_concurrency_config
    expected = (code, message.format(account))
    assert refused(delete, FunctionName=name, Qualifier=qualifier) == expected


def test_a_version_is_provisioned_by_itself_or_by_an_alias(put, refused):
    put("1", 1)
    assert refused(put, qualifier="one", count=1) == (
        "ResourceConflictException",
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned "
        "version",
    )
    put("two", 1)
    assert refused(put, qualifier="2", count=1) == (
        "ResourceConflictException",
        "Version is pointed by a Provisioned Concurrency alias",
    )


def test_reservations_leave_what_is_provisioned(api, create, put, refused):
    put("1", 100)
    create("other")
    reserve = {"FunctionName": "other", "ReservedConcurrentExecutions": 801}
    code, _ = refused(api.put_function_concurrency, **reserve)
    assert code == "InvalidParameterValueException"
    reserve["ReservedConcurrentExecutions"] = 800
    api.put_function_concurrency(**reserve)
    assert unreserved(api) == 100


def test_what_is_provisioned_goes_with_its_alias(api, put):
    put("one", 10)
    api.delete_alias(FunctionName="fn", Name="one")
    assert unreserved(api) == 1000


def test_a_provisioned_alias_cannot_lead_to_latest(api, put, refused):
    put("one", 10)
    code, _ = refused(api.update_alias, FunctionName="fn", Name="one", FunctionVersion="$LATEST")
    assert code == "InvalidParameterValueException"
