"""One server for all tests of this folder; every test has an account of its own."""

import io
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from albatross import acm, elbv2, lambda_
from albatross.aws.app import Operations
from albatross.aws.http import own_url
from albatross.control import s3, trust_material
from albatross.control.signed_links import Links
from albatross.store.contents import Contents
from albatross.store.store import Store
from tests.elbv2.world import World
from tests.support.server import client, serve

OPERATIONS = {
    "elasticloadbalancing": elbv2.OPERATIONS,
    "lambda": lambda_.OPERATIONS,
    "acm": acm.OPERATIONS,
}
OK = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]


@pytest.fixture(scope="session")
def objects() -> dict[str, bytes]:
    """What is in S3, by s3://BUCKET/KEY. None at all stands for an endpoint that is away."""
    return {}


@pytest.fixture(scope="session")
def url(objects: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    contents, links = (
        Contents(tmp_path_factory.mktemp("contents")),
        Links(partial(own_url, "http://nobody")),
    )

    def read(location: s3.Location, bytes_max: int) -> bytes:
        if location.bucket == "no-endpoint":
            return s3.read("", location, bytes_max)
        if str(location) not in objects:
            raise s3.ObjectNotFound(location, "NoSuchKey", "not found")
        if len(objects[str(location)]) > bytes_max:
            raise s3.ObjectTooLarge(f"{location} is too large")
        return objects[str(location)]

    def with_trust_stores(store: Store, _: Path) -> Operations:
        return {
            "elasticloadbalancing": trust_material.operations(
                store, contents, read, after_write=_nothing, links=links
            )
        }

    routes = trust_material.routes(contents, links)
    with serve(OPERATIONS, more=with_trust_stores, extra_routes=routes) as url:
        yield url


async def _nothing() -> None:
    return None


@pytest.fixture(scope="session")
def world(url: str, objects: dict[str, bytes]) -> World:
    """An account with a resource of every kind, for calls that are refused."""
    return World(url, objects)


@pytest.fixture
def strict_url() -> Iterator[str]:
    with serve(OPERATIONS, strict=True) as url:
        yield url


@pytest.fixture
def elb(url: str, account: str) -> Any:
    """A boto3 client of the elbv2 API that lets bad parameters through."""
    return client("elbv2", url, access_key=account, parameter_validation=False)


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
def acm_api(url: str, account: str) -> Any:
    return client("acm", url, access_key=account)


@pytest.fixture
def make_certificate(acm_api: Any) -> Callable[..., str]:
    """`make_certificate("a.example.com")` issues a certificate and returns its ARN."""

    def make(name: str = "a.example.com") -> str:
        made = acm_api.request_certificate(DomainName=name, KeyAlgorithm="EC_prime256v1")
        arn: str = made["CertificateArn"]
        return arn

    return make


@pytest.fixture
def make_https(elb: Any, make_certificate: Callable[..., str]) -> Callable[..., Any]:
    """`make_https(balancer, 443, SslPolicy="...")` creates an HTTPS listener and returns it."""

    def make(balancer: str, port: int = 443, **params: Any) -> Any:
        if "Certificates" not in params:
            params["Certificates"] = [{"CertificateArn": make_certificate()}]
        made = elb.create_listener(
            **{
                "LoadBalancerArn": balancer,
                "Protocol": "HTTPS",
                "Port": port,
                "DefaultActions": OK,
                **params,
            }
        )
        return made["Listeners"][0]

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
