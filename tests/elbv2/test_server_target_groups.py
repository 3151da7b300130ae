"""Target groups of instances and addresses, through boto3."""

import pytest

SERVERS = {"TargetType": "ip", "Protocol": "HTTP", "Port": 8080, "VpcId": "vpc-0123abcd"}


def create(elb, name="tg", **params):
    given = {name: value for name, value in {**SERVERS, **params}.items() if value is not None}
    return elb.create_target_group(Name=name, **given)["TargetGroups"][0]


def test_creating_answers_exactly_what_aws_answers(elb):
    created = create(elb, "my-targets", TargetType=None, Port=80)
    assert created.pop("TargetGroupArn").split("/")[1] == "my-targets"
    assert created == {
        "TargetGroupName": "my-targets",
        "Protocol": "HTTP",
        "Port": 80,
        "VpcId": "vpc-0123abcd",
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckEnabled": True,
        "HealthCheckIntervalSeconds": 30,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 5,
        "UnhealthyThresholdCount": 2,
        "HealthCheckPath": "/",
        "Matcher": {"HttpCode": "200"},
        "TargetType": "instance",
        "ProtocolVersion": "HTTP1",
        "IpAddressType": "ipv4",
    }


def test_a_grpc_group_is_checked_by_grpc_codes(elb):
    group = create(elb, ProtocolVersion="GRPC")
    assert group["HealthCheckPath"] == "/AWS.ALB/healthcheck"
    assert group["Matcher"] == {"GrpcCode": "12"}
    (group,) = elb.modify_target_group(
        TargetGroupArn=group["TargetGroupArn"], Matcher={"GrpcCode": "0-2,12"}
    )["TargetGroups"]
    assert group["Matcher"] == {"GrpcCode": "0-2,12"}


def test_the_same_call_again_answers_with_the_same_group(elb, refused):
    assert create(elb) == create(elb)
    code, _ = refused(elb.create_target_group, Name="tg", **{**SERVERS, "Port": 81})
    assert code == "DuplicateTargetGroupName"


def test_health_check_settings_can_be_changed(elb):
    arn = create(elb)["TargetGroupArn"]
    changes = {
        "HealthCheckProtocol": "HTTPS",
        "HealthCheckPort": "9000",
        "HealthCheckPath": "/health?deep",
        "HealthCheckIntervalSeconds": 10,
        "HealthCheckTimeoutSeconds": 2,
        "HealthyThresholdCount": 3,
        "UnhealthyThresholdCount": 4,
        "Matcher": {"HttpCode": "200-299,301"},
    }
    (changed,) = elb.modify_target_group(TargetGroupArn=arn, **changes)["TargetGroups"]
    assert {name: changed[name] for name in changes} == changes


@pytest.mark.parametrize(
    ("params", "message"),
    [
        pytest.param({"Protocol": None}, "A protocol must be specified", id="no protocol"),
        pytest.param({"Port": None}, "A port must be specified", id="no port"),
        pytest.param({"VpcId": None}, "A VPC ID must be specified", id="no VPC"),
        pytest.param({"VpcId": "mine"}, "The VPC ID 'mine' is not found", id="no VPC ID"),
        pytest.param(
            {"ProtocolVersion": "HTTP3"},
            "Protocol version 'HTTP3' must be one of [HTTP1, HTTP2, GRPC]",
            id="protocol version",
        ),
        pytest.param(
            {"HealthCheckEnabled": False},
            "Health check enabled must be true for target groups with target type "
            "'instance' or 'ip'",
            id="health checks off",
        ),
        pytest.param(
            {"HealthCheckProtocol": "TCP"},
            "Health check protocol 'TCP' must be one of [HTTP, HTTPS]",
            id="health checks by TCP",
        ),
        pytest.param(
            {"HealthCheckPort": "http"},
            "Health check port 'http' must be 'traffic-port' or a port number "
            "between '1-65535' inclusive",
            id="health check port",
        ),
        pytest.param(
            {"HealthCheckTimeoutSeconds": 30},
            "Health check timeout '30' must be smaller than the interval '30'",
            id="timeout",
        ),
        pytest.param(
            {"Matcher": {"GrpcCode": "0"}},
            "GRPC code cannot be specified unless the protocol version is GRPC",
            id="gRPC codes of HTTP1",
        ),
        pytest.param(
            {"ProtocolVersion": "GRPC", "Matcher": {"HttpCode": "200"}},
            "HTTP code cannot be specified if the protocol version is GRPC",
            id="HTTP codes of GRPC",
        ),
        pytest.param(
            {"ProtocolVersion": "GRPC", "Matcher": {"GrpcCode": "100"}},
            "Health check matcher GRPC code '100' is not valid",
            id="gRPC code too high",
        ),
        pytest.param(
            {"ProtocolVersion": "GRPC", "Matcher": {"GrpcCode": "9-3"}},
            "Health check matcher GRPC code '9-3' must be within '0-99' inclusive",
            id="gRPC codes backwards",
        ),
    ],
)
def test_what_is_not_valid_is_refused(elb, refused, params, message):
    given = {name: value for name, value in {**SERVERS, **params}.items() if value is not None}
    found = refused(elb.create_target_group, Name="tg", **given)
    assert found == ("ValidationError", message)


def test_a_group_of_load_balancers_is_refused(elb, refused):
    code, _ = refused(elb.create_target_group, Name="tg", **{**SERVERS, "TargetType": "alb"})
    assert code == "InvalidConfigurationRequest"


def test_a_protocol_of_other_load_balancers_is_refused(elb, refused):
    code, _ = refused(elb.create_target_group, Name="tg", **{**SERVERS, "Protocol": "TCP"})
    assert code == "NotImplemented"


@pytest.mark.parametrize("version", ["HTTP2", "GRPC"])
def test_http2_and_grpc_groups_are_for_https_listeners(
    elb, refused, make_balancer, make_listener, forward, version
):
    group = create(elb, ProtocolVersion=version)["TargetGroupArn"]
    balancer = make_balancer()
    message = (
        "Listener protocol 'HTTP' is not supported with a target group with the "
        f"protocol-version '{version}'"
    )
    expected = ("IncompatibleProtocols", message)
    listener = make_listener(balancer)
    condition = [{"Field": "path-pattern", "Values": ["/x"]}]
    assert expected == refused(
        elb.create_listener,
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=81,
        DefaultActions=forward(group),
    )
    assert expected == refused(
        elb.create_rule,
        ListenerArn=listener,
        Priority=1,
        Conditions=condition,
        Actions=forward(group),
    )
    assert expected == refused(
        elb.modify_listener, ListenerArn=listener, DefaultActions=forward(group)
    )


ALGORITHM = "load_balancing.algorithm.type"


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param(
            {ALGORITHM: "weighted_random", "stickiness.enabled": "true"}, id="random and sticky"
        ),
        pytest.param(
            {ALGORITHM: "weighted_random", "slow_start.duration_seconds": "30"},
            id="random and slow start",
        ),
        pytest.param(
            {ALGORITHM: "least_outstanding_requests", "slow_start.duration_seconds": "30"},
            id="least requests and slow start",
        ),
        pytest.param(
            {"load_balancing.cross_zone.enabled": "false", "stickiness.enabled": "true"},
            id="one zone and sticky",
        ),
        pytest.param(
            {"load_balancing.algorithm.anomaly_mitigation": "on"}, id="mitigation of round robin"
        ),
        pytest.param(
            {"stickiness.enabled": "true", "stickiness.type": "app_cookie"}, id="no cookie name"
        ),
    ],
)
def test_attributes_that_exclude_each_other_are_refused(elb, refused, attributes):
    arn = create(elb)["TargetGroupArn"]
    listed = [{"Key": key, "Value": value} for key, value in attributes.items()]
    code, _ = refused(elb.modify_target_group_attributes, TargetGroupArn=arn, Attributes=listed)
    assert code == "InvalidConfigurationRequest"
    found = elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    defaults = {one["Key"]: one["Value"] for one in found}
    assert all(defaults[key] != value for key, value in attributes.items())


def test_stickiness_by_address_is_for_other_protocols(elb, refused):
    arn = create(elb)["TargetGroupArn"]
    attributes = [{"Key": "stickiness.type", "Value": "source_ip"}]
    assert refused(
        elb.modify_target_group_attributes, TargetGroupArn=arn, Attributes=attributes
    ) == (
        "InvalidConfigurationRequest",
        "Stickiness type 'source_ip' is not supported for target groups with the HTTP protocol",
    )
