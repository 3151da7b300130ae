"""Where load balancers are: subnets, security groups, kinds of addresses. Source: elbv2 API,
`SetSubnets`, `SetSecurityGroups`, `SetIpAddressType`, `ModifyIpPools`.

There is no VPC here: subnets, security groups and IPAM pools are taken as given.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from albatross.elbv2 import associations, lookup, wire
from albatross.model.errors import (
    InvalidConfigurationRequest,
    InvalidSecurityGroup,
    ValidationError,
)
from albatross.model.load_balancer import LoadBalancer, Zone

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction

# differs from AWS: every load balancer is in one made-up VPC and, unless told otherwise, in one
# made-up security group. Security groups have no effect, and need not exist.
VPC_ID = "vpc-0a1ba7055a1ba7055"
SECURITY_GROUP_ID = "sg-0a1ba7055a1ba7055"
ZONES = "abcdef"
INTERNET_FACING = "internet-facing"
# Members of CreateLoadBalancer, SetSubnets and SetSecurityGroups that no Application Load Balancer
# in a Region has, with the values that ask for nothing.
_OF_OTHERS = {
    "CustomerOwnedIpv4Pool": (None,),  # needs subnets of an Outpost
    "EnablePrefixForIpv6SourceNat": (None, "off"),
    "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic": (None,),
}


def set_subnets(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """SetSubnets. Raises LoadBalancerNotFound, InvalidConfigurationRequest, ValidationError."""
    balancer = lookup.by_arn(tx, LoadBalancer, params["LoadBalancerArn"])
    refuse_others(params)
    changed = replace(
        balancer,
        zones=zones(tx.scope.region, params, balancer.zones),
        ip_address_type=_changed_type(tx, balancer, params),
    )
    tx.put(changed)
    return {
        "AvailabilityZones": wire.from_zones(changed.zones),
        "IpAddressType": changed.ip_address_type,
    }


def set_security_groups(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """SetSecurityGroups. The groups have no effect here.

    Raises LoadBalancerNotFound, InvalidConfigurationRequest, InvalidSecurityGroup, ValidationError.
    """
    balancer = lookup.by_arn(tx, LoadBalancer, params["LoadBalancerArn"])
    refuse_others(params)
    groups = security_groups(params)
    if not groups:
        raise ValidationError("A security group must be specified")
    tx.put(replace(balancer, security_groups=groups))
    return {"SecurityGroupIds": list(groups)}


def set_ip_address_type(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """SetIpAddressType. Raises LoadBalancerNotFound, InvalidConfigurationRequest.

    The type has no effect here.
    """
    balancer = lookup.by_arn(tx, LoadBalancer, params["LoadBalancerArn"])
    # differs from AWS: the IP address type is kept and shown, but has no effect.
    chosen = _changed_type(tx, balancer, params)
    tx.put(replace(balancer, ip_address_type=chosen))
    return {"IpAddressType": chosen}


def modify_ip_pools(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """ModifyIpPools. Raises LoadBalancerNotFound, ValidationError.

    The pool has no effect here.
    """
    balancer = lookup.by_arn(tx, LoadBalancer, params["LoadBalancerArn"])
    pool, removed = ipam_pool(balancer.scheme, params), params.get("RemoveIpamPools") or ()
    if pool is None and not removed:
        raise ValidationError("Either IPAM pools or IPAM pools to remove must be specified")
    if pool is not None and removed:
        raise ValidationError(
            "You cannot specify an IPAM pool and remove it in the same request: 'ipv4'"
        )
    tx.put(replace(balancer, ipam_pool=pool))
    return {"IpamPools": wire.from_ipam_pool(pool)}


def refuse_others(params: Mapping[str, Any]) -> None:
    """Raise InvalidConfigurationRequest for what other kinds of load balancers have."""
    for member, nothing in _OF_OTHERS.items():
        if params.get(member) not in nothing:
            raise not_of_this_type(member)


def not_of_this_type(member: str) -> InvalidConfigurationRequest:
    return InvalidConfigurationRequest(
        f"'{member}' is not supported for load balancers of type 'application'"
    )


def zones(region: str, params: Mapping[str, Any], current: Sequence[Zone] = ()) -> tuple[Zone, ...]:
    """Return the subnets of `params`, in the order given, each in an Availability Zone of its own.

    Those of `current` stay in their zone. Raises InvalidConfigurationRequest, ValidationError.
    """
    subnets = _subnets(params)
    for subnet in subnets:
        if not re.fullmatch("subnet-[0-9a-f]+", subnet):
            raise ValidationError(f"The subnet ID '{subnet}' is not valid")
    if len(set(subnets)) < len(subnets) or len(subnets) > len(ZONES):
        raise InvalidConfigurationRequest(
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone"
        )
    if len(subnets) < 2:
        raise ValidationError(
            "At least two subnets in two different Availability Zones must be specified"
        )
    # differs from AWS: subnets need not exist; each stands for the next Availability Zone of the
    # Region.
    kept = {zone.subnet_id: zone.name for zone in current if zone.subnet_id in subnets}
    free = (region + letter for letter in ZONES if region + letter not in kept.values())
    return tuple(Zone(subnet_id=subnet, name=kept.get(subnet) or next(free)) for subnet in subnets)


def _subnets(params: Mapping[str, Any]) -> Sequence[str]:
    subnets, mappings = params.get("Subnets") or [], params.get("SubnetMappings") or []
    if subnets and mappings:
        raise ValidationError("Subnets and subnet mappings cannot be specified at the same time")
    for mapping in mappings:
        for member in sorted(mapping.keys() - {"SubnetId"}):
            raise not_of_this_type(member)
    return subnets or [mapping.get("SubnetId", "") for mapping in mappings]


def security_groups(params: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the security groups of `params`, each once. Raises InvalidSecurityGroup."""
    groups = tuple(dict.fromkeys(params.get("SecurityGroups") or ()))
    for group in groups:
        if not re.fullmatch("sg-[0-9a-z-]+", group):
            raise InvalidSecurityGroup(f"The security group '{group}' does not exist")
    return groups


def ip_address_type(scheme: str, params: Mapping[str, Any], current: str = "ipv4") -> str:
    """Return the IP address type that `params` ask for. Raises InvalidConfigurationRequest."""
    chosen: str = params.get("IpAddressType", current)
    # AWS is silent: an internal load balancer may be dualstack, as the user guide's example is;
    # the API reference says it must be ipv4.
    if chosen == "dualstack-without-public-ipv4" and scheme != INTERNET_FACING:
        raise InvalidConfigurationRequest(
            f"The IP address type '{chosen}' is only supported for load balancers with scheme "
            f"'{INTERNET_FACING}'"
        )
    return chosen


def _changed_type(tx: "Transaction", balancer: LoadBalancer, params: Mapping[str, Any]) -> str:
    """Return the IP address type that `balancer` has from now on. Raises as ip_address_type."""
    chosen = ip_address_type(balancer.scheme, params, balancer.ip_address_type)
    if chosen != balancer.ip_address_type:
        groups = associations.target_groups_of(tx, balancer.arn)
        associations.check_addresses(tx, chosen, groups)
    return chosen


def ipam_pool(scheme: str, params: Mapping[str, Any]) -> str | None:
    """Return the IPAM pool that `params` ask for. Raises ValidationError."""
    pool: str | None = (params.get("IpamPools") or {}).get("Ipv4IpamPoolId")
    # differs from AWS: an IPAM pool need not exist, and has no effect.
    # AWS is silent: an internal load balancer, which has no public addresses, has no IPAM pool.
    if pool is not None and scheme != INTERNET_FACING:
        raise ValidationError(
            f"IPAM pools are only supported for load balancers with scheme '{INTERNET_FACING}'"
        )
    return pool
