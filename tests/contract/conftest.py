"""The contract row by row, from outside: one server, and an S3 that holds what tests put there."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import multi, single
from tests.support.access_logs import Logs
from tests.support.backends import Backends, backends
from tests.support.objects import Objects, serving
from tests.support.rules import ANY, Matching, rule
from tests.support.server import client as aws_client
from tests.support.stack import Front, Stack, fixed, stack

__all__ = ["multi", "single"]


@pytest.fixture(scope="session")
def objects() -> Iterator[Objects]:
    """What is in S3."""
    with serving() as found:
        yield found


@pytest.fixture(scope="session")
def traffic(objects: Objects) -> Iterator[Stack]:
    with stack(ALBATROSS_S3_ENDPOINT=objects.url, ALBATROSS_LOG_INTERVAL_S="1") as running:
        yield running


@pytest.fixture(scope="session")
def logs(traffic: Stack) -> Logs:
    """The access logs of load balancers that have them turned on."""
    return Logs(traffic)


@pytest.fixture(scope="session")
def elb(traffic: Stack) -> Any:
    """A client of the API that lets bad parameters through."""
    return aws_client(
        "elbv2", traffic.server.url, access_key="123456789012", parameter_validation=False
    )


@pytest.fixture(scope="session")
def matches(traffic: Stack) -> Iterator[Matching]:
    """Tells whether a condition holds for a request."""
    front = traffic.front(fixed(404, "default"))
    with rule(front, ANY, action=fixed(200, "rule")) as arn:
        yield Matching(front, arn)


@pytest.fixture(scope="module")
def front(traffic: Stack) -> Front:
    """A load balancer on port 80 that answers 404 `default`; rules come and go."""
    return traffic.front(fixed(404, "default"))


@pytest.fixture(scope="session")
def servers() -> Iterator[Backends]:
    """Servers that may be targets."""
    with backends() as running:
        yield running
