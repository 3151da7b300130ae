import base64
import hashlib

import pytest

NO_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."


def sha256(content):
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def test_new_code_replaces_the_old(api, create, archive):
    before = create()
    content = archive(app="x = 2")
    answer = api.update_function_code(
        FunctionName="fn", ZipFile=content, RevisionId=before["RevisionId"], Architectures=["arm64"]
    )
    assert answer["LastUpdateStatus"] == "InProgress"
    shown = api.get_function_configuration(FunctionName="fn")
    assert (shown["CodeSha256"], shown["CodeSize"]) == (sha256(content), len(content))
    assert shown["Architectures"] == ["arm64"]
    assert shown["RevisionId"] == answer["RevisionId"] != before["RevisionId"]
    assert shown["Handler"] == before["Handler"]


def test_a_dry_run_changes_nothing(api, create, archive, refused):
    before = create()
    content = archive(app="x = 2")
    answer = api.update_function_code(FunctionName="fn", ZipFile=content, DryRun=True)
    assert answer["CodeSha256"] == sha256(content)
    shown = api.get_function_configuration(FunctionName="fn")
    assert shown["CodeSha256"] == before["CodeSha256"]
    assert shown["RevisionId"] == before["RevisionId"]
    bad = {"FunctionName": "fn", "ZipFile": b"no zip", "DryRun": True}
    assert refused(api.update_function_code, **bad) == ("InvalidParameterValueException", NO_ZIP)


def test_an_update_for_another_revision_is_refused(api, create, archive, refused):
    create()
    code, message = refused(
        api.update_function_code, FunctionName="fn", ZipFile=archive(app=""), RevisionId="other"
    )
    assert code == "PreconditionFailedException"
    assert message.startswith("The Revision Id provided does not match")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(
            {"ZipFile": b"no zip"}, ("InvalidParameterValueException", NO_ZIP), id="no zip"
        ),
        pytest.param(
            {"ZipFile": b"PK\x05\x06" + bytes(18)},
            ("InvalidParameterValueException", "Uploaded file must be a non-empty zip"),
            id="empty zip",
        ),
        pytest.param(
            {},
            ("InvalidParameterValueException", "Please provide a source for function code."),
            id="nothing",
        ),
        pytest.param(
            {"ZipFile": b"PK", "S3Bucket": "bucket", "S3Key": "key"},
            (
                "InvalidParameterValueException",
                "Please do not provide other FunctionCode parameters when providing a ZipFile.",
            ),
            id="two sources",
        ),
    ],
)
def test_bad_code_is_refused(api, create, refused, code, expected):
    assert refused(create, Code=code) == expected
    before = create()["CodeSha256"]
    assert refused(api.update_function_code, FunctionName="fn", **code) == expected
    assert api.get_function_configuration(FunctionName="fn")["CodeSha256"] == before


def test_an_image_is_no_code_of_a_function_with_an_archive(api, create, refused):
    code = {"ImageUri": "uri"}
    assert refused(create, Code=code) == (
        "NotImplemented",
        "Container images (ImageUri) are not supported here; see docs/coverage.md.",
    )
    create()
    assert refused(api.update_function_code, FunctionName="fn", **code) == (
        "InvalidParameterValueException",
        "Please don't provide ImageUri when updating a function with packageType Zip.",
    )
