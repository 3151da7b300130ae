"""One server for the tests of this folder; every test has an account of its own."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.api import Api, api


@pytest.fixture(scope="session")
def shared_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api(tmp_path_factory.mktemp("clients")) as shared:
        yield shared
        assert shared.faults() == []


@pytest.fixture
def elb(shared_api: Api, account: str) -> Any:
    return shared_api.client("elbv2", account)
