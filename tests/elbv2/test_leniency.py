"""What is taken although AWS refuses it, and `strict` and `lenient`, which change that."""

import re
from pathlib import Path

import pytest
import urllib3
from botocore.exceptions import ClientError

from albatross.model import quotas
from albatross.model.leniency import Leniency, allowed
from tests.elbv2.conftest import OK, OPERATIONS
from tests.support.server import client, serve

# The rest is tested where it is, in lambda_/test_runtimes.py.
HERE = [each for each in Leniency if each is not Leniency.RETIRED_RUNTIMES]
STRICT_PAGE = Path(__file__).parents[2] / "docs" / "strict.md"


@pytest.fixture(scope="module")
def strict():
    """A client of a server that takes nothing that AWS does not."""
    with serve(OPERATIONS, strict=True) as url:
        yield client("elbv2", url, parameter_validation=False)


@pytest.fixture(scope="module")
def kept():
    """A client of a strict server that keeps all leniencies but one."""
    names = ", ".join(each for each in Leniency if each != Leniency.LAMBDA_PROTOCOL)
    with serve(OPERATIONS, strict=True, lenient=names) as url:
        yield client("elbv2", url, parameter_validation=False)


def loopback(elb):
    group = elb.create_target_group(
        Name="servers", Protocol="HTTP", Port=80, VpcId="vpc-1", TargetType="ip"
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "127.0.0.1"}])


def values(elb):
    balancer = elb.create_load_balancer(Name="a", Subnets=["subnet-1", "subnet-2"])
    listener = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=OK,
    )["Listeners"][0]["ListenerArn"]
    paths = {"Values": [f"/{number}" for number in range(4)]}
    conditions = [{"Field": "path-pattern", "PathPatternConfig": paths}]
    elb.create_rule(ListenerArn=listener, Priority=1, Conditions=conditions, Actions=OK)


def capacity(elb):
    balancer = elb.create_load_balancer(Name="b", Subnets=["subnet-1", "subnet-2"])
    elb.modify_capacity_reservation(
        LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
        MinimumLoadBalancerCapacity={"CapacityUnits": 100},
    )


def protocol(elb):
    elb.create_target_group(Name="functions", TargetType="lambda", Protocol="HTTP")


def no_version(elb):
    answer = urllib3.request("GET", f"{elb.meta.endpoint_url}/?Action=DescribeLoadBalancers")
    if answer.status != 200:
        code, message = re.findall("<(?:Code|Message)>([^<]*)", answer.data.decode())
        raise ClientError({"Error": {"Code": code, "Message": message}}, "DescribeLoadBalancers")


CASES = {
    Leniency.LAMBDA_PROTOCOL: (
        protocol,
        "ValidationError",
        "Protocol cannot be specified for target groups with target type 'lambda'",
    ),
    Leniency.LOOPBACK_TARGETS: (
        loopback,
        "InvalidTarget",
        "The IP address '127.0.0.1' is not within the ranges of a VPC and of RFC 1918 and RFC 6598",
    ),
    Leniency.CONDITION_VALUES: (
        values,
        "ValidationError",
        "A condition can only have '3' condition values",
    ),
    Leniency.MISSING_VERSION: (
        no_version,
        "InvalidAction",
        "Could not find operation DescribeLoadBalancers for version NO_VERSION_SPECIFIED",
    ),
    Leniency.CAPACITY: (
        capacity,
        "CapacityUnitsLimitExceeded",
        "Up to '0' capacity units can be reserved in a Region, but there would be '100'",
    ),
}


@pytest.mark.parametrize("leniency", HERE)
def test_a_strict_server_refuses_what_others_take(elb, strict, refused, leniency):
    use, code, message = CASES[leniency]
    use(elb)
    assert refused(lambda: use(strict)) == (code, message)


@pytest.mark.parametrize("leniency", HERE)
def test_a_strict_server_keeps_what_is_named(kept, refused, leniency):
    use, code, message = CASES[leniency]
    if leniency is Leniency.LAMBDA_PROTOCOL:
        assert refused(lambda: use(kept)) == (code, message)
    else:
        use(kept)


def test_what_is_kept_counts_under_strict_only():
    assert allowed(strict=False, kept="capacity") == set(Leniency)
    assert allowed(strict=True, kept=" capacity, ") == {Leniency.CAPACITY}
    assert allowed(strict=True) == set()


def test_the_page_names_every_leniency_and_every_quota_that_may_be_set():
    page = STRICT_PAGE.read_text()
    for name in (*Leniency, *(name for name, each in quotas.QUOTAS.items() if each.adjustable)):
        assert f"`{name}`" in page, name
