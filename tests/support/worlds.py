"""Accounts and Regions with the same resources of the same names, and every operation of the API.

Parameters are made from the service models, so an operation that is new has some, too.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

from botocore.model import ListShape, MapShape, Shape, StructureShape

from albatross.aws.service import service
from albatross.config import Config
from albatross.control import api
from albatross.control.event_queue import AsyncInvocations
from albatross.control.signed_links import Links
from albatross.host.client import HostClient
from albatross.model.arn import Scope
from albatross.model.operation import Operation
from albatross.store.contents import Contents
from albatross.store.keys import Keys
from albatross.store.packages import Packages
from albatross.store.store import Store
from tests.support.command import zipped

HOME = Scope("111111111111", "us-east-1")
ABROAD = (Scope("111111111111", "eu-west-1"), Scope("222222222222", "us-east-1"))
NAME = "web"  # of everything
ELB = "elasticloadbalancing"
FIXED = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}
_PATH = {"Field": "path-pattern", "Values": ["/new"]}
_CODE = zipped("def handler(event, context): ...")

# Values that must be right for an operation to get as far as looking something up.
_SAMPLES: Mapping[str, Any] = {
    "Action": "lambda:InvokeFunction",
    "Actions": [FIXED],
    "Code": {"ZipFile": _CODE},
    "Conditions": [_PATH],
    "Content": {"ZipFile": _CODE},
    "DefaultActions": [FIXED],
    "DomainName": "web.example.com",
    "FunctionName": NAME,
    "FunctionVersion": "$LATEST",
    "Handler": "app.handler",
    "MaximumRetryAttempts": 1,
    "Name": NAME,
    "Port": 81,
    "Principal": "elasticloadbalancing.amazonaws.com",
    "Protocol": "HTTP",
    "Role": "arn:aws:iam::111111111111:role/any",
    "Runtime": "python3.11",
    "Subnets": ["subnet-00000001", "subnet-00000002"],
    "Targets": [{"Id": "10.0.0.1", "Port": 80}],
    "ZipFile": _CODE,
}


# Members that the model does not require and AWS does.
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "CreateFunction": ("Runtime", "Handler"),
    "CreateListener": ("Protocol", "Port"),
    "CreateLoadBalancer": ("Subnets",),
    "PutFunctionEventInvokeConfig": ("MaximumRetryAttempts",),
    "UpdateFunctionCode": ("ZipFile",),
}


class _Publisher:
    """What operations ask of a publisher: every port is free, every change in effect."""

    async def wait_in_effect(self) -> None:
        return None

    def obstacle(self, *_: object) -> None:
        return None

    def obstacle_to_urls(self) -> None:
        return None


class _Undone(Exception):
    """Ends a transaction so that nothing has happened."""


class _Whatever:
    """Has what it is given, and itself for everything else."""

    def __init__(self, **has: object) -> None:
        self.__dict__.update(has)

    def __getattr__(self, _: str) -> Any:
        return self

    def __call__(self, *_: object, **__: object) -> Any:
        return self


@cache
def operation_names() -> tuple[tuple[str, str], ...]:
    """Return service and name of every operation that the server serves."""
    parts = _Whatever(config=Config(), log_groups=_Whatever(operations=dict))
    found = api.operations(cast(Any, parts))  # but those on logs, which are in files
    return tuple(sorted((of, name) for of, operations in found.items() for name in operations))


class Worlds:
    """A store with the same resources in HOME and ABROAD. There is no Lambda host."""

    def __init__(self, folder: Path) -> None:
        self._runner = asyncio.Runner()
        self._store = self._runner.run(self._open(folder))
        host, config = HostClient(str(folder / "no-host")), Config(data_dir=str(folder))
        self._events = AsyncInvocations(config, self._store, host)
        parts = _Whatever(
            config=config,
            store=self._store,
            contents=Contents(folder),
            links=Links(lambda: "http://api"),
            host=host,
            publisher=_Publisher(),
            events=self._events,
            log_groups=_Whatever(operations=dict),
        )
        self._operations = api.operations(cast(Any, parts))
        self.known = {scope: self._build(scope) for scope in (HOME, *ABROAD)}

    async def _open(self, folder: Path) -> Store:
        database = f"sqlite:///{folder / 'state.db'}"
        packages, keys = Packages(folder), Keys(folder)
        return Store(database, packages, keys, strict=False, on_commit=lambda _: None)

    def close(self) -> None:
        self._runner.run(self._events.queue.close())
        self._runner.run(self._store.close())
        self._runner.close()

    def call(self, scope: Scope, of: str, name: str, *, stays: bool = False, **params: Any) -> Any:
        """Run an operation; without `stays` it is undone if it is a transaction."""
        operation = self._operations[of][name]
        if not isinstance(operation, Operation):
            return self._runner.run(operation.run(scope, params))
        run = operation.run
        results: list[Any] = []

        def once(tx: Any) -> None:
            results.append(run(tx, params))
            if not stays:
                raise _Undone

        with contextlib.suppress(_Undone):
            self._runner.run(self._store.write(scope, once))
        return results[0]

    def resources(self, scope: Scope) -> list[Any]:
        """Return all that is in a world."""
        snapshot = self._runner.run(self._store.snapshot())
        kinds = [getattr(snapshot, field.name) for field in fields(snapshot)]
        prefix = f":{scope.region}:{scope.account}:"
        return [
            one for kind in kinds if isinstance(kind, tuple) for one in kind if prefix in one.arn
        ]

    def _build(self, scope: Scope) -> dict[str, str]:
        """Make a resource of every kind. Return their ARNs by kind."""

        def elb(name: str, **params: Any) -> Any:
            return self.call(scope, ELB, name, stays=True, **params)

        def made(name: str, **params: Any) -> Any:
            return self.call(scope, "lambda", name, stays=True, **params)

        function = made("CreateFunction", **params("lambda", "CreateFunction"))["FunctionArn"]
        made("AddPermission", **{**params("lambda", "AddPermission"), "StatementId": NAME})
        layer = made("PublishLayerVersion", LayerName=NAME, Content={"ZipFile": _CODE})
        signing = made("CreateCodeSigningConfig", **params("lambda", "CreateCodeSigningConfig"))
        certificate = self.call(
            *(scope, "acm", "RequestCertificate"),
            **{"stays": True, "DomainName": "web.example.com", "KeyAlgorithm": "EC_prime256v1"},
        )["CertificateArn"]
        balancer = elb("CreateLoadBalancer", **params(ELB, "CreateLoadBalancer"))
        balancer = balancer["LoadBalancers"][0]["LoadBalancerArn"]
        groups = {
            "group": {"TargetType": "lambda"},
            "servers": {"Protocol": "HTTP", "Port": 80, "VpcId": "vpc-1", "TargetType": "ip"},
        }
        arns = {
            kind: elb("CreateTargetGroup", Name=f"{NAME}-{kind}", **given)["TargetGroups"][0]
            for kind, given in groups.items()
        }
        forward = {"Type": "forward", "TargetGroupArn": arns["servers"]["TargetGroupArn"]}
        http = {"LoadBalancerArn": balancer, "DefaultActions": [FIXED], "Protocol": "HTTP"}
        https = {**http, "Protocol": "HTTPS", "Certificates": [{"CertificateArn": certificate}]}
        listener = elb("CreateListener", **http, Port=80)["Listeners"][0]["ListenerArn"]
        secure = elb("CreateListener", **https, Port=443)["Listeners"][0]["ListenerArn"]
        given = {"ListenerArn": listener, "Priority": 1, "Conditions": [_PATH]}
        rule = elb("CreateRule", **given, Actions=[forward])["Rules"][0]["RuleArn"]
        store = elb("CreateTrustStore", **params(ELB, "CreateTrustStore"))["TrustStores"][0]
        elb("AddTrustStoreRevocations", TrustStoreArn=store["TrustStoreArn"], **REVOCATIONS)
        return {
            "function": function,
            "layer": layer["LayerArn"],
            "layer_version": layer["LayerVersionArn"],
            "signing": signing["CodeSigningConfig"]["CodeSigningConfigArn"],
            "certificate": certificate,
            "balancer": balancer,
            "group": arns["group"]["TargetGroupArn"],
            "servers": arns["servers"]["TargetGroupArn"],
            "listener": listener,
            "secure": secure,
            "rule": rule,
            "trust_store": store["TrustStoreArn"],
        }


REVOCATIONS: Mapping[str, Any] = {"RevocationContents": [{"S3Bucket": "b", "S3Key": "revoked"}]}


def params(of: str, name: str) -> dict[str, Any]:
    """Return values for the required members of an operation's input."""
    shape = service(of).operation(name).input_shape
    filled: dict[str, Any] = {} if shape is None else _filled(shape, "")
    return filled | {member: _SAMPLES[member] for member in _REQUIRED.get(name, ())}


def members(of: str, name: str) -> tuple[str, ...]:
    """Return the members of an operation's input."""
    shape = service(of).operation(name).input_shape
    return () if shape is None else tuple(shape.members)


def _filled(shape: Shape, name: str) -> Any:
    if name in _SAMPLES:
        return _SAMPLES[name]
    match shape:
        case StructureShape():
            return {key: _filled(shape.members[key], key) for key in shape.required_members}
        case ListShape():
            return [_filled(shape.member, name)]
        case MapShape():
            return {"a": "b"}
    match shape.type_name:
        case "integer" | "long":
            return 1
        case "boolean":
            return False
        case "blob":
            return b"{}"
        case "timestamp":
            return datetime(2026, 1, 1, tzinfo=UTC)
        case _:
            return shape.metadata.get("enum", ["new"])[0]
