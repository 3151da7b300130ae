"""Errors of the elbv2 API, row by row: wire form, codes, statuses and texts.

Source: elbv2 API, by its model; texts as they are known of AWS.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from albatross.aws.service import service
from tests.support.account import OPERATIONS, Account
from tests.support.rules import header, path, refused
from tests.support.server import serve
from tests.support.stack import fixed, forward
from tests.support.wire import Caller, Message, authorization

NAMESPACE = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve(OPERATIONS) as url:
        yield url


@pytest.fixture(scope="module")
def shared(url: str) -> Account:
    return Account(url)


@pytest.fixture(scope="module")
def listener(shared: Account) -> str:
    return shared.listener(shared.balancer())


def gone(arn: str) -> str:
    return f"{arn[:-4]}0000"


# Wire form


def test_wire_form_http_status_and_error_response_xml_shape_name_without_exception(
    url: str,
) -> None:
    body = urlencode(
        {"Action": "DescribeTargetGroups", "Version": "2015-12-01", "Names.member.1": "none"}
    )
    headers = {
        "Authorization": authorization("elasticloadbalancing", "123456789012"),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    with Caller(url) as caller:
        status, answered, content = caller.exchange(Message("POST", "/", headers, body.encode()))
    assert (status, answered["Content-Type"]) == (400, "text/xml")
    id_ = answered["x-amzn-RequestId"]
    expected = (
        f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type>'
        "<Code>TargetGroupNotFound</Code><Message>One or more target groups not found</Message>"
        f"</Error><RequestId>{id_}</RequestId></ErrorResponse>"
    )
    text = re.sub(r"^<\?xml[^>]*\?>\s*", "", content.decode())
    assert re.sub(r">\s+<", "><", text).strip() == expected


# Codes


def test_not_found_codes_of_what_does_not_exist(shared: Account, listener: str) -> None:
    elb = shared.elb
    balancer = elb.describe_listeners(ListenerArns=[listener])["Listeners"][0]["LoadBalancerArn"]
    group, rule = shared.group(), shared.rule(listener, 9)
    store = group.replace("targetgroup", "truststore")
    for call, params, code in (
        (elb.describe_load_balancers, {"LoadBalancerArns": [gone(balancer)]}, "LoadBalancer"),
        (elb.describe_load_balancers, {"Names": ["nobody"]}, "LoadBalancer"),
        (shared.listener, {"balancer": gone(balancer)}, "LoadBalancer"),
        (elb.describe_listeners, {"ListenerArns": [gone(listener)]}, "Listener"),
        (elb.delete_listener, {"ListenerArn": gone(listener)}, "Listener"),
        (shared.rule, {"listener": gone(listener), "priority": 1}, "Listener"),
        (elb.describe_rules, {"RuleArns": [gone(rule)]}, "Rule"),
        (elb.delete_rule, {"RuleArn": gone(rule)}, "Rule"),
        (elb.describe_target_groups, {"TargetGroupArns": [gone(group)]}, "TargetGroup"),
        (elb.describe_target_health, {"TargetGroupArn": gone(group)}, "TargetGroup"),
        (elb.modify_target_group, {"TargetGroupArn": gone(group)}, "TargetGroup"),
        (elb.delete_trust_store, {"TrustStoreArn": store}, "TrustStore"),
        (elb.describe_ssl_policies, {"Names": ["none"]}, "SSLPolicy"),
    ):
        assert refused(call, **params)[0] == f"{code}NotFound", (code, params)
    assert refused(elb.describe_target_health, TargetGroupArn=gone(group)) == (
        "TargetGroupNotFound",
        "One or more target groups not found",
    )
    assert refused(shared.rule, listener=listener, priority=1, Actions=[forward(gone(group))]) == (
        "TargetGroupNotFound",
        f"Target group '{gone(group)}' not found",
    )


def test_duplicate_listener_a_listener_exists_on_this_port(shared: Account) -> None:
    balancer = shared.balancer()
    first = shared.listener(balancer, 80)
    assert shared.listener(balancer, 80) == first  # identical settings
    code, message = refused(shared.listener, balancer=balancer, DefaultActions=[fixed(404)])
    assert code == "DuplicateListener"
    assert message == f"A listener already exists on this port for this load balancer '{balancer}'"


def test_priority_in_use(shared: Account, listener: str) -> None:
    shared.rule(listener, 20)
    assert refused(shared.rule, listener=listener, priority=20) == (
        "PriorityInUse",
        "Priority '20' is currently in use",
    )
    other = shared.rule(listener, 21)
    priorities = [{"RuleArn": other, "Priority": 20}]
    assert refused(shared.elb.set_rule_priorities, RulePriorities=priorities)[0] == "PriorityInUse"


def test_resource_in_use_target_group_is_currently_in_use_by_a_listener_or_a_rule(
    shared: Account, listener: str
) -> None:
    group = shared.group()
    shared.rule(listener, 30, Actions=[forward(group)])
    assert refused(shared.elb.delete_target_group, TargetGroupArn=group) == (
        "ResourceInUse",
        f"Target group '{group}' is currently in use by a listener or a rule",
    )


def test_operation_not_permitted_default_rule_and_deletion_protection(
    shared: Account, listener: str
) -> None:
    elb = shared.elb
    rules = elb.describe_rules(ListenerArn=listener)["Rules"]
    (default,) = [each["RuleArn"] for each in rules if each["IsDefault"]]
    assert refused(elb.delete_rule, RuleArn=default) == (
        "OperationNotPermitted",
        f"Default rule '{default}' cannot be deleted",
    )
    for call, params in (
        (elb.modify_rule, {"RuleArn": default, "Actions": [fixed()]}),
        (elb.set_rule_priorities, {"RulePriorities": [{"RuleArn": default, "Priority": 1}]}),
    ):
        assert refused(call, **params)[0] == "OperationNotPermitted"
    balancer = shared.balancer()
    protect = {"Key": "deletion_protection.enabled", "Value": "true"}
    elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=[protect])
    assert refused(elb.delete_load_balancer, LoadBalancerArn=balancer) == (
        "OperationNotPermitted",
        f"Load balancer '{balancer}' cannot be deleted because deletion protection is enabled",
    )


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("HealthUnavailable", 500),
        ("InsufficientCapacity", 500),
        ("PriorRequestNotComplete", 429),
        ("PriorityInUse", 400),
    ],
)
def test_http_statuses_are_those_of_the_model(code: str, status: int) -> None:
    errors = {each.error_code: each for each in service("elasticloadbalancing").model.error_shapes}
    assert errors[code].metadata["error"]["httpStatusCode"] == status


# ValidationError by situation


def test_bad_action_type_must_satisfy_enum_value_set(shared: Account) -> None:
    code, message = refused(
        shared.listener, balancer=shared.balancer(), DefaultActions=[{"Type": "x"}]
    )
    assert code == "ValidationError"
    assert message.startswith(
        "1 validation error detected: Value 'x' at 'defaultActions.1.member.type' failed to "
        "satisfy constraint: Member must satisfy enum value set: ["
    )


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"Port": None}, "A listener port must be specified"),
        ({"Protocol": None}, "A listener protocol must be specified"),
        ({"Protocol": "TCP"}, "Listener protocol 'TCP' must be one of 'HTTPS, HTTP'"),
        (
            {"Protocol": "HTTPS"},
            "You must provide a list containing exactly one certificate if the listener protocol "
            "is HTTPS.",
        ),
    ],
)
def test_no_port_or_protocol_on_listener_listener_protocol_https_without_cert(
    shared: Account, params: dict[str, Any], expected: str
) -> None:
    given = {
        "LoadBalancerArn": shared.balancer(),
        "Protocol": "HTTP",
        "Port": 80,
        "DefaultActions": [fixed()],
        **params,
    }
    kept = {name: value for name, value in given.items() if value is not None}
    code, message = refused(shared.elb.create_listener, **kept)
    assert code in ("ValidationError", "CertificateNotFound", "UnsupportedProtocol")
    assert message == expected


@pytest.mark.parametrize(("member", "value"), [("Port", 80), ("VpcId", "vpc-1")])
def test_lambda_tg_params_cannot_be_specified_for_target_type_lambda(
    shared: Account, member: str, value: Any
) -> None:
    shown = {"VpcId": "VPC ID"}.get(member, member)
    assert refused(shared.group, **{member: value}) == (
        "ValidationError",
        f"{shown} cannot be specified for target groups with target type 'lambda'",
    )


def test_lambda_tg_protocol_cannot_be_specified_when_strict() -> None:
    with serve(OPERATIONS, strict=True) as url:
        assert refused(Account(url).group, Protocol="HTTP") == (
            "ValidationError",
            "Protocol cannot be specified for target groups with target type 'lambda'",
        )


def test_timeout_must_be_smaller_than_the_interval(shared: Account) -> None:
    health = {
        "HealthCheckTimeoutSeconds": 40,
        "HealthCheckIntervalSeconds": 40,
        "HealthCheckEnabled": True,
    }
    assert refused(shared.group, **health) == (
        "ValidationError",
        "Health check timeout '40' must be smaller than the interval '40'",
    )


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"Field": "path-pattern", "Values": []}, "A condition value must be specified"),
        (path("/" * 129), "The 'path-pattern' value is too long; the limit is '128'"),
        (header("h" * 41, "v"), "The 'HttpHeaderName' value is too long; the limit is '40'"),
        (
            {"Field": "x", "Values": ["y"]},
            "Condition field 'x' must be one of '[path-pattern,host-header,http-header,"
            "http-request-method,query-string,source-ip]'",
        ),
        (
            {"Field": "http-header", "Values": ["y"]},
            "The 'Values' field is not compatible with 'http-header'",
        ),
    ],
)
def test_condition_texts(
    shared: Account, listener: str, condition: dict[str, Any], expected: str
) -> None:
    found = refused(shared.rule, listener=listener, priority=40, Conditions=[condition])
    assert found == ("ValidationError", expected)


def test_describe_you_must_specify_either_listener_arns_or_a_load_balancer_arn(
    shared: Account,
) -> None:
    assert refused(shared.elb.describe_listeners) == (
        "ValidationError",
        "You must specify either listener ARNs or a load balancer ARN",
    )


def test_modify_rule_either_conditions_or_actions_must_be_specified(
    shared: Account, listener: str
) -> None:
    assert refused(shared.elb.modify_rule, RuleArn=shared.rule(listener, 50)) == (
        "ValidationError",
        "Either conditions or actions must be specified",
    )


def test_fixed_content_type_must_be_one_of(shared: Account, listener: str) -> None:
    action = fixed(200, "x", "text/xml")
    assert refused(shared.rule, listener=listener, priority=60, Actions=[action]) == (
        "InvalidLoadBalancerAction",
        "The ContentType must be one of:'text/html', 'application/json', "
        "'application/javascript', 'text/css', 'text/plain'",
    )


@pytest.mark.parametrize("status", [100, 300, 600, 99, 2000])
def test_fixed_status_must_satisfy_pattern_2_4_5(
    shared: Account, listener: str, status: int
) -> None:
    code, message = refused(shared.rule, listener=listener, priority=70, Actions=[fixed(status)])
    assert code == "ValidationError"
    assert message == (
        f"1 validation error detected: Value '{status}' at "
        "'actions.1.member.fixedResponseConfig.statusCode' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: ^(2|4|5)\d\d$"
    )


# Idempotence


def test_idempotence_identical_settings_return_the_existing_one(shared: Account) -> None:
    balancer = shared.balancer("twice", Scheme="internal")
    assert shared.balancer("twice", Scheme="internal") == balancer
    group = shared.group("twice", HealthCheckPath="/h")
    assert shared.group("twice", HealthCheckPath="/h") == group
    actions = [forward(group)]
    listener = shared.listener(balancer, 81, DefaultActions=actions)
    assert shared.listener(balancer, 81, DefaultActions=actions) == listener


def test_idempotence_deleting_a_missing_lb_succeeds_deregistering_an_unknown_target_succeeds(
    shared: Account,
) -> None:
    balancer, group = shared.balancer(), shared.group()
    for _ in range(2):
        shared.elb.delete_load_balancer(LoadBalancerArn=balancer)
    target = [{"Id": shared.function()}]
    shared.elb.deregister_targets(TargetGroupArn=group, Targets=target)
