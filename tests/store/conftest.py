"""One PostgreSQL server for all tests of the store; each takes a schema of its own."""

from collections.abc import Iterator

import pytest

from tests.support.postgresql import Postgresql, postgresql


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgresql]:
    with postgresql() as server:
        yield server
