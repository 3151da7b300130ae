"""Quotas of load balancers, row by row: each at its limit, and one over.

Source: ALB user guide, "Quotas for your Application Load Balancers".
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.support.account import OPERATIONS, Account
from tests.support.rules import header, host, path, query, refused, source, weighted
from tests.support.server import serve
from tests.support.stack import fixed, forward, redirect

DEFAULTS = {
    "application-load-balancers": 50,
    "listeners-per-application-load-balancer": 50,
    "rules-per-application-load-balancer": 100,
    "certificates-per-application-load-balancer": 25,
    "target-groups-per-application-load-balancer": 100,
    "target-groups-per-action-on-application-load-balancer": 5,
    "targets-per-application-load-balancer": 1000,
    "target-id-registrations-per-application-load-balancer": 1000,
    "target-groups": 3000,
    "targets-per-target-group": 1000,
    "condition-values-per-alb-rule": 5,
    "condition-wildcards-per-alb-rule": 6,
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve(OPERATIONS) as url:
        yield url


@pytest.fixture
def account(url: str) -> Account:
    return Account(url)


def addresses(count: int, *, first: int = 0) -> list[dict[str, Any]]:
    numbers = range(first, first + count)
    return [{"Id": f"10.0.{n // 250}.{n % 250 + 1}"} for n in numbers]


def test_api_names_of_describe_account_limits_with_their_defaults(account: Account) -> None:
    limits = account.elb.describe_account_limits()["Limits"]
    found = {each["Name"]: each["Max"] for each in limits}
    assert {name: found.get(name) for name in DEFAULTS} == {
        name: str(limit) for name, limit in DEFAULTS.items()
    }


def test_albs_per_region_50_too_many_load_balancers(account: Account) -> None:
    for n in range(50):
        account.balancer(f"lb-{n}")
    over = ("TooManyLoadBalancers", "You have reached the limit of '50' load balancers")
    assert refused(account.balancer, name="lb-50") == over
    account.balancer("lb-0")  # is there
    found = account.elb.describe_load_balancers(Names=["lb-1"])["LoadBalancers"][0]
    account.elb.delete_load_balancer(LoadBalancerArn=found["LoadBalancerArn"])
    account.balancer("lb-50")


def test_listeners_per_alb_50_too_many_listeners(account: Account) -> None:
    balancer = account.balancer()
    for port in range(1, 51):
        account.listener(balancer, port)
    code, _ = refused(account.listener, balancer=balancer, port=51)
    assert code == "TooManyListeners"
    account.listener(account.balancer(), 51)


def test_rules_per_alb_no_default_rules_100_too_many_rules(account: Account) -> None:
    balancer = account.balancer()
    first, second = account.listener(balancer, 80), account.listener(balancer, 81)
    for priority in range(1, 51):
        account.rule(first, priority)
        account.rule(second, priority)
    assert refused(account.rule, listener=first, priority=51)[0] == "TooManyRules"
    account.elb.delete_rule(
        RuleArn=account.elb.describe_rules(ListenerArn=second)["Rules"][0]["RuleArn"]
    )
    account.rule(first, 51)


def test_certificates_per_alb_no_default_ones_25_too_many_certificates(account: Account) -> None:
    balancer = account.balancer()
    listeners = [
        account.listener(
            balancer,
            port,
            Protocol="HTTPS",
            Certificates=[{"CertificateArn": account.certificate()}],
        )
        for port in (443, 444)
    ]
    add = account.elb.add_listener_certificates
    for n in range(25):
        more = [{"CertificateArn": account.certificate(f"{n}.example.com")}]
        add(ListenerArn=listeners[n % 2], Certificates=more)
    more = [{"CertificateArn": account.certificate()}]
    code, message = refused(add, ListenerArn=listeners[0], Certificates=more)
    assert code == "TooManyCertificates"
    assert "'25'" in message


def test_target_groups_per_alb_distinct_100_too_many_unique_target_groups(
    account: Account,
) -> None:
    groups = [account.group() for _ in range(101)]
    listener = account.listener(account.balancer(), DefaultActions=[forward(groups[0])])
    for start in range(1, 96, 5):  # five an action
        account.rule(
            listener, start, Actions=[weighted(dict.fromkeys(groups[start : start + 5], 1))]
        )
    account.rule(listener, 98, Actions=[weighted(dict.fromkeys(groups[96:100], 1))])
    account.rule(listener, 99, Actions=[forward(groups[0])])  # is counted once
    assert refused(
        account.rule, listener=listener, priority=100, Actions=[forward(groups[100])]
    ) == (
        "TooManyUniqueTargetGroupsPerLoadBalancer",
        "You have reached the maximum number of unique target groups that you can associate "
        "with a load balancer of type 'application': [100]",
    )


def test_target_groups_per_action_5_too_many_actions(account: Account) -> None:
    groups = [account.group() for _ in range(6)]
    listener = account.listener(account.balancer())
    account.rule(listener, 1, Actions=[weighted(dict.fromkeys(groups[:5], 1))])
    code, _ = refused(
        account.rule, listener=listener, priority=2, Actions=[weighted(dict.fromkeys(groups, 1))]
    )
    assert code == "TooManyActions"


def test_targets_per_tg_1000_and_targets_per_alb_1000_too_many_targets(account: Account) -> None:
    group, other = account.group(TargetType="ip"), account.group(TargetType="ip")
    register = account.elb.register_targets
    register(TargetGroupArn=group, Targets=addresses(1000))
    over = {"Targets": addresses(1, first=1000)}
    assert refused(register, TargetGroupArn=group, **over) == (
        "TooManyTargets",
        "Up to '1000' targets can be registered with a target group, but '1001' were specified",
    )
    listener = account.listener(account.balancer(), DefaultActions=[forward(group)])
    account.rule(listener, 1, Actions=[forward(other)])
    assert refused(register, TargetGroupArn=other, **over) == (
        "TooManyTargets",
        "Up to '1000' targets can be registered with a load balancer, but there would be '1001'",
    )


def test_times_one_target_id_is_registered_per_alb_1000_too_many_registrations(
    account: Account,
) -> None:
    group, other = account.group(TargetType="ip"), account.group(TargetType="ip")
    listener = account.listener(account.balancer(), DefaultActions=[forward(group)])
    ports = [{"Id": "10.0.0.1", "Port": port} for port in range(1, 1001)]
    account.elb.register_targets(TargetGroupArn=group, Targets=ports)
    account.elb.register_targets(TargetGroupArn=other, Targets=[{"Id": "10.0.0.1", "Port": 1001}])
    code, _ = refused(account.rule, listener=listener, priority=1, Actions=[forward(other)])
    assert code in ("TooManyRegistrationsForTargetId", "TooManyTargets")


def test_lbs_per_tg_1_target_group_association_limit(account: Account) -> None:
    group = account.group()
    listener = account.listener(account.balancer(), DefaultActions=[forward(group)])
    account.rule(listener, 1, Actions=[forward(group)])
    other = account.balancer()
    code, message = refused(account.listener, balancer=other, DefaultActions=[forward(group)])
    assert code == "TargetGroupAssociationLimit"
    assert message.startswith(
        "The following target groups cannot be associated with more than one load balancer"
    )


@pytest.mark.parametrize(
    ("fits", "over"),
    [
        ([path(*["/a", "/b", "/c", "/d", "/e"])], [path(*["/a", "/b", "/c", "/d", "/e", "/f"])]),
        ([path("/a", "/b"), host("a.b", "c.d"), source("10.0.0.0/8")], None),
        (
            [path("/a", "/b", "/c"), host("a.b", "c.d")],
            [path("/a", "/b", "/c"), host("a.b", "c.d", "e.f")],
        ),
        (None, [header("a", "1", "2", "3"), query("1", "2", "3")]),
    ],
)
def test_condition_values_per_rule_5_a_rule_can_only_have_5_condition_values(
    account: Account, fits: Sequence[Any] | None, over: Sequence[Any] | None
) -> None:
    listener = account.listener(account.balancer())
    if fits:
        account.rule(listener, 1, Conditions=fits)
    if over:
        assert refused(account.rule, listener=listener, priority=2, Conditions=over) == (
            "ValidationError",
            "A rule can only have '5' condition values",
        )


def test_condition_wildcards_per_rule_6(account: Account) -> None:
    listener = account.listener(account.balancer())
    account.rule(listener, 1, Conditions=[path("*a?b*"), host("*.?a?.com")])
    code, message = refused(
        account.rule, listener=listener, priority=2, Conditions=[path("*a?b*"), host("*.?a??.com")]
    )
    assert (code, message) == ("ValidationError", "A rule can only have '6' condition wildcards")


def test_idle_timeout_1_to_4000_s_client_keepalive_60_to_604800_s(account: Account) -> None:
    balancer = account.balancer()
    for key, good, bad in (
        ("idle_timeout.timeout_seconds", ("1", "4000"), ("0", "4001", "x", "1.5", "-1")),
        ("client_keep_alive.seconds", ("60", "604800"), ("59", "604801", "")),
    ):
        for value in (*good, *bad):
            change = {
                "LoadBalancerArn": balancer,
                "Attributes": [{"Key": key, "Value": value}],
            }
            if value in good:
                shown = account.elb.modify_load_balancer_attributes(**change)["Attributes"]
                assert {"Key": key, "Value": value} in shown
            else:
                code, _ = refused(account.elb.modify_load_balancer_attributes, **change)
                assert code == "ValidationError", (key, value)


def test_tags_per_resource_50_too_many_tags_duplicate_tag_keys(account: Account) -> None:
    group, add = account.group(), account.elb.add_tags
    many = [{"Key": f"k{n}", "Value": ""} for n in range(51)]
    add(ResourceArns=[group], Tags=many[:50])
    add(ResourceArns=[group], Tags=[{"Key": "k0", "Value": "again"}])
    assert refused(add, ResourceArns=[group], Tags=many[50:])[0] == "TooManyTags"
    assert refused(account.group, Tags=many)[0] == "TooManyTags"
    assert refused(account.balancer, Tags=many)[0] == "TooManyTags"
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    assert refused(add, ResourceArns=[group], Tags=twice)[0] == "DuplicateTagKeys"


@pytest.mark.parametrize(
    ("tag", "is_good"),
    [
        ({"Key": "k" * 128, "Value": "v" * 256}, True),
        ({"Key": "k" * 129, "Value": ""}, False),
        ({"Key": "", "Value": ""}, False),
        ({"Key": "k", "Value": "v" * 257}, False),
        ({"Key": "\u00e9 _.:/=+-@9", "Value": "\u4e16 "}, True),
        ({"Key": "k!", "Value": ""}, False),
        ({"Key": "k", "Value": "a\nb"}, False),
    ],
)
def test_tag_keys_1_to_128_values_0_to_256_pattern(
    account: Account, tag: dict[str, str], is_good: bool
) -> None:
    if is_good:
        group = account.group(Tags=[tag])
        found = account.elb.describe_tags(ResourceArns=[group])["TagDescriptions"][0]["Tags"]
        assert found == [tag]
    else:
        assert refused(account.group, Tags=[tag])[0] == "ValidationError"


def test_lcu_reservation_per_alb_15000_capacity_units_limit_exceeded(account: Account) -> None:
    balancer = account.balancer()
    modify = account.elb.modify_capacity_reservation
    units = {"MinimumLoadBalancerCapacity": {"CapacityUnits": 15_000}}
    modify(LoadBalancerArn=balancer, **units)
    units = {"MinimumLoadBalancerCapacity": {"CapacityUnits": 15_001}}
    assert refused(modify, LoadBalancerArn=balancer, **units) == (
        "CapacityUnitsLimitExceeded",
        "Up to '15000' capacity units can be reserved for a load balancer",
    )


def test_attributes_per_modify_load_balancer_attributes_20(account: Account) -> None:
    balancer = account.balancer()
    modify = account.elb.modify_load_balancer_attributes
    attributes = account.elb.describe_load_balancer_attributes(LoadBalancerArn=balancer)
    some = [each for each in attributes["Attributes"] if each["Value"]]
    many = [*some, *({"Key": f"none.{n}", "Value": "x"} for n in range(21 - len(some)))]
    modify(LoadBalancerArn=balancer, Attributes=some[:20])
    code, message = refused(modify, LoadBalancerArn=balancer, Attributes=many[:21])
    assert code == "ValidationError"
    assert "'attributes' failed to satisfy constraint: Member must have length" in message


def test_arns_per_describe_load_balancers_and_resources_per_describe_tags_20(
    account: Account,
) -> None:
    balancer, group = account.balancer(), account.group()
    for call, arns, arn in (
        (account.elb.describe_load_balancers, "LoadBalancerArns", balancer),
        (account.elb.describe_tags, "ResourceArns", group),
    ):
        call(**{arns: [arn] * 20})
        assert refused(call, **{arns: [arn] * 21})[0] == "ValidationError"


def test_page_size_1_to_400(account: Account) -> None:
    account.group()
    for call in (
        account.elb.describe_target_groups,
        account.elb.describe_load_balancers,
        account.elb.describe_account_limits,
    ):
        for size in (1, 400):
            call(PageSize=size)
        for size in (0, 401):
            code, message = refused(call, PageSize=size)
            assert code == "ValidationError"
            assert message.startswith(f"1 validation error detected: Value '{size}' at 'pageSize'")


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (fixed(200, "x" * 1024), fixed(200, "x" * 1025)),
        (redirect(host="h" * 128), redirect(host="h" * 129)),
        (redirect(path="/" + "p" * 127), redirect(path="/" + "p" * 128)),
        (redirect(host="a.b", query="q" * 128), redirect(host="a.b", query="q" * 129)),
        (redirect(host="a.b", query=""), redirect(host="a.b", path="")),
        (fixed(200, ""), redirect(host="")),
    ],
)
def test_fixed_body_0_to_1024_redirect_host_and_path_1_to_128_query_0_to_128(
    account: Account, good: Any, bad: Any
) -> None:
    balancer = account.balancer()
    account.listener(balancer, 80, DefaultActions=[good])
    code, _ = refused(account.listener, balancer=balancer, port=81, DefaultActions=[bad])
    assert code == "ValidationError"


def test_target_groups_per_region_3000_too_many_target_groups(url: str) -> None:
    with serve(OPERATIONS, quotas={"target-groups": 3}) as small:
        account = Account(small)
        for n in range(3):
            account.group(f"tg-{n}")
        account.group("tg-0")  # is there
        assert refused(account.group)[0] == "TooManyTargetGroups"
