import pytest

UNABLE = "Lambda was unable to configure your environment variables because the environment "


def test_only_what_is_given_changes(api, create):
    before = create(Timeout=7, Description="first", Environment={"Variables": {"KEY": "value"}})
    answer = api.update_function_configuration(FunctionName="fn", MemorySize=256)
    assert (answer["State"], answer["LastUpdateStatus"]) == ("Active", "InProgress")
    assert answer["LastUpdateStatusReasonCode"] == "Creating"
    shown = api.get_function_configuration(FunctionName="fn")
    assert shown["LastUpdateStatus"] == "Successful"
    assert shown["MemorySize"] == 256
    assert (shown["Timeout"], shown["Description"]) == (7, "first")
    assert shown["Environment"] == {"Variables": {"KEY": "value"}}
    assert shown["CodeSha256"] == before["CodeSha256"]
    assert shown["RevisionId"] != before["RevisionId"]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        pytest.param("Role", "arn:aws:iam::123456789012:role/service-role/other", id="role"),
        pytest.param("Handler", "other.handler", id="handler"),
        pytest.param("Runtime", "nodejs20.x", id="runtime"),
        pytest.param("Description", "", id="description"),
        pytest.param("Timeout", 900, id="timeout"),
        pytest.param("MemorySize", 10_240, id="memory"),
        pytest.param("EphemeralStorage", {"Size": 10_240}, id="storage"),
        pytest.param("Environment", {"Variables": {}}, id="no variables"),
        pytest.param("Environment", {"Variables": {"AB": "", "c_1": "ü"}}, id="variables"),
        pytest.param("TracingConfig", {"Mode": "Active"}, id="tracing"),
        pytest.param("KMSKeyArn", "arn:aws:kms:us-east-1:123456789012:key/a", id="key"),
        pytest.param(
            "DeadLetterConfig",
            {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:q"},
            id="dead letters",
        ),
    ],
)
def test_settings_are_shown_as_they_were_given(api, create, member, value):
    assert create("new", **{member: value})[member] == value
    create("changed")
    api.update_function_configuration(FunctionName="changed", **{member: value})
    for name in ("new", "changed"):
        assert api.get_function_configuration(FunctionName=name)[member] == value


@pytest.mark.parametrize("logging", [{}, {"LogFormat": "Text"}])
@pytest.mark.parametrize("level", ["ApplicationLogLevel", "SystemLogLevel"])
def test_plain_text_has_no_log_levels(api, create, refused, logging, level):
    params = {"FunctionName": "fn", "LoggingConfig": {**logging, level: "INFO"}}
    code, message = refused(create, **params)
    assert code == "InvalidParameterValueException"
    assert message.startswith('LogLevel is not supported when LogFormat is set to "Text". Remove')
    create(LoggingConfig={"LogFormat": "JSON"})
    assert refused(api.update_function_configuration, **params) == (code, message)


def test_of_logging_only_what_is_given_changes(api, create):
    create(LoggingConfig={"LogGroup": "/my/group"})

    def update(**config):
        name = {"FunctionName": "fn"}
        return api.update_function_configuration(**name, LoggingConfig=config)["LoggingConfig"]

    levels = {"ApplicationLogLevel": "DEBUG", "SystemLogLevel": "WARN"}
    json = {"LogFormat": "JSON", "LogGroup": "/my/group"}
    assert update(LogFormat="JSON", **levels) == {**json, **levels}
    assert update(LogGroup="/another") == {**json, **levels, "LogGroup": "/another"}
    info = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}
    assert update(LogFormat="JSON") == {**json, **info, "LogGroup": "/another"}
    assert update(LogFormat="Text") == {"LogFormat": "Text", "LogGroup": "/another"}


@pytest.mark.parametrize(
    ("member", "value", "shown"),
    [
        pytest.param(
            "SnapStart",
            {"ApplyOn": "PublishedVersions"},
            {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"},
            id="snap start",
        ),
        pytest.param(
            "LoggingConfig",
            {"LogFormat": "JSON", "SystemLogLevel": "WARN"},
            {
                "LogFormat": "JSON",
                "ApplicationLogLevel": "INFO",
                "SystemLogLevel": "WARN",
                "LogGroup": "/aws/lambda/fn",
            },
            id="logging",
        ),
        pytest.param(
            "VpcConfig",
            {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
            {
                "SubnetIds": ["subnet-1"],
                "SecurityGroupIds": ["sg-1"],
                "VpcId": "",
                "Ipv6AllowedForDualStack": False,
            },
            id="VPC",
        ),
    ],
)
def test_settings_are_completed(create, member, value, shown):
    assert create(**{member: value})[member] == shown


@pytest.mark.parametrize(
    ("member", "value", "nothing"),
    [
        pytest.param("KMSKeyArn", "arn:aws:kms:us-east-1:123456789012:key/a", "", id="key"),
        pytest.param(
            "DeadLetterConfig",
            {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:q"},
            {"TargetArn": ""},
            id="dead letters",
        ),
    ],
)
def test_settings_can_be_taken_back(api, create, member, value, nothing):
    create(**{member: value})
    answer = api.update_function_configuration(FunctionName="fn", **{member: nothing})
    assert member not in answer


def test_an_environment_that_was_never_given_is_not_shown(create):
    assert "Environment" not in create()


@pytest.mark.parametrize(
    "runtime",
    ["python3.14", "python2.7", "nodejs8.10", "java21", "dotnet10", "ruby2.5", "provided.al2023"],
)
def test_a_runtime_that_aws_has_or_had_is_accepted(create, runtime):
    assert create(Runtime=runtime)["Runtime"] == runtime


def test_a_runtime_that_never_was_is_refused(create, refused):
    code, message = refused(create, Runtime="cobol")
    assert code == "InvalidParameterValueException"
    assert message.startswith(
        "Value cobol at 'runtime' failed to satisfy constraint: Member must satisfy enum value "
        "set: [nodejs18.x, "
    )
    assert message.endswith(", provided.al2023] or be a valid ARN")


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        pytest.param(
            {"Timeout": 901},
            "ValidationException",
            "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: "
            "Member must have value less than or equal to 900",
            id="timeout too long",
        ),
        pytest.param(
            {"Timeout": 0},
            "ValidationException",
            "1 validation error detected: Value '0' at 'timeout' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
            id="no time",
        ),
        pytest.param(
            {"MemorySize": 10_241},
            "InvalidParameterValueException",
            "'MemorySize' value failed to satisfy constraint: "
            "Member must have value less than or equal to 10240",
            id="too much memory",
        ),
        pytest.param(
            {"EphemeralStorage": {"Size": 511}},
            "ValidationException",
            "1 validation error detected: Value '511' at 'ephemeralStorage.size' failed to satisfy "
            "constraint: Member must have value greater than or equal to 512",
            id="too little storage",
        ),
        pytest.param(
            {"EphemeralStorage": {"Size": 10_241}},
            "InvalidParameterValueException",
            "'EphemeralStorage' value failed to satisfy constraint: "
            "Member must have value less than or equal to 10240",
            id="too much storage",
        ),
        pytest.param(
            {"Environment": {"Variables": {"1A": "secret"}}},
            "ValidationException",
            "1 validation error detected: Value at 'environment.variables' failed to satisfy "
            "constraint: Map keys must satisfy constraint: [Member must satisfy regular expression "
            "pattern: [a-zA-Z]([a-zA-Z0-9_])+, Member must not be null]",
            id="name of a variable",
        ),
        pytest.param(
            {"Environment": {"Variables": {"AWS_REGION": "x", "OK": "y", "LAMBDA_TASK_ROOT": "z"}}},
            "InvalidParameterValueException",
            f"{UNABLE}variables you have provided contains reserved keys that are currently not "
            "supported for modification. Reserved keys used in this request: "
            "AWS_REGION, LAMBDA_TASK_ROOT",
            id="reserved variables",
        ),
        *(
            pytest.param(
                {"VpcConfig": config},
                "InvalidParameterValueException",
                "SubnetIds and SecurityIds must coexist or be both empty list.",
                id=f"VPC with {next(iter(config))} alone",
            )
            for config in ({"SubnetIds": ["subnet-1"]}, {"SecurityGroupIds": ["sg-1"]})
        ),
    ],
)
def test_bad_settings_are_refused(api, create, refused, params, code, message):
    assert refused(create, **params) == (code, message)
    before = create()["RevisionId"]
    update = {"FunctionName": "fn", **params}
    assert refused(api.update_function_configuration, **update) == (code, message)
    assert api.get_function_configuration(FunctionName="fn")["RevisionId"] == before


def test_an_update_for_another_revision_is_refused(api, create, refused):
    revision = create()["RevisionId"]
    update = {"FunctionName": "fn", "RevisionId": revision, "Timeout": 5}
    api.update_function_configuration(**update)
    assert refused(api.update_function_configuration, **update) == (
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. "
        "Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
    )


def test_a_function_that_is_not_there_cannot_be_updated(api, refused, account):
    assert refused(api.update_function_configuration, FunctionName="fn", Timeout=5) == (
        "ResourceNotFoundException",
        f"Function not found: arn:aws:lambda:us-east-1:{account}:function:fn",
    )
