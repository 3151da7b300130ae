"""One server of the CloudWatch Logs API for all tests of this folder; each has its own account."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from albatross.logs import Logs
from tests.support.server import client, serve


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory: Path = tmp_path_factory.mktemp("data")
    logs = Logs(directory, group_bytes_max=2**40, bytes_max=2**40)
    with serve({"logs": logs.operations()}, directory=directory) as url:
        yield url
    logs.close()


@pytest.fixture
def api(url: str, account: str) -> Any:
    """A boto3 client that lets bad parameters through, and asks the server for streams, too."""
    return client(
        "logs", url, access_key=account, parameter_validation=False, inject_host_prefix=False
    )
