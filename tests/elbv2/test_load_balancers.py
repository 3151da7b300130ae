from datetime import UTC, datetime, timedelta

import pytest

from tests.support.server import client

SUBNETS = ["subnet-aaa1", "subnet-bbb2"]


def test_creating_answers_what_aws_answers(elb, account):
    (created,) = elb.create_load_balancer(Name="My-lb", Subnets=SUBNETS)["LoadBalancers"]
    arn = created.pop("LoadBalancerArn")
    prefix = f"arn:aws:elasticloadbalancing:us-east-1:{account}:loadbalancer/app/My-lb/"
    assert arn.startswith(prefix)
    assert len(arn) == len(prefix) + 16
    name, _, rest = created.pop("DNSName").partition(".")
    assert name.removeprefix("My-lb-").isdigit()
    assert rest == "us-east-1.elb.localhost"
    assert abs(created.pop("CreatedTime") - datetime.now(UTC)) < timedelta(minutes=1)
    assert created == {
        "CanonicalHostedZoneId": "Z35SXDOTRQ7X7K",
        "LoadBalancerName": "My-lb",
        "Scheme": "internet-facing",
        "VpcId": "vpc-0a1ba7055a1ba7055",
        "State": {"Code": "provisioning"},
        "Type": "application",
        "AvailabilityZones": [
            {"ZoneName": "us-east-1a", "SubnetId": "subnet-aaa1"},
            {"ZoneName": "us-east-1b", "SubnetId": "subnet-bbb2"},
        ],
        "SecurityGroups": ["sg-0a1ba7055a1ba7055"],
        "IpAddressType": "ipv4",
    }


def test_a_load_balancer_is_active_once_it_is_described(elb, make_balancer):
    arn = make_balancer()
    elb.get_waiter("load_balancer_available").wait(LoadBalancerArns=[arn])
    (described,) = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    assert described["State"] == {"Code": "active"}


def test_an_internal_load_balancer_says_so_in_its_dns_name(elb):
    (created,) = elb.create_load_balancer(Name="lb", Subnets=SUBNETS, Scheme="internal")[
        "LoadBalancers"
    ]
    assert created["DNSName"].startswith("internal-lb-")
    assert created["Scheme"] == "internal"


def test_subnet_mappings_do_as_well_as_subnets(elb):
    mappings = [{"SubnetId": subnet} for subnet in SUBNETS]
    (created,) = elb.create_load_balancer(Name="lb", SubnetMappings=mappings)["LoadBalancers"]
    assert [zone["SubnetId"] for zone in created["AvailabilityZones"]] == SUBNETS


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        pytest.param("", "cannot be empty", id="empty"),
        pytest.param("a" * 33, "cannot be longer than '32' characters", id="long"),
        pytest.param(
            "a_b",
            "can only contain characters that are alphanumeric characters and hyphens(-)",
            id="underscore",
        ),
        pytest.param("-a", "cannot begin with a hyphen(-)", id="hyphen first"),
        pytest.param("a-", "cannot end with a hyphen(-)", id="hyphen last"),
        pytest.param("internal-a", "cannot begin with 'internal-'", id="internal"),
    ],
)
def test_a_bad_name_is_refused(elb, refused, name, problem):
    expected = ("ValidationError", f"The load balancer name '{name}' {problem}")
    assert refused(elb.create_load_balancer, Name=name, Subnets=SUBNETS) == expected


def test_a_name_of_32_characters_is_fine(make_balancer):
    make_balancer("a" * 32)


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        pytest.param(
            {},
            "ValidationError",
            "At least two subnets in two different Availability Zones must be specified",
            id="no subnets",
        ),
        pytest.param(
            {"Subnets": ["subnet-1"]},
            "ValidationError",
            "At least two subnets in two different Availability Zones must be specified",
            id="one subnet",
        ),
        pytest.param(
            {"Subnets": ["subnet-1", "subnet-1"]},
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
            id="one subnet twice",
        ),
        pytest.param(
            {"Subnets": ["subnet-1", "vpc-1"]},
            "ValidationError",
            "The subnet ID 'vpc-1' is not valid",
            id="no subnet",
        ),
        pytest.param(
            {"Subnets": SUBNETS, "SubnetMappings": [{"SubnetId": "subnet-1"}]},
            "ValidationError",
            "Subnets and subnet mappings cannot be specified at the same time",
            id="both",
        ),
        pytest.param(
            {"SubnetMappings": [{"SubnetId": "subnet-1", "AllocationId": "eip-1"}]},
            "InvalidConfigurationRequest",
            "'AllocationId' is not supported for load balancers of type 'application'",
            id="elastic address",
        ),
        pytest.param(
            {"Subnets": SUBNETS, "Type": "network"},
            "NotImplemented",
            "A load balancer of type 'network' (this is an Application Load Balancer) is not "
            "implemented in this version of Albatross; docs/coverage.md says what is",
            id="network load balancer",
        ),
        pytest.param(
            {"Subnets": SUBNETS, "CustomerOwnedIpv4Pool": "ipv4pool-coip-1"},
            "InvalidConfigurationRequest",
            "'CustomerOwnedIpv4Pool' is not supported for load balancers of type 'application'",
            id="address pool",
        ),
        pytest.param(
            {"Subnets": SUBNETS, "Scheme": "public"},
            "ValidationError",
            "1 validation error detected: Value 'public' at 'scheme' failed to satisfy constraint: "
            "Member must satisfy enum value set: [internet-facing, internal]",
            id="scheme",
        ),
    ],
)
def test_what_cannot_be_created_is_refused(elb, refused, params, code, message):
    assert refused(elb.create_load_balancer, Name="lb", **params) == (code, message)
    assert elb.describe_load_balancers()["LoadBalancers"] == []


def test_creating_again_with_the_same_settings_changes_nothing(elb, make_balancer):
    tags = [{"Key": "a", "Value": "1"}]
    first = make_balancer(Tags=tags)
    assert make_balancer(Tags=tags, Subnets=list(reversed(SUBNETS))) == first
    assert len(elb.describe_load_balancers()["LoadBalancers"]) == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"Scheme": "internal"}, id="scheme"),
        pytest.param({"Subnets": ["subnet-1", "subnet-2"]}, id="subnets"),
        pytest.param({"SecurityGroups": ["sg-1"]}, id="security groups"),
        pytest.param({"IpAddressType": "dualstack"}, id="address type"),
        pytest.param({"Tags": [{"Key": "a", "Value": "1"}]}, id="tags"),
    ],
)
def test_creating_again_with_other_settings_is_refused(elb, refused, make_balancer, other):
    make_balancer()
    params = {"Name": "lb", "Subnets": SUBNETS, **other}
    assert refused(elb.create_load_balancer, **params) == (
        "DuplicateLoadBalancerName",
        "A load balancer with the same name 'lb' exists, but with different settings",
    )


def test_load_balancers_are_found_by_name_and_by_arn(elb, make_balancer):
    arns = {name: make_balancer(name) for name in ("b", "a", "c")}

    def names(**params):
        found = elb.describe_load_balancers(**params)["LoadBalancers"]
        return [balancer["LoadBalancerName"] for balancer in found]

    assert names() == ["a", "b", "c"]
    assert names(Names=["c", "a", "c"]) == ["a", "c"]
    assert names(LoadBalancerArns=[arns["b"]]) == ["b"]


def test_what_is_not_there_is_not_found(elb, refused, make_balancer):
    arn = make_balancer("here")
    gone = arn[:-16] + "0" * 16
    describe = elb.describe_load_balancers
    assert refused(describe, Names=["here", "x", "y"]) == (
        "LoadBalancerNotFound",
        "Load balancers '[x, y]' not found",
    )
    assert refused(describe, LoadBalancerArns=[arn, gone]) == (
        "LoadBalancerNotFound",
        "One or more load balancers not found",
    )
    assert refused(describe, LoadBalancerArns=[arn], Names=["here"])[0] == "ValidationError"
    assert refused(describe, LoadBalancerArns=[arn] * 21) == (
        "ValidationError",
        "Up to '20' load balancer ARNs can be specified, but '21' were specified",
    )


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(("us-east-1", "eu-west-1"), id="another Region"),
        pytest.param(("loadbalancer", "targetgroup"), id="another kind"),
        pytest.param(("arn:", ""), id="no ARN"),
    ],
)
def test_a_bad_arn_is_refused(elb, refused, make_balancer, change):
    arn = make_balancer().replace(*change)
    expected = ("ValidationError", f"'{arn}' is not a valid load balancer ARN")
    assert refused(elb.describe_load_balancers, LoadBalancerArns=[arn]) == expected
    assert refused(elb.delete_load_balancer, LoadBalancerArn=arn) == expected


def test_pages_neither_repeat_nor_lose_what_stays(elb, refused, make_balancer):
    arns = {name: make_balancer(name) for name in ("a", "b", "c", "d", "e")}
    first = elb.describe_load_balancers(PageSize=2)
    assert [each["LoadBalancerName"] for each in first["LoadBalancers"]] == ["a", "b"]
    elb.delete_load_balancer(LoadBalancerArn=arns["b"])  # the one that the marker points to
    make_balancer("aa")
    rest = elb.describe_load_balancers(PageSize=4, Marker=first["NextMarker"])
    assert [each["LoadBalancerName"] for each in rest["LoadBalancers"]] == ["c", "d", "e"]
    assert "NextMarker" not in rest
    paginator = elb.get_paginator("describe_load_balancers")
    pages = paginator.paginate(PaginationConfig={"PageSize": 1})
    assert [len(page["LoadBalancers"]) for page in pages] == [1, 1, 1, 1, 1]
    assert refused(elb.describe_load_balancers, Marker="a")[0] == "ValidationError"
    assert refused(elb.describe_load_balancers, PageSize=0)[0] == "ValidationError"
    assert refused(elb.describe_load_balancers, PageSize=401)[0] == "ValidationError"


def test_deleting_takes_listeners_and_rules_with_it_and_frees_target_groups(
    elb, refused, make_balancer, make_listener, make_rule, make_group, forward
):
    group = make_group()
    balancer = make_balancer()
    listener = make_listener(balancer)
    rule = make_rule(listener, 1, actions=forward(group))
    elb.add_tags(ResourceArns=[rule], Tags=[{"Key": "a"}])
    elb.delete_load_balancer(LoadBalancerArn=balancer)
    assert elb.describe_load_balancers()["LoadBalancers"] == []
    assert refused(elb.describe_listeners, ListenerArns=[listener])[0] == "ListenerNotFound"
    assert refused(elb.describe_rules, RuleArns=[rule])[0] == "RuleNotFound"
    elb.delete_load_balancer(LoadBalancerArn=balancer)  # again: no error
    elb.delete_target_group(TargetGroupArn=group)


def test_deletion_protection_protects(elb, refused, make_balancer):
    arn = make_balancer()

    def protect(value):
        attributes = [{"Key": "deletion_protection.enabled", "Value": value}]
        elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes)

    protect("true")
    assert refused(elb.delete_load_balancer, LoadBalancerArn=arn) == (
        "OperationNotPermitted",
        f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
    )
    protect("false")
    elb.delete_load_balancer(LoadBalancerArn=arn)


def test_security_groups_subnets_and_address_type_can_be_set(elb, refused, make_balancer):
    arn = make_balancer()
    groups = elb.set_security_groups(LoadBalancerArn=arn, SecurityGroups=["sg-1", "sg-2"])
    assert groups["SecurityGroupIds"] == ["sg-1", "sg-2"]
    assert refused(elb.set_security_groups, LoadBalancerArn=arn, SecurityGroups=[])
    assert refused(elb.set_security_groups, LoadBalancerArn=arn, SecurityGroups=["no-group"]) == (
        "InvalidSecurityGroup",
        "The security group 'no-group' does not exist",
    )
    subnets = elb.set_subnets(LoadBalancerArn=arn, Subnets=["subnet-1", "subnet-2", "subnet-3"])
    zones = [zone["ZoneName"] for zone in subnets["AvailabilityZones"]]
    assert zones == ["us-east-1a", "us-east-1b", "us-east-1c"]
    address = elb.set_ip_address_type(LoadBalancerArn=arn, IpAddressType="dualstack")
    assert address["IpAddressType"] == "dualstack"
    (described,) = elb.describe_load_balancers()["LoadBalancers"]
    assert described["SecurityGroups"] == ["sg-1", "sg-2"]
    assert described["AvailabilityZones"] == subnets["AvailabilityZones"]
    assert described["IpAddressType"] == "dualstack"


def test_accounts_and_regions_do_not_see_each_other(url, make_balancer):
    arn = make_balancer()
    other = client("elbv2", url, access_key="999999999999")
    assert other.describe_load_balancers()["LoadBalancers"] == []
    elsewhere = client("elbv2", url, access_key=arn.split(":")[4], region="eu-west-1")
    assert elsewhere.describe_load_balancers()["LoadBalancers"] == []
