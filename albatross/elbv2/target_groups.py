"""Target groups. Source: elbv2 API, `CreateTargetGroup` and its relatives; ALB user guide, "Target
groups", "Lambda functions as targets".
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from albatross.elbv2 import associations, lookup, tags, wire
from albatross.elbv2.coverage import not_here
from albatross.elbv2.limits import TARGET_GROUPS_MAX
from albatross.elbv2.pagination import page
from albatross.model import arn as arns
from albatross.model.errors import (
    DuplicateTargetGroupName,
    ResourceInUse,
    TooManyTargetGroups,
    ValidationError,
)
from albatross.model.load_balancer import LoadBalancer
from albatross.model.target_group import HealthCheck, TargetGroup

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction

log = logging.getLogger(__name__)

NAME_MAX = 32
HTTP_CODE_MIN, HTTP_CODE_MAX = 200, 499

# Members of CreateTargetGroup and ModifyTargetGroup that a Lambda target group cannot have.
_SERVER_ONLY = {
    "Port": "Port",
    "VpcId": "VPC ID",
    "ProtocolVersion": "Protocol version",
    "HealthCheckProtocol": "Health check protocol",
    "HealthCheckPort": "Health check port",
    "TargetControlPort": "Target control port",
}
# How `HealthCheck` calls what the API's members say.
_HEALTH_CHECK = {
    "HealthCheckEnabled": "enabled",
    "HealthCheckIntervalSeconds": "interval_s",
    "HealthCheckTimeoutSeconds": "timeout_s",
    "HealthyThresholdCount": "healthy_threshold",
    "UnhealthyThresholdCount": "unhealthy_threshold",
    "HealthCheckPath": "path",
}


def create_target_group(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """CreateTargetGroup. The same call again answers with the target group that is there.

    Raises DuplicateTargetGroupName, TooManyTargetGroups, ValidationError, and what tags.from_params
    raises; NotImplementedHere for target types other than `lambda`.
    """
    name, target_type = params["Name"], params.get("TargetType", "instance")
    _check_name(name)
    if target_type != "lambda":
        raise not_here(f"A target group of target type '{target_type}'")
    _check_protocol(name, params, strict=tx.strict)
    if params.get("IpAddressType", "ipv4") != "ipv4":
        raise _refused("IP address type")
    health_check = _health_check(HealthCheck(), params)
    new_tags = tags.from_params(params)
    for existing in tx.list(TargetGroup, name=name):
        if existing.health_check != health_check or tx.tags(existing.arn) != new_tags:
            raise DuplicateTargetGroupName(
                f"A target group with the same name '{name}' exists, but with different settings"
            )
        return {"TargetGroups": [wire.from_target_group(existing)]}
    if len(tx.list(TargetGroup)) >= TARGET_GROUPS_MAX:
        raise TooManyTargetGroups(
            f"You have reached the limit of '{TARGET_GROUPS_MAX}' target groups"
        )
    group = TargetGroup(
        arn=arns.target_group(tx.scope, name, tx.new_id()),
        name=name,
        target_type=target_type,
        health_check=health_check,
    )
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
    users = associations.load_balancers(tx)
    if wanted:
        groups = lookup.by_arns(tx, TargetGroup, wanted)
    elif names:
        groups = lookup.by_names(tx, TargetGroup, names)
    else:
        groups = tx.list(TargetGroup)
    if balancer_arn:
        lookup.by_arn(tx, LoadBalancer, balancer_arn)
        groups = [group for group in groups if users.get(group.arn) == balancer_arn]
    groups, marker = page(groups, params, key=lambda group: group.name)
    return {"TargetGroups": [_described(group, users) for group in groups], **marker}


def modify_target_group(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """ModifyTargetGroup: the health check; what is not given stays. Raises TargetGroupNotFound."""
    group = lookup.by_arn(tx, TargetGroup, params["TargetGroupArn"])
    group = replace(group, health_check=_health_check(group.health_check, params))
    tx.put(group)
    return {"TargetGroups": [_described(group, associations.load_balancers(tx))]}


def delete_target_group(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DeleteTargetGroup. Raises ResourceInUse where a rule forwards to it, ValidationError."""
    arn = params["TargetGroupArn"]
    lookup.check_arn(tx, TargetGroup, arn)
    if arn in associations.load_balancers(tx):
        raise ResourceInUse(f"Target group '{arn}' is currently in use by a listener or a rule")
    # AWS is silent: deleting a target group that does not exist succeeds.
    tx.delete(arn)
    return {}


def _described(group: TargetGroup, users: Mapping[str, str]) -> wire.Document:
    used_by = users.get(group.arn)
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


def _check_protocol(name: str, params: Mapping[str, Any], *, strict: bool) -> None:
    """Warn of a protocol, which published walk-throughs give, or refuse it as AWS does."""
    protocol = params.get("Protocol")
    if protocol is None:
        return
    if strict:
        raise _refused("Protocol")
    # differs from AWS: CreateTargetGroup ignores Protocol for the target type lambda; AWS refuses
    # it, and so does the setting `strict`.
    log.warning(
        "target group %r: protocol %s is ignored, since its target type is lambda; AWS refuses it",
        name,
        protocol,
    )


def _health_check(current: HealthCheck, params: Mapping[str, Any]) -> HealthCheck:
    """Return `current` with what `params` change. Raises ValidationError."""
    for member, noun in _SERVER_ONLY.items():
        if params.get(member) is not None:
            raise _refused(noun)
    changes = {field: params[member] for member, field in _HEALTH_CHECK.items() if member in params}
    matcher = params.get("Matcher") or {}
    if matcher.get("GrpcCode"):
        raise _refused("GRPC code")
    if matcher.get("HttpCode"):
        _check_http_codes(matcher["HttpCode"])
        changes["http_codes"] = matcher["HttpCode"]
    changed = replace(current, **changes)
    if changed.timeout_s >= changed.interval_s:
        raise ValidationError(
            f"Health check timeout '{changed.timeout_s}' must be smaller than "
            f"the interval '{changed.interval_s}'"
        )
    if not re.fullmatch("/[!-~]*", changed.path):
        raise ValidationError(
            f"Health check path '{changed.path}' must begin with a '/' character "
            "and contain visible ASCII characters only"
        )
    return changed


def _check_http_codes(text: str) -> None:
    """Check a matcher: codes and ranges of codes, separated by commas."""
    for part in text.split(","):
        low, _, high = part.partition("-")
        ends = [low, high] if "-" in part else [low]
        if not all(re.fullmatch("[0-9]{3}", end) for end in ends):
            raise ValidationError(f"Health check matcher HTTP code '{text}' is not valid")
        if not HTTP_CODE_MIN <= int(ends[0]) <= int(ends[-1]) <= HTTP_CODE_MAX:
            raise ValidationError(
                f"Health check matcher HTTP code '{text}' must be within "
                f"'{HTTP_CODE_MIN}-{HTTP_CODE_MAX}' inclusive"
            )


def _refused(noun: str) -> ValidationError:
    return ValidationError(
        f"{noun} cannot be specified for target groups with target type 'lambda'"
    )
