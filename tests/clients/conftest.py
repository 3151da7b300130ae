"""One server for the tests of this folder; every test has an account of its own."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.api import Api, api

_accounts = itertools.count(300_000_000_001)


@pytest.fixture(scope="session")
def shared_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api(tmp_path_factory.mktemp("clients")) as shared:
        yield shared
        assert shared.faults() == []


@pytest.fixture
def account() -> str:
    return str(next(_accounts))


@pytest.fixture
def elb(shared_api: Api, account: str) -> Any:
    return shared_api.client("elbv2", account)
