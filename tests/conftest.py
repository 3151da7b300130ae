"""What must be so before any test is imported, and what tests of several folders share."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.support.objects import Objects
    from tests.support.stack import Front, Stack

# gRPC's threads are started anew in a fork of the process that has them, which crashes a good part
# of the processes that tests start as another user.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"

_accounts = itertools.count(200_000_000_001)
_LONGEST = ("e2e", "contract", "host", "xds")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: no worker is left with it when the others have ended."""
    places = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.path.parent.name, len(places)))


@pytest.fixture
def account() -> str:
    """An account that no other test has."""
    return str(next(_accounts))


@pytest.fixture
def refused() -> Callable[..., tuple[str, str]]:
    """`refused(elb.delete_rule, RuleArn="x")` returns code and message of the error."""

    def refused(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as raised:
            call(**params)
        error = raised.value.response["Error"]
        return error["Code"], error["Message"]

    return refused


# The server for tests of traffic, of whatever folder. What it needs is imported here: most tests
# do without.


@pytest.fixture(scope="session")
def objects() -> Iterator[Objects]:
    """What is in S3."""
    from tests.support.objects import serving

    with serving() as found:
        yield found


@pytest.fixture(scope="session")
def traffic(objects: Objects) -> Iterator[Stack]:
    from tests.support.traffic import serving

    with serving(objects.url) as running:
        yield running


@pytest.fixture(scope="session")
def single(traffic: Stack) -> Front:
    """A load balancer on port 80 in front of the function; events have single values."""
    return traffic.front()


@pytest.fixture(scope="session")
def multi(traffic: Stack) -> Front:
    """The same, with multi-value headers on."""
    return traffic.front(multi_value=True)
