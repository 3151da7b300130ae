"""Reserved capacity. The clock is the test's."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.elbv2.conftest import OPERATIONS
from tests.support.server import serve

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def now():
    """The time as the server has it, in a list of one."""
    return [NOON]


@pytest.fixture(scope="module")
def url(now):
    with serve(OPERATIONS, clock=lambda: now[0]) as url:
        yield url


@pytest.fixture
def balancer(make_balancer):
    return make_balancer()


@pytest.fixture
def reserve(elb, balancer):
    def reserve(units):
        return elb.modify_capacity_reservation(
            LoadBalancerArn=balancer, MinimumLoadBalancerCapacity={"CapacityUnits": units}
        )

    return reserve


def shown(answer):
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def test_nothing_is_reserved_at_first(elb, balancer):
    found = elb.describe_capacity_reservation(LoadBalancerArn=balancer)
    assert shown(found) == {"DecreaseRequestsRemaining": 2}


def test_a_reservation_is_spread_over_the_zones_and_kept_until_it_is_reset(elb, balancer, reserve):
    answer = shown(reserve(125))
    assert answer.pop("LastModifiedTime") == NOON

    def expected(state):
        return {
            "DecreaseRequestsRemaining": 2,
            "MinimumLoadBalancerCapacity": {"CapacityUnits": 125},
            "CapacityReservationState": [
                {
                    "State": {"Code": state},
                    "AvailabilityZone": zone,
                    "EffectiveCapacityUnits": 62.5,
                }
                for zone in ("us-east-1a", "us-east-1b")
            ],
        }

    assert answer == expected("pending")
    found = shown(elb.describe_capacity_reservation(LoadBalancerArn=balancer))
    assert found == expected("provisioned") | {"LastModifiedTime": NOON}
    reset = elb.modify_capacity_reservation(LoadBalancerArn=balancer, ResetCapacityReservation=True)
    assert shown(reset).keys() == {"DecreaseRequestsRemaining", "LastModifiedTime"}
    found = shown(elb.describe_capacity_reservation(LoadBalancerArn=balancer))
    assert found == shown(reset)


def test_capacity_is_decreased_twice_a_day_and_increased_at_will(
    elb, refused, balancer, reserve, now
):
    for units, remaining in ((300, 2), (200, 1), (400, 1), (100, 0), (500, 0)):
        assert reserve(units)["DecreaseRequestsRemaining"] == remaining
    assert refused(
        elb.modify_capacity_reservation,
        LoadBalancerArn=balancer,
        MinimumLoadBalancerCapacity={"CapacityUnits": 400},
    ) == (
        "CapacityDecreaseRequestLimitExceeded",
        f"The capacity of '{balancer}' has been decreased '2' times in the last day",
    )
    found = elb.describe_capacity_reservation(LoadBalancerArn=balancer)
    assert found["MinimumLoadBalancerCapacity"] == {"CapacityUnits": 500}
    now[0] += timedelta(days=1)
    assert reserve(400)["DecreaseRequestsRemaining"] == 1


def test_more_zones_share_what_is_reserved(elb, balancer, reserve):
    reserve(300)
    elb.set_subnets(LoadBalancerArn=balancer, Subnets=["subnet-1", "subnet-2", "subnet-3"])
    states = elb.describe_capacity_reservation(LoadBalancerArn=balancer)["CapacityReservationState"]
    assert [each["EffectiveCapacityUnits"] for each in states] == [100.0] * 3
