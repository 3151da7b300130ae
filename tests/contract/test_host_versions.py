"""Concurrency, versions, aliases and resource policies, row by row, on a running server.

Sources: Lambda guide, "Understanding Lambda function scaling", "Manage Lambda function versions",
"Create an alias for a Lambda function"; Lambda API, `AddPermission`, `GetPolicy`; ALB user guide,
"Lambda functions as targets".
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.access_logs import Logs, turn_on
from tests.support.command import until, zipped
from tests.support.invoking import SOURCE as RUNS
from tests.support.invoking import invoke, run
from tests.support.rules import refused
from tests.support.stack import Stack, forward

SOURCE = 'def handler(event, context): return {{"statusCode": 200, "body": "{body}"}}'
ELB = "elasticloadbalancing.amazonaws.com"
PERMISSION = {"StatementId": "load-balancer", "Action": "lambda:InvokeFunction", "Principal": ELB}
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture(scope="module")
def api(traffic: Stack) -> Any:
    return traffic.functions


@pytest.fixture(scope="module")
def arn(traffic: Stack, api: Any) -> str:
    """A function with versions 1 (`one`) and 2 (`two`); $LATEST is `latest`."""
    made = traffic.make(SOURCE.format(body="one"))
    for body in ("two", "latest"):
        api.publish_version(FunctionName=made)
        code = zipped(SOURCE.format(body=body))
        api.update_function_code(FunctionName=made, ZipFile=code)
    return made


@pytest.fixture
def fresh(traffic: Stack) -> str:
    """A function of the test's own, without a policy."""
    made = traffic.make(RUNS, Timeout=10)
    traffic.functions.remove_permission(FunctionName=made, StatementId="elb")
    return made


def body(traffic: Stack, called: str, **params: Any) -> tuple[str, str]:
    invoked = invoke(traffic, called, {}, **params)
    return invoked.result["body"], invoked.version


# Concurrency and throttling


@pytest.fixture
def throttled(traffic: Stack, api: Any) -> Iterator[str]:
    made = traffic.make(RUNS)
    api.put_function_concurrency(FunctionName=made, ReservedConcurrentExecutions=0)
    yield made


def test_reserved_concurrency_0_all_invokes_throttled_429_rate_exceeded(
    traffic: Stack, api: Any, throttled: str
) -> None:
    with pytest.raises(ClientError) as raised:
        api.invoke(FunctionName=throttled)
    answer: Any = raised.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert (answer["Error"]["Code"], answer["message"]) == (
        "TooManyRequestsException",
        "Rate Exceeded.",
    )
    assert answer["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert answer["Type"] == "User"
    assert int(answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"]) >= 1
    api.delete_function_concurrency(FunctionName=throttled)
    assert run(traffic, throttled, "result = 1").result == 1


def test_over_the_limit_alb_502_lambda_throttling(
    traffic: Stack, logs: Logs, throttled: str
) -> None:
    front = traffic.front(forward(traffic.group(function=throttled)))
    turn_on(front)
    assert front.get().status == 502
    (line,) = until(lambda: list(logs.of(front).values()))
    assert line["lambda_error_reason"] == "LambdaThrottling"
    assert (line["elb_status_code"], line["target_status_code"]) == ("502", "-")


def test_reservation_covers_all_versions_and_aliases_together_alb_does_not_queue(
    traffic: Stack, api: Any, fresh: str
) -> None:
    version = api.publish_version(FunctionName=fresh)["Version"]
    api.create_alias(FunctionName=fresh, Name="live", FunctionVersion=version)
    api.put_function_concurrency(FunctionName=fresh, ReservedConcurrentExecutions=1)
    code = "open('/tmp/x', 'w'); print('begun', flush=True); time.sleep(2); result = 'done'"
    group = f"/aws/lambda/{fresh.rpartition(':')[2]}"
    logs = traffic.server.client("logs")

    def has_begun() -> bool:
        try:
            return bool(logs.filter_log_events(logGroupName=group, filterPattern="begun")["events"])
        except logs.exceptions.ResourceNotFoundException:
            return False

    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(run, traffic, f"{fresh}:live", code)
        until(has_begun)
        for called in (fresh, f"{fresh}:{version}", f"{fresh}:live"):
            code, _ = refused(api.invoke, FunctionName=called)
            assert code == "TooManyRequestsException"
        assert running.result().result == "done"
    assert run(traffic, fresh, "result = 1").result == 1


# Versions and aliases


def test_latest_mutable_versions_1_and_2_immutable_snapshots(traffic: Stack, arn: str) -> None:
    assert body(traffic, arn) == ("latest", "$LATEST")
    assert body(traffic, f"{arn}:1") == ("one", "1")
    assert body(traffic, arn, Qualifier="2") == ("two", "2")


def test_no_new_version_if_nothing_changed(api: Any, fresh: str) -> None:
    first = api.publish_version(FunctionName=fresh)
    assert first["Version"] == "1"
    assert first["FunctionArn"] == f"{fresh}:1"
    assert api.publish_version(FunctionName=fresh)["Version"] == "1"
    api.update_function_configuration(FunctionName=fresh, Description="changed")
    assert api.publish_version(FunctionName=fresh)["Version"] == "2"


def test_routing_config_additional_version_weights_one_version_0_to_1(
    traffic: Stack, api: Any, arn: str
) -> None:
    made = {"FunctionName": arn, "Name": "canary", "FunctionVersion": "1"}
    api.create_alias(**made, RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
    for weights, code in (
        ({"2": 1.5}, "ValidationException"),
        ({"2": 0.1, "1": 0.1}, "InvalidParameterValueException"),
        ({"$LATEST": 0.1}, None),
        ({"9": 0.1}, "ResourceNotFoundException"),
    ):
        found, _ = refused(
            api.update_alias, **made, RoutingConfig={"AdditionalVersionWeights": weights}
        )
        assert code is None or found == code, weights
    seen = Counter(body(traffic, f"{arn}:canary") for _ in range(40))
    assert set(seen) == {("one", "1"), ("two", "2")}
    for weight, expected in ((0.0, ("one", "1")), (1.0, ("two", "2"))):
        api.update_alias(**made, RoutingConfig={"AdditionalVersionWeights": {"2": weight}})
        assert {body(traffic, f"{arn}:canary") for _ in range(5)} == {expected}


def test_registered_arn_unqualified_is_latest_alias_re_pointing_changes_the_served_version_at_once(
    traffic: Stack, api: Any, arn: str
) -> None:
    api.create_alias(FunctionName=arn, Name="live", FunctionVersion="1")
    api.add_permission(FunctionName=arn, Qualifier="live", **PERMISSION)
    unqualified = traffic.front(forward(traffic.group(function=arn)))
    by_alias = traffic.front(forward(traffic.group(function=f"{arn}:live")))
    assert (unqualified.get().body, by_alias.get().body) == (b"latest", b"one")
    api.update_alias(FunctionName=arn, Name="live", FunctionVersion="2")
    assert (unqualified.get().body, by_alias.get().body) == (b"latest", b"two")


# Resource policy


def test_add_permission_201_statement_json_string_of_an_alb(
    traffic: Stack, api: Any, fresh: str
) -> None:
    group = traffic.elb.create_target_group(Name=traffic.name(), TargetType="lambda")
    source = group["TargetGroups"][0]["TargetGroupArn"]
    given = {**PERMISSION, "SourceAccount": "123456789012", "SourceArn": source}
    answer = api.add_permission(FunctionName=fresh, **given)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert answer["Statement"] == (
        '{"Sid":"load-balancer","Effect":"Allow",'
        f'"Principal":{{"Service":"{ELB}"}},"Action":"lambda:InvokeFunction",'
        f'"Resource":"{fresh}","Condition":{{"StringEquals":{{"AWS:SourceAccount":"123456789012"}},'
        f'"ArnLike":{{"AWS:SourceArn":"{source}"}}}}}}'
    )
    target = [{"Id": fresh}]
    traffic.elb.register_targets(TargetGroupArn=source, Targets=target)  # it is that of the group


def test_condition_only_when_given(api: Any, fresh: str) -> None:
    statement = json.loads(api.add_permission(FunctionName=fresh, **PERMISSION)["Statement"])
    assert "Condition" not in statement
    more = {**PERMISSION, "StatementId": "b", "SourceAccount": "123456789012"}
    statement = json.loads(api.add_permission(FunctionName=fresh, **more)["Statement"])
    assert statement["Condition"] == {"StringEquals": {"AWS:SourceAccount": "123456789012"}}


def test_with_qualifier_the_resource_gets_it_latest_not_allowed(api: Any, fresh: str) -> None:
    version = api.publish_version(FunctionName=fresh)["Version"]
    made = api.add_permission(FunctionName=fresh, Qualifier=version, **PERMISSION)
    assert json.loads(made["Statement"])["Resource"] == f"{fresh}:{version}"
    assert refused(api.add_permission, FunctionName=fresh, Qualifier="$LATEST", **PERMISSION) == (
        "InvalidParameterValueException",
        "We currently do not support adding policies for $LATEST.",
    )
    # Policies are per qualifier.
    assert refused(api.get_policy, FunctionName=fresh)[0] == "ResourceNotFoundException"
    policy = json.loads(api.get_policy(FunctionName=fresh, Qualifier=version)["Policy"])
    assert [each["Sid"] for each in policy["Statement"]] == ["load-balancer"]


def test_get_policy_version_id_default_statement_revision_id_none_404(api: Any, fresh: str) -> None:
    with pytest.raises(ClientError) as raised:
        api.get_policy(FunctionName=fresh)
    answer: Any = raised.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert answer["Error"] == {
        "Code": "ResourceNotFoundException",
        "Message": "The resource you requested does not exist.",
    }
    statement = api.add_permission(FunctionName=fresh, **PERMISSION)["Statement"]
    found = api.get_policy(FunctionName=fresh)
    expected = f'{{"Version":"2012-10-17","Id":"default","Statement":[{statement}]}}'
    assert found["Policy"] == expected
    assert re.fullmatch(UUID, found["RevisionId"])


def test_same_sid_twice_resource_conflict_exception_409(api: Any, fresh: str) -> None:
    api.add_permission(FunctionName=fresh, **PERMISSION)
    with pytest.raises(ClientError) as raised:
        api.add_permission(FunctionName=fresh, **PERMISSION)
    answer: Any = raised.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 409
    assert answer["Error"]["Code"] == "ResourceConflictException"
    assert answer["Error"]["Message"] == (
        "The statement id (load-balancer) provided already exists. "
        "Please provide a new statement id, or remove the existing statement."
    )


def test_remove_permission_204(api: Any, fresh: str) -> None:
    api.add_permission(FunctionName=fresh, **PERMISSION)
    removed = api.remove_permission(FunctionName=fresh, StatementId="load-balancer")
    assert removed["ResponseMetadata"]["HTTPStatusCode"] == 204
    code, _ = refused(api.remove_permission, FunctionName=fresh, StatementId="load-balancer")
    assert code == "ResourceNotFoundException"


def test_revision_id_mismatch_412(api: Any, fresh: str) -> None:
    other = "00000000-0000-4000-8000-000000000000"
    api.add_permission(FunctionName=fresh, **PERMISSION)
    for call, params in (
        (api.add_permission, {**PERMISSION, "StatementId": "b"}),
        (api.remove_permission, {"StatementId": "load-balancer"}),
    ):
        with pytest.raises(ClientError) as raised:
            call(FunctionName=fresh, RevisionId=other, **params)
        answer: Any = raised.value.response
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 412
        assert answer["Error"]["Code"] == "PreconditionFailedException"
    right = api.get_policy(FunctionName=fresh)["RevisionId"]
    api.remove_permission(FunctionName=fresh, StatementId="load-balancer", RevisionId=right)


def test_check_at_every_invoke_lambda_access_denied(
    traffic: Stack, api: Any, logs: Logs, fresh: str
) -> None:
    api.add_permission(FunctionName=fresh, **PERMISSION)
    front = traffic.front(forward(traffic.group(function=fresh)))
    turn_on(front)
    api.remove_permission(FunctionName=fresh, StatementId="load-balancer")
    assert front.get().status == 502
    (line,) = until(lambda: list(logs.of(front).values()))
    assert line["lambda_error_reason"] == "LambdaAccessDenied"
