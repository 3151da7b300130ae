"""The ends of every range of target groups and targets, and conditions of a function's policy.

Sources: elbv2 API, `CreateTargetGroup`; ALB user guide, "Health checks for your target groups",
"Edit target group attributes", "Lambda functions as targets"; Lambda API, `AddPermission`.
"""

import pytest

from tests.support.server import client

SERVERS = {"TargetType": "ip", "Protocol": "HTTP", "Port": 80, "VpcId": "vpc-1"}
INTERVAL, TIMEOUT = "HealthCheckIntervalSeconds", "HealthCheckTimeoutSeconds"
COUNT = "minimum_healthy_targets.count"


def create(elb, **params):
    return elb.create_target_group(**{"Name": "tg", **SERVERS, **params})["TargetGroups"][0]


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        pytest.param({"Name": "a" * 32}, {"Name": "a" * 33}, id="a name has up to 32 characters"),
        pytest.param({"Port": 1}, {"Port": 0}, id="ports begin at 1"),
        pytest.param({"Port": 65535}, {"Port": 65536}, id="ports end at 65535"),
        pytest.param(
            {"HealthCheckPath": "/" * 1024}, {"HealthCheckPath": "/" * 1025}, id="a path has 1024"
        ),
        pytest.param({"HealthCheckPath": "/"}, {"HealthCheckPath": ""}, id="a path is not empty"),
        pytest.param({INTERVAL: 5, TIMEOUT: 2}, {INTERVAL: 4, TIMEOUT: 2}, id="intervals from 5 s"),
        pytest.param({INTERVAL: 300}, {INTERVAL: 301}, id="intervals up to 300 s"),
        pytest.param({TIMEOUT: 2}, {TIMEOUT: 1}, id="timeouts from 2 s"),
        pytest.param(
            {INTERVAL: 300, TIMEOUT: 120}, {INTERVAL: 300, TIMEOUT: 121}, id="timeouts up to 120 s"
        ),
        pytest.param({INTERVAL: 6, TIMEOUT: 5}, {INTERVAL: 5, TIMEOUT: 5}, id="timeout < interval"),
        pytest.param({"HealthyThresholdCount": 2}, {"HealthyThresholdCount": 1}, id="healthy: 2"),
        pytest.param(
            {"HealthyThresholdCount": 10}, {"HealthyThresholdCount": 11}, id="healthy: 10"
        ),
        pytest.param(
            {"UnhealthyThresholdCount": 2}, {"UnhealthyThresholdCount": 1}, id="unhealthy: 2"
        ),
        pytest.param(
            {"UnhealthyThresholdCount": 10}, {"UnhealthyThresholdCount": 11}, id="unhealthy: 10"
        ),
        pytest.param({"Matcher": {"HttpCode": "200"}}, {"Matcher": {"HttpCode": "199"}}, id="200"),
        pytest.param({"Matcher": {"HttpCode": "499"}}, {"Matcher": {"HttpCode": "500"}}, id="499"),
        pytest.param(
            {"ProtocolVersion": "GRPC", "Matcher": {"GrpcCode": "0-99"}},
            {"ProtocolVersion": "GRPC", "Matcher": {"GrpcCode": "0-100"}},
            id="gRPC: 99",
        ),
        pytest.param({"HealthCheckPort": "65535"}, {"HealthCheckPort": "65536"}, id="check port"),
        pytest.param({"HealthCheckProtocol": "HTTPS"}, {"HealthCheckProtocol": "TLS"}, id="by TLS"),
    ],
)
def test_each_range_of_a_target_group_ends_where_the_api_says(elb, refused, good, bad):
    made = create(elb, **good)
    made["Name"] = made["TargetGroupName"]
    assert {name: made[name] for name in good} == good
    code, _ = refused(create, elb=elb, **{"Name": "other", **bad})
    assert code == "ValidationError"


@pytest.mark.parametrize("port", [pytest.param(0, id="0"), pytest.param(65536, id="65536")])
def test_a_target_has_a_port_from_1_to_65535(elb, refused, port):
    group = create(elb)["TargetGroupArn"]
    targets = [{"Id": "10.0.0.1", "Port": port}]
    code, _ = refused(elb.register_targets, TargetGroupArn=group, Targets=targets)
    assert code == "ValidationError"


def set_one(elb, group, key, value):
    return elb.modify_target_group_attributes(
        TargetGroupArn=group, Attributes=[{"Key": key, "Value": value}]
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(
            ("stickiness.enabled", "true"),
            ("load_balancing.algorithm.type", "weighted_random"),
            id="sticky, then random",
        ),
        pytest.param(
            ("slow_start.duration_seconds", "30"),
            ("load_balancing.algorithm.type", "least_outstanding_requests"),
            id="slow start, then least requests",
        ),
        pytest.param(
            ("stickiness.enabled", "true"),
            ("load_balancing.cross_zone.enabled", "false"),
            id="sticky, then one zone",
        ),
        pytest.param(
            (f"target_group_health.unhealthy_state_routing.{COUNT}", "3"),
            (f"target_group_health.dns_failover.{COUNT}", "2"),
            id="routing at 3, then DNS at 2",
        ),
    ],
)
def test_attributes_exclude_each_other_over_several_calls_in_both_orders(
    elb, refused, first, second
):
    for number, (before, after) in enumerate([(first, second), (second, first)]):
        group = create(elb, Name=f"tg-{number}")["TargetGroupArn"]
        set_one(elb, group, *before)
        code, _ = refused(set_one, elb=elb, group=group, key=after[0], value=after[1])
        assert code == "InvalidConfigurationRequest"


@pytest.mark.parametrize("name", ["AWSALB", "AWSALBAPP", "AWSALBTG", "AWSALBAPP-0", "AWSALBTGCORS"])
def test_cookie_names_of_the_load_balancer_are_no_application_s(elb, refused, name):
    group = create(elb)["TargetGroupArn"]
    key = "stickiness.app_cookie.cookie_name"
    code, _ = refused(set_one, elb=elb, group=group, key=key, value=name)
    assert code == "ValidationError"


OWN, OTHER = "{account}", "100000000001"


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        pytest.param({}, True, id="no condition"),
        pytest.param({"SourceArn": "{group}"}, True, id="the target group"),
        pytest.param({"SourceArn": "{prefix}*"}, True, id="a pattern of target groups"),
        pytest.param({"SourceArn": "{prefix}other/*"}, False, id="other target groups"),
        pytest.param({"SourceAccount": OWN}, True, id="the account"),
        pytest.param({"SourceAccount": OTHER}, False, id="another account"),
        pytest.param({"SourceArn": "{group}", "SourceAccount": OTHER}, False, id="both must hold"),
        pytest.param({"Principal": "apigateway.amazonaws.com"}, False, id="another service"),
        pytest.param({"Action": "lambda:*"}, True, id="every action"),
        pytest.param({"Action": "lambda:GetFunction"}, False, id="another action"),
    ],
)
@pytest.mark.parametrize("qualifier", [None, "1", "live"])
def test_the_policy_of_the_very_qualifier_decides_on_registration(
    url, elb, account, refused, make_group, make_function, given, allowed, qualifier
):
    group, function = make_group(), make_function(permit=False)
    functions = client("lambda", url, access_key=account)
    functions.publish_version(FunctionName="fn")
    functions.create_alias(FunctionName="fn", Name="live", FunctionVersion="1")
    names = {"group": group, "account": account, "prefix": f"{group.rsplit('/', 2)[0]}/"}
    functions.add_permission(
        **{
            "FunctionName": "fn",
            "StatementId": "elb",
            "Action": "lambda:InvokeFunction",
            "Principal": "elasticloadbalancing.amazonaws.com",
            **({"Qualifier": qualifier} if qualifier else {}),
            **{member: value.format(**names) for member, value in given.items()},
        }
    )
    for each in (None, "1", "live"):
        target = f"{function}:{each}" if each else function
        call = {"TargetGroupArn": group, "Targets": [{"Id": target}]}
        if allowed and each == qualifier:
            elb.register_targets(**call)
            elb.deregister_targets(**call)
        else:
            assert refused(elb.register_targets, **call)[0] == "AccessDenied"


def test_checks_that_are_switched_on_and_off_again_leave_a_function_unavailable(
    elb, make_balancer, make_listener, make_group, make_function, forward
):
    group = make_group()
    make_listener(make_balancer(), 80, forward(group))
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": make_function()}])
    for is_on, state in ((False, "unavailable"), (True, "initial"), (False, "unavailable")):
        elb.modify_target_group(TargetGroupArn=group, HealthCheckEnabled=is_on)
        (found,) = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        assert found["TargetHealth"]["State"] == state
        assert "HealthCheckPort" not in found
