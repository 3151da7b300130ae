"""The contract row by row, from outside: what its tests share on the server for traffic."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.access_logs import Logs
from tests.support.backends import Backends, backends
from tests.support.command import zipped
from tests.support.node import NODE
from tests.support.rules import ANY, Matching, rule
from tests.support.server import client as aws_client
from tests.support.stack import Front, Stack, fixed, forward

NODE_FUNCTION = """
exports.handler = async (event) => {
  if (!event.path.startsWith("/-/")) return {statusCode: 200, body: JSON.stringify(event)};
  const {body} = event;
  return eval(`(${event.isBase64Encoded ? Buffer.from(body, "base64") : body})`);
};
"""
RAW_FUNCTION = """
import base64, http.client, json, os

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
path = "/2018-06-01/runtime/invocation/"

while True:
    api.request("GET", path + "next")
    answer = api.getresponse()
    event = json.loads(answer.read())
    result = event["body"].encode()
    if event["isBase64Encoded"]:
        result = base64.b64decode(result)
    id_ = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    api.request("POST", path + id_ + "/response", result)
    api.getresponse().read()
"""


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


@pytest.fixture(scope="session")
def single_h2(traffic: Stack) -> Front:
    """An HTTPS listener in front of the function; events have single values."""
    return traffic.front(forward(traffic.group()), port=443, certificate=_certificate(traffic))


@pytest.fixture(scope="session")
def multi_h2(traffic: Stack) -> Front:
    """The same, with multi-value headers on."""
    action = forward(traffic.group(multi_value=True))
    return traffic.front(action, port=443, certificate=_certificate(traffic))


def _certificate(traffic: Stack) -> str:
    arn: str = traffic.server.client("acm").request_certificate(
        DomainName="www.example.com", KeyAlgorithm="EC_prime256v1"
    )["CertificateArn"]
    return arn


@pytest.fixture(scope="session")
def node(traffic: Stack) -> Front:
    """In front of a Node.js function: returns its event, or below /-/ what an expression is."""
    if NODE is None:
        pytest.skip("node is not on the PATH")
    function = traffic.make(
        "",
        Runtime="nodejs20.x",
        Handler="index.handler",
        Code={"ZipFile": zipped(NODE_FUNCTION, "index.js")},
    )
    return traffic.front(forward(traffic.group(function=function)))


@pytest.fixture(scope="session")
def raw(traffic: Stack) -> Front:
    """In front of a function without a runtime of AWS's: its result is a request's body."""
    function = traffic.make(
        "",
        Runtime="provided.al2023",
        Handler="any",
        Code={"ZipFile": zipped(f"#!{sys.executable}\n{RAW_FUNCTION}", "bootstrap", 0o755)},
    )
    return traffic.front(forward(traffic.group(function=function)))
