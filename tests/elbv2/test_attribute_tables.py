"""Every attribute of load balancers, target groups and listeners: its default, what it may be.

Sources: elbv2 API, `LoadBalancerAttribute`, `TargetGroupAttribute`, `ListenerAttribute`; ALB user
guide, "Edit attributes", "Edit target group attributes", "HTTP header modification".
"""

import pytest
from botocore.exceptions import ClientError

SWITCH = (["true", "false"], ["on", "TRUE", "1"])
TEXT = (["a"], ["x" * 1025])
WEEK = (["1", "604800"], ["0", "604801", "1.5"])
PERCENTAGE = (["off", "1", "100"], ["0", "101", "on"])
HEALTHY = "target_group_health"

LOAD_BALANCER = {
    "idle_timeout.timeout_seconds": ("60", ["1", "4000"], ["0", "4001", "-1", "x"]),
    "client_keep_alive.seconds": ("3600", ["60", "604800"], ["59", "604801"]),
    "routing.http2.enabled": ("true", *SWITCH),
    "routing.http.drop_invalid_header_fields.enabled": ("false", *SWITCH),
    "routing.http.desync_mitigation_mode": (
        "defensive",
        ["monitor", "defensive", "strictest"],
        ["off"],
    ),
    "routing.http.preserve_host_header.enabled": ("false", *SWITCH),
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": ("false", *SWITCH),
    "routing.http.xff_client_port.enabled": ("false", *SWITCH),
    "routing.http.xff_header_processing.mode": (
        "append",
        ["append", "preserve", "remove"],
        ["replace"],
    ),
    "waf.fail_open.enabled": ("false", *SWITCH),
    "access_logs.s3.enabled": ("false", ["false"], ["on", "true"]),  # true needs a bucket
    "access_logs.s3.bucket": ("", *TEXT),
    "access_logs.s3.prefix": ("", ["a"], ["AWSLogs", "x" * 1025]),
    "connection_logs.s3.enabled": ("false", ["false"], ["on", "true"]),
    "connection_logs.s3.bucket": ("", *TEXT),
    "connection_logs.s3.prefix": ("", ["a"], ["AWSLogs", "x" * 1025]),
    "health_check_logs.s3.enabled": ("false", ["false"], ["on", "true"]),
    "health_check_logs.s3.bucket": ("", *TEXT),
    "health_check_logs.s3.prefix": ("", ["a"], ["AWSLogs", "x" * 1025]),
    "deletion_protection.enabled": ("false", *SWITCH),
    "ipv6.deny_all_igw_traffic": ("false", *SWITCH),
    "load_balancing.cross_zone.enabled": ("true", ["true"], ["false"]),
    "zonal_shift.config.enabled": ("false", *SWITCH),
}
LAMBDA = {"lambda.multi_value_headers.enabled": ("false", *SWITCH)}
SERVERS = {
    "deregistration_delay.timeout_seconds": ("300", ["0", "3600"], ["-1", "3601"]),
    "load_balancing.algorithm.type": (
        "round_robin",
        ["round_robin", "least_outstanding_requests", "weighted_random"],
        ["random"],
    ),
    "load_balancing.algorithm.anomaly_mitigation": ("off", ["off"], ["true", "on"]),
    "load_balancing.cross_zone.enabled": (
        "use_load_balancer_configuration",
        ["use_load_balancer_configuration", "true", "false"],
        ["on"],
    ),
    "slow_start.duration_seconds": ("0", ["0", "30", "900"], ["1", "29", "901"]),
    "stickiness.enabled": ("false", *SWITCH),
    "stickiness.type": ("lb_cookie", ["lb_cookie"], ["source_ip"]),
    "stickiness.lb_cookie.duration_seconds": ("86400", *WEEK),
    "stickiness.app_cookie.cookie_name": ("", ["SESSION"], ["AWSALB", "AWSALBAPP", "AWSALBTG"]),
    "stickiness.app_cookie.duration_seconds": ("86400", *WEEK),
    f"{HEALTHY}.dns_failover.minimum_healthy_targets.count": ("1", ["off", "1"], ["0"]),
    f"{HEALTHY}.dns_failover.minimum_healthy_targets.percentage": ("off", *PERCENTAGE),
    f"{HEALTHY}.unhealthy_state_routing.minimum_healthy_targets.count": ("1", ["1"], ["0", "off"]),
    f"{HEALTHY}.unhealthy_state_routing.minimum_healthy_targets.percentage": ("off", *PERCENTAGE),
    "waf.http2.traffic_inspection_behavior": (
        "inspect_immediately",
        ["inspect_immediately", "inspect_after_sufficient_data"],
        ["never"],
    ),
}
HEADER_VALUE = ("", ["a b_:;.,\\/'?!(){}[]@<>=-+*#&`|~^%", ""], ["é", '"', "$", "x" * 1025])
LISTENER = {
    "routing.http.response.server.enabled": ("true", *SWITCH),
    **{
        f"routing.http.response.{name}.header_value": HEADER_VALUE
        for name in (
            "strict_transport_security",
            "access_control_allow_origin",
            "access_control_allow_methods",
            "access_control_allow_headers",
            "access_control_allow_credentials",
            "access_control_expose_headers",
            "access_control_max_age",
            "content_security_policy",
            "x_content_type_options",
            "x_frame_options",
        )
    },
}


def cases(table):
    return [pytest.param(key, good, bad, id=key) for key, (_, good, bad) in table.items()]


def values(answer):
    return {each["Key"]: each["Value"] for each in answer["Attributes"]}


def defaults(table):
    return {key: default for key, (default, *_) in table.items()}


def check(modify, key, good, bad):
    """Every good value is kept and shown; every bad one is refused."""
    for value in good:
        assert values(modify(key, value))[key] == value
    for value in bad:
        with pytest.raises(ClientError, match=r"ValidationError|InvalidConfigurationRequest"):
            modify(key, value)


@pytest.fixture
def balancer(make_balancer):
    return make_balancer("lb")


class TestLoadBalancer:
    @pytest.fixture
    def modify(self, elb, balancer):
        return lambda key, value: elb.modify_load_balancer_attributes(
            LoadBalancerArn=balancer, Attributes=[{"Key": key, "Value": value}]
        )

    def test_defaults(self, elb, balancer):
        shown = elb.describe_load_balancer_attributes(LoadBalancerArn=balancer)
        assert values(shown) == defaults(LOAD_BALANCER)

    @pytest.mark.parametrize(("key", "good", "bad"), cases(LOAD_BALANCER))
    def test_values(self, modify, key, good, bad):
        check(modify, key, good, bad)


def server_group(elb):
    made = elb.create_target_group(Name="servers", Protocol="HTTP", Port=80, VpcId="vpc-1")
    return made["TargetGroups"][0]["TargetGroupArn"]


def lambda_group(elb):
    made = elb.create_target_group(Name="function", TargetType="lambda")
    return made["TargetGroups"][0]["TargetGroupArn"]


def modifying_group(elb, arn):
    return lambda key, value: elb.modify_target_group_attributes(
        TargetGroupArn=arn, Attributes=[{"Key": key, "Value": value}]
    )


class TestTargetGroup:
    @pytest.mark.parametrize(
        ("make", "table"),
        [
            pytest.param(server_group, SERVERS, id="instance"),
            pytest.param(lambda_group, LAMBDA, id="lambda"),
        ],
    )
    def test_defaults(self, elb, make, table):
        shown = elb.describe_target_group_attributes(TargetGroupArn=make(elb))
        assert values(shown) == defaults(table)

    @pytest.mark.parametrize(("key", "good", "bad"), cases(SERVERS))
    def test_values(self, elb, key, good, bad):
        check(modifying_group(elb, server_group(elb)), key, good, bad)

    @pytest.mark.parametrize(("key", "good", "bad"), cases(LAMBDA))
    def test_values_of_a_function(self, elb, key, good, bad):
        check(modifying_group(elb, lambda_group(elb)), key, good, bad)

    @pytest.mark.parametrize("key", SERVERS)
    def test_a_function_has_no_attributes_of_servers(self, elb, key):
        with pytest.raises(ClientError, match="InvalidConfigurationRequest"):
            modifying_group(elb, lambda_group(elb))(key, SERVERS[key][0])


class TestListener:
    @pytest.fixture
    def listener(self, make_listener, balancer):
        return make_listener(balancer)

    def test_defaults(self, elb, listener):
        shown = elb.describe_listener_attributes(ListenerArn=listener)
        assert values(shown) == defaults(LISTENER)

    @pytest.mark.parametrize(("key", "good", "bad"), cases(LISTENER))
    def test_values(self, elb, listener, key, good, bad):
        check(
            lambda key, value: elb.modify_listener_attributes(
                ListenerArn=listener, Attributes=[{"Key": key, "Value": value}]
            ),
            key,
            good,
            bad,
        )
