"""One server for all tests of this folder; every test has an account of its own."""

import io
import itertools
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from albatross import elbv2, lambda_
from tests.support.server import client, serve

OPERATIONS = {"elasticloadbalancing": elbv2.OPERATIONS, "lambda": lambda_.OPERATIONS}
OK = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]

_accounts = itertools.count(200_000_000_001)


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    with serve(OPERATIONS) as url:
        yield url


@pytest.fixture
def strict_url() -> Iterator[str]:
    with serve(OPERATIONS, strict=True) as url:
        yield url


@pytest.fixture
def account() -> str:
    return str(next(_accounts))


@pytest.fixture
def elb(url: str, account: str) -> Any:
    """A boto3 client of the elbv2 API that lets bad parameters through."""
    return client("elbv2", url, access_key=account, parameter_validation=False)


@pytest.fixture
def refused() -> Callable[..., tuple[str, str]]:
    """`refused(elb.delete_rule, RuleArn="x")` returns code and message of the error."""

    def refused(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as raised:
            call(**params)
        error = raised.value.response["Error"]
        return error["Code"], error["Message"]

    return refused


@pytest.fixture
def make_balancer(elb: Any) -> Callable[..., str]:
    """`make_balancer("name", Scheme="internal")` creates a load balancer and returns its ARN."""

    def make(name: str = "lb", **params: Any) -> str:
        subnets = ["subnet-aaa1", "subnet-bbb2"]
        answer = elb.create_load_balancer(Name=name, **{"Subnets": subnets, **params})
        return answer["LoadBalancers"][0]["LoadBalancerArn"]

    return make


@pytest.fixture
def make_listener(elb: Any) -> Callable[..., str]:
    """`make_listener(balancer, 8080)` creates a listener and returns its ARN."""

    def make(balancer: str, port: int = 80, actions: Any = OK) -> str:
        answer = elb.create_listener(
            LoadBalancerArn=balancer, Protocol="HTTP", Port=port, DefaultActions=actions
        )
        return answer["Listeners"][0]["ListenerArn"]

    return make


@pytest.fixture
def make_rule(elb: Any) -> Callable[..., str]:
    """`make_rule(listener, 10)` creates a rule and returns its ARN."""

    def make(listener: str, priority: int, actions: Any = OK, path: str = "/x") -> str:
        answer = elb.create_rule(
            ListenerArn=listener,
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "Values": [path]}],
            Actions=actions,
        )
        return answer["Rules"][0]["RuleArn"]

    return make


@pytest.fixture
def make_group(elb: Any) -> Callable[..., str]:
    """`make_group("name")` creates a Lambda target group and returns its ARN."""

    def make(name: str = "tg", **params: Any) -> str:
        answer = elb.create_target_group(Name=name, TargetType="lambda", **params)
        return answer["TargetGroups"][0]["TargetGroupArn"]

    return make


@pytest.fixture
def make_function(url: str, account: str) -> Callable[..., str]:
    """`make_function("fn")` creates a function that may be invoked and returns its ARN."""
    lambda_api = client("lambda", url, access_key=account)

    def make(name: str = "fn", *, source_arn: str | None = None, permit: bool = True) -> str:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.writestr("app.py", "def handler(event, context): ...")
        answer = lambda_api.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Handler="app.handler",
            Role=f"arn:aws:iam::{account}:role/any",
            Code={"ZipFile": archive.getvalue()},
        )
        if permit:
            lambda_api.add_permission(
                FunctionName=name,
                StatementId="elb",
                Action="lambda:InvokeFunction",
                Principal="elasticloadbalancing.amazonaws.com",
                **({"SourceArn": source_arn} if source_arn else {}),
            )
        return answer["FunctionArn"]

    return make


def forward(group: str) -> list[dict[str, Any]]:
    return [{"Type": "forward", "TargetGroupArn": group}]


@pytest.fixture(name="forward")
def forward_fixture() -> Callable[[str], list[dict[str, Any]]]:
    """`forward(group)` returns the actions that forward to a target group."""
    return forward
