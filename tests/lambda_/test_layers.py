import base64
import hashlib
import io
import json
import zipfile

import pytest

from albatross.lambda_ import used_layers
from tests.support.server import REGION, client

NO_RESOURCE = ("ResourceNotFoundException", "The resource you requested does not exist.")


@pytest.fixture
def publish(api, archive):
    """`publish("name", text)` publishes a version of a layer and returns the answer."""

    def publish(name="layer", text="x = 1", **params):
        content = {"ZipFile": archive(**{"python/lib": text})}
        return api.publish_layer_version(**{"LayerName": name, "Content": content} | params)

    return publish


@pytest.fixture
def other(url, account):
    """A client of another account."""
    return client("lambda", url, access_key=str(int(account) + 10**11), parameter_validation=False)


def test_a_layer_version_shows_what_it_was_published_with(api, publish, archive, account):
    content = archive(**{"python/lib": "x = 1"})
    made = publish(
        Content={"ZipFile": content},
        Description="a library",
        LicenseInfo="MIT",
        CompatibleRuntimes=["python3.12", "python3.13"],
        CompatibleArchitectures=["arm64"],
    )
    layer_arn = f"arn:aws:lambda:{REGION}:{account}:layer:layer"
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert made["LayerArn"] == layer_arn
    assert (made["LayerVersionArn"], made["Version"]) == (f"{layer_arn}:1", 1)
    assert made["Content"]["CodeSize"] == len(content)
    sha256 = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert made["Content"]["CodeSha256"] == sha256
    assert made["CreatedDate"].endswith("+0000")
    assert made["CompatibleRuntimes"] == ["python3.12", "python3.13"]
    assert made["CompatibleArchitectures"] == ["arm64"]
    assert (made["LicenseInfo"], made["Description"]) == ("MIT", "a library")
    for shown in (
        api.get_layer_version(LayerName="layer", VersionNumber=1),
        api.get_layer_version(LayerName=layer_arn, VersionNumber=1),
        api.get_layer_version_by_arn(Arn=f"{layer_arn}:1"),
    ):
        shown.pop("ResponseMetadata")
        assert shown == {k: v for k, v in made.items() if k != "ResponseMetadata"}


def test_a_number_is_never_given_twice(api, publish, refused):
    assert [publish()["Version"] for _ in range(3)] == [1, 2, 3]
    for number in (3, 2):
        answer = api.delete_layer_version(LayerName="layer", VersionNumber=number)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refused(api.get_layer_version, LayerName="layer", VersionNumber=3) == NO_RESOURCE
    api.delete_layer_version(LayerName="layer", VersionNumber=3)  # again: no error
    assert publish()["Version"] == 4


def test_layers_are_listed_by_name_with_their_newest_version_that_is_compatible(api, publish):
    publish("b", CompatibleRuntimes=["python3.12"], CompatibleArchitectures=["arm64"])
    publish("b", CompatibleRuntimes=["nodejs22.x"])
    publish("a", CompatibleRuntimes=["python3.12"])

    def listed(**params):
        layers = api.list_layers(**params)["Layers"]
        return [(each["LayerName"], each["LatestMatchingVersion"]["Version"]) for each in layers]

    assert listed() == [("a", 1), ("b", 2)]
    assert listed(CompatibleRuntime="python3.12") == [("a", 1), ("b", 1)]
    assert listed(CompatibleRuntime="nodejs22.x") == [("b", 2)]
    assert listed(CompatibleArchitecture="arm64") == [("b", 1)]
    assert listed(CompatibleArchitecture="x86_64", CompatibleRuntime="nodejs22.x") == [("b", 2)]
    assert listed(CompatibleRuntime="python3.9") == []


def test_a_layer_is_compatible_with_runtimes_that_there_are(api, publish, refused):
    code, message = refused(publish, CompatibleRuntimes=["python3.12", "python9"])
    assert code == "ValidationException"
    assert "'[python3.12, python9]' at 'compatibleRuntimes'" in message
    assert "Member must satisfy enum value set: [nodejs, " in message
    code, message = refused(api.list_layers, CompatibleRuntime="python9")
    assert code == "ValidationException"
    assert "'python9' at 'compatibleRuntime'" in message


def test_versions_are_listed_from_the_newest_a_page_at_a_time(api, publish):
    for _ in range(11):
        publish()
    seen, marker = [], {}
    while True:
        answer = api.list_layer_versions(LayerName="layer", MaxItems=4, **marker)
        seen.append([version["Version"] for version in answer["LayerVersions"]])
        if "NextMarker" not in answer:
            break
        marker = {"Marker": answer["NextMarker"]}
    assert seen == [[11, 10, 9, 8], [7, 6, 5, 4], [3, 2, 1]]
    assert api.list_layer_versions(LayerName="none")["LayerVersions"] == []


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        pytest.param(
            {"VersionNumber": 0},
            ("InvalidParameterValueException", "Layer Version Cannot be less than 1"),
            id="number 0",
        ),
        pytest.param({"VersionNumber": 2}, NO_RESOURCE, id="no such version"),
        pytest.param({"LayerName": "none"}, NO_RESOURCE, id="no such layer"),
    ],
)
def test_a_layer_version_that_is_not_there_is_refused(api, publish, refused, params, expected):
    publish()
    asked = {"LayerName": "layer", "VersionNumber": 1} | params
    assert refused(api.get_layer_version, **asked) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param({"ZipFile": b"no zip"}, "Could not unzip uploaded file", id="no zip"),
        pytest.param({}, "Please provide a source for function code.", id="nothing"),
    ],
)
def test_bad_content_is_refused_and_takes_no_number(publish, refused, content, message):
    code, text = refused(publish, Content=content)
    assert code == "InvalidParameterValueException"
    assert text.startswith(message)
    assert publish()["Version"] == 1


def test_a_function_shows_its_layers_in_order(api, publish, create):
    arns = [publish(name)["LayerVersionArn"] for name in "ba"]
    made = create(Layers=arns)
    assert [layer["Arn"] for layer in made["Layers"]] == arns
    assert all(layer["CodeSize"] > 100 for layer in made["Layers"])
    shown = api.get_function(FunctionName="fn")["Configuration"]
    assert shown["Layers"] == made["Layers"]
    assert api.list_functions()["Functions"][0]["Layers"] == made["Layers"]
    changed = api.update_function_configuration(FunctionName="fn", Layers=arns[::-1])
    assert [layer["Arn"] for layer in changed["Layers"]] == arns[::-1]
    assert "Layers" not in api.update_function_configuration(FunctionName="fn", Layers=[])


def test_a_published_version_keeps_its_layers(api, publish, create):
    arn = publish()["LayerVersionArn"]
    create(Layers=[arn], Publish=True)
    api.update_function_configuration(FunctionName="fn", Layers=[])
    assert api.publish_version(FunctionName="fn")["Version"] == "2"
    shown = api.get_function_configuration(FunctionName="fn", Qualifier="1")
    assert [layer["Arn"] for layer in shown["Layers"]] == [arn]


def test_a_deleted_layer_version_stays_with_the_functions_that_have_it(
    api, publish, create, refused
):
    arn, kept = publish()["LayerVersionArn"], publish("kept")["LayerVersionArn"]
    create(Layers=[arn])
    api.delete_layer_version(LayerName="layer", VersionNumber=1)
    answer = api.update_function_configuration(FunctionName="fn", Layers=[kept, arn])
    assert [layer["Arn"] for layer in answer["Layers"]] == [kept, arn]
    assert refused(create, name="new", Layers=[arn]) == (
        "InvalidParameterValueException",
        f"Layer version {arn} does not exist.",
    )


def test_bad_lists_of_layers_are_refused(api, publish, create, refused, account):
    create()
    arns = [publish(f"layer{number}")["LayerVersionArn"] for number in range(6)]
    newer = publish("layer0")["LayerVersionArn"]
    elsewhere = arns[0].replace(REGION, "eu-west-1")

    def refusal(layers):
        found = refused(create, name="new", Layers=layers)
        assert refused(api.update_function_configuration, FunctionName="fn", Layers=layers) == found
        return found

    invalid = "InvalidParameterValueException"
    assert refusal(arns) == (invalid, "Cannot reference more than 5 layers.")
    assert refusal([arns[0], newer]) == (
        invalid,
        "Two different versions of the same layer are not allowed to be referenced in the same "
        f"function. {arns[0]} and {newer} are versions of the same layer.",
    )
    assert refusal([arns[0] + "9"])[1] == f"Layer version {arns[0]}9 does not exist."
    assert refusal([elsewhere])[1] == (
        "Layers are not in the same region as the function. "
        f"Layers are expected to be in region {REGION}."
    )
    assert refusal([arns[0].rpartition(":")[0]])[0] == "ValidationException"


def test_code_and_layers_may_have_250_mb_together(
    api, publish, create, refused, archive, monkeypatch
):
    sizes = {}
    layers = []
    for name, size in (("a", 600), ("b", 700)):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as zipped:
            zipped.writestr("data", name * size)
        sizes[name] = size
        layers.append(publish(name, Content={"ZipFile": buffer.getvalue()})["LayerVersionArn"])
    source = "y = 1"
    total = sum(sizes.values()) + len(source)
    monkeypatch.setattr(used_layers, "UNZIPPED_BYTES_MAX", total)
    create(Layers=layers, Code={"ZipFile": archive(app=source)})
    expected = (
        "InvalidParameterValueException",
        f"Function code combined with layers exceeds the maximum allowed size of {total} bytes. "
        f"The actual size is {total + 1} bytes.",
    )
    larger = archive(app=source + "0")
    assert refused(create, name="new", Layers=layers, Code={"ZipFile": larger}) == expected
    assert refused(api.update_function_code, FunctionName="fn", ZipFile=larger) == expected
    api.update_function_configuration(FunctionName="fn", Layers=layers[:1])
    api.update_function_code(FunctionName="fn", ZipFile=larger)
    assert refused(api.update_function_configuration, FunctionName="fn", Layers=layers) == expected


def test_another_account_needs_a_permission(api, other, publish, refused, account):
    made = publish()
    arn, named = made["LayerVersionArn"], {"LayerName": "layer", "VersionNumber": 1}
    code, message = refused(other.get_layer_version_by_arn, Arn=arn)
    assert code == "AccessDeniedException"
    assert "lambda:GetLayerVersion" in message
    they = str(int(account) + 10**11)
    allowed = api.add_layer_version_permission(
        **named, StatementId="one", Action="lambda:GetLayerVersion", Principal=they
    )
    assert json.loads(allowed["Statement"]) == {
        "Sid": "one",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{they}:root"},
        "Action": "lambda:GetLayerVersion",
        "Resource": arn,
    }
    shown = other.get_layer_version_by_arn(Arn=arn)
    assert shown["Content"]["CodeSha256"] == made["Content"]["CodeSha256"]
    policy = api.get_layer_version_policy(**named)
    assert json.loads(policy["Policy"])["Statement"] == [json.loads(allowed["Statement"])]
    assert policy["RevisionId"] == allowed["RevisionId"]
    assert refused(
        api.remove_layer_version_permission, **named, StatementId="one", RevisionId="other"
    )[0] == ("PreconditionFailedException")
    api.remove_layer_version_permission(**named, StatementId="one")
    assert refused(other.get_layer_version_by_arn, Arn=arn)[0] == "AccessDeniedException"
    assert refused(api.get_layer_version_policy, **named) == (
        "ResourceNotFoundException",
        "No policy is associated with the given resource.",
    )


@pytest.mark.parametrize(
    ("permission", "is_allowed"),
    [
        pytest.param({"Principal": "*"}, True, id="everyone"),
        pytest.param({"Principal": "000000000001"}, False, id="another account"),
        pytest.param(
            {"Principal": "*", "OrganizationId": "o-0123456789"}, False, id="an organization"
        ),
    ],
)
def test_a_function_may_have_a_layer_that_its_account_may_use(
    api, other, publish, archive, refused, permission, is_allowed
):
    arn = publish()["LayerVersionArn"]
    api.add_layer_version_permission(
        LayerName="layer",
        VersionNumber=1,
        StatementId="one",
        Action="lambda:GetLayerVersion",
        **permission,
    )
    request = {
        "FunctionName": "fn",
        "Runtime": "python3.12",
        "Handler": "app.handler",
        "Role": "arn:aws:iam::123456789012:role/any",
        "Code": {"ZipFile": archive(app="")},
        "Layers": [arn],
    }
    if is_allowed:
        assert other.create_function(**request)["Layers"][0]["Arn"] == arn
    else:
        assert refused(other.create_function, **request)[0] == "AccessDeniedException"


def test_permissions_of_a_layer_are_checked(api, publish, refused):
    publish()
    permission = {
        "LayerName": "layer",
        "VersionNumber": 1,
        "StatementId": "one",
        "Action": "lambda:GetLayerVersion",
        "Principal": "*",
    }
    api.add_layer_version_permission(**permission)
    add = api.add_layer_version_permission
    assert refused(add, **permission)[0] == "ResourceConflictException"
    assert refused(add, **permission | {"VersionNumber": 9})[0] == "ResourceNotFoundException"
    wrong = {"StatementId": "two", "Action": "lambda:InvokeFunction"}
    assert refused(add, **permission | wrong)[0] == "ValidationException"
    org = {"StatementId": "two", "Principal": "111111111111", "OrganizationId": "o-0123456789"}
    assert refused(add, **permission | org)[0] == "InvalidParameterValueException"
    assert refused(
        api.remove_layer_version_permission,
        LayerName="layer",
        VersionNumber=1,
        StatementId="none",
    ) == ("ResourceNotFoundException", "Statement none is not found in resource policy.")


def test_only_the_owner_changes_a_layer(api, other, publish, archive, refused):
    made = publish()
    arn = made["LayerArn"]
    content = {"ZipFile": archive(lib="")}
    for call, params in (
        (other.publish_layer_version, {"Content": content}),
        (other.delete_layer_version, {"VersionNumber": 1}),
        (other.list_layer_versions, {}),
    ):
        assert refused(call, LayerName=arn, **params)[0] == "AccessDeniedException"
    assert api.get_layer_version(LayerName="layer", VersionNumber=1)["Version"] == 1
