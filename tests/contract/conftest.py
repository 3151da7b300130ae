"""The contract row by row, from outside: one server, and an S3 that holds what tests put there."""

from collections.abc import Iterator
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from tests.e2e.conftest import multi, single
from tests.support.backends import Backends, backends
from tests.support.server import client as aws_client
from tests.support.stack import Front, Stack, fixed, stack

__all__ = ["multi", "single"]

BUCKET = "trust"


@pytest.fixture(scope="session")
def s3() -> Iterator[tuple[str, Any]]:
    """The endpoint and a client of an S3 with a bucket."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    address, port = server.get_host_and_port()
    url = f"http://{address}:{port}"
    client = aws_client("s3", url)
    client.create_bucket(Bucket=BUCKET)
    yield url, client
    server.stop()


@pytest.fixture(scope="session")
def traffic(s3: tuple[str, Any]) -> Iterator[Stack]:
    variables = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with stack(ALBATROSS_S3_ENDPOINT=s3[0], **variables) as running:
        yield running


@pytest.fixture(scope="session")
def elb(traffic: Stack) -> Any:
    """A client of the API that lets bad parameters through."""
    return aws_client(
        "elbv2", traffic.server.url, access_key="123456789012", parameter_validation=False
    )


@pytest.fixture(scope="module")
def front(traffic: Stack) -> Front:
    """A load balancer on port 80 that answers 404 `default`; rules come and go."""
    return traffic.front(fixed(404, "default"))


@pytest.fixture(scope="session")
def servers() -> Iterator[Backends]:
    """Servers that may be targets."""
    with backends() as running:
        yield running
