"""Bad input to the operations on target groups and targets: code and message."""

import pytest

from tests.elbv2.world import rows

NOT_FOUND = ("TargetGroupNotFound", "One or more target groups not found")
NO_ARN = ("ValidationError", "'x' is not a valid target group ARN")
SERVER = {"Name": "new", "Protocol": "HTTP", "Port": 80, "VpcId": "vpc-1", "TargetType": "ip"}
LAMBDA = {"Name": "new", "TargetType": "lambda"}


def of(params=None, group="{servers}"):
    return {"TargetGroupArn": group, **(params or {})}


def targets(*ids, group="{servers}", **more):
    return of({"Targets": [{"Id": each, **more} for each in ids]}, group)


def server(**params):
    return {**SERVER, **params}


def without(name):
    return {key: value for key, value in SERVER.items() if key != name}


def invalid(message):
    return "ValidationError", message


def not_for_functions(noun):
    return invalid(f"{noun} cannot be specified for target groups with target type 'lambda'")


def attributes(group="{servers}", **values):
    return of(
        {"Attributes": [{"Key": key, "Value": value} for key, value in values.items()]}, group
    )


def name(text, problem):
    return {**LAMBDA, "Name": text}, *invalid(f"Target group name '{text}' {problem}")


CREATE = rows(
    "create_target_group",
    name_empty=name("", "cannot be empty"),
    name_long=name("a" * 33, "cannot be longer than '32' characters"),
    name_characters=name(
        "a_b", "can only contain characters that are alphanumeric characters or hyphens(-)"
    ),
    name_first=name("-a", "cannot begin or end with '-'"),
    name_last=name("a-", "cannot begin or end with '-'"),
    other_settings=(
        {**LAMBDA, "Name": "group", "HealthCheckPath": "/other"},
        "DuplicateTargetGroupName",
        "A target group with the same name 'group' exists, but with different settings",
    ),
    lambda_port=({**LAMBDA, "Port": 80}, *not_for_functions("Port")),
    lambda_vpc=({**LAMBDA, "VpcId": "vpc-1"}, *not_for_functions("VPC ID")),
    lambda_version=(
        {**LAMBDA, "ProtocolVersion": "HTTP1"},
        *not_for_functions("Protocol version"),
    ),
    lambda_check_protocol=(
        {**LAMBDA, "HealthCheckProtocol": "HTTP"},
        *not_for_functions("Health check protocol"),
    ),
    lambda_check_port=(
        {**LAMBDA, "HealthCheckPort": "80"},
        *not_for_functions("Health check port"),
    ),
    lambda_control_port=(
        {**LAMBDA, "TargetControlPort": 80},
        *not_for_functions("Target control port"),
    ),
    lambda_ipv6=({**LAMBDA, "IpAddressType": "ipv6"}, *not_for_functions("IP address type")),
    lambda_grpc_code=({**LAMBDA, "Matcher": {"GrpcCode": "0"}}, *not_for_functions("GRPC code")),
    no_protocol=(without("Protocol"), *invalid("A protocol must be specified")),
    no_port=(without("Port"), *invalid("A port must be specified")),
    no_vpc=(without("VpcId"), *invalid("A VPC ID must be specified")),
    vpc=(server(VpcId="x"), *invalid("The VPC ID 'x' is not found")),
    other_version=(
        server(ProtocolVersion="HTTP3"),
        *invalid("Protocol version 'HTTP3' must be one of [HTTP1, HTTP2, GRPC]"),
    ),
    check_off=(
        server(HealthCheckEnabled=False),
        *invalid(
            "Health check enabled must be true for target groups with target type 'instance' or "
            "'ip'"
        ),
    ),
    check_protocol=(
        server(HealthCheckProtocol="TCP"),
        *invalid("Health check protocol 'TCP' must be one of [HTTP, HTTPS]"),
    ),
    check_port=(
        server(HealthCheckPort="0"),
        *invalid(
            "Health check port '0' must be 'traffic-port' or a port number between '1-65535' "
            "inclusive"
        ),
    ),
    check_path=(
        server(HealthCheckPath="x"),
        *invalid(
            "Health check path 'x' must begin with a '/' character and contain visible ASCII "
            "characters only"
        ),
    ),
    timeout=(
        server(HealthCheckTimeoutSeconds=30),
        *invalid("Health check timeout '30' must be smaller than the interval '30'"),
    ),
    http_code=(
        server(Matcher={"HttpCode": "200-500"}),
        *invalid("Health check matcher HTTP code '200-500' must be within '200-499' inclusive"),
    ),
    grpc_code=(
        server(ProtocolVersion="GRPC", Matcher={"GrpcCode": "100"}),
        *invalid("Health check matcher GRPC code '100' is not valid"),
    ),
    http_code_of_grpc=(
        server(ProtocolVersion="GRPC", Matcher={"HttpCode": "200"}),
        *invalid("HTTP code cannot be specified if the protocol version is GRPC"),
    ),
)
CHANGE = [
    *rows(
        "modify_target_group",
        gone=(of(group="{no_group}"), *NOT_FOUND),
        no_arn=(of(group="x"), *NO_ARN),
        lambda_check_port=(
            of({"HealthCheckPort": "80"}, "{group}"),
            *not_for_functions("Health check port"),
        ),
        check_off=(
            of({"HealthCheckEnabled": False}),
            *invalid(
                "Health check enabled must be true for target groups with target type 'instance' "
                "or 'ip'"
            ),
        ),
        timeout=(
            of({"HealthCheckIntervalSeconds": 5}),
            *invalid("Health check timeout '5' must be smaller than the interval '5'"),
        ),
    ),
    *rows(
        "delete_target_group",
        no_arn=(of(group="x"), *NO_ARN),
        in_use=(
            of(group="{used}"),
            "ResourceInUse",
            "Target group '{used}' is currently in use by a listener or a rule",
        ),
    ),
    *rows(
        "describe_target_groups",
        gone=({"TargetGroupArns": ["{group}", "{no_group}"]}, *NOT_FOUND),
        no_such_name=({"Names": ["none"]}, *NOT_FOUND),
        no_balancer=(
            {"LoadBalancerArn": "{no_balancer}"},
            "LoadBalancerNotFound",
            "One or more load balancers not found",
        ),
        two_filters=(
            {"LoadBalancerArn": "{balancer}", "Names": ["group"]},
            *invalid(
                "Target group names, target group ARNs, and a load balancer ARN "
                "cannot be specified at the same time"
            ),
        ),
    ),
    *rows("describe_target_group_attributes", gone=(of(group="{no_group}"), *NOT_FOUND)),
    *rows(
        "modify_target_group_attributes",
        gone=(attributes("{no_group}", a="b"), *NOT_FOUND),
        none=(of({"Attributes": []}), *invalid("An attribute must be specified")),
        unknown=(attributes(a="b"), *invalid("Target group attribute key 'a' is not recognized")),
        of_functions=(
            attributes(**{"lambda.multi_value_headers.enabled": "true"}),
            "InvalidConfigurationRequest",
            "A target group with target type 'ip' does not support the attribute "
            "lambda.multi_value_headers.enabled",
        ),
        of_servers=(
            attributes("{group}", **{"deregistration_delay.timeout_seconds": "1"}),
            "InvalidConfigurationRequest",
            "A target group with target type 'lambda' does not support the attribute "
            "deregistration_delay.timeout_seconds",
        ),
        of_network_load_balancers=(
            attributes(**{"proxy_protocol_v2.enabled": "true"}),
            "InvalidConfigurationRequest",
            "A target group with target type 'ip' does not support the attribute "
            "proxy_protocol_v2.enabled",
        ),
        boolean=(
            attributes("{group}", **{"lambda.multi_value_headers.enabled": "yes"}),
            *invalid(
                "'lambda.multi_value_headers.enabled' value 'yes' must be one of [true, false]"
            ),
        ),
        sticky_and_random=(
            attributes(
                **{
                    "load_balancing.algorithm.type": "weighted_random",
                    "stickiness.enabled": "true",
                }
            ),
            "InvalidConfigurationRequest",
            "'stickiness.enabled' must be 'false' where 'load_balancing.algorithm.type' is "
            "'weighted_random'",
        ),
        cookie_without_name=(
            attributes(**{"stickiness.enabled": "true", "stickiness.type": "app_cookie"}),
            "InvalidConfigurationRequest",
            "You must set an application cookie name to enable stickiness of type 'app_cookie'",
        ),
        no_cookie_name=(
            attributes(**{"stickiness.app_cookie.cookie_name": "a;b"}),
            *invalid(
                "'stickiness.app_cookie.cookie_name' value 'a;b' contains a character that is not "
                "valid"
            ),
        ),
        stickiness_of_gateways=(
            attributes(**{"stickiness.type": "source_ip_dest_ip"}),
            "InvalidConfigurationRequest",
            "Stickiness type 'source_ip_dest_ip' is not supported for target groups with the HTTP "
            "protocol",
        ),
        routing_fails_over_first=(
            attributes(
                **{
                    "target_group_health.dns_failover.minimum_healthy_targets.count": "2",
                    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": (
                        "3"
                    ),
                }
            ),
            "InvalidConfigurationRequest",
            "'target_group_health.dns_failover.minimum_healthy_targets.count' must be greater than "
            "or equal to 'target_group_health.unhealthy_state_routing.minimum_healthy_targets."
            "count'",
        ),
    ),
]
TARGETS = [
    *rows(
        "register_targets",
        gone=(targets("10.0.0.1", group="{no_group}"), *NOT_FOUND),
        none=(targets(), *invalid("A target must be specified")),
        no_address=(
            targets("x"),
            "InvalidTarget",
            "The IP address 'x' is not a valid IP address",
        ),
        public=(
            targets("8.8.8.8"),
            "InvalidTarget",
            "The IP address '8.8.8.8' is not within the ranges of a VPC and of RFC 1918 and "
            "RFC 6598",
        ),
        ipv6=(
            targets("fd00::1"),
            "InvalidTarget",
            "The IP address 'fd00::1' is not valid for a target group with IP address type 'ipv4'",
        ),
        zone=(
            targets("10.0.0.1", AvailabilityZone="eu-west-1a"),
            *invalid("The Availability Zone 'eu-west-1a' is not valid"),
        ),
        quic=(
            targets("10.0.0.1", QuicServerId="0x0123456789abcdef"),
            *invalid(
                "'QuicServerId' can only be specified for target groups with the protocol QUIC or "
                "TCP_QUIC"
            ),
        ),
        no_function=(
            targets("fn", group="{group}"),
            *invalid("'fn' is not a valid Lambda function ARN"),
        ),
        function_gone=(
            targets("{function}-2", group="{group}"),
            "InvalidTarget",
            "The Lambda function '{function}-2' does not exist",
        ),
        function_of_a_zone=(
            targets("{function}", group="{group}", AvailabilityZone="us-east-1a"),
            *invalid(
                "The Availability Zone 'us-east-1a' is not valid for a target group with "
                "target type 'lambda'; it must be 'all'"
            ),
        ),
        two_functions=(
            targets("{function}", "{function}-2", group="{group}"),
            "TooManyTargets",
            "Up to '1' Lambda function target(s) can be registered, but '2' were specified",
        ),
    ),
    *rows(
        "deregister_targets",
        gone=(targets("10.0.0.1", group="{no_group}"), *NOT_FOUND),
        none=(targets(), *invalid("A target must be specified")),
    ),
    *rows("describe_target_health", gone=(of(group="{no_group}"), *NOT_FOUND)),
]


@pytest.mark.parametrize(("operation", "params", "code", "message"), [*CREATE, *CHANGE, *TARGETS])
def test_a_call_is_refused(world, operation, params, code, message):
    assert world.refusal(operation, params) == (400, code, world.text(message))


def test_a_function_that_may_not_be_invoked_is_refused_with_403(world):
    status, code, message = world.refusal(
        "register_targets", targets("{function}", group="{group}")
    )
    assert (status, code) == (403, "AccessDenied")
    assert message == world.text(
        "elasticloadbalancing principal does not have permission to invoke {function} "
        "from target group {group}"
    )
