"""Whatever is called, with whatever parameters: an answer that botocore reads, or AWS's error.

`ALBATROSS_ANY_CALLS=1000` tries so many random calls of each operation instead of a few that are
always the same.
"""

import itertools
import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from botocore.model import OperationModel
from botocore.validate import ParamValidator
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from albatross.aws.service import service
from tests.support import any_call
from tests.support.api import DATABASE, OPERATIONS, Api, api
from tests.support.sense import AUTHORITY, SENSE
from tests.support.wire import Caller, Message, Reply, message

CALLS = int(os.environ.get("ALBATROSS_ANY_CALLS", "3"))
ANY = settings(
    max_examples=CALLS,
    derandomize="ALBATROSS_ANY_CALLS" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
ELB = "elasticloadbalancing"
TRUST_STORES = (
    *("CreateTrustStore", "ModifyTrustStore", "AddTrustStoreRevocations"),
    *("GetTrustStoreCaCertificatesBundle", "GetTrustStoreRevocationContent"),
)
ALL = sorted({(name, one) for name, of in OPERATIONS.items() for one in of if name != "sts"})
ALL += [(ELB, name) for name in TRUST_STORES if (ELB, name) not in ALL]
# AWS's own answers are shorter than their shapes allow, an empty list of tags for one; a function
# without code signing is answered without its required member.
LOOSE = ("Invalid length", 'Missing required parameter in input: "CodeSigningConfigArn"')
_accounts = itertools.count(500_000_000_001)


class World:
    """One account with a resource of each kind, and what answers have named, by member."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.account = str(next(_accounts))
        self.pool: dict[str, list[Any]] = defaultdict(list)
        self._make()

    def call(self, name: str, operation: str, **params: Any) -> Any:
        reply = self.caller.call(name, operation, self.account, params)
        assert reply.status < 300, (operation, reply)
        self.learn(reply.result)
        return reply.result

    def learn(self, result: Any) -> None:
        """Note the ids in an answer, the last 20 of a member."""
        for name, value in result.items():
            if isinstance(value, dict):
                self.learn(value)
            elif isinstance(value, list):
                for item in value:
                    self.learn(item if isinstance(item, dict) else {name.removesuffix("s"): item})
            elif any_call.REFERRED.search(name):
                for key in (name, *_also_called(name, value)):
                    if value not in self.pool[key]:
                        self.pool[key] = [*self.pool[key], value][-20:]

    def _make(self) -> None:
        fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}
        certificate = self.call(
            "acm", "RequestCertificate", DomainName="a.example.com", KeyAlgorithm="EC_prime256v1"
        )
        balancer = self.call(ELB, "CreateLoadBalancer", Name="a", Subnets=["subnet-1", "subnet-2"])[
            "LoadBalancers"
        ][0]["LoadBalancerArn"]
        server = {"Protocol": "HTTP", "Port": 80, "VpcId": "vpc-1"}
        group = self.call(ELB, "CreateTargetGroup", Name="a", **server)["TargetGroups"][0]
        self.call(ELB, "CreateTargetGroup", Name="b", TargetType="lambda")
        self.call(ELB, "CreateTargetGroup", Name="c", TargetType="ip", **server)
        forward = {"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}
        self.call(
            *(ELB, "CreateTrustStore"),
            Name="a",
            CaCertificatesBundleS3Bucket="trust",
            CaCertificatesBundleS3Key="ca.pem",
        )
        for port, security in (
            (80, {"Protocol": "HTTP"}),
            (443, {"Protocol": "HTTPS", "Certificates": [certificate]}),
        ):
            listener = self.call(
                *(ELB, "CreateListener"),
                LoadBalancerArn=balancer,
                Port=port,
                DefaultActions=[fixed],
                **security,
            )["Listeners"][0]["ListenerArn"]
            path = [{"Field": "path-pattern", "Values": ["/a"]}]
            for priority, action in enumerate((forward, fixed), 1):
                self.call(
                    *(ELB, "CreateRule"),
                    ListenerArn=listener,
                    Priority=priority,
                    Conditions=path,
                    Actions=[action],
                )
        self.call(
            *("lambda", "CreateFunction"),
            FunctionName="f",
            Runtime="python3.13",
            Handler="app.handler",
            Role=SENSE.values["Role"][0],
            Code=SENSE.structures["FunctionCode"][0],
        )


def _also_called(name: str, value: str) -> list[str]:
    """Return the other members that an answer's member may be meant by."""
    if name == "FunctionArn":
        return ["Resource"]
    if name.endswith("Arn") and ELB in value:
        return ["ResourceArn"]
    return []


class State:
    """What the database holds of an account: equal where nothing has changed."""

    def __init__(self, made: Api) -> None:
        self._database = sqlite3.connect(made.directory / DATABASE)

    def of(self, account: str) -> list[Any]:
        within = f"arn:aws:%:{account}:%"
        return [
            self._database.execute(f"SELECT * FROM {table} WHERE arn LIKE ?", (within,)).fetchall()
            for table in ("resources", "tags", "uses")
        ]

    def close(self) -> None:
        self._database.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with api(tmp_path_factory.mktemp("any-calls")) as made:
        made.objects["s3://trust/ca.pem"] = AUTHORITY.pem
        made.objects["s3://trust/crl.pem"] = AUTHORITY.revoking()
        yield made


@pytest.fixture(scope="module")
def caller(made: Api) -> Iterator[Caller]:
    with Caller(made.url) as caller:
        yield caller


@pytest.fixture(scope="module")
def state(made: Api) -> Iterator[State]:
    state = State(made)
    yield state
    state.close()


@pytest.fixture(scope="module")
def world_of(caller: Caller) -> Callable[[bool], World]:
    """`world_of(fresh)` returns the world that is there, or a new one."""
    worlds: list[World] = []

    def world_of(fresh: bool) -> World:
        if fresh or not worlds:
            worlds[:] = [World(caller)]
        return worlds[0]

    return world_of


CALLS_OF = cache(lambda operation: any_call.parameters(operation, SENSE))


def draw_call(draw: Any, name: str, operation: OperationModel, world: World) -> Message:
    """Return a request: one in four is broken."""
    params = draw(CALLS_OF(operation))
    damage = draw(st.none() | st.none() | st.none() | any_call.DAMAGES)
    sent = message(name, operation, any_call.resolve(params, world.pool), world.account)
    if damage is None:
        return sent
    return damage.done_to(sent, is_form=service(name).protocol == "query")


def check(
    caller: Caller, state: State, world: World, name: str, operation: OperationModel, sent: Message
) -> Reply:
    """Send a request. Whatever it is, the answer is whole; after an error nothing has changed."""
    before = state.of(world.account)
    try:
        reply = caller.send(name, operation, sent)
    except ValueError as error:  # http.client writes no such header
        assume("header" not in str(error).lower())
        raise
    shown = (operation.name, sent, reply)
    if reply.status >= 300:
        assert reply.status < 500 or reply.code == "NotImplemented", shown
        assert reply.code, shown
        assert reply.result["Error"]["Message"], shown
        assert state.of(world.account) == before, shown
        return reply
    if operation.output_shape is not None and reply.result:
        report = ParamValidator().validate(reply.result, operation.output_shape).generate_report()
        faults = [line for line in report.splitlines() if not any(one in line for one in LOOSE)]
        assert not faults, (faults, shown)
    if operation.name.startswith(("Describe", "Get", "List")):
        assert state.of(world.account) == before, shown
    world.learn(reply.result)
    return reply


@pytest.mark.parametrize(("name", "operation_name"), ALL, ids=lambda value: value)
@pytest.mark.timeout(20 + CALLS)
def test_any_call_of_an_operation_is_answered(
    made: Api,
    caller: Caller,
    state: State,
    world_of: Callable[[bool], World],
    name: str,
    operation_name: str,
) -> None:
    operation = service(name).operation(operation_name)
    gone = False

    @ANY
    @given(st.data())
    def any_call_is_answered(data: st.DataObject) -> None:
        nonlocal gone
        world = world_of(gone)
        gone = False
        sent = draw_call(data.draw, name, operation, world)
        reply = check(caller, state, world, name, operation, sent)
        gone = reply.status < 300 and operation_name.startswith(("Delete", "Remove"))

    any_call_is_answered()
    assert made.faults() == []


@pytest.mark.timeout(60 + CALLS * 10)
def test_any_calls_one_after_the_other_leave_a_whole_state(
    made: Api, caller: Caller, state: State
) -> None:
    @ANY
    @given(st.data())
    def any_calls_are_answered(data: st.DataObject) -> None:
        world = World(caller)
        for name, operation_name in data.draw(
            st.lists(st.sampled_from(ALL), min_size=10, max_size=30)
        ):
            operation = service(name).operation(operation_name)
            sent = draw_call(data.draw, name, operation, world)
            check(caller, state, world, name, operation, sent)
        assert made.faults() == []

    any_calls_are_answered()
