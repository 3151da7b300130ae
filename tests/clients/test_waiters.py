"""boto3's waiters of elbv2: each waits while it must, and ends when what it waits for has happened.

What happens is done right after an answer of the API, so nothing depends on time.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from albatross.model.health import HEALTHY, because
from tests.support.api import INSTANCES, Api

AT_ONCE = {"Delay": 0, "MaxAttempts": 5}
SUBNETS = ["subnet-1", "subnet-2"]


def answers(elb: Any, operation: str, *then: Callable[[], object]) -> list[int]:
    """Do one of `then` after each answer; return a list that grows with every one."""
    seen: list[int] = []
    steps = iter(then)

    def count(http_response: Any, **_: object) -> None:
        seen.append(http_response.status_code)
        next(steps, lambda: None)()

    elb.meta.events.register(f"after-call.elastic-load-balancing-v2.{operation}", count)
    return seen


@pytest.fixture
def other(shared_api: Api, account: str) -> Any:
    """Another client of the same account, whose calls nobody counts."""
    return shared_api.client("elbv2", account)


@pytest.fixture
def shared_health(shared_api: Api) -> Iterator[Any]:
    yield shared_api.health
    shared_api.health.found = HEALTHY


def make_balancer(elb: Any) -> str:
    made = elb.create_load_balancer(Name="waited-for", Subnets=SUBNETS)["LoadBalancers"][0]
    assert made["State"]["Code"] == "provisioning"
    arn: str = made["LoadBalancerArn"]
    return arn


@pytest.mark.parametrize("waiter", ["load_balancer_exists", "load_balancer_available"])
def test_a_load_balancer_is_waited_for_until_it_is_there(elb: Any, other: Any, waiter: str) -> None:
    seen = answers(elb, "DescribeLoadBalancers", lambda: None, lambda: make_balancer(other))
    elb.get_waiter(waiter).wait(Names=["waited-for"], WaiterConfig=AT_ONCE)
    assert seen == [400, 400, 200]


@pytest.mark.parametrize("waiter", ["load_balancer_exists", "load_balancer_available"])
def test_a_load_balancer_that_never_comes_ends_the_waiting(elb: Any, waiter: str) -> None:
    seen = answers(elb, "DescribeLoadBalancers")
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        elb.get_waiter(waiter).wait(Names=["never"], WaiterConfig=AT_ONCE)
    assert seen == [400] * 5


def test_the_end_of_load_balancers_is_waited_for(elb: Any, other: Any) -> None:
    arn = make_balancer(other)
    seen = answers(
        elb,
        "DescribeLoadBalancers",
        lambda: None,
        lambda: other.delete_load_balancer(LoadBalancerArn=arn),
    )
    elb.get_waiter("load_balancers_deleted").wait(LoadBalancerArns=[arn], WaiterConfig=AT_ONCE)
    assert seen == [200, 200, 400]


@pytest.fixture
def group(elb: Any) -> str:
    """A target group with one target that a listener uses."""
    made = elb.create_target_group(Name="g", Protocol="HTTP", Port=80, VpcId="vpc-1")
    arn: str = made["TargetGroups"][0]["TargetGroupArn"]
    elb.create_listener(
        LoadBalancerArn=make_balancer(elb),
        Port=80,
        Protocol="HTTP",
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )
    elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": INSTANCES[0]}])
    return arn


def test_a_target_is_waited_for_until_it_is_healthy(
    elb: Any, group: str, shared_health: Any
) -> None:
    def become(found: Any) -> Callable[[], None]:
        return lambda: setattr(shared_health, "found", found)

    shared_health.found = None
    seen = answers(
        elb,
        "DescribeTargetHealth",
        become(because("Elb.InitialHealthChecking")),
        become(because("Target.FailedHealthChecks")),
        become(HEALTHY),
    )
    waiter = elb.get_waiter("target_in_service")
    waiter.wait(TargetGroupArn=group, WaiterConfig=AT_ONCE)
    assert seen == [200] * 4


@pytest.mark.parametrize(
    ("delay_s", "last_state"),
    [pytest.param("0", "unused", id="at once"), pytest.param("300", "draining", id="it drains")],
)
def test_the_end_of_a_target_is_waited_for(
    elb: Any, other: Any, group: str, delay_s: str, last_state: str
) -> None:
    attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": delay_s}]
    elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=attributes)
    target = [{"Id": INSTANCES[0]}]
    seen = answers(
        elb,
        "DescribeTargetHealth",
        lambda: other.deregister_targets(TargetGroupArn=group, Targets=target),
    )
    waiter = elb.get_waiter("target_deregistered")
    wait = {"TargetGroupArn": group, "Targets": target, "WaiterConfig": AT_ONCE}
    if last_state == "unused":
        waiter.wait(**wait)
        assert seen == [200, 200]
    else:
        with pytest.raises(WaiterError, match="Max attempts exceeded") as raised:
            waiter.wait(**wait)
        (described,) = raised.value.last_response["TargetHealthDescriptions"]
        assert described["TargetHealth"]["State"] == last_state
