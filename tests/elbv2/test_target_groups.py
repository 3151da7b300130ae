import logging

import pytest

from tests.support.server import client


def test_describing_adds_the_load_balancer(elb, make_balancer, make_listener, make_group, forward):
    used, unused = make_group("used"), make_group("unused")
    balancer = make_balancer()
    make_listener(balancer, 80, forward(used))
    found = elb.describe_target_groups()["TargetGroups"]
    assert {group["TargetGroupArn"]: group["LoadBalancerArns"] for group in found} == {
        used: [balancer],
        unused: [],
    }
    (found,) = elb.describe_target_groups(LoadBalancerArn=balancer)["TargetGroups"]
    assert found["TargetGroupArn"] == used


@pytest.mark.parametrize(
    ("params", "message"),
    [
        pytest.param({"Name": ""}, "Target group name '' cannot be empty", id="empty name"),
        pytest.param(
            {"Name": "a" * 33},
            f"Target group name '{'a' * 33}' cannot be longer than '32' characters",
            id="long name",
        ),
        pytest.param(
            {"Name": "a.b"},
            "Target group name 'a.b' can only contain characters that are "
            "alphanumeric characters or hyphens(-)",
            id="dot in the name",
        ),
        pytest.param(
            {"Name": "a-"}, "Target group name 'a-' cannot begin or end with '-'", id="hyphen last"
        ),
        pytest.param(
            {"Port": 80},
            "Port cannot be specified for target groups with target type 'lambda'",
            id="port",
        ),
        pytest.param(
            {"VpcId": "vpc-1"},
            "VPC ID cannot be specified for target groups with target type 'lambda'",
            id="VPC",
        ),
        pytest.param(
            {"HealthCheckProtocol": "HTTP"},
            "Health check protocol cannot be specified for target groups with target type 'lambda'",
            id="health check protocol",
        ),
        pytest.param(
            {"IpAddressType": "ipv6"},
            "IP address type cannot be specified for target groups with target type 'lambda'",
            id="IPv6",
        ),
        pytest.param(
            {"Matcher": {"GrpcCode": "0"}},
            "GRPC code cannot be specified for target groups with target type 'lambda'",
            id="GRPC",
        ),
        pytest.param(
            {"HealthCheckIntervalSeconds": 30},
            "Health check timeout '30' must be smaller than the interval '30'",
            id="interval too short",
        ),
        pytest.param(
            {"HealthCheckPath": "health"},
            "Health check path 'health' must begin with a '/' character "
            "and contain visible ASCII characters only",
            id="relative path",
        ),
        pytest.param(
            {"Matcher": {"HttpCode": "200-500"}},
            "Health check matcher HTTP code '200-500' must be within '200-499' inclusive",
            id="code too high",
        ),
        pytest.param(
            {"Matcher": {"HttpCode": "199"}},
            "Health check matcher HTTP code '199' must be within '200-499' inclusive",
            id="code too low",
        ),
        pytest.param(
            {"Matcher": {"HttpCode": "200,"}},
            "Health check matcher HTTP code '200,' is not valid",
            id="no code",
        ),
    ],
)
def test_what_is_not_valid_is_refused(elb, refused, params, message):
    request = {"Name": "tg", "TargetType": "lambda", **params}
    assert refused(elb.create_target_group, **request) == ("ValidationError", message)


@pytest.mark.parametrize(
    ("member", "low", "high"),
    [
        ("HealthCheckIntervalSeconds", 5, 300),
        ("HealthCheckTimeoutSeconds", 2, 120),
        ("HealthyThresholdCount", 2, 10),
        ("UnhealthyThresholdCount", 2, 10),
    ],
)
def test_health_check_numbers_have_limits(elb, refused, make_group, member, low, high):
    group = make_group(HealthCheckTimeoutSeconds=2, HealthCheckIntervalSeconds=121)
    for value in (low, high):
        if member == "HealthCheckTimeoutSeconds" or value == high:
            elb.modify_target_group(TargetGroupArn=group, **{member: value})
    for value in (low - 1, high + 1):
        code, _ = refused(elb.modify_target_group, TargetGroupArn=group, **{member: value})
        assert code == "ValidationError"


@pytest.mark.parametrize("codes", ["200", "200-299", "200,202,301-302", "499"])
def test_matchers_are_codes_and_ranges(elb, make_group, codes):
    group = make_group(Matcher={"HttpCode": codes})
    (found,) = elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"]
    assert found["Matcher"] == {"HttpCode": codes}


def test_a_protocol_is_ignored_with_a_warning(elb, make_group, caplog):
    with caplog.at_level(logging.WARNING, "albatross.elbv2.target_groups"):
        group = make_group(Protocol="HTTP")
    (found,) = elb.describe_target_groups(TargetGroupArns=[group])["TargetGroups"]
    assert "Protocol" not in found
    assert "protocol HTTP is ignored" in caplog.text


def test_a_protocol_is_refused_by_a_strict_server(strict_url, refused):
    elb = client("elbv2", strict_url)
    assert refused(elb.create_target_group, Name="tg", TargetType="lambda", Protocol="HTTP") == (
        "ValidationError",
        "Protocol cannot be specified for target groups with target type 'lambda'",
    )


def test_creating_again_is_the_same_or_a_duplicate(elb, refused, make_group):
    first = make_group(HealthCheckPath="/a")
    assert make_group(HealthCheckPath="/a") == first
    assert refused(elb.create_target_group, Name="tg", TargetType="lambda") == (
        "DuplicateTargetGroupName",
        "A target group with the same name 'tg' exists, but with different settings",
    )


def test_modifying_changes_what_is_given_only(elb, refused, make_group):
    group = make_group(HealthCheckPath="/a")
    (changed,) = elb.modify_target_group(
        TargetGroupArn=group, HealthCheckEnabled=True, Matcher={"HttpCode": "201"}
    )["TargetGroups"]
    assert changed["HealthCheckEnabled"] is True
    assert changed["HealthCheckPath"] == "/a"
    assert changed["Matcher"] == {"HttpCode": "201"}
    assert changed["LoadBalancerArns"] == []
    assert elb.describe_target_groups()["TargetGroups"] == [changed]
    assert refused(elb.modify_target_group, TargetGroupArn=group, HealthCheckPort="80") == (
        "ValidationError",
        "Health check port cannot be specified for target groups with target type 'lambda'",
    )
    gone = group[:-16] + "0" * 16
    code, message = refused(elb.modify_target_group, TargetGroupArn=gone, HealthCheckEnabled=True)
    assert (code, message) == ("TargetGroupNotFound", "One or more target groups not found")


def test_target_groups_are_found_by_name_and_by_arn(elb, refused, make_balancer, make_group):
    groups = {name: make_group(name) for name in ("b", "a", "c")}
    describe = elb.describe_target_groups

    def names(**params):
        return [group["TargetGroupName"] for group in describe(**params)["TargetGroups"]]

    assert names() == ["a", "b", "c"]
    assert names(Names=["c", "b"]) == ["b", "c"]
    assert names(TargetGroupArns=[groups["a"]]) == ["a"]
    assert names(LoadBalancerArn=make_balancer()) == []
    pages = elb.get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 2})
    assert [len(page["TargetGroups"]) for page in pages] == [2, 1]
    missing = ("TargetGroupNotFound", "One or more target groups not found")
    assert refused(describe, Names=["a", "x"]) == missing
    assert refused(describe, Names=["a"], TargetGroupArns=[groups["a"]]) == (
        "ValidationError",
        "Target group names, target group ARNs, and a load balancer ARN "
        "cannot be specified at the same time",
    )


def test_deleting_one_that_is_not_there_is_no_error(elb, refused, make_group):
    group = make_group()
    elb.delete_target_group(TargetGroupArn=group)
    elb.delete_target_group(TargetGroupArn=group)
    assert refused(elb.delete_target_group, TargetGroupArn="tg") == (
        "ValidationError",
        "'tg' is not a valid target group ARN",
    )
