import pytest

OK = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]
TEAPOT = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "418"}}]


def test_creating_answers_what_aws_answers(elb, make_balancer, make_group, forward):
    balancer, group = make_balancer(), make_group()
    (created,) = elb.create_listener(
        LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=forward(group)
    )["Listeners"]
    prefix = balancer.replace(":loadbalancer/", ":listener/") + "/"
    assert created["ListenerArn"].startswith(prefix)
    assert created == {
        "ListenerArn": created["ListenerArn"],
        "LoadBalancerArn": balancer,
        "Port": 80,
        "Protocol": "HTTP",
        "DefaultActions": [
            {
                "Type": "forward",
                "TargetGroupArn": group,
                "ForwardConfig": {
                    "TargetGroups": [{"TargetGroupArn": group, "Weight": 1}],
                    "TargetGroupStickinessConfig": {"Enabled": False},
                },
            }
        ],
    }
    assert elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"] == [created]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        pytest.param({"Port": None}, "A listener port must be specified", id="no port"),
        pytest.param({"Protocol": None}, "A listener protocol must be specified", id="no protocol"),
        pytest.param(
            {"Protocol": "TCP"}, "Listener protocol 'TCP' must be one of 'HTTPS, HTTP'", id="TCP"
        ),
        pytest.param(
            {"Protocol": "HTTPS"},
            "You must provide a list containing exactly one certificate "
            "if the listener protocol is HTTPS.",
            id="HTTPS without certificate",
        ),
        pytest.param(
            {"Certificates": [{"CertificateArn": "arn"}]},
            "A certificate cannot be specified for HTTP listeners",
            id="certificate",
        ),
        pytest.param(
            {"MutualAuthentication": {"Mode": "verify"}},
            "Mutual authentication cannot be specified for HTTP listeners",
            id="mutual TLS",
        ),
        pytest.param({"DefaultActions": []}, "An action must be specified", id="no action"),
        pytest.param(
            {"Port": 65536},
            "1 validation error detected: Value '65536' at 'port' failed to satisfy constraint: "
            "Member must have value less than or equal to 65535",
            id="port too high",
        ),
    ],
)
def test_what_is_not_valid_is_refused(elb, refused, make_balancer, params, message):
    request = {
        "LoadBalancerArn": make_balancer(),
        "Protocol": "HTTP",
        "Port": 80,
        "DefaultActions": OK,
        **params,
    }
    given = {key: value for key, value in request.items() if value is not None}
    assert refused(elb.create_listener, **given) == ("ValidationError", message)


def test_a_port_has_one_listener_and_the_same_call_again_succeeds(
    elb, refused, make_balancer, make_listener
):
    balancer = make_balancer()
    listener = make_listener(balancer, 80)
    assert make_listener(balancer, 80) == listener
    assert refused(
        elb.create_listener,
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=TEAPOT,
    ) == (
        "DuplicateListener",
        f"A listener already exists on this port for this load balancer '{balancer}'",
    )
    make_listener(make_balancer("other"), 80)


def test_listeners_are_described_by_port_or_by_arn(elb, refused, make_balancer, make_listener):
    balancer = make_balancer()
    arns = [make_listener(balancer, port) for port in (8080, 80, 443)]

    def ports(**params):
        return [each["Port"] for each in elb.describe_listeners(**params)["Listeners"]]

    assert ports(LoadBalancerArn=balancer) == [80, 443, 8080]
    assert ports(ListenerArns=arns[:1]) == [8080]
    pages = elb.get_paginator("describe_listeners").paginate(
        LoadBalancerArn=balancer, PaginationConfig={"PageSize": 2}
    )
    assert [[each["Port"] for each in page["Listeners"]] for page in pages] == [[80, 443], [8080]]
    describe = elb.describe_listeners
    assert refused(describe) == (
        "ValidationError",
        "You must specify either listener ARNs or a load balancer ARN",
    )
    assert refused(describe, LoadBalancerArn=balancer, ListenerArns=arns)[0] == "ValidationError"
    gone = arns[0][:-16] + "0" * 16
    assert refused(describe, ListenerArns=[gone]) == (
        "ListenerNotFound",
        "One or more listeners not found",
    )
    missing = balancer[:-16] + "0" * 16
    assert refused(describe, LoadBalancerArn=missing)[0] == "LoadBalancerNotFound"


def test_modifying_changes_what_is_given_only(elb, refused, make_balancer, make_listener):
    balancer = make_balancer()
    listener, other = make_listener(balancer, 80), make_listener(balancer, 81)
    (changed,) = elb.modify_listener(ListenerArn=listener, DefaultActions=TEAPOT)["Listeners"]
    assert changed["Port"] == 80
    assert changed["DefaultActions"] == TEAPOT
    (changed,) = elb.modify_listener(ListenerArn=listener, Port=82)["Listeners"]
    assert (changed["Port"], changed["DefaultActions"]) == (82, TEAPOT)
    (rule,) = elb.describe_rules(ListenerArn=listener)["Rules"]
    assert rule["Actions"] == TEAPOT
    assert refused(elb.modify_listener, ListenerArn=other, Port=82)[0] == "DuplicateListener"
    code, _ = refused(elb.modify_listener, ListenerArn=other, Protocol="UDP")
    assert code == "ValidationError"


def test_deleting_takes_the_rules_with_it(elb, refused, make_balancer, make_listener, make_rule):
    listener = make_listener(make_balancer())
    rule = make_rule(listener, 1)
    elb.delete_listener(ListenerArn=listener)
    assert refused(elb.describe_rules, RuleArns=[rule])[0] == "RuleNotFound"
    assert refused(elb.delete_listener, ListenerArn=listener)[0] == "ListenerNotFound"
