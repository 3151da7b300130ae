"""Bad input to the operations on load balancers: code and message, all with status 400 but one."""

import pytest

from tests.elbv2.world import rows

SUBNETS = ["subnet-1", "subnet-2"]
TWO_ZONES = "At least two subnets in two different Availability Zones must be specified"
ONE_ZONE = "A load balancer cannot be attached to multiple subnets in the same Availability Zone"
NOT_FOUND = ("LoadBalancerNotFound", "One or more load balancers not found")
NO_ARN = ("ValidationError", "'x' is not a valid load balancer ARN")


def on(params, balancer="{balancer}"):
    return {"LoadBalancerArn": balancer, **params}


def of_type(member):
    return (
        "InvalidConfigurationRequest",
        f"'{member}' is not supported for load balancers of type 'application'",
    )


def of_one(operation, params):
    """Return the rows that every operation on one load balancer has."""
    return rows(
        operation,
        gone=(on(params, "{no_balancer}"), *NOT_FOUND),
        no_arn=(on(params, "x"), *NO_ARN),
        of_a_listener=(
            on(params, "{listener}"),
            "ValidationError",
            "'{listener}' is not a valid load balancer ARN",
        ),
        elsewhere=(
            on(params, "{elsewhere}"),
            "ValidationError",
            "'{elsewhere}' is not a valid load balancer ARN",
        ),
    )


def attributes(**values):
    return on({"Attributes": [{"Key": key, "Value": value} for key, value in values.items()]})


CREATE = rows(
    "create_load_balancer",
    other_settings=(
        {"Name": "lb", "Subnets": SUBNETS, "Scheme": "internal"},
        "DuplicateLoadBalancerName",
        "A load balancer with the same name 'lb' exists, but with different settings",
    ),
    pool_of_outposts=(
        {"Name": "new", "Subnets": SUBNETS, "CustomerOwnedIpv4Pool": "ipv4pool-coip-1"},
        *of_type("CustomerOwnedIpv4Pool"),
    ),
    source_nat=(
        {"Name": "new", "Subnets": SUBNETS, "EnablePrefixForIpv6SourceNat": "on"},
        *of_type("EnablePrefixForIpv6SourceNat"),
    ),
    private_address=(
        {
            "Name": "new",
            "SubnetMappings": [{"SubnetId": "subnet-1", "PrivateIPv4Address": "10.0.0.1"}],
        },
        *of_type("PrivateIPv4Address"),
    ),
    internal_without_public_ipv4=(
        {
            "Name": "new",
            "Subnets": SUBNETS,
            "Scheme": "internal",
            "IpAddressType": "dualstack-without-public-ipv4",
        },
        "InvalidConfigurationRequest",
        "The IP address type 'dualstack-without-public-ipv4' is only supported for load balancers "
        "with scheme 'internet-facing'",
    ),
    internal_with_public_pool=(
        {
            "Name": "new",
            "Subnets": SUBNETS,
            "Scheme": "internal",
            "IpamPools": {"Ipv4IpamPoolId": "ipam-pool-1"},
        },
        "ValidationError",
        "IPAM pools are only supported for load balancers with scheme 'internet-facing'",
    ),
    no_pool=(
        {"Name": "new", "Subnets": SUBNETS, "IpamPools": {"Ipv4IpamPoolId": "pool-1"}},
        "ValidationError",
        "1 validation error detected: Value 'pool-1' at 'ipamPools.ipv4IpamPoolId' failed to "
        "satisfy constraint: Member must satisfy regular expression pattern: "
        "^(ipam-pool-)[a-zA-Z0-9]+$",
    ),
    no_security_group=(
        {"Name": "new", "Subnets": SUBNETS, "SecurityGroups": ["sg-1", "default"]},
        "InvalidSecurityGroup",
        "The security group 'default' does not exist",
    ),
    seven_subnets=(
        {"Name": "new", "Subnets": [f"subnet-{number}" for number in range(7)]},
        "InvalidConfigurationRequest",
        ONE_ZONE,
    ),
    gateway=(
        {"Name": "new", "Subnets": SUBNETS, "Type": "gateway"},
        "NotImplemented",
        "A load balancer of type 'gateway' (this is an Application Load Balancer) is not "
        "implemented in this version of Albatross; docs/coverage.md says what is",
    ),
    tag_twice=(
        {"Name": "new", "Subnets": SUBNETS, "Tags": [{"Key": "a"}, {"Key": "a"}]},
        "DuplicateTagKeys",
        "Tag key 'a' was specified more than once",
    ),
)
SETTINGS = [
    *of_one("set_subnets", {"Subnets": SUBNETS}),
    *rows(
        "set_subnets",
        none=(on({}), "ValidationError", TWO_ZONES),
        one=(on({"Subnets": ["subnet-1"]}), "ValidationError", TWO_ZONES),
        one_twice=(
            on({"Subnets": ["subnet-1", "subnet-1"]}),
            "InvalidConfigurationRequest",
            ONE_ZONE,
        ),
        no_subnet=(
            on({"Subnets": ["subnet-1", "x"]}),
            "ValidationError",
            "The subnet ID 'x' is not valid",
        ),
        both_forms=(
            on({"Subnets": SUBNETS, "SubnetMappings": [{"SubnetId": "subnet-1"}]}),
            "ValidationError",
            "Subnets and subnet mappings cannot be specified at the same time",
        ),
        elastic_address=(
            on({"SubnetMappings": [{"SubnetId": "subnet-1", "AllocationId": "eip-1"}]}),
            *of_type("AllocationId"),
        ),
        source_nat=(
            on({"Subnets": SUBNETS, "EnablePrefixForIpv6SourceNat": "on"}),
            *of_type("EnablePrefixForIpv6SourceNat"),
        ),
        internal_without_public_ipv4=(
            on(
                {"Subnets": SUBNETS, "IpAddressType": "dualstack-without-public-ipv4"}, "{internal}"
            ),
            "InvalidConfigurationRequest",
            "The IP address type 'dualstack-without-public-ipv4' is only supported for load "
            "balancers with scheme 'internet-facing'",
        ),
    ),
    *of_one("set_security_groups", {"SecurityGroups": ["sg-1"]}),
    *rows(
        "set_security_groups",
        none=(
            on({"SecurityGroups": []}),
            "ValidationError",
            "A security group must be specified",
        ),
        no_group=(
            on({"SecurityGroups": ["x"]}),
            "InvalidSecurityGroup",
            "The security group 'x' does not exist",
        ),
        private_link=(
            on(
                {
                    "SecurityGroups": ["sg-1"],
                    "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic": "off",
                }
            ),
            *of_type("EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic"),
        ),
    ),
    *of_one("set_ip_address_type", {"IpAddressType": "ipv4"}),
    *rows(
        "set_ip_address_type",
        internal_without_public_ipv4=(
            on({"IpAddressType": "dualstack-without-public-ipv4"}, "{internal}"),
            "InvalidConfigurationRequest",
            "The IP address type 'dualstack-without-public-ipv4' is only supported for load "
            "balancers with scheme 'internet-facing'",
        ),
    ),
    *of_one("modify_ip_pools", {"RemoveIpamPools": ["ipv4"]}),
    *rows(
        "modify_ip_pools",
        nothing=(
            on({}),
            "ValidationError",
            "Either IPAM pools or IPAM pools to remove must be specified",
        ),
        both=(
            on({"IpamPools": {"Ipv4IpamPoolId": "ipam-pool-1"}, "RemoveIpamPools": ["ipv4"]}),
            "ValidationError",
            "You cannot specify an IPAM pool and remove it in the same request: 'ipv4'",
        ),
        internal=(
            on({"IpamPools": {"Ipv4IpamPoolId": "ipam-pool-1"}}, "{internal}"),
            "ValidationError",
            "IPAM pools are only supported for load balancers with scheme 'internet-facing'",
        ),
    ),
]
CAPACITY = [
    *of_one("describe_capacity_reservation", {}),
    *of_one("modify_capacity_reservation", {"ResetCapacityReservation": True}),
    *rows(
        "modify_capacity_reservation",
        nothing=(
            on({"ResetCapacityReservation": False}),
            "ValidationError",
            "You must specify either 'MinimumLoadBalancerCapacity' or 'ResetCapacityReservation'",
        ),
        both=(
            on(
                {
                    "MinimumLoadBalancerCapacity": {"CapacityUnits": 100},
                    "ResetCapacityReservation": True,
                }
            ),
            "ValidationError",
            "'MinimumLoadBalancerCapacity' and 'ResetCapacityReservation' cannot be specified at "
            "the same time",
        ),
        no_units=(
            on({"MinimumLoadBalancerCapacity": {}}),
            "ValidationError",
            "You must specify either 'MinimumLoadBalancerCapacity' or 'ResetCapacityReservation'",
        ),
        too_little=(
            on({"MinimumLoadBalancerCapacity": {"CapacityUnits": 99}}),
            "InvalidConfigurationRequest",
            "The capacity units '99' must be at least '100'",
        ),
        too_much=(
            on({"MinimumLoadBalancerCapacity": {"CapacityUnits": 15_001}}),
            "CapacityUnitsLimitExceeded",
            "Up to '15000' capacity units can be reserved for a load balancer",
        ),
    ),
]
ATTRIBUTES = [
    *of_one("describe_load_balancer_attributes", {}),
    *of_one("modify_load_balancer_attributes", {"Attributes": [{"Key": "a", "Value": "b"}]}),
    *rows(
        "modify_load_balancer_attributes",
        none=(on({"Attributes": []}), "ValidationError", "An attribute must be specified"),
        no_key=(
            on({"Attributes": [{"Value": "true"}]}),
            "ValidationError",
            "An attribute key must be specified",
        ),
        no_value=(
            on({"Attributes": [{"Key": "idle_timeout.timeout_seconds"}]}),
            "ValidationError",
            "'idle_timeout.timeout_seconds' value '' must be between '1-4000' inclusive",
        ),
        twice=(
            on({"Attributes": [{"Key": "routing.http2.enabled", "Value": "true"}] * 2}),
            "ValidationError",
            "Attribute key 'routing.http2.enabled' was specified more than once",
        ),
        unknown=(
            attributes(idle="1"),
            "ValidationError",
            "Load balancer attribute key 'idle' is not recognized",
        ),
        of_network_load_balancers=(
            attributes(**{"dns_record.client_routing_policy": "any_availability_zone"}),
            "InvalidConfigurationRequest",
            "Load balancer attribute key 'dns_record.client_routing_policy' is not supported on "
            "load balancers with type 'application'",
        ),
        one_good_one_bad=(
            attributes(
                **{"routing.http2.enabled": "false", "idle_timeout.timeout_seconds": "4001"}
            ),
            "ValidationError",
            "'idle_timeout.timeout_seconds' value '4001' must be between '1-4000' inclusive",
        ),
        logs_without_bucket=(
            attributes(**{"access_logs.s3.enabled": "true"}),
            "InvalidConfigurationRequest",
            "The key 'access_logs.s3.bucket' must set in order to enable access logs",
        ),
        cross_zone_off=(
            attributes(**{"load_balancing.cross_zone.enabled": "false"}),
            "InvalidConfigurationRequest",
            "The value for 'load_balancing.cross_zone.enabled' must always be 'true' for an "
            "Application Load Balancer",
        ),
    ),
]
DESCRIBE = [
    *rows(
        "describe_load_balancers",
        gone=({"LoadBalancerArns": ["{balancer}", "{no_balancer}"]}, *NOT_FOUND),
        no_arn=({"LoadBalancerArns": ["x"]}, *NO_ARN),
        no_such_name=(
            {"Names": ["lb", "none", "neither"]},
            "LoadBalancerNotFound",
            "Load balancers '[none, neither]' not found",
        ),
        both=(
            {"LoadBalancerArns": ["{balancer}"], "Names": ["lb"]},
            "ValidationError",
            "Load balancer names and load balancer ARNs cannot be specified at the same time",
        ),
        too_many=(
            {"LoadBalancerArns": ["{balancer}"] * 21},
            "ValidationError",
            "Up to '20' load balancer ARNs can be specified, but '21' were specified",
        ),
    ),
    *rows("delete_load_balancer", no_arn=(on({}, "x"), *NO_ARN)),
]


@pytest.mark.parametrize(
    ("operation", "params", "code", "message"),
    [*CREATE, *SETTINGS, *CAPACITY, *ATTRIBUTES, *DESCRIBE],
)
def test_a_call_is_refused(world, operation, params, code, message):
    status = 501 if code == "NotImplemented" else 400
    assert world.refusal(operation, params) == (status, code, world.text(message))
