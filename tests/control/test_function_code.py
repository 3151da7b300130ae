"""Code that is not in the request: from S3 (moto's), and from a directory."""

import base64
import hashlib
import io
import urllib.request
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from botocore.exceptions import ClientError

from albatross.control import function_code, s3
from albatross.control.function_code import Sources
from albatross.control.signed_links import Links
from albatross.lambda_ import OPERATIONS
from albatross.model.errors import AccessDeniedException, AwsError, InvalidParameterValueException
from albatross.model.function import Directory
from albatross.store.packages import Packages
from tests.support.command import free_port
from tests.support.server import client, serve


async def _nothing() -> None:
    return None


def archive(source: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        zipped.writestr(zipfile.ZipInfo("app.py"), source)  # of a fixed date
    return buffer.getvalue()


@pytest.fixture(scope="module")
def versions(endpoint: str) -> dict[str, str]:
    """The ids of two versions of an object, by what they hold."""
    api = client("s3", endpoint)
    api.create_bucket(Bucket="bucket")
    api.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    api.put_object(Bucket="bucket", Key="text", Body=b"no zip", ACL="public-read")
    return {
        name: api.put_object(
            Bucket="bucket", Key="code.zip", Body=archive(name), ACL="public-read"
        )["VersionId"]
        for name in ("old", "new")
    }


@pytest.fixture(scope="module")
def api(endpoint: str) -> Iterator[Any]:
    sources = Sources(partial(s3.read, endpoint), hot_reload=True)
    with serve(
        {"lambda": OPERATIONS},
        more=lambda store, _: {
            "lambda": function_code.operations(store, sources, after_write=_nothing)
        },
    ) as url:
        yield client("lambda", url, parameter_validation=False)


def sha256(content: bytes) -> str:

    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def create(api: Any, name: str, code: dict[str, Any], **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = api.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Handler="app.handler",
        Role="arn:aws:iam::123456789012:role/any",
        Code=code,
        **params,
    )
    return answer


def refusal(api: Any, code: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        create(api, "refused", code)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def test_code_comes_from_an_object_of_s3_in_any_version(api: Any, versions: dict[str, str]) -> None:
    where = {"S3Bucket": "bucket", "S3Key": "code.zip"}
    assert create(api, "s3", where)["CodeSha256"] == sha256(archive("new"))
    older = {**where, "S3ObjectVersion": versions["old"]}
    dry = api.update_function_code(FunctionName="s3", **older, DryRun=True)
    assert dry["CodeSha256"] == sha256(archive("old"))
    shown = api.get_function_configuration(FunctionName="s3")
    assert shown["CodeSha256"] == sha256(archive("new"))
    published = api.update_function_code(
        FunctionName="s3", **older, Publish=True, Architectures=["arm64"]
    )
    assert (published["CodeSha256"], published["Version"]) == (sha256(archive("old")), "1")
    assert published["Architectures"] == ["arm64"]


def test_a_layer_comes_from_s3_too(api: Any, versions: dict[str, str]) -> None:
    made = api.publish_layer_version(
        LayerName="layer", Content={"S3Bucket": "bucket", "S3Key": "code.zip"}
    )
    assert made["Content"]["CodeSha256"] == sha256(archive("new"))


def test_the_key_that_encrypts_code_is_kept_and_shown(api: Any, versions: dict[str, str]) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/any"
    code = {"S3Bucket": "bucket", "S3Key": "code.zip", "SourceKMSKeyArn": key}
    create(api, "kms", code, KMSKeyArn=key)
    shown = api.get_function(FunctionName="kms")
    assert shown["Code"]["SourceKMSKeyArn"] == shown["Configuration"]["KMSKeyArn"] == key


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(
            {"S3Bucket": "bucket", "S3Key": "none"},
            "Error occurred while GetObject. S3 Error Code: NoSuchKey. "
            "S3 Error Message: The specified key does not exist.",
            id="no such key",
        ),
        pytest.param(
            {"S3Bucket": "none", "S3Key": "code.zip"},
            "Error occurred while GetObject. S3 Error Code: NoSuchBucket. "
            "S3 Error Message: The specified bucket does not exist",
            id="no such bucket",
        ),
        pytest.param(
            {"S3Bucket": "bucket", "S3Key": "text"},
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
            id="no zip",
        ),
        pytest.param(
            {"S3Bucket": "bucket"}, "Please provide both S3Bucket and S3Key.", id="no key"
        ),
        pytest.param(
            {"S3Bucket": "bucket", "S3Key": "code.zip", "ZipFile": archive("")},
            "Please do not provide other FunctionCode parameters when providing a ZipFile.",
            id="two sources",
        ),
        pytest.param({}, "Please provide a source for function code.", id="no source"),
    ],
)
def test_code_that_cannot_be_had_is_refused_in_lambdas_words(
    api: Any, versions: dict[str, str], code: dict[str, Any], expected: str
) -> None:
    assert refusal(api, code) == ("InvalidParameterValueException", expected)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param({"ImageUri": "1.dkr.ecr.us-east-1.amazonaws.com/a:b"}, id="image"),
        pytest.param(
            {"S3Bucket": "bucket", "S3Key": "code.zip", "S3ObjectStorageMode": "REFERENCE"},
            id="reference",
        ),
    ],
)
def test_what_is_not_supported_is_refused_by_name(
    api: Any, versions: dict[str, str], code: dict[str, Any]
) -> None:
    error, message = refusal(api, code)
    assert error == "NotImplemented"
    assert "docs/coverage.md" in message


def test_an_object_that_may_not_be_read_is_access_denied() -> None:
    def read(location: s3.Location, bytes_max: int) -> bytes:
        raise s3.ObjectNotFound(location, "AccessDenied", "Access Denied")

    with pytest.raises(AccessDeniedException, match=r"denied by S3.*bucket/key"):
        Sources(read, hot_reload=False).fetch({"S3Bucket": "bucket", "S3Key": "key"})


def test_without_an_endpoint_the_setting_is_named() -> None:
    sources = Sources(partial(s3.read, ""), hot_reload=False)
    with pytest.raises(InvalidParameterValueException, match="s3_endpoint"):
        sources.fetch({"S3Bucket": "bucket", "S3Key": "key"})
    sources = Sources(partial(s3.read, f"http://127.0.0.1:{free_port()}"), hot_reload=False)
    with pytest.raises(InvalidParameterValueException, match="cannot be read from"):
        sources.fetch({"S3Bucket": "bucket", "S3Key": "key"})


def test_an_archive_that_is_too_large_is_not_read_to_its_end() -> None:
    def read(location: s3.Location, bytes_max: int) -> bytes:
        raise s3.ObjectTooLarge(f"more than {bytes_max}")

    with pytest.raises(InvalidParameterValueException, match="smaller than 262144000 bytes"):
        Sources(read, hot_reload=False).fetch({"S3Bucket": "bucket", "S3Key": "key"})


def test_the_bucket_hot_reload_is_a_directory(api: Any, tmp_path: Path) -> None:
    create(api, "hot", {"S3Bucket": "hot-reload", "S3Key": str(tmp_path)})
    shown = api.get_function(FunctionName="hot")["Code"]
    assert shown == {"RepositoryType": "Directory", "Location": tmp_path.as_uri()}


@pytest.mark.parametrize(
    ("hot_reload", "path", "error"),
    [
        pytest.param(True, "relative", InvalidParameterValueException, id="relative"),
        pytest.param(True, "/nonexistent", InvalidParameterValueException, id="not there"),
        pytest.param(True, __file__, InvalidParameterValueException, id="a file"),
        pytest.param(False, "/", AccessDeniedException, id="off"),
    ],
)
def test_a_directory_that_may_not_be_run_is_refused(
    hot_reload: bool, path: str, error: type[AwsError]
) -> None:
    sources = Sources(partial(s3.read, ""), hot_reload)
    with pytest.raises(error):
        sources.fetch({"S3Bucket": "hot-reload", "S3Key": path})
    assert Sources(partial(s3.read, ""), hot_reload=True).fetch(
        {"S3Bucket": "hot-reload", "S3Key": "/"}
    ) == Directory(path="/")


def test_the_location_of_code_is_a_link_that_ends(tmp_path: Path) -> None:
    now_s = [1000.0]
    urls: list[str] = []
    links = Links(lambda: urls[0], clock=lambda: now_s[0])
    packages = Packages(tmp_path, link=function_code.link(links))
    content = archive("x = 1")
    package = packages.add(content)
    with serve({"lambda": {}}, extra_routes=function_code.routes(packages, links)) as url:
        urls.append(url)
        location = packages.location(package)
        with urllib.request.urlopen(location) as answer:
            assert answer.read() == content
            assert answer.headers["Content-Type"] == "application/zip"
        for wrong in (location[:-1] + "0", location.replace("sha256=", "sha256=0")):
            if wrong != location:
                with pytest.raises(HTTPError, match="403"):
                    urllib.request.urlopen(wrong)
        packages.archive(package).unlink()
        with pytest.raises(HTTPError, match="404"):
            urllib.request.urlopen(location)
        now_s[0] += 600
        with pytest.raises(HTTPError, match="403"):
            urllib.request.urlopen(location)
