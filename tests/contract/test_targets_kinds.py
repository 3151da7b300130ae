"""Kinds of target groups, row by row. Sources: elbv2 API, `CreateTargetGroup`, `TargetTypeEnum`;
ALB user guide, "Target groups for your Application Load Balancers", "Lambda functions as targets".
"""

import http.client
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from albatross import elbv2
from tests.support.backends import Backends
from tests.support.command import make_function, zipped
from tests.support.groups import by, make_group, until_healthy
from tests.support.rules import refused
from tests.support.server import client as aws_client
from tests.support.server import serve
from tests.support.stack import INSTANCE, Stack, event, forward
from tests.support.wire import authorization

SERVERS = {"Protocol": "HTTP", "Port": 80, "VpcId": "vpc-1"}
EMPTY = {"Protocol": "A protocol", "Port": "A port", "VpcId": "A VPC ID"}
NOT_FOR_LAMBDA = "cannot be specified for target groups with target type 'lambda'"


@pytest.fixture(scope="module")
def strict() -> Iterator[Any]:
    """A client of a server that refuses all that AWS refuses."""
    with serve({"elasticloadbalancing": elbv2.OPERATIONS}, strict=True) as url:
        yield aws_client("elbv2", url, parameter_validation=False)


def create(elb: Any, traffic: Stack, **params: Any) -> dict[str, Any]:
    made: dict[str, Any] = elb.create_target_group(Name=traffic.name(), **params)
    (group,) = made["TargetGroups"]
    found: dict[str, Any] = group
    return found


def check_servers(elb: Any, traffic: Stack, target_type: str) -> None:
    """HTTP or HTTPS, port and VPC ID required, health checks always on."""
    for protocol in ("HTTP", "HTTPS"):
        made = create(elb, traffic, TargetType=target_type, **SERVERS | {"Protocol": protocol})
        shown = (made["TargetType"], made["Protocol"], made["Port"], made["VpcId"])
        assert shown == (target_type, protocol, 80, "vpc-1")
        assert made["HealthCheckEnabled"] is True
        assert made["ProtocolVersion"] == "HTTP1"
    for missing, noun in EMPTY.items():
        params = {key: value for key, value in SERVERS.items() if key != missing}
        assert refused(
            elb.create_target_group, Name=traffic.name(), TargetType=target_type, **params
        ) == ("ValidationError", f"{noun} must be specified")
    for call, about in (
        (elb.create_target_group, {"Name": traffic.name(), "TargetType": target_type, **SERVERS}),
        (elb.modify_target_group, {"TargetGroupArn": made["TargetGroupArn"]}),
    ):
        assert refused(call, HealthCheckEnabled=False, **about) == (
            "ValidationError",
            "Health check enabled must be true for target groups with target type "
            "'instance' or 'ip'",
        )


def test_instance_default_instance_id_http_https_port_and_vpc_id_required_health_checks_always_on(
    traffic: Stack, elb: Any, servers: Backends
) -> None:
    assert create(elb, traffic, **SERVERS)["TargetType"] == "instance"
    check_servers(elb, traffic, "instance")
    backend = servers.start("instance")
    group = make_group(traffic, TargetType="instance", Port=backend.port)
    for other in ("i-00000000000000000", "10.0.0.1", traffic.function, ""):
        assert refused(elb.register_targets, TargetGroupArn=group, Targets=[{"Id": other}]) == (
            "InvalidTarget",
            f"The following targets are not in a running state and cannot be registered: '{other}'",
        )
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": INSTANCE}])
    front = traffic.front(forward(group))
    until_healthy(traffic, group)
    assert by(front.get()) == "instance"


def test_ip_addresses_of_this_machine_are_taken_unless_strict(traffic: Stack, strict: Any) -> None:
    arn = create(strict, traffic, TargetType="ip", **SERVERS)["TargetGroupArn"]
    for id_ in ("127.0.0.1", "127.255.255.255"):
        assert refused(strict.register_targets, TargetGroupArn=arn, Targets=[{"Id": id_}]) == (
            "InvalidTarget",
            f"The IP address '{id_}' is not within the ranges of a VPC and of RFC 1918 and "
            "RFC 6598",
        )
        traffic.elb.register_targets(TargetGroupArn=make_group(traffic), Targets=[{"Id": id_}])


PRIVATE = (
    *("10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255"),
    *("192.168.0.0", "192.168.255.255", "100.64.0.0", "100.127.255.255"),
)
PUBLIC = (
    *("8.8.8.8", "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0"),
    *("192.167.255.255", "192.169.0.0", "100.63.255.255", "100.128.0.0", "169.254.169.254"),
)
NO_IPV4 = ("", "10.0.0.256", "10.0.0.1:80", "10.0.0.1/32", " 10.0.0.1", INSTANCE)


def test_ip_private_ip_vpc_subnets_10_8_172_16_12_192_168_16_100_64_10_no_public_http_https(
    traffic: Stack, elb: Any, servers: Backends
) -> None:
    check_servers(elb, traffic, "ip")
    backend = servers.start("address")
    group = make_group(traffic, backend)
    front = traffic.front(forward(group))
    until_healthy(traffic, group)
    assert by(front.get()) == "address"
    group = make_group(traffic)
    for id_ in (*PUBLIC, *NO_IPV4):
        targets = [{"Id": "10.0.0.1"}, {"Id": id_}]  # all of them are registered, or none
        code, message = refused(elb.register_targets, TargetGroupArn=group, Targets=targets)
        assert code == "InvalidTarget"
        assert f"'{id_}'" in message
    assert elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"] == []
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": id_} for id_ in PRIVATE])
    shown = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert [one["Target"] for one in shown] == [{"Id": id_, "Port": 80} for id_ in PRIVATE]


def test_lambda_one_function_arn_unqualified_alias_or_version(traffic: Stack, elb: Any) -> None:
    name = traffic.name()
    source = 'def handler(event, context): return {"statusCode": 200, "body": "versioned"}'
    function = make_function(traffic.server, name, source)
    version = traffic.functions.publish_version(FunctionName=name)["Version"]
    traffic.functions.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    for qualifier in (version, "live"):
        traffic.functions.add_permission(
            FunctionName=name,
            Qualifier=qualifier,
            StatementId="elb",
            Action="lambda:InvokeFunction",
            Principal="elasticloadbalancing.amazonaws.com",
        )
    group = create(elb, traffic, TargetType="lambda")["TargetGroupArn"]
    front = traffic.front(forward(group))
    for arn in (function, f"{function}:live", f"{function}:{version}"):
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": arn}])
        assert front.get().body == b"versioned"
        elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": arn}])
    for no_arn in (name, f"123456789012:function:{name}", f"{function}:live:1", INSTANCE, ""):
        assert refused(elb.register_targets, TargetGroupArn=group, Targets=[{"Id": no_arn}]) == (
            "ValidationError",
            f"'{no_arn}' is not a valid Lambda function ARN",
        )


def test_lambda_port_and_vpc_id_must_not_be_given(traffic: Stack, elb: Any) -> None:
    for params, noun in (({"Port": 80}, "Port"), ({"VpcId": "vpc-1"}, "VPC ID")):
        assert refused(
            elb.create_target_group, Name=traffic.name(), TargetType="lambda", **params
        ) == ("ValidationError", f"{noun} {NOT_FOR_LAMBDA}")


def test_lambda_protocol_must_not_be_given_but_is_ignored_unless_strict(
    traffic: Stack, elb: Any, strict: Any
) -> None:
    assert refused(
        strict.create_target_group, Name="functions", TargetType="lambda", Protocol="HTTP"
    ) == ("ValidationError", f"Protocol {NOT_FOR_LAMBDA}")
    made = create(elb, traffic, TargetType="lambda", Protocol="HTTP")
    assert "Protocol" not in made


def test_lambda_health_checks_off_by_default_may_be_enabled(traffic: Stack, elb: Any) -> None:
    made = create(elb, traffic, TargetType="lambda")
    assert made["HealthCheckEnabled"] is False
    (changed,) = elb.modify_target_group(
        TargetGroupArn=made["TargetGroupArn"], HealthCheckEnabled=True
    )["TargetGroups"]
    assert changed["HealthCheckEnabled"] is True
    assert create(elb, traffic, TargetType="lambda", HealthCheckEnabled=True)["HealthCheckEnabled"]


def test_alb_an_alb_arn_only_for_nlb_target_groups(traffic: Stack, elb: Any) -> None:
    for protocol in ({}, {"Protocol": "TCP"}, {"Protocol": "HTTP"}):
        code, message = refused(
            elb.create_target_group,
            **{"Name": traffic.name(), "TargetType": "alb", **SERVERS, **protocol},
        )
        assert code == "InvalidConfigurationRequest"
        assert "an Application Load Balancer cannot forward to them" in message
    page = (Path(__file__).parents[2] / "docs" / "coverage.md").read_text()
    assert "| Target type alb; target optimizer | later |" in page


def test_there_is_no_other_target_type(traffic: Stack, elb: Any) -> None:
    for other in ("", "Lambda", "instances"):
        assert refused(
            elb.create_target_group, Name=traffic.name(), TargetType=other, **SERVERS
        ) == (
            "ValidationError",
            f"1 validation error detected: Value '{other}' at 'targetType' failed to satisfy "
            "constraint: Member must satisfy enum value set: [instance, ip, lambda, alb]",
        )


def test_target_type_cannot_be_changed(traffic: Stack, elb: Any) -> None:
    """ModifyTargetGroup has no such member, so no client sends it; one that does changes nothing.

    Nor does the call that made the group make another type of it.
    """
    made = create(elb, traffic, TargetType="lambda")
    arn, name = made["TargetGroupArn"], made["TargetGroupName"]
    form = {"Action": "ModifyTargetGroup", "Version": "2015-12-01", "TargetGroupArn": arn}
    connection = http.client.HTTPConnection("127.0.0.1", traffic.server.port, timeout=10)
    headers = {
        "Authorization": authorization("elasticloadbalancing", "123456789012"),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    connection.request("POST", "/", urlencode(form | {"TargetType": "ip"}), headers)
    connection.getresponse().read()
    connection.close()
    assert refused(elb.create_target_group, Name=name, TargetType="ip", **SERVERS) == (
        "DuplicateTargetGroupName",
        f"A target group with the same name '{name}' exists, but with different settings",
    )
    (shown,) = elb.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
    assert shown["TargetType"] == "lambda"


@pytest.mark.parametrize(
    ("account", "region"),
    [
        pytest.param("111111111111", "us-east-1", id="another account"),
        pytest.param("123456789012", "eu-west-1", id="another Region"),
    ],
)
def test_lambda_tg_same_account_and_region_as_the_function(
    traffic: Stack, elb: Any, account: str, region: str
) -> None:
    shown = traffic.functions.get_function(FunctionName=traffic.function)
    name = shown["Configuration"]["FunctionName"]
    others = aws_client("lambda", traffic.server.url, access_key=account, region=region)
    code = {"ZipFile": zipped("def handler(event, context): ...")}
    function = others.create_function(
        FunctionName=name,
        Runtime=shown["Configuration"]["Runtime"],
        Handler="app.handler",
        Role=f"arn:aws:iam::{account}:role/any",
        Code=code,
    )["FunctionArn"]
    others.add_permission(
        FunctionName=name,
        StatementId="elb",
        Action="lambda:InvokeFunction",
        Principal="elasticloadbalancing.amazonaws.com",
    )
    group = create(elb, traffic, TargetType="lambda")["TargetGroupArn"]
    assert refused(elb.register_targets, TargetGroupArn=group, Targets=[{"Id": function}]) == (
        "InvalidTarget",
        f"The Lambda function '{function}' does not exist",
    )


def test_lambda_tg_not_ipv6(traffic: Stack, elb: Any) -> None:
    assert refused(
        elb.create_target_group, Name=traffic.name(), TargetType="lambda", IpAddressType="ipv6"
    ) == ("ValidationError", f"IP address type {NOT_FOR_LAMBDA}")


def test_lambda_tg_not_with_cross_zone_off_no_atw(traffic: Stack, elb: Any) -> None:
    group = create(elb, traffic, TargetType="lambda")["TargetGroupArn"]
    for key, value in (
        ("load_balancing.cross_zone.enabled", "false"),
        ("load_balancing.algorithm.type", "weighted_random"),
        ("load_balancing.algorithm.anomaly_mitigation", "on"),
    ):
        assert refused(
            elb.modify_target_group_attributes,
            TargetGroupArn=group,
            Attributes=[{"Key": key, "Value": value}],
        ) == (
            "InvalidConfigurationRequest",
            f"A target group with target type 'lambda' does not support the attribute {key}",
        )


def test_lambda_tg_only_http1_version(traffic: Stack, elb: Any) -> None:
    for version in ("HTTP2", "GRPC"):
        assert refused(
            elb.create_target_group,
            Name=traffic.name(),
            TargetType="lambda",
            ProtocolVersion=version,
        ) == ("ValidationError", f"Protocol version {NOT_FOR_LAMBDA}")
    front = traffic.front(forward(traffic.group()))
    assert event(front.get("/x"))["path"] == "/x"


def test_create_target_group_lambda_output_exact(traffic: Stack, elb: Any) -> None:
    name = traffic.name()
    made = elb.create_target_group(Name=name, TargetType="lambda")
    del made["ResponseMetadata"]
    (group,) = made["TargetGroups"]
    arn = group.pop("TargetGroupArn")
    prefix = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup"
    assert re.fullmatch(f"{prefix}/{name}/[0-9a-f]{{16}}", arn)
    assert made == {
        "TargetGroups": [
            {
                "TargetGroupName": name,
                "HealthCheckEnabled": False,
                "HealthCheckIntervalSeconds": 35,
                "HealthCheckTimeoutSeconds": 30,
                "HealthyThresholdCount": 5,
                "UnhealthyThresholdCount": 2,
                "HealthCheckPath": "/",
                "Matcher": {"HttpCode": "200"},
                "TargetType": "lambda",
                "IpAddressType": "ipv4",
            }
        ]
    }
    (shown,) = elb.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
    assert shown == {**group, "TargetGroupArn": arn, "LoadBalancerArns": []}
    front = traffic.front(forward(arn))
    (shown,) = elb.describe_target_groups(Names=[name])["TargetGroups"]
    assert shown["LoadBalancerArns"] == [front.balancer]
