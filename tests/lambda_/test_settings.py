"""What a function has besides its configuration, and what the account has."""

import pytest

RUNTIME = f"arn:aws:lambda:us-east-1::runtime:{'0' * 64}"
PUBLISHERS = {
    "SigningProfileVersionArns": ["arn:aws:signer:us-east-1:123456789012:/signing-profiles/one/abc"]
}


def test_the_account_counts_functions_and_all_code(api, create, archive):
    created = create("one", Publish=True)
    create("two")
    layer = archive(layer="x = 1")
    api.publish_layer_version(LayerName="layer", Content={"ZipFile": layer})
    settings = api.get_account_settings()
    assert settings["AccountUsage"] == {
        "FunctionCount": 2,
        "TotalCodeSize": created["CodeSize"] * 3 + len(layer),
    }
    assert settings["AccountLimit"] == {
        "TotalCodeSize": 322_122_547_200,
        "CodeSizeUnzipped": 262_144_000,
        "CodeSizeZipped": 52_428_800,
        "ConcurrentExecutions": 1000,
        "UnreservedConcurrentExecutions": 1000,
    }
    api.put_function_concurrency(FunctionName="one", ReservedConcurrentExecutions=40)
    limits = api.get_account_settings()["AccountLimit"]
    assert limits["UnreservedConcurrentExecutions"] == 960


def test_recursive_calls_are_ended_unless_allowed(api, create, refused):
    create()
    assert api.get_function_recursion_config(FunctionName="fn")["RecursiveLoop"] == "Terminate"
    api.put_function_recursion_config(FunctionName="fn", RecursiveLoop="Allow")
    assert api.get_function_recursion_config(FunctionName="fn")["RecursiveLoop"] == "Allow"
    put = api.put_function_recursion_config
    assert refused(put, FunctionName="fn", RecursiveLoop="Maybe")[0] == "ValidationException"
    assert refused(put, FunctionName="no", RecursiveLoop="Allow")[0] == "ResourceNotFoundException"


def test_runtime_management_is_a_setting_of_each_version(api, create, account):
    arn = f"arn:aws:lambda:us-east-1:{account}:function:fn"
    create(Publish=True)
    api.put_runtime_management_config(
        FunctionName="fn", Qualifier="1", UpdateRuntimeOn="Manual", RuntimeVersionArn=RUNTIME
    )
    found = api.get_runtime_management_config(FunctionName="fn:1")
    assert (found["UpdateRuntimeOn"], found["RuntimeVersionArn"]) == ("Manual", RUNTIME)
    assert found["FunctionArn"] == f"{arn}:1"
    found = api.get_runtime_management_config(FunctionName="fn")
    assert (found["UpdateRuntimeOn"], found["FunctionArn"]) == ("Auto", f"{arn}:$LATEST")
    assert "RuntimeVersionArn" not in found


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"UpdateRuntimeOn": "Manual"}, id="manual without a version"),
        pytest.param(
            {"UpdateRuntimeOn": "Auto", "RuntimeVersionArn": RUNTIME}, id="automatic with one"
        ),
        pytest.param({"UpdateRuntimeOn": "Auto", "Qualifier": "live"}, id="alias"),
    ],
)
def test_bad_runtime_management_is_refused(api, create, refused, params):
    create(Publish=True)
    api.create_alias(FunctionName="fn", Name="live", FunctionVersion="1")
    code, _ = refused(api.put_runtime_management_config, FunctionName="fn", **params)
    assert code == "InvalidParameterValueException"


# Code signing


def make(api, **params):
    made = api.create_code_signing_config(AllowedPublishers=PUBLISHERS, **params)
    return made["CodeSigningConfig"]


def test_a_code_signing_configuration_is_kept(api):
    made = make(api, Description="mine", Tags={"stage": "prod"})
    named = {"CodeSigningConfigArn": made["CodeSigningConfigArn"]}
    assert made["AllowedPublishers"] == PUBLISHERS
    assert made["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Warn"}
    assert made["CodeSigningConfigArn"].endswith(
        f":code-signing-config:{made['CodeSigningConfigId']}"
    )
    assert api.get_code_signing_config(**named)["CodeSigningConfig"] == made
    updated = api.update_code_signing_config(
        **named, CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"}
    )["CodeSigningConfig"]
    assert updated["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Enforce"}
    assert (updated["Description"], updated["AllowedPublishers"]) == ("mine", PUBLISHERS)
    assert api.list_code_signing_configs()["CodeSigningConfigs"] == [updated]
    resource = {"Resource": made["CodeSigningConfigArn"]}
    api.tag_resource(**resource, Tags={"team": "b"})
    assert api.list_tags(**resource)["Tags"] == {"stage": "prod", "team": "b"}
    api.delete_code_signing_config(**named)
    assert api.list_code_signing_configs()["CodeSigningConfigs"] == []


def test_functions_have_code_signing_configurations(api, create, refused):
    arn, other = make(api)["CodeSigningConfigArn"], make(api)["CodeSigningConfigArn"]
    created = create(CodeSigningConfigArn=arn)
    get = api.get_function_code_signing_config
    assert get(FunctionName="fn")["CodeSigningConfigArn"] == arn
    functions = api.list_functions_by_code_signing_config
    assert functions(CodeSigningConfigArn=arn)["FunctionArns"] == [created["FunctionArn"]]
    code, _ = refused(api.delete_code_signing_config, CodeSigningConfigArn=arn)
    assert code == "ResourceConflictException"
    api.put_function_code_signing_config(FunctionName="fn", CodeSigningConfigArn=other)
    api.delete_code_signing_config(CodeSigningConfigArn=arn)
    api.delete_function_code_signing_config(FunctionName="fn")
    assert get(FunctionName="fn").keys() == {"ResponseMetadata"}
    assert functions(CodeSigningConfigArn=other)["FunctionArns"] == []


def test_a_code_signing_configuration_that_is_not_there_is_refused(api, create, refused):
    arn = make(api)["CodeSigningConfigArn"]
    api.delete_code_signing_config(CodeSigningConfigArn=arn)
    expected = (
        "CodeSigningConfigNotFoundException",
        "The code signing configuration cannot be found. Check that the provided configuration "
        f"is not deleted: {arn}.",
    )
    assert refused(create, CodeSigningConfigArn=arn) == expected
    create()
    put = api.put_function_code_signing_config
    assert refused(put, FunctionName="fn", CodeSigningConfigArn=arn) == expected
    code, _ = refused(api.get_code_signing_config, CodeSigningConfigArn=arn)
    assert code == "ResourceNotFoundException"
