"""One server for all tests of traffic."""

from collections.abc import Iterator

import pytest

from tests.support.stack import Front, Stack, forward, stack


@pytest.fixture(scope="session")
def traffic() -> Iterator[Stack]:
    with stack() as running:
        yield running


@pytest.fixture(scope="session")
def single(traffic: Stack) -> Front:
    """A load balancer on port 80 in front of the function; events have single values."""
    return traffic.front()


@pytest.fixture(scope="session")
def multi(traffic: Stack) -> Front:
    """The same, with multi-value headers on."""
    return traffic.front(forward(traffic.group(multi_value=True)))
