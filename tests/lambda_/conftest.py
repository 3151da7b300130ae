"""One server for all tests of this folder; every test has an account of its own."""

import io
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from albatross.lambda_ import OPERATIONS
from tests.support.server import client, serve


def archive(**files: str) -> bytes:
    """Return a zip archive: `archive(app="x = 1")` holds `app.py`, always the same."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for name, content in files.items():
            entry = zipfile.ZipInfo(f"{name}.py")  # without a time
            entry.external_attr = 0o644 << 16
            zipped.writestr(entry, content)
    return buffer.getvalue()


@pytest.fixture(name="archive", scope="session")
def archive_fixture() -> Callable[..., bytes]:
    return archive


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    with serve({"lambda": OPERATIONS}) as url:
        yield url


@pytest.fixture
def api(url: str, account: str) -> Any:
    """A boto3 client of the Lambda API that lets bad parameters through."""
    return client("lambda", url, access_key=account, parameter_validation=False)


@pytest.fixture
def create(api: Any) -> Callable[..., dict[str, Any]]:
    """`create("name", Timeout=5)` creates a function."""

    def create(name: str = "fn", **params: Any) -> dict[str, Any]:
        request = {
            "FunctionName": name,
            "Runtime": "python3.12",
            "Handler": "app.handler",
            "Role": "arn:aws:iam::123456789012:role/any",
            "Code": {"ZipFile": archive(app="def handler(event, context): ...")},
            **params,
        }
        given = {key: value for key, value in request.items() if value is not None}
        return api.create_function(**given)

    return create
