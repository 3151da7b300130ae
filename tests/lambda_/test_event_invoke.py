"""Event invoke configurations: their operations and checks."""

import pytest

OPERATIONS = ("put", "update", "get", "delete")


def arn(account: str, name: str) -> str:
    return f"arn:aws:lambda:us-east-1:{account}:function:{name}"


def test_put_replaces_and_update_keeps_what_is_not_given(api, create, account):
    create("fn")
    create("other")
    to = {"OnSuccess": {"Destination": arn(account, "other")}}
    put = api.put_function_event_invoke_config(
        FunctionName="fn", MaximumRetryAttempts=0, DestinationConfig=to
    )
    assert put["FunctionArn"] == f"{arn(account, 'fn')}:$LATEST"
    assert put["MaximumRetryAttempts"] == 0
    assert "MaximumEventAgeInSeconds" not in put
    assert put["DestinationConfig"] == {**to, "OnFailure": {}}
    updated = api.update_function_event_invoke_config(
        FunctionName="fn", MaximumEventAgeInSeconds=60
    )
    assert updated["MaximumRetryAttempts"] == 0
    assert updated["MaximumEventAgeInSeconds"] == 60
    assert updated["DestinationConfig"] == {**to, "OnFailure": {}}
    without = api.update_function_event_invoke_config(
        FunctionName="fn", DestinationConfig={"OnSuccess": {"Destination": ""}}
    )
    assert without["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {}}
    api.put_function_event_invoke_config(FunctionName="fn", MaximumRetryAttempts=1)
    got = api.get_function_event_invoke_config(FunctionName="fn")
    assert got["MaximumRetryAttempts"] == 1
    assert "MaximumEventAgeInSeconds" not in got
    api.delete_function_event_invoke_config(FunctionName="fn")


def test_each_qualifier_has_its_own_and_they_are_listed(api, create, account):
    create("fn", Publish=True)
    api.create_alias(FunctionName="fn", Name="live", FunctionVersion="1")
    for qualifier in ("$LATEST", "1", "live"):
        api.put_function_event_invoke_config(
            FunctionName="fn", Qualifier=qualifier, MaximumRetryAttempts=1
        )
    first = api.list_function_event_invoke_configs(FunctionName="fn", MaxItems=2)
    rest = api.list_function_event_invoke_configs(FunctionName="fn", Marker=first["NextMarker"])
    listed = first["FunctionEventInvokeConfigs"] + rest["FunctionEventInvokeConfigs"]
    assert [one["FunctionArn"].rpartition(":")[2] for one in listed] == ["$LATEST", "1", "live"]
    api.delete_function_event_invoke_config(FunctionName="fn", Qualifier="1")
    left = api.list_function_event_invoke_configs(FunctionName="fn")
    assert len(left["FunctionEventInvokeConfigs"]) == 2
    published = api.publish_version(FunctionName="fn", Description="next")["Version"]
    api.delete_alias(FunctionName="fn", Name="live")
    left = api.list_function_event_invoke_configs(FunctionName="fn")
    (only,) = left["FunctionEventInvokeConfigs"]
    assert only["FunctionArn"] == f"{arn(account, 'fn')}:$LATEST", published


@pytest.mark.parametrize(
    "params, message",
    [
        pytest.param({}, "You must specify at least one of", id="nothing"),
        pytest.param(
            {"OnFailure": "fn"}, "You can't specify the function as a destination", id="itself"
        ),
        pytest.param({"OnFailure": "arn:aws:ec2:us-east-1:123456789012:x"}, "is invalid", id="ec2"),
        pytest.param(
            {"OnFailure": "arn:aws:sqs:us-east-1:123456789012:q.fifo"}, "is invalid", id="a FIFO"
        ),
        pytest.param({"OnSuccess": "arn:aws:s3:::bucket"}, "is invalid", id="S3 for successes"),
        pytest.param(
            {"OnFailure": "arn:aws:ec2:us-east-1:123456789012:x"},
            "The provided destination config DestinationConfig(onSuccess=null, onFailure="
            "OnFailure(destination=arn:aws:ec2:us-east-1:123456789012:x)) is invalid.",
            id="what AWS says of a service that takes no records",
        ),
    ],
)
def test_what_cannot_be_configured_is_refused(api, create, refused, account, params, message):
    create("fn")
    if params:
        ((condition, to),) = params.items()
        to = arn(account, to) if to == "fn" else to
        params = {"DestinationConfig": {condition: {"Destination": to}}}
    code, text = refused(api.put_function_event_invoke_config, FunctionName="fn", **params)
    assert (code, message in text) == ("InvalidParameterValueException", True), text


@pytest.mark.parametrize(
    "to",
    [
        "arn:aws:sqs:eu-west-1:123456789012:q",
        "arn:aws:sns:us-east-1:123456789012:topic",
        "arn:aws:events:us-east-1:123456789012:event-bus/default",
        "arn:aws:s3:::bucket",
    ],
)
def test_queues_topics_buses_and_buckets_are_destinations_of_failures(api, create, to):
    create("fn")
    config = {"OnFailure": {"Destination": to}}
    found = api.put_function_event_invoke_config(FunctionName="fn", DestinationConfig=config)
    assert found["DestinationConfig"]["OnFailure"]["Destination"] == to


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", ["none", "fn:none", "fn:7"])
def test_what_is_not_there_is_not_found(api, create, refused, account, operation, name):
    create("fn")
    call = getattr(api, f"{operation}_function_event_invoke_config")
    params = {"MaximumRetryAttempts": 1} if operation in ("put", "update") else {}
    expected = "The function doesn't exist."
    if not params:
        qualified = name if ":" in name else f"{name}:$LATEST"
        expected = f"The function {arn(account, qualified)} doesn't have an EventInvokeConfig"
    assert refused(call, FunctionName=name, **params) == ("ResourceNotFoundException", expected)


def test_of_a_function_that_is_not_there_nothing_is_listed(api, refused):
    assert refused(api.list_function_event_invoke_configs, FunctionName="none") == (
        "ResourceNotFoundException",
        "The function doesn't exist.",
    )


def test_a_function_that_is_not_there_is_no_destination(api, create, refused, account):
    create("fn")
    none = arn(account, "none")
    params = {"DestinationConfig": {"OnSuccess": {"Destination": none}}}
    assert refused(api.put_function_event_invoke_config, FunctionName="fn", **params) == (
        "InvalidParameterValueException",
        f"The destination ARN {none} is invalid.",
    )


@pytest.mark.parametrize("operation", OPERATIONS[1:])
def test_what_was_never_configured_is_not_found(api, create, refused, account, operation):
    create("fn")
    call = getattr(api, f"{operation}_function_event_invoke_config")
    code, text = refused(call, FunctionName="fn")
    assert code == "ResourceNotFoundException"
    assert text == f"The function {arn(account, 'fn')}:$LATEST doesn't have an EventInvokeConfig"


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"MaximumRetryAttempts": 3}, id="3 retries"),
        pytest.param({"MaximumEventAgeInSeconds": 59}, id="59 seconds"),
        pytest.param({"MaximumEventAgeInSeconds": 21_601}, id="over 6 hours"),
    ],
)
def test_numbers_out_of_range_are_refused(api, create, refused, params):
    create("fn")
    code, _ = refused(api.put_function_event_invoke_config, FunctionName="fn", **params)
    assert code in ("ValidationException", "InvalidParameterValueException")


def test_a_dead_letter_queue_is_a_standard_queue_or_topic(api, create, refused):
    create("fn", DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-east-1:123456789012:q"})
    code, _ = refused(
        api.update_function_configuration,
        FunctionName="fn",
        DeadLetterConfig={"TargetArn": "arn:aws:s3:::bucket"},
    )
    assert code == "InvalidParameterValueException"
    api.update_function_configuration(FunctionName="fn", DeadLetterConfig={"TargetArn": ""})
    assert "DeadLetterConfig" not in api.get_function_configuration(FunctionName="fn")
