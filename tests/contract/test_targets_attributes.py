"""Attributes of target groups, row by row. Sources: elbv2 API, `TargetGroupAttribute`; ALB user
guide, "Edit target group attributes"; example of the AWS CLI, `describe-target-group-attributes`.

What stickiness, algorithms and thresholds do to traffic is in the modules of these sections.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.groups import make_group, set_group, values
from tests.support.rules import refused
from tests.support.stack import Stack, event, forward

DELAY = "deregistration_delay.timeout_seconds"
ALGORITHM = "load_balancing.algorithm.type"
MITIGATION = "load_balancing.algorithm.anomaly_mitigation"
CROSS_ZONE = "load_balancing.cross_zone.enabled"
SLOW_START = "slow_start.duration_seconds"
STICKY = "stickiness.enabled"
STICKINESS = "stickiness.type"
COOKIE_NAME = "stickiness.app_cookie.cookie_name"
MULTI_VALUE = "lambda.multi_value_headers.enabled"
DNS = "target_group_health.dns_failover.minimum_healthy_targets"
ROUTING = "target_group_health.unhealthy_state_routing.minimum_healthy_targets"
WAF = "waf.http2.traffic_inspection_behavior"
NO_NUMBERS = ("", "-1", "1.5", "x", " 30", "+30", "1e2")


class Group:
    """A target group whose attributes are changed. It begins with the defaults."""

    def __init__(self, traffic: Stack, elb: Any, target_type: str) -> None:
        self.elb, self.target_type = elb, target_type
        if target_type == "lambda":
            self.arn = traffic.group()
        else:
            self.arn = make_group(traffic, TargetType=target_type)

    def described(self) -> dict[str, str]:
        return values(self.elb.describe_target_group_attributes(TargetGroupArn=self.arn))

    def set(self, *pairs: tuple[str, str]) -> dict[str, str]:
        listed = [{"Key": key, "Value": value} for key, value in pairs]
        return values(
            self.elb.modify_target_group_attributes(TargetGroupArn=self.arn, Attributes=listed)
        )

    def refusals(self, *calls: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return code and message of each of several calls, which change nothing."""
        before = self.described()
        found = [refused(partial(self.set, *pairs)) for pairs in calls]
        assert self.described() == before
        return found

    def refusal(self, *pairs: tuple[str, str]) -> tuple[str, str]:
        (found,) = self.refusals(pairs)
        return found

    def excludes(self, key: str, value: str, *, where: tuple[str, str]) -> None:
        """Check that `key` may have nothing but `value` where another attribute is as given."""
        assert self.described()[key] != value
        assert self.refusal(where) == (
            "InvalidConfigurationRequest",
            f"'{key}' must be '{value}' where '{where[0]}' is '{where[1]}'",
        )


@pytest.fixture(params=["instance", "ip"])
def servers_group(request: pytest.FixtureRequest, traffic: Stack, elb: Any) -> Group:
    return Group(traffic, elb, request.param)


@pytest.fixture
def lambda_group(traffic: Stack, elb: Any) -> Group:
    return Group(traffic, elb, "lambda")


def check(
    group: Group, other: Group, key: str, default: str, good: Sequence[str], bad: Sequence[str]
) -> None:
    """Check default and values of an attribute of `group`, which `other` does not have."""
    assert group.described()[key] == default
    for value in good:
        assert group.set((key, value))[key] == value
    assert group.described()[key] == good[-1]
    for code, message in group.refusals(*([(key, value)] for value in bad)):
        assert code == "ValidationError"
        assert message.startswith(f"'{key}' value ")
    assert key not in other.described()
    assert other.refusal((key, default)) == (
        "InvalidConfigurationRequest",
        f"A target group with target type '{other.target_type}' "
        f"does not support the attribute {key}",
    )


def test_lambda_multi_value_headers_enabled_lambda_only_default_false_true_false(
    traffic: Stack, lambda_group: Group, servers_group: Group
) -> None:
    front = traffic.front(forward(lambda_group.arn))
    assert "headers" in event(front.get())
    bad = ("", "True", "on", "1")
    check(lambda_group, servers_group, MULTI_VALUE, "false", ("true", "false", "true"), bad)
    assert "multiValueHeaders" in event(front.get())


def test_lambda_multi_value_headers_enabled_is_the_only_attribute_of_lambda_tgs(
    lambda_group: Group,
) -> None:
    assert lambda_group.described() == {MULTI_VALUE: "false"}
    assert lambda_group.set((MULTI_VALUE, "true")) == {MULTI_VALUE: "true"}


def test_deregistration_delay_timeout_seconds_instance_ip_default_300_0_to_3600(
    servers_group: Group, lambda_group: Group
) -> None:
    good, bad = ("0", "3600"), (*NO_NUMBERS, "3601")
    check(servers_group, lambda_group, DELAY, "300", good, bad)


def test_load_balancing_algorithm_type_instance_ip_default_round_robin(
    servers_group: Group, lambda_group: Group
) -> None:
    good = ("least_outstanding_requests", "weighted_random", "round_robin")
    bad = ("", "random", "ROUND_ROBIN", "round_robin ")
    check(servers_group, lambda_group, ALGORITHM, "round_robin", good, bad)


def test_load_balancing_algorithm_anomaly_mitigation_weighted_random_default_off_on_off(
    servers_group: Group, lambda_group: Group
) -> None:
    expected = (
        "InvalidConfigurationRequest",
        f"'{MITIGATION}' can only be 'on' where '{ALGORITHM}' is 'weighted_random'",
    )
    assert servers_group.refusal((MITIGATION, "on")) == expected
    servers_group.set((ALGORITHM, "weighted_random"))
    bad = ("", "true", "ON")
    check(servers_group, lambda_group, MITIGATION, "off", ("off", "on"), bad)
    assert servers_group.refusal((ALGORITHM, "round_robin")) == expected
    servers_group.set((ALGORITHM, "round_robin"), (MITIGATION, "off"))
    servers_group.set((MITIGATION, "on"), (ALGORITHM, "weighted_random"))


def test_load_balancing_cross_zone_enabled_default_use_load_balancer_configuration_true_false(
    servers_group: Group, lambda_group: Group
) -> None:
    default = "use_load_balancer_configuration"
    good, bad = ("true", "false", default), ("", "off", "FALSE")
    check(servers_group, lambda_group, CROSS_ZONE, default, good, bad)


def test_load_balancing_cross_zone_enabled_not_false_where_a_target_is_in_all_zones(
    traffic: Stack, elb: Any
) -> None:
    group = Group(traffic, elb, "ip")
    in_all = {"Id": "10.0.0.1", "AvailabilityZone": "all"}
    elb.register_targets(
        TargetGroupArn=group.arn,
        Targets=[in_all, {"Id": "10.0.0.2", "AvailabilityZone": "us-east-1a"}, {"Id": "10.0.0.3"}],
    )
    assert group.refusal((CROSS_ZONE, "false")) == (
        "InvalidConfigurationRequest",
        f"'{CROSS_ZONE}' cannot be 'false' while targets are registered with the "
        "Availability Zone 'all'",
    )
    group.set((CROSS_ZONE, "true"))
    group.set((DELAY, "0"))
    elb.deregister_targets(TargetGroupArn=group.arn, Targets=[in_all])
    assert group.set((CROSS_ZONE, "false"))[CROSS_ZONE] == "false"


def test_slow_start_duration_seconds_default_0_0_or_30_to_900_not_with_lor_or_weighted_random(
    servers_group: Group, lambda_group: Group
) -> None:
    good, bad = ("0", "30", "900"), (*NO_NUMBERS, "1", "29", "901")
    check(servers_group, lambda_group, SLOW_START, "0", good, bad)
    for other in ("least_outstanding_requests", "weighted_random"):
        servers_group.excludes(SLOW_START, "0", where=(ALGORITHM, other))
        servers_group.set((SLOW_START, "0"), (ALGORITHM, other))
        assert servers_group.refusal((SLOW_START, "30"))[0] == "InvalidConfigurationRequest"
        servers_group.set((SLOW_START, "30"), (ALGORITHM, "round_robin"))


def test_stickiness_enabled_default_false_true_false_not_with_cross_zone_off_weighted_random(
    servers_group: Group, lambda_group: Group
) -> None:
    good, bad = ("true", "false"), ("", "True", "on")
    check(servers_group, lambda_group, STICKY, "false", good, bad)
    for where, instead in (
        ((CROSS_ZONE, "false"), (CROSS_ZONE, "true")),
        ((ALGORITHM, "weighted_random"), (ALGORITHM, "round_robin")),
    ):
        servers_group.set((STICKY, "true"))
        servers_group.excludes(STICKY, "false", where=where)
        servers_group.set((STICKY, "false"), where)
        assert servers_group.refusal((STICKY, "true"))[0] == "InvalidConfigurationRequest"
        servers_group.set(instead)


def test_stickiness_type_default_lb_cookie_lb_cookie_app_cookie(
    servers_group: Group, lambda_group: Group
) -> None:
    good, bad = ("app_cookie", "lb_cookie"), ("", "cookie", "LB_COOKIE")
    check(servers_group, lambda_group, STICKINESS, "lb_cookie", good, bad)
    assert servers_group.refusal((STICKINESS, "source_ip")) == (
        "InvalidConfigurationRequest",
        "Stickiness type 'source_ip' is not supported for target groups with the HTTP protocol",
    )


@pytest.mark.parametrize("kind", ["lb_cookie", "app_cookie"])
def test_stickiness_cookie_duration_seconds_default_86400_1_to_604800(
    servers_group: Group, lambda_group: Group, kind: str
) -> None:
    good, bad = ("1", "604800"), (*NO_NUMBERS, "0", "604801")
    check(servers_group, lambda_group, f"stickiness.{kind}.duration_seconds", "86400", good, bad)


def test_stickiness_app_cookie_cookie_name_default_empty_prefix_awsalb_forbidden(
    servers_group: Group, lambda_group: Group
) -> None:
    good = ("SESSION", "JSESSIONID", "AWSAL", "awsalb", "x-AWSALB")
    reserved = ("AWSALB", "AWSALBAPP", "AWSALBTG", "AWSALBCORS", "AWSALBAPP-0", "AWSALBtoo")
    bad = (*reserved, "a b", "a=b", "a;b", "a,b", "é")
    check(servers_group, lambda_group, COOKIE_NAME, "", good, bad)
    expected = (
        "InvalidConfigurationRequest",
        "You must set an application cookie name to enable stickiness of type 'app_cookie'",
    )
    servers_group.set((COOKIE_NAME, ""))
    assert servers_group.refusal((STICKY, "true"), (STICKINESS, "app_cookie")) == expected
    servers_group.set((STICKY, "true"), (STICKINESS, "app_cookie"), (COOKIE_NAME, "SESSION"))
    assert servers_group.refusal((COOKIE_NAME, "")) == expected


def test_dns_failover_minimum_healthy_targets_count_default_1_off_or_1_to_max(
    servers_group: Group, lambda_group: Group
) -> None:
    good, bad = ("off", "1", "1000"), (*NO_NUMBERS, "0", "1001", "OFF")
    check(servers_group, lambda_group, f"{DNS}.count", "1", good, bad)


def test_dns_failover_minimum_healthy_targets_percentage_default_off_off_or_1_to_100(
    servers_group: Group, lambda_group: Group
) -> None:
    good, bad = ("1", "100", "off"), (*NO_NUMBERS, "0", "101", "OFF", "50%")
    check(servers_group, lambda_group, f"{DNS}.percentage", "off", good, bad)


def test_unhealthy_state_routing_minimum_healthy_targets_count_default_1_1_to_max(
    servers_group: Group, lambda_group: Group
) -> None:
    good, bad = ("1", "1000"), (*NO_NUMBERS, "0", "1001", "off")
    check(servers_group, lambda_group, f"{ROUTING}.count", "1", good, bad)


def test_unhealthy_state_routing_minimum_healthy_targets_percentage_default_off_off_or_1_to_100(
    servers_group: Group, lambda_group: Group
) -> None:
    good, bad = ("1", "100", "off"), (*NO_NUMBERS, "0", "101", "OFF")
    check(servers_group, lambda_group, f"{ROUTING}.percentage", "off", good, bad)


def test_waf_http2_traffic_inspection_behavior_default_inspect_immediately(
    servers_group: Group, lambda_group: Group
) -> None:
    good, bad = ("inspect_after_sufficient_data", "inspect_immediately"), ("", "never")
    check(servers_group, lambda_group, WAF, "inspect_immediately", good, bad)


def test_all_attributes_of_instance_and_ip_are_described_with_their_defaults(
    servers_group: Group,
) -> None:
    assert servers_group.described() == {
        DELAY: "300",
        ALGORITHM: "round_robin",
        MITIGATION: "off",
        CROSS_ZONE: "use_load_balancer_configuration",
        SLOW_START: "0",
        STICKY: "false",
        STICKINESS: "lb_cookie",
        "stickiness.lb_cookie.duration_seconds": "86400",
        COOKIE_NAME: "",
        "stickiness.app_cookie.duration_seconds": "86400",
        f"{DNS}.count": "1",
        f"{DNS}.percentage": "off",
        f"{ROUTING}.count": "1",
        f"{ROUTING}.percentage": "off",
        WAF: "inspect_immediately",
    }


def test_unsupported_key_invalid_configuration_request_or_validation_error(
    lambda_group: Group, servers_group: Group
) -> None:
    for group in (lambda_group, servers_group):
        kind = group.target_type
        assert group.refusal(("proxy_protocol_v2.enabled", "true")) == (
            "InvalidConfigurationRequest",
            f"A target group with target type '{kind}' does not support the attribute "
            "proxy_protocol_v2.enabled",
        )
        for unknown in ("nonsense", "Stickiness.enabled", "stickiness", "a" * 256):
            assert group.refusal((unknown, "true")) == (
                "ValidationError",
                f"Target group attribute key '{unknown}' is not recognized",
            )


def test_key_pattern_and_at_most_256_characters(lambda_group: Group) -> None:
    pattern = "Member must satisfy regular expression pattern: ^[a-zA-Z0-9._]+$"
    for key, constraint in (
        ("", pattern),
        ("a b", pattern),
        ("stickiness-enabled", pattern),
        ("a" * 257, "Member must have length less than or equal to 256"),
    ):
        assert lambda_group.refusal((key, "true")) == (
            "ValidationError",
            f"1 validation error detected: Value '{key}' at 'attributes.1.member.key' "
            f"failed to satisfy constraint: {constraint}",
        )


def test_one_bad_attribute_fails_the_whole_call(servers_group: Group) -> None:
    good = (DELAY, "7")
    assert servers_group.refusal(good, (SLOW_START, "7"))[0] == "ValidationError"
    assert servers_group.refusal(good, (MULTI_VALUE, "true"))[0] == "InvalidConfigurationRequest"
    assert servers_group.refusal(good, (DELAY, "8")) == (
        "ValidationError",
        f"Attribute key '{DELAY}' was specified more than once",
    )
    assert servers_group.refusal() == ("ValidationError", "An attribute must be specified")


def test_attributes_stay_through_other_changes(traffic: Stack, elb: Any) -> None:
    group = make_group(traffic)
    set_group(traffic, group, stickiness__enabled="true", deregistration_delay__timeout_seconds="9")
    elb.modify_target_group(TargetGroupArn=group, HealthCheckPath="/other")
    found = set_group(traffic, group, stickiness__type="lb_cookie")
    assert (found[STICKY], found[DELAY]) == ("true", "9")


def test_what_has_no_effect_is_said_so() -> None:
    page = (Path(__file__).parents[2] / "docs" / "deviations.md").read_text()
    (line,) = [one for one in page.splitlines() if one.startswith("- Of the attributes of target")]
    assert "are kept and shown, but have no effect" in line
    for key in (CROSS_ZONE, "target_group_health.dns_failover.*", WAF):
        assert f"`{key}`" in line
