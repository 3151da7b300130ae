"""Load balancers. Source: elbv2 API, `CreateLoadBalancer` and its relatives. Where they are:
networks.py.
"""

import re
from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

from albatross.elbv2 import lookup, networks, tags, wire
from albatross.elbv2.coverage import not_here
from albatross.elbv2.limits import check_count, quota
from albatross.elbv2.listeners import delete_with_rules
from albatross.elbv2.pagination import page
from albatross.model import arn as arns
from albatross.model import attributes, quotas
from albatross.model.errors import (
    DuplicateLoadBalancerName,
    OperationNotPermitted,
    TooManyLoadBalancers,
    ValidationError,
)
from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction

NAME_MAX = 32


def create_load_balancer(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """CreateLoadBalancer. The same call again answers with the load balancer that is there.

    Raises DuplicateLoadBalancerName, InvalidConfigurationRequest, InvalidSecurityGroup,
    TooManyLoadBalancers, DuplicateTagKeys, TooManyTags, ValidationError; NotImplementedHere for
    other types.
    """
    kind = params.get("Type", "application")
    if kind != "application":
        # differs from AWS: Network and Gateway Load Balancers cannot be made.
        raise not_here(f"A load balancer of type '{kind}' (this is an Application Load Balancer)")
    networks.refuse_others(params)
    wanted = _load_balancer(tx, params)
    wanted_tags = tags.from_params(params)
    for existing in tx.list(LoadBalancer, name=wanted.name):
        if _settings(existing) != _settings(wanted) or tx.tags(existing.arn) != wanted_tags:
            raise DuplicateLoadBalancerName(
                f"A load balancer with the same name '{wanted.name}' exists, "
                "but with different settings"
            )
        return {"LoadBalancers": [wire.from_load_balancer(existing)]}
    if len(tx.list(LoadBalancer)) >= (most := quota(tx, quotas.LOAD_BALANCERS)):
        raise TooManyLoadBalancers(f"You have reached the limit of '{most}' load balancers")
    tx.put(wanted)
    tx.put_tags(wanted.arn, wanted_tags)
    # differs from AWS: a load balancer is `provisioning` in the answer that makes it and `active`
    # from then on, never `active_impaired` or `failed`.
    return {"LoadBalancers": [wire.from_load_balancer(wanted, state="provisioning")]}


def describe_load_balancers(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DescribeLoadBalancers: all, or those of some ARNs or names, ordered by name.

    Raises LoadBalancerNotFound, ValidationError.
    """
    wanted, names = params.get("LoadBalancerArns"), params.get("Names")
    if wanted and names:
        raise ValidationError(
            "Load balancer names and load balancer ARNs cannot be specified at the same time"
        )
    check_count("load balancer ARNs", wanted or ())
    if wanted:
        balancers = lookup.by_arns(tx, LoadBalancer, wanted)
    elif names:
        balancers = lookup.by_names(tx, LoadBalancer, names)
    else:
        balancers = tx.list(LoadBalancer)
    # AWS is silent: load balancers and target groups are described by name, listeners by port.
    balancers, marker = page(
        balancers, params, key=lambda balancer: balancer.name, of="load balancers"
    )
    return {"LoadBalancers": [wire.from_load_balancer(b) for b in balancers], **marker}


def delete_load_balancer(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DeleteLoadBalancer, with its listeners and rules. One that is not there is no error.

    Raises OperationNotPermitted where it is protected, ValidationError.
    """
    arn = params["LoadBalancerArn"]
    lookup.check_arn(tx, LoadBalancer, arn)
    balancer = tx.get(LoadBalancer, arn)
    if balancer is None:
        return {}
    if attributes.get(balancer, "deletion_protection.enabled") == "true":
        raise OperationNotPermitted(
            f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
        )
    for listener in tx.list(Listener, parent=arn):
        delete_with_rules(tx, listener)
    tx.delete(arn)
    return {}


def _load_balancer(tx: "Transaction", params: Mapping[str, Any]) -> LoadBalancer:
    """Return the load balancer that `params` ask for, not yet put."""
    name = params["Name"]
    _check_name(name)
    scheme = params.get("Scheme", networks.INTERNET_FACING)
    prefix = "internal-" if scheme == "internal" else ""
    number = int(tx.new_id()[:8], 16)
    slots = {balancer.slot for balancer in tx.list(LoadBalancer)}
    return LoadBalancer(
        arn=arns.load_balancer(tx.scope, name, tx.new_id()),
        name=name,
        # differs from AWS: DNS names end with elb.localhost instead of elb.amazonaws.com; there is
        # no DNS server, so no names of single zones.
        dns_name=f"{prefix}{name}-{number}.{tx.scope.region}.elb.localhost",
        scheme=scheme,
        ip_address_type=networks.ip_address_type(scheme, params),
        zones=networks.zones(tx.scope.region, params),
        security_groups=networks.security_groups(params) or (networks.SECURITY_GROUP_ID,),
        vpc_id=networks.VPC_ID,
        ipam_pool=networks.ipam_pool(scheme, params),
        created_at=tx.now,
        slot=next(slot for slot in count() if slot not in slots),
    )


def _settings(balancer: LoadBalancer) -> tuple[object, ...]:
    """Return what two calls of CreateLoadBalancer must agree on to mean the same."""
    return (
        balancer.scheme,
        balancer.ip_address_type,
        {zone.subnet_id for zone in balancer.zones},
        set(balancer.security_groups),
        balancer.ipam_pool,
    )


def _check_name(name: str) -> None:
    if not name:
        problem = "cannot be empty"
    elif len(name) > NAME_MAX:
        problem = f"cannot be longer than '{NAME_MAX}' characters"
    elif not re.fullmatch("[A-Za-z0-9-]*", name):
        problem = "can only contain characters that are alphanumeric characters and hyphens(-)"
    elif name.startswith("-"):
        problem = "cannot begin with a hyphen(-)"
    elif name.endswith("-"):
        problem = "cannot end with a hyphen(-)"
    elif name.startswith("internal-"):
        problem = "cannot begin with 'internal-'"
    else:
        return
    raise ValidationError(f"The load balancer name '{name}' {problem}")
