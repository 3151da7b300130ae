"""The event of a health check, row by row. Source: ALB user guide, "Lambda functions as targets",
"CloudWatch metrics", "Access logs"; an event of a live health check.

Settings of health checks are in test_targets_health_checks.py, states in test_targets_states.py.
"""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.access_logs import Logs, turn_on
from tests.support.command import until
from tests.support.groups import health
from tests.support.stack import Front, Stack, event, forward, request

CHECKED = {
    "HealthCheckEnabled": True,
    "HealthCheckIntervalSeconds": 5,
    "HealthCheckTimeoutSeconds": 2,
}
FUNCTION = """
import json, os, socket

def handler(event, context):
    if "ELB-HealthChecker" in json.dumps(event):
        notes = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        notes.sendto(json.dumps(event).encode(), ("127.0.0.1", int(os.environ["NOTES"])))
    return {"statusCode": 200, "body": json.dumps(event)}
"""


@dataclass
class Checked:
    """Target groups of one function, whose health checks are told."""

    stack: Stack
    notes: socket.socket
    function: str
    _events: dict[str, dict[str, Any]] = field(default_factory=dict)

    def front(self, *, path: str | None = None, multi_value: bool = False) -> tuple[Front, str]:
        """Return a load balancer and its target group, which has its checks on."""
        group = self.stack.group(function=self.function, multi_value=multi_value)
        settings = CHECKED | ({"HealthCheckPath": path} if path else {})
        self.stack.elb.modify_target_group(TargetGroupArn=group, **settings)
        front = self.stack.front(forward(group))
        turn_on(front)
        return front, group

    def event(self, group: str) -> dict[str, Any]:
        """Return the event of the first check of `group`."""
        while group not in self._events:
            found = json.loads(self.notes.recv(10_000))
            self._events[found["requestContext"]["elb"]["targetGroupArn"]] = found
        return self._events[group]


@pytest.fixture(scope="module")
def checked(traffic: Stack) -> Iterator[Checked]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as notes:
        notes.bind(("127.0.0.1", 0))
        notes.settimeout(10)
        variables = {"Variables": {"NOTES": str(notes.getsockname()[1])}}
        yield Checked(traffic, notes, traffic.make(FUNCTION, Environment=variables))


@pytest.fixture(scope="module")
def single(checked: Checked) -> tuple[Front, str]:
    return checked.front()


def test_exact_document_single_mode(checked: Checked, single: tuple[Front, str]) -> None:
    _, group = single
    seen = checked.event(group)
    assert seen == {
        "requestContext": {"elb": {"targetGroupArn": group}},
        "httpMethod": "GET",
        "path": "/",
        "queryStringParameters": {},
        "headers": {"user-agent": "ELB-HealthChecker/2.0"},
        "body": "",
        "isBase64Encoded": False,
    }
    assert list(seen) == [
        *("requestContext", "httpMethod", "path", "queryStringParameters", "headers"),
        *("body", "isBase64Encoded"),
    ]


def test_no_host_no_x_forwarded_no_trace_id(checked: Checked, single: tuple[Front, str]) -> None:
    front, group = single
    client = event(front.get())["headers"].keys()
    assert client >= {"host", "x-forwarded-for", "x-amzn-trace-id"}
    assert not checked.event(group)["headers"].keys() & client


@pytest.mark.parametrize("path", ["/health", "/a%20b/../c", "/health?deep=1&deep=2&x"])
def test_path_is_health_check_path_query_split_into_the_query_map(
    checked: Checked, path: str
) -> None:
    _, group = checked.front(path=path)
    seen = checked.event(group)
    assert seen["path"] == path.partition("?")[0]
    assert seen["queryStringParameters"] == ({"deep": "2", "x": ""} if "?" in path else {})


def test_multi_mode_multi_value_headers_user_agent_and_multi_value_query_string_parameters(
    checked: Checked,
) -> None:
    _, group = checked.front(path="/health?deep=1&deep=2", multi_value=True)
    assert checked.event(group) == {
        "requestContext": {"elb": {"targetGroupArn": group}},
        "httpMethod": "GET",
        "path": "/health",
        "multiValueQueryStringParameters": {"deep": ["1", "2"]},
        "multiValueHeaders": {"user-agent": ["ELB-HealthChecker/2.0"]},
        "body": "",
        "isBase64Encoded": False,
    }
    until(lambda: health(checked.stack, group)[None] == {"State": "healthy"})


def test_a_normal_invocation_in_the_functions_log_not_in_the_access_log(
    checked: Checked, single: tuple[Front, str], logs: Logs
) -> None:
    front, group = single
    assert checked.event(group)
    with front.connect() as client:
        client.write(request("GET /", "User-Agent: client"))
        assert client.read().status == 200
    until(lambda: client.local_port in logs.of(front))
    agents = {line["user_agent"] for line in logs.of(front).values()}
    assert "client" in agents
    assert "ELB-HealthChecker/2.0" not in agents
    name = checked.function.rpartition(":")[2]
    told = checked.stack.server.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")
    assert [one for one in told["events"] if one["message"].startswith("REPORT ")]
