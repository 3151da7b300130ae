"""Target groups. Source: elbv2 API, `CreateTargetGroup` and its relatives; ALB user guide, "Target
groups", "Lambda functions as targets".
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from albatross.elbv2 import associations, health_checks, lookup, tags, wire
from albatross.elbv2.coverage import not_here
from albatross.elbv2.limits import quota
from albatross.elbv2.pagination import page
from albatross.model import arn as arns
from albatross.model import quotas
from albatross.model.errors import (
    DuplicateTargetGroupName,
    InvalidConfigurationRequest,
    ResourceInUse,
    TooManyTargetGroups,
    ValidationError,
)
from albatross.model.leniency import Leniency
from albatross.model.load_balancer import LoadBalancer
from albatross.model.target_group import TargetGroup

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction

log = logging.getLogger(__name__)

NAME_MAX = 32
PROTOCOLS = ("HTTP", "HTTPS")
VERSIONS = ("HTTP1", "HTTP2", "GRPC")

# Members of CreateTargetGroup and ModifyTargetGroup that a Lambda target group cannot have.
_SERVER_ONLY = {
    "Port": "Port",
    "VpcId": "VPC ID",
    "ProtocolVersion": "Protocol version",
    "HealthCheckProtocol": "Health check protocol",
    "HealthCheckPort": "Health check port",
    "TargetControlPort": "Target control port",
}


def create_target_group(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """CreateTargetGroup. The same call again answers with the target group that is there.

    Raises DuplicateTargetGroupName, TooManyTargetGroups, ValidationError,
    InvalidConfigurationRequest, and what tags.from_params raises.
    """
    name = params["Name"]
    _check_name(name)
    group = _asked(tx, params)
    new_tags = tags.from_params(params)
    for existing in tx.list(TargetGroup, name=name):
        if _settings(existing) != _settings(group) or tx.tags(existing.arn) != new_tags:
            raise DuplicateTargetGroupName(
                f"A target group with the same name '{name}' exists, but with different settings"
            )
        return {"TargetGroups": [wire.from_target_group(existing)]}
    if len(tx.list(TargetGroup)) >= (most := quota(tx, quotas.TARGET_GROUPS)):
        raise TooManyTargetGroups(f"You have reached the limit of '{most}' target groups")
    tx.put(group)
    tx.put_tags(group.arn, new_tags)
    return {"TargetGroups": [wire.from_target_group(group)]}


def describe_target_groups(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DescribeTargetGroups: all, or those of a load balancer, ARNs or names, ordered by name.

    Raises LoadBalancerNotFound, TargetGroupNotFound, ValidationError.
    """
    balancer_arn = params.get("LoadBalancerArn")
    wanted, names = params.get("TargetGroupArns"), params.get("Names")
    if sum(map(bool, (balancer_arn, wanted, names))) > 1:
        raise ValidationError(
            "Target group names, target group ARNs, and a load balancer ARN "
            "cannot be specified at the same time"
        )
    if wanted:
        groups = lookup.by_arns(tx, TargetGroup, wanted)
    elif names:
        groups = lookup.by_names(tx, TargetGroup, names)
    else:
        groups = tx.list(TargetGroup)
    if balancer_arn:
        lookup.by_arn(tx, LoadBalancer, balancer_arn)
        used = associations.target_groups_of(tx, balancer_arn)
        groups = [group for group in groups if group.arn in used]
    groups, marker = page(groups, params, key=lambda group: group.name, of="target groups")
    return {"TargetGroups": [_described(tx, group) for group in groups], **marker}


def modify_target_group(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """ModifyTargetGroup: the health check; what is not given stays.

    Raises TargetGroupNotFound, ValidationError.
    """
    group = lookup.by_arn(tx, TargetGroup, params["TargetGroupArn"])
    if group.target_type == "lambda":
        _refuse_server_members(params)
    check = health_checks.changed(group.health_check, params, version=group.version)
    if group.target_type != "lambda":
        health_checks.check_server(check)
    group = replace(group, health_check=check)
    tx.put(group)
    return {"TargetGroups": [_described(tx, group)]}


def delete_target_group(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DeleteTargetGroup. Raises ResourceInUse where a rule forwards to it, ValidationError."""
    arn = params["TargetGroupArn"]
    lookup.check_arn(tx, TargetGroup, arn)
    if associations.load_balancer_of(tx, arn) is not None:
        raise ResourceInUse(f"Target group '{arn}' is currently in use by a listener or a rule")
    # AWS is silent: deleting a target group that does not exist succeeds.
    tx.delete(arn)
    return {}


def _asked(tx: "Transaction", params: Mapping[str, Any]) -> TargetGroup:
    """Return the target group that `params` ask for. Raises as create_target_group."""
    arn = arns.target_group(tx.scope, params["Name"], tx.new_id())
    target_type = params.get("TargetType", "instance")
    if target_type == "lambda":
        return _of_functions(tx, arn, params)
    if target_type == "alb":
        # An Application Load Balancer is a target of Network Load Balancers alone.
        raise InvalidConfigurationRequest(
            "Target groups with target type 'alb' are for Network Load Balancers; "
            "an Application Load Balancer cannot forward to them"
        )
    return _of_servers(arn, target_type, params)


def _of_functions(tx: "Transaction", arn: str, params: Mapping[str, Any]) -> TargetGroup:
    _check_lambda_protocol(tx, params)
    if params.get("IpAddressType", "ipv4") != "ipv4":
        raise _refused("IP address type")
    _refuse_server_members(params)
    check = health_checks.changed(health_checks.LAMBDA, params, version="HTTP1")
    return TargetGroup(arn=arn, name=params["Name"], target_type="lambda", health_check=check)


def _of_servers(arn: str, target_type: str, params: Mapping[str, Any]) -> TargetGroup:
    protocol, version = _protocol(params)
    if params.get("Port") is None:
        raise ValidationError("A port must be specified")
    # differs from AWS: any VPC ID will do; there are no networks that keep load balancers and
    # targets apart.
    vpc_id = params.get("VpcId")
    if not vpc_id:
        raise ValidationError("A VPC ID must be specified")
    if not re.fullmatch("vpc-[0-9a-z-]+", vpc_id):
        raise ValidationError(f"The VPC ID '{vpc_id}' is not found")
    if params.get("TargetControlPort") is not None:
        raise not_here("The parameter 'TargetControlPort'")
    check = health_checks.changed(health_checks.default(version), params, version=version)
    health_checks.check_server(check)
    return TargetGroup(
        arn=arn,
        name=params["Name"],
        target_type=target_type,
        protocol=protocol,
        protocol_version=version,
        port=params["Port"],
        vpc_id=vpc_id,
        ip_address_type=params.get("IpAddressType", "ipv4"),
        health_check=check,
    )


def _protocol(params: Mapping[str, Any]) -> tuple[str, str]:
    """Return protocol and protocol version."""
    protocol, version = params.get("Protocol"), params.get("ProtocolVersion", "HTTP1")
    if protocol is None:
        raise ValidationError("A protocol must be specified")
    if protocol not in PROTOCOLS:
        # differs from AWS: target groups of Network and Gateway Load Balancers cannot be made.
        raise not_here(f"A target group with the protocol '{protocol}'")
    if version not in VERSIONS:
        raise ValidationError(
            f"Protocol version '{version}' must be one of [{', '.join(VERSIONS)}]"
        )
    return protocol, version


def _settings(group: TargetGroup) -> TargetGroup:
    """Return what two target groups of one name must have in common to be the same."""
    return replace(group, arn="", targets=(), attributes={})


def _described(tx: "Transaction", group: TargetGroup) -> wire.Document:
    used_by = associations.load_balancer_of(tx, group.arn)
    return wire.from_target_group(group) | {"LoadBalancerArns": [used_by] if used_by else []}


def _check_name(name: str) -> None:
    if not name:
        problem = "cannot be empty"
    elif len(name) > NAME_MAX:
        problem = f"cannot be longer than '{NAME_MAX}' characters"
    elif not re.fullmatch("[A-Za-z0-9-]+", name):
        problem = "can only contain characters that are alphanumeric characters or hyphens(-)"
    elif name.startswith("-") or name.endswith("-"):
        problem = "cannot begin or end with '-'"
    else:
        return
    raise ValidationError(f"Target group name '{name}' {problem}")


def _check_lambda_protocol(tx: "Transaction", params: Mapping[str, Any]) -> None:
    """Warn of a protocol, which published walk-throughs give, or refuse it as AWS does."""
    protocol = params.get("Protocol")
    if protocol is None:
        return
    if Leniency.LAMBDA_PROTOCOL not in tx.lenient:
        raise _refused("Protocol")
    # differs from AWS: CreateTargetGroup ignores Protocol for the target type lambda; AWS refuses
    # it, and so does the setting `strict`.
    log.warning(
        "target group %r: protocol %s is ignored, since its target type is lambda; AWS refuses it",
        params["Name"],
        protocol,
    )


def _refuse_server_members(params: Mapping[str, Any]) -> None:
    for member, noun in _SERVER_ONLY.items():
        if params.get(member) is not None:
            raise _refused(noun)
    if "GrpcCode" in params.get("Matcher", {}):
        raise _refused("GRPC code")


def _refused(noun: str) -> ValidationError:
    return ValidationError(
        f"{noun} cannot be specified for target groups with target type 'lambda'"
    )
