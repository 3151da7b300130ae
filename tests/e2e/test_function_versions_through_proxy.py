"""Versions and aliases of functions as targets: what is served, and by which version."""

import asyncio
import base64
import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from albatross.host.client import HostClient
from tests.support.command import until, zipped
from tests.support.stack import Front, Stack, forward

SOURCE = """
import json, os, time

def handler(event, context):
    path = event["path"]
    if path.startswith("/sleep/"):
        time.sleep(float(path.rsplit("/", 1)[1]))
    if path == "/crash":
        os._exit(1)
    return {
        "statusCode": 200,
        "body": json.dumps(
            {
                "code": CODE,
                "arn": context.invoked_function_arn,
                "version": context.function_version,
                "variable": os.environ["AWS_LAMBDA_FUNCTION_VERSION"],
                "stream": context.log_stream_name,
                "started": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
                "process": os.getpid(),
            }
        ),
    }

CODE = "%s"
"""


class Function:
    """A function with three published versions: code `a`, `b` and `c`; $LATEST is `d`."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.api = stack.functions
        self.name = stack.name()
        self.arn = self.api.create_function(
            FunctionName=self.name,
            Runtime=f"python3.{sys.version_info.minor}",
            Handler="app.handler",
            Role="arn:aws:iam::123456789012:role/any",
            Code={"ZipFile": zipped(SOURCE % "a")},
            Publish=True,
            Timeout=20,
        )["FunctionArn"]
        self.update("b", publish=True)
        self.update("c", publish=True)
        self.update("d")

    def update(self, code: str, *, publish: bool = False) -> None:
        archive = zipped(SOURCE % code)
        self.api.update_function_code(FunctionName=self.name, ZipFile=archive, Publish=publish)

    def allow(self, qualifier: str | None = None, sid: str = "elb") -> None:
        self.api.add_permission(
            FunctionName=self.name,
            **({"Qualifier": qualifier} if qualifier else {}),
            StatementId=sid,
            Action="lambda:InvokeFunction",
            Principal="elasticloadbalancing.amazonaws.com",
        )

    def alias(self, name: str, version: str, **weights: float) -> str:
        numbers = {number.lstrip("v"): weight for number, weight in weights.items()}
        arn: str = self.api.create_alias(
            FunctionName=self.name,
            Name=name,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": numbers},
        )["AliasArn"]
        self.allow(name)
        return arn

    def group(self, target: str) -> str:
        arn: str = self.stack.elb.create_target_group(Name=self.stack.name(), TargetType="lambda")[
            "TargetGroups"
        ][0]["TargetGroupArn"]
        self.stack.elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": target}])
        return arn

    def front(self, target: str) -> Front:
        return self.stack.front(forward(self.group(target)))


@pytest.fixture(scope="module")
def function(traffic: Stack) -> Function:
    return Function(traffic)


def ask(front: Front, path: str = "/") -> dict[str, Any]:
    answer = front.get(path)
    assert answer.status == 200, answer
    document: dict[str, Any] = json.loads(answer.body)
    return document


def served(front: Front, requests: int) -> Counter[str]:
    """Return how often each code has answered."""
    return Counter(ask(front)["code"] for _ in range(requests))


def test_a_version_as_target_is_what_was_published(function: Function) -> None:
    function.allow("2")
    front = function.front(f"{function.arn}:2")
    found = ask(front)
    assert (found["code"], found["version"], found["variable"]) == ("b", "2", "2")
    assert found["arn"] == f"{function.arn}:2"
    assert "/[2]" in found["stream"]


def test_an_unqualified_target_is_latest(function: Function) -> None:
    function.allow(sid="unqualified")
    found = ask(function.front(function.arn))
    assert (found["code"], found["version"], found["arn"]) == ("d", "$LATEST", function.arn)
    assert "/[$LATEST]" in found["stream"]
    by_name = ask(function.front(f"{function.arn}:$LATEST"))
    assert (by_name["code"], by_name["arn"]) == ("d", f"{function.arn}:$LATEST")


def test_an_alias_is_seen_as_invoked_with_the_version_that_it_leads_to(function: Function) -> None:
    alias = function.alias("named", "1")
    found = ask(function.front(alias))
    assert (found["code"], found["version"], found["arn"]) == ("a", "1", alias)


def test_a_canary_gets_its_share_of_the_requests(function: Function) -> None:
    alias = function.alias("canary", "1", v2=0.25)
    front = function.front(alias)
    counts = served(front, 400)
    assert counts.keys() == {"a", "b"}
    assert 60 <= counts["b"] <= 140  # 100 on average, five standard deviations are 43
    function.api.update_alias(
        FunctionName=function.name,
        Name="canary",
        RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}},
    )
    assert served(front, 20) == {"b": 20}
    function.api.update_alias(
        FunctionName=function.name,
        Name="canary",
        FunctionVersion="3",
        RoutingConfig={"AdditionalVersionWeights": {}},
    )
    assert served(front, 20) == {"c": 20}


def test_moving_an_alias_is_hitless_and_the_old_version_finishes(function: Function) -> None:
    front = function.front(function.alias("moving", "1"))
    with ThreadPoolExecutor(4) as threads:
        slow = [threads.submit(ask, front, "/sleep/0.5") for _ in range(2)]
        until(lambda: running(function, ":1") == 2)
        function.api.update_alias(FunctionName=function.name, Name="moving", FunctionVersion="3")
        assert ask(front)["code"] == "c"  # from the very next request on
        assert [one.result()["code"] for one in slow] == ["a", "a"]


def test_no_request_is_lost_while_an_alias_moves(function: Function) -> None:
    front = function.front(function.alias("restless", "1"))
    with ThreadPoolExecutor(3) as threads:
        counts = [threads.submit(served, front, 60) for _ in range(3)]
        for version in "231231231":
            function.api.update_alias(
                FunctionName=function.name, Name="restless", FunctionVersion=version
            )
            assert ask(front)["version"] == version
        total = sum((each.result() for each in counts), Counter[str]())
    assert total.total() == 180
    assert total.keys() <= {"a", "b", "c"}


def test_the_policy_that_counts_is_that_of_the_qualifier(function: Function) -> None:
    unallowed = function.api.create_alias(
        FunctionName=function.name, Name="unallowed", FunctionVersion="1"
    )["AliasArn"]
    with pytest.raises(ClientError) as refused:
        function.group(unallowed)
    assert refused.value.response["Error"]["Code"] == "AccessDenied"
    front = function.front(function.alias("allowed", "1"))
    assert ask(front)["code"] == "a"
    function.api.remove_permission(
        FunctionName=function.name, Qualifier="allowed", StatementId="elb"
    )
    assert front.get().status == 502
    function.allow("allowed", sid="again")
    assert ask(front)["code"] == "a"


def test_what_does_not_exist_is_no_target(function: Function) -> None:
    for qualifier in ("nothing", "99"):
        with pytest.raises(ClientError) as refused:
            function.group(f"{function.arn}:{qualifier}")
        assert refused.value.response["Error"]["Code"] == "InvalidTarget"


def test_a_deleted_alias_is_answered_for_with_502_until_it_is_back(function: Function) -> None:
    front = function.front(function.alias("gone", "1"))
    assert ask(front)["code"] == "a"
    function.api.delete_alias(FunctionName=function.name, Name="gone")
    assert front.get().status == 502
    function.alias("gone", "2")
    assert ask(front)["code"] == "b"


def test_invoke_by_qualifier_names_the_version_that_ran(function: Function) -> None:
    alias = function.alias("invoked", "3")
    for name, qualifier, version in [
        (function.name, "invoked", "3"),
        (alias, None, "3"),
        (f"{function.name}:1", None, "1"),
        (function.name, "$LATEST", "$LATEST"),
        (function.name, None, "$LATEST"),
    ]:
        answer = function.api.invoke(
            FunctionName=name,
            **({"Qualifier": qualifier} if qualifier else {}),
            Payload=json.dumps({"path": "/"}),
            LogType="Tail",
        )
        body = json.loads(json.load(answer["Payload"])["body"])
        assert (answer["ExecutedVersion"], body["version"]) == (version, version)
        assert f"Version: {version}\n" in base64.b64decode(answer["LogResult"]).decode()


def test_a_health_check_invokes_the_qualified_target(function: Function) -> None:
    group = function.group(function.alias("checked", "1"))
    function.stack.front(forward(group))
    elb = function.stack.elb
    elb.modify_target_group(
        TargetGroupArn=group,
        HealthCheckEnabled=True,
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=3,
    )

    def state() -> str:
        (target,) = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        found: str = target["TargetHealth"]["State"]
        return found

    until(lambda: state() == "healthy")


def test_versions_with_the_same_code_share_its_files(function: Function) -> None:
    api = function.api
    before = set((function.stack.server.place.data / "code").iterdir())
    api.update_function_configuration(FunctionName=function.name, Description="other")
    version = api.publish_version(FunctionName=function.name)["Version"]
    api.update_function_configuration(FunctionName=function.name, Description="")
    assert api.publish_version(FunctionName=function.name)["Version"] != version
    assert set((function.stack.server.place.data / "code").iterdir()) == before


# Concurrency


def test_a_reservation_counts_all_versions_together(traffic: Stack) -> None:
    function = Function(traffic)
    function.allow()
    old, new = function.front(function.alias("old", "1")), function.front(function.arn)
    function.api.put_function_concurrency(
        FunctionName=function.name, ReservedConcurrentExecutions=2
    )
    with ThreadPoolExecutor(2) as threads:
        slow = [threads.submit(ask, front, "/sleep/1") for front in (old, new)]
        until(lambda: running(function, ":1") + running(function, "") == 2)
        assert (old.get().status, new.get().status) == (502, 502)
        assert {one.result()["code"] for one in slow} == {"a", "d"}
    assert ask(old)["code"] == "a"


def test_provisioned_environments_are_ready_before_the_first_request(traffic: Stack) -> None:
    function = Function(traffic)
    api, named = function.api, {"FunctionName": function.name, "Qualifier": "live"}
    front = function.front(function.alias("live", "2"))
    put = api.put_provisioned_concurrency_config(**named, ProvisionedConcurrentExecutions=2)
    assert (put["Status"], put["AvailableProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 0)
    until(lambda: api.get_provisioned_concurrency_config(**named)["Status"] == "READY")
    shown = api.get_provisioned_concurrency_config(**named)
    assert shown["AllocatedProvisionedConcurrentExecutions"] == 2
    assert shown["AvailableProvisionedConcurrentExecutions"] == 2
    assert pool(function, ":2")["environments"] == 2
    found = ask(front)
    assert (found["started"], found["version"]) == ("provisioned-concurrency", "2")
    with ThreadPoolExecutor(2) as threads:
        slow = [threads.submit(ask, front, "/sleep/1") for _ in range(2)]
        until(lambda: running(function, ":2") == 2)
        assert ask(front)["started"] == "on-demand"  # one more than is provisioned
        assert {one.result()["started"] for one in slow} == {"provisioned-concurrency"}
    assert front.get("/crash").status == 502
    until(lambda: api.get_provisioned_concurrency_config(**named)["Status"] == "READY")
    (listed,) = api.list_provisioned_concurrency_configs(FunctionName=function.name)[
        "ProvisionedConcurrencyConfigs"
    ]
    assert (listed["FunctionArn"], listed["Status"]) == (f"{function.arn}:live", "READY")
    api.update_alias(FunctionName=function.name, Name="live", FunctionVersion="3")
    until(lambda: api.get_provisioned_concurrency_config(**named)["Status"] == "READY")
    until(lambda: pool(function, ":2")["provisioned_ready"] == 0)
    assert ask(front)["started"] == "provisioned-concurrency"
    api.delete_provisioned_concurrency_config(**named)
    until(lambda: pool(function, ":3")["environments"] == 0)


def test_environments_that_cannot_start_are_told_of(traffic: Stack) -> None:
    function = Function(traffic)
    function.api.update_function_configuration(FunctionName=function.name, Handler="nothing.here")
    version = function.api.publish_version(FunctionName=function.name)["Version"]
    named = {"FunctionName": function.name, "Qualifier": version}
    function.api.put_provisioned_concurrency_config(**named, ProvisionedConcurrentExecutions=1)
    get = function.api.get_provisioned_concurrency_config
    until(lambda: get(**named)["Status"] == "FAILED")
    assert get(**named)["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE"


def pool(function: Function, suffix: str) -> dict[str, Any]:
    """Return what the Lambda host says of the version with that end of its ARN."""
    (socket,) = function.stack.server.place.folder.glob("albatross-*/control.sock")
    found: Any = asyncio.run(HostClient(str(socket)).statistics())["pools"]
    return next(each for each in found if each["arn"] == f"{function.arn}{suffix}")


def running(function: Function, suffix: str) -> int:
    count: int = pool(function, suffix)["running"]
    return count
