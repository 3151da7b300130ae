"""Reading objects, from moto's S3."""

from typing import Any

import pytest

from albatross.control import s3
from albatross.control.s3 import Location
from tests.support.command import free_port
from tests.support.server import client


@pytest.fixture(scope="module")
def bucket(endpoint: str) -> Any:
    api = client("s3", endpoint)
    api.create_bucket(Bucket="bucket")
    api.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    return api


@pytest.mark.parametrize("signed", [True, False])
def test_an_object_is_read_also_an_older_version_of_it(
    endpoint: str, bucket: Any, monkeypatch: pytest.MonkeyPatch, signed: bool
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
        if signed:
            monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    first = bucket.put_object(Bucket="bucket", Key="dir/key", Body=b"first", ACL="public-read")[
        "VersionId"
    ]
    bucket.put_object(Bucket="bucket", Key="dir/key", Body=b"second", ACL="public-read")
    assert s3.read(endpoint, Location("bucket", "dir/key"), 6) == b"second"
    assert s3.read(endpoint, Location("bucket", "dir/key", first), 6) == b"first"
    with pytest.raises(s3.ObjectTooLarge):
        s3.read(endpoint, Location("bucket", "dir/key"), 5)


@pytest.mark.parametrize("location", [Location("bucket", "none"), Location("none", "key")])
def test_what_is_not_there_is_not_found(endpoint: str, bucket: Any, location: Location) -> None:
    with pytest.raises(s3.ObjectNotFound, match=str(location)):
        s3.read(endpoint, location, 1)


@pytest.mark.parametrize(
    "endpoint",
    ["", pytest.param(f"http://127.0.0.1:{free_port()}", id="nobody listens"), "nonsense"],
)
def test_an_endpoint_that_does_not_answer_is_named(endpoint: str) -> None:
    with pytest.raises(s3.EndpointUnavailable, match=endpoint or "s3_endpoint"):
        s3.read(endpoint, Location("bucket", "key"), 1)


def test_a_profile_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobodys")
    with pytest.raises(s3.EndpointUnavailable, match="nobodys"):
        s3.read("http://127.0.0.1:1", Location("bucket", "key"), 1)
