"""Health checks of functions by a real Lambda host."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from albatross.control import lambda_check
from albatross.health.checker import Health
from albatross.health.outcome import Fault, Outcome
from albatross.host.client import HostClient
from albatross.model.function import Statement
from albatross.model.health import HealthCheckRecord
from albatross.model.snapshot import Snapshot
from albatross.model.target_group import HealthCheck, Target, TargetGroup
from tests.support.host import RunningHost, function_arn, group_arn, running_host
from tests.support.targets import make_snapshot

PERMISSION = Statement(
    sid="elb", action="lambda:InvokeFunction", principal="elasticloadbalancing.amazonaws.com"
)
BAD = Outcome(fault=Fault.BAD_ANSWER)


@pytest.fixture(scope="module")
def host() -> Iterator[RunningHost]:
    with running_host() as host:
        yield host


def make_group(name: str, *, multi_value: bool = False, **check: Any) -> TargetGroup:
    return TargetGroup(
        arn=group_arn(name),
        name=name,
        target_type="lambda",
        targets=(Target(id=function_arn(name)),),
        health_check=HealthCheck(enabled=True, **check),
        attributes={"lambda.multi_value_headers.enabled": str(multi_value).lower()},
    )


def snapshot(host: RunningHost, *groups: TargetGroup, permitted: bool = True) -> Snapshot:
    policy = (PERMISSION,) if permitted else ()
    functions = tuple(replace(function, policy=policy) for function in host.functions.values())
    return make_snapshot(*groups, functions=functions)


def check(host: RunningHost, group: TargetGroup, *, permitted: bool = True) -> Outcome:
    probe = lambda_check.probe(host.client, lambda: snapshot(host, group, permitted=permitted))

    async def scenario() -> Outcome:
        return await probe(group, group.targets[0])

    return asyncio.run(scenario())


def deploy(host: RunningHost, name: str, result: str) -> None:
    host.deploy(name, f"def handler(event, context):\n    {result}\n")


@pytest.mark.parametrize(
    ("result", "codes", "outcome"),
    [
        pytest.param("return {'statusCode': 200}", "200", Outcome(200), id="success"),
        pytest.param(
            "return {'statusCode': 404}", "200", Outcome(404, Fault.CODE), id="another code"
        ),
        pytest.param(
            "return {'statusCode': 502}", "200", Outcome(502, Fault.SERVER_ERROR), id="a 5xx"
        ),
        pytest.param("return {'statusCode': 404}", "200-204,404", Outcome(404), id="a matcher"),
        pytest.param("raise ValueError('no')", "200", BAD, id="an exception"),
        pytest.param("return 'ok'", "200", BAD, id="a result that is no response"),
        pytest.param("return {'statusCode': '200'}", "200", BAD, id="a status code as text"),
    ],
)
def test_the_function_s_answer_decides(
    host: RunningHost, result: str, codes: str, outcome: Outcome
) -> None:
    deploy(host, "answers", result)
    assert check(host, make_group("answers", http_codes=codes)) == outcome


@pytest.mark.parametrize(
    ("multi_value", "fields"),
    [
        pytest.param(
            False,
            {"queryStringParameters": {}, "headers": {"user-agent": "ELB-HealthChecker/2.0"}},
            id="single-value",
        ),
        pytest.param(
            True,
            {
                "multiValueQueryStringParameters": {},
                "multiValueHeaders": {"user-agent": ["ELB-HealthChecker/2.0"]},
            },
            id="multi-value",
        ),
    ],
)
def test_the_function_gets_the_event_of_a_health_check(
    host: RunningHost, multi_value: bool, fields: dict[str, Any]
) -> None:
    name = f"event-{multi_value}".lower()
    body = "return {'statusCode': 200 if event == json.loads(EXPECTED) else 400}"
    expected = {
        "requestContext": {"elb": {"targetGroupArn": group_arn(name)}},
        "httpMethod": "GET",
        "path": "/alive",
        **fields,
        "body": "",
        "isBase64Encoded": False,
    }
    source = f"import json\nEXPECTED = {json.dumps(expected)!r}\n"
    host.deploy(name, f"{source}\ndef handler(event, context):\n    {body}\n")
    group = make_group(name, multi_value=multi_value, path="/alive")
    assert check(host, group) == Outcome(200)


def test_a_function_that_is_gone_or_forbids_it_fails(host: RunningHost) -> None:
    deploy(host, "forbids", "return {'statusCode': 200}")
    assert check(host, make_group("forbids"), permitted=False) == BAD
    assert check(host, make_group("gone")) == BAD


def test_a_host_that_is_away_is_not_the_function_s_fault(host: RunningHost) -> None:
    deploy(host, "away", "return {'statusCode': 200}")
    group = make_group("away")
    probe = lambda_check.probe(HostClient("/nowhere.sock"), lambda: snapshot(host, group))

    async def scenario() -> Outcome:
        return await probe(group, group.targets[0])

    assert asyncio.run(scenario()) == Outcome(fault=Fault.INTERNAL)


@pytest.mark.parametrize(
    ("result", "timeout_s", "checks", "state", "reason"),
    [
        pytest.param("return {'statusCode': 200}", 30, 1, "healthy", None, id="one that answers"),
        pytest.param(
            "import time; time.sleep(2)", 1, 2, "unhealthy", "Target.Timeout", id="one too slow"
        ),
    ],
)
def test_a_function_in_use_is_checked(
    host: RunningHost, result: str, timeout_s: int, checks: int, state: str, reason: str | None
) -> None:
    deploy(host, f"state-{state}", result)
    group = make_group(f"state-{state}", interval_s=1.5, timeout_s=timeout_s)

    async def scenario() -> None:
        checked: asyncio.Queue[HealthCheckRecord] = asyncio.Queue()
        health = Health(
            invoke=lambda_check.probe(host.client, lambda: health.snapshot),
            changed=lambda: None,
            record=checked.put_nowait,
        )
        health.update(snapshot(host, group))
        async with asyncio.timeout(40), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(health.run())
            for _ in range(checks):
                await checked.get()
            running.cancel()
        found = health.state(group.arn, group.targets[0].key)
        assert (found.state, found.reason) == (state, reason)

    asyncio.run(scenario())
