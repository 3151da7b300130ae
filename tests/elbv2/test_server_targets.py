"""Instances and addresses as targets, through boto3."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from albatross import elbv2
from albatross.elbv2 import targets
from tests.support.server import serve

INSTANCES = {"i-0123": "10.0.0.7"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    operations = dict(elbv2.OPERATIONS)
    register = partial(targets.register_targets, instances=INSTANCES)
    operations["RegisterTargets"] = replace(operations["RegisterTargets"], run=register)
    with serve({"elasticloadbalancing": operations}) as url:
        yield url


def create(elb, target_type="ip", **params):
    servers = {"TargetType": target_type, "Protocol": "HTTP", "Port": 80, "VpcId": "vpc-1"}
    group = elb.create_target_group(Name="tg", **{**servers, **params})["TargetGroups"][0]
    return group["TargetGroupArn"]


def register(elb, group, *targets):
    elb.register_targets(TargetGroupArn=group, Targets=list(targets))


def health(elb, group, *targets):
    asked = {"Targets": list(targets)} if targets else {}
    return elb.describe_target_health(TargetGroupArn=group, **asked)["TargetHealthDescriptions"]


def keys(elb, group):
    return [(one["Target"]["Id"], one["Target"]["Port"]) for one in health(elb, group)]


def delay(elb, group, seconds):
    key = "deregistration_delay.timeout_seconds"
    elb.modify_target_group_attributes(
        TargetGroupArn=group, Attributes=[{"Key": key, "Value": str(seconds)}]
    )


@pytest.mark.parametrize(
    ("id_", "family"),
    [
        pytest.param("10.1.2.3", "ipv4", id="10/8"),
        pytest.param("172.31.0.1", "ipv4", id="172.16/12"),
        pytest.param("192.168.1.1", "ipv4", id="192.168/16"),
        pytest.param("100.64.0.1", "ipv4", id="100.64/10"),
        pytest.param("127.0.0.1", "ipv4", id="loopback"),
        pytest.param("::1", "ipv6", id="IPv6 loopback"),
        pytest.param("fd00::1", "ipv6", id="unique local"),
    ],
)
def test_private_addresses_and_the_loopback_are_taken(elb, id_, family):
    group = create(elb, IpAddressType=family)
    register(elb, group, {"Id": id_})
    assert keys(elb, group) == [(id_, 80)]


@pytest.mark.parametrize(
    ("id_", "family"),
    [
        pytest.param("8.8.8.8", "ipv4", id="public"),
        pytest.param("169.254.169.254", "ipv4", id="link-local"),
        pytest.param("172.32.0.1", "ipv4", id="beyond 172.16/12"),
        pytest.param("0.0.0.0", "ipv4", id="no address"),
        pytest.param("2001:4860:4860::8888", "ipv6", id="public IPv6"),
        pytest.param("fe80::1%lo", "ipv6", id="with a zone"),
        pytest.param("::ffff:127.0.0.1", "ipv6", id="IPv4 in IPv6"),
        pytest.param("::1", "ipv4", id="IPv6 in a group of IPv4"),
        pytest.param("127.0.0.1", "ipv6", id="IPv4 in a group of IPv6"),
        pytest.param("010.0.0.1", "ipv4", id="leading zero"),
        pytest.param("example.com", "ipv4", id="a name"),
        pytest.param("i-0123", "ipv4", id="an instance"),
    ],
)
def test_other_addresses_are_refused_and_nothing_is_registered(elb, refused, id_, family):
    group = create(elb, IpAddressType=family)
    good = {"Id": "10.0.0.1" if family == "ipv4" else "fd00::1"}
    code, message = refused(elb.register_targets, TargetGroupArn=group, Targets=[good, {"Id": id_}])
    assert code == "InvalidTarget"
    assert f"'{id_}'" in message
    assert keys(elb, group) == []


def test_one_address_may_have_several_ports(elb):
    group = create(elb)
    register(elb, group, {"Id": "127.0.0.1"}, {"Id": "127.0.0.1", "Port": 81})
    register(elb, group, {"Id": "127.0.0.1", "Port": 81})
    assert keys(elb, group) == [("127.0.0.1", 80), ("127.0.0.1", 81)]
    delay(elb, group, 0)
    elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "127.0.0.1"}])
    assert keys(elb, group) == [("127.0.0.1", 81)]


def test_health_names_the_ports_the_zone_and_the_reason(elb, make_balancer, make_listener, forward):
    group = create(elb, HealthCheckPort="9000")
    make_listener(make_balancer(), 80, forward(group))
    register(elb, group, {"Id": "192.168.0.1", "AvailabilityZone": "all"})
    assert health(elb, group) == [
        {
            "Target": {"Id": "192.168.0.1", "Port": 80, "AvailabilityZone": "all"},
            "HealthCheckPort": "9000",
            "TargetHealth": {
                "State": "initial",
                "Reason": "Elb.RegistrationInProgress",
                "Description": "Target registration is in progress",
            },
        }
    ]
    (other,) = health(elb, group, {"Id": "10.0.0.9", "Port": 1})
    assert other["Target"] == {"Id": "10.0.0.9", "Port": 1}
    assert other["TargetHealth"]["Reason"] == "Target.NotRegistered"


def test_anomalies_are_shown_where_they_are_asked_for(elb):
    group = create(elb)
    register(elb, group, {"Id": "10.0.0.1"})
    (found,) = elb.describe_target_health(TargetGroupArn=group, Include=["AnomalyDetection"])[
        "TargetHealthDescriptions"
    ]
    assert found["AnomalyDetection"] == {"Result": "normal", "MitigationInEffect": "no"}


def test_a_deregistered_target_drains(elb):
    group = create(elb)
    register(elb, group, {"Id": "10.0.0.1"})
    for _ in range(2):
        elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "10.0.0.1"}])
        assert health(elb, group)[0]["TargetHealth"] == {
            "State": "draining",
            "Reason": "Target.DeregistrationInProgress",
            "Description": "Target deregistration is in progress",
        }
    register(elb, group, {"Id": "10.0.0.1"})
    assert health(elb, group)[0]["TargetHealth"]["State"] == "unused"


def test_deregistering_what_is_not_registered_is_no_error(elb):
    elb.deregister_targets(TargetGroupArn=create(elb), Targets=[{"Id": "10.0.0.1"}])


def test_an_instance_is_registered_by_its_id(elb, refused):
    group = create(elb, "instance")
    register(elb, group, {"Id": "i-0123", "Port": 8080})
    assert keys(elb, group) == [("i-0123", 8080)]
    code, _ = refused(elb.register_targets, TargetGroupArn=group, Targets=[{"Id": "i-0456"}])
    assert code == "InvalidTarget"
    zoned = [{"Id": "i-0123", "AvailabilityZone": "us-east-1a"}]
    code, _ = refused(elb.register_targets, TargetGroupArn=group, Targets=zoned)
    assert code == "ValidationError"
