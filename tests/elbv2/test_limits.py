"""Quotas: AWS's defaults, and each of them reached on a server where they are small."""

import pytest

from albatross.model import quotas
from tests.elbv2.conftest import OPERATIONS
from tests.support.server import client, serve

SMALL = {
    quotas.LOAD_BALANCERS: 3,
    quotas.LISTENERS: 2,
    quotas.RULES: 2,
    quotas.CERTIFICATES: 1,
    quotas.TARGET_GROUPS: 4,
    quotas.TARGETS: 2,
    quotas.TARGETS_OF_BALANCER: 3,
    quotas.REGISTRATIONS: 1,
    quotas.CAPACITY_UNITS: 300,
    quotas.CAPACITY_UNITS_OF_REGION: 400,
}


@pytest.fixture(scope="module")
def url():
    with serve(OPERATIONS, quotas=SMALL) as url:
        yield url


@pytest.fixture
def make_servers(elb):
    """`make_servers("a", "10.0.0.1")` creates a target group with these targets."""

    def make(name, *addresses):
        group = elb.create_target_group(
            Name=name, Protocol="HTTP", Port=80, VpcId="vpc-1", TargetType="ip"
        )["TargetGroups"][0]["TargetGroupArn"]
        if addresses:
            elb.register_targets(TargetGroupArn=group, Targets=ids(*addresses))
        return group

    return make


def ids(*addresses):
    return [{"Id": address} for address in addresses]


def test_the_quotas_are_described_with_what_is_set(elb, account):
    limits = elb.describe_account_limits()["Limits"]
    found = {each["Name"]: each["Max"] for each in limits}
    described = {name: each for name, each in quotas.QUOTAS.items() if each.described}
    assert found == {name: str(SMALL.get(name, each.default)) for name, each in described.items()}
    pages = elb.get_paginator("describe_account_limits").paginate(PaginationConfig={"PageSize": 5})
    assert [each for page in pages for each in page["Limits"]] == limits


def test_a_region_has_so_many_load_balancers(elb, refused, make_balancer):
    for number in range(3):
        make_balancer(f"lb-{number}")
    make_balancer("lb-0")  # is there
    subnets = ["subnet-1", "subnet-2"]
    assert refused(elb.create_load_balancer, Name="lb-3", Subnets=subnets) == (
        "TooManyLoadBalancers",
        "You have reached the limit of '3' load balancers",
    )


def test_a_load_balancer_has_so_many_listeners_and_rules(
    elb, refused, make_balancer, make_listener, make_rule
):
    balancer = make_balancer()
    first, second = make_listener(balancer, 80), make_listener(balancer, 81)
    ok = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]
    code, _ = refused(
        elb.create_listener,
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=82,
        DefaultActions=ok,
    )
    assert code == "TooManyListeners"
    make_rule(first, 1)
    make_rule(second, 1)
    conditions = [{"Field": "path-pattern", "Values": ["/x"]}]
    code, _ = refused(
        elb.create_rule, ListenerArn=first, Priority=2, Conditions=conditions, Actions=ok
    )
    assert code == "TooManyRules"


def test_a_load_balancer_has_so_many_certificates(
    elb, refused, make_balancer, make_https, make_certificate
):
    listener = make_https(make_balancer())["ListenerArn"]
    add = elb.add_listener_certificates
    given = [[{"CertificateArn": make_certificate(f"{name}.example.com")}] for name in "ab"]
    add(ListenerArn=listener, Certificates=given[0])
    add(ListenerArn=listener, Certificates=given[0])  # is there
    code, message = refused(add, ListenerArn=listener, Certificates=given[1])
    assert code == "TooManyCertificates"
    assert "'1' certificates" in message


def test_a_region_has_so_many_target_groups(elb, refused, make_group):
    for number in range(4):
        make_group(f"tg-{number}")
    make_group("tg-0")  # is there
    code, _ = refused(elb.create_target_group, Name="tg-4", TargetType="lambda")
    assert code == "TooManyTargetGroups"


def test_a_target_group_has_so_many_targets(elb, refused, make_servers):
    group = make_servers("a", "10.0.0.1", "10.0.0.2")
    elb.register_targets(TargetGroupArn=group, Targets=ids("10.0.0.1"))  # is there
    assert refused(elb.register_targets, TargetGroupArn=group, Targets=ids("10.0.0.3")) == (
        "TooManyTargets",
        "Up to '2' targets can be registered with a target group, but '3' were specified",
    )


def test_a_load_balancer_has_so_many_targets_however_they_come_to_it(
    elb, refused, make_balancer, make_listener, make_servers, forward
):
    balancer = make_balancer()
    first = make_servers("a", "10.0.0.1", "10.0.0.2")
    second = make_servers("b", "10.0.0.3", "10.0.0.4")
    make_listener(balancer, 80, forward(first))
    expected = (
        "TooManyTargets",
        "Up to '3' targets can be registered with a load balancer, but there would be '4'",
    )
    create = {
        "LoadBalancerArn": balancer,
        "Protocol": "HTTP",
        "Port": 81,
        "DefaultActions": forward(second),
    }
    assert refused(elb.create_listener, **create) == expected
    elb.modify_target_group_attributes(
        TargetGroupArn=second,
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}],
    )
    elb.deregister_targets(TargetGroupArn=second, Targets=ids("10.0.0.4"))
    elb.create_listener(**create)
    assert refused(elb.register_targets, TargetGroupArn=second, Targets=ids("10.0.0.4")) == expected


def test_a_target_is_registered_so_often_with_one_load_balancer(
    elb, refused, make_balancer, make_listener, make_servers, forward
):
    balancer = make_balancer()
    first, second = make_servers("a", "10.0.0.1"), make_servers("b")
    make_listener(balancer, 80, forward(first))
    make_listener(balancer, 81, forward(second))
    assert refused(elb.register_targets, TargetGroupArn=second, Targets=ids("10.0.0.1")) == (
        "TooManyRegistrationsForTargetId",
        "Target '10.0.0.1' can be registered up to '1' times with a load balancer",
    )
    other = make_servers("c", "10.0.0.1")  # no load balancer forwards to it
    assert elb.describe_target_health(TargetGroupArn=other)["TargetHealthDescriptions"]


def test_capacity_is_reserved_up_to_the_quotas(elb, refused, make_balancer):
    def reserve(balancer, units):
        return {
            "LoadBalancerArn": balancer,
            "MinimumLoadBalancerCapacity": {"CapacityUnits": units},
        }

    first, second = make_balancer("a"), make_balancer("b")
    modify = elb.modify_capacity_reservation
    assert refused(modify, **reserve(first, 301)) == (
        "CapacityUnitsLimitExceeded",
        "Up to '300' capacity units can be reserved for a load balancer",
    )
    modify(**reserve(first, 300))
    assert refused(modify, **reserve(second, 101)) == (
        "CapacityUnitsLimitExceeded",
        "Up to '400' capacity units can be reserved in a Region, but there would be '401'",
    )
    modify(**reserve(second, 100))
    modify(**reserve(first, 300))  # its own units count once


def test_each_account_and_region_has_quotas_of_its_own(url, elb, account, make_group):
    for number in range(4):
        make_group(f"tg-{number}")
    other = client("elbv2", url, region="eu-west-1", access_key=account)
    other.create_target_group(Name="tg-4", TargetType="lambda")
