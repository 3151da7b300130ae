"""Targets and their health. Source: elbv2 API, `RegisterTargets`, `DeregisterTargets`,
`DescribeTargetHealth`; ALB user guide, "Lambda functions as targets", "Register targets".
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from albatross.elbv2 import addresses, associations, lookup, wire
from albatross.elbv2.limits import LAMBDA_TARGETS_MAX, quota
from albatross.model import arn as arns
from albatross.model import attributes, quotas
from albatross.model.arn import Scope
from albatross.model.errors import AccessDenied, InvalidTarget, TooManyTargets, ValidationError
from albatross.model.function import LATEST, Function
from albatross.model.health import TargetHealth, because, shown
from albatross.model.leniency import Leniency
from albatross.model.target_group import ALL_ZONES, Target, TargetGroup
from albatross.model.version import Alias, Version

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction

_DELAY = "deregistration_delay.timeout_seconds"


def register_targets(
    tx: "Transaction", params: Mapping[str, Any], instances: Mapping[str, str] | None = None
) -> wire.Document:
    """RegisterTargets: the function to invoke, or servers. Again, it changes nothing.

    `instances`: addresses of instances by id. Raises TargetGroupNotFound, TooManyTargets,
    TooManyRegistrationsForTargetId, InvalidTarget, ValidationError, and AccessDenied where a
    function's resource policy forbids the load balancer to invoke it.
    """
    group = lookup.by_arn(tx, TargetGroup, params["TargetGroupArn"])
    _check_any(params)
    if group.target_type == "lambda":
        new = _functions(params)
        targets = {target.key: target for target in group.targets} | new
        if len(targets) > LAMBDA_TARGETS_MAX:
            raise TooManyTargets(
                f"Up to '{LAMBDA_TARGETS_MAX}' Lambda function target(s) can be registered, "
                f"but '{len(targets)}' were specified"
            )
        for id_, _ in new:
            _check_function(tx, group, id_)
    else:
        new = _servers(tx, group, params, instances or {})
        targets = {target.key: target for target in group.targets} | new
        count = sum(target.draining_until is None for target in targets.values())
        if count > (most := quota(tx, quotas.TARGETS)):
            raise TooManyTargets(
                f"Up to '{most}' targets can be registered with a target group, "
                f"but '{count}' were specified"
            )
    changed = replace(group, targets=tuple(targets.values()))
    if balancer_arn := associations.load_balancer_of(tx, group.arn):
        others = associations.target_groups_of(tx, balancer_arn) - {group.arn}
        associations.check_targets(tx, [changed, *lookup.by_arns(tx, TargetGroup, others)])
    tx.put(changed)
    return {}


def deregister_targets(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DeregisterTargets: a function is gone at once, a server drains for the deregistration delay.

    One that is not registered is no error. Raises TargetGroupNotFound, ValidationError.
    """
    group = lookup.by_arn(tx, TargetGroup, params["TargetGroupArn"])
    _check_any(params)
    if group.target_type == "lambda":
        gone = {target["Id"] for target in params["Targets"]}
        kept = tuple(target for target in group.targets if target.id not in gone)
    else:
        leaving = {_key(group, target) for target in params["Targets"]}
        delay = timedelta(seconds=int(attributes.get(group, _DELAY)))
        kept = tuple(
            replace(target, draining_until=target.draining_until or tx.now + delay)
            if target.key in leaving
            else target
            for target in group.targets
            if delay or target.key not in leaving
        )
    tx.put(replace(group, targets=kept))
    return {}


def remove_drained(tx: "Transaction") -> None:
    """Remove targets whose deregistration delay is over."""
    for group in tx.list(TargetGroup):
        left = tuple(target for target in group.targets if not target.has_drained(tx.now))
        tx.put(replace(group, targets=left))


def describe_target_health(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DescribeTargetHealth: of all targets or of those asked for. Raises TargetGroupNotFound."""
    group = lookup.by_arn(tx, TargetGroup, params["TargetGroupArn"])
    used = associations.load_balancer_of(tx, group.arn) is not None
    registered = {target.key: target for target in group.targets if not target.has_drained(tx.now)}
    asked = set(params.get("Include") or ())
    with_anomalies = bool(asked & {"AnomalyDetection", "All"})
    if params.get("Targets"):
        keys = [_key(group, target) for target in params["Targets"]]
    else:
        keys = list(registered)
    return {
        "TargetHealthDescriptions": [
            _description(
                *(tx, group, key, registered.get(key)), used=used, with_anomalies=with_anomalies
            )
            for key in keys
        ]
    }


def _description(
    tx: "Transaction",
    group: TargetGroup,
    key: tuple[str, int | None],
    target: Target | None,
    *,
    used: bool,
    with_anomalies: bool,
) -> wire.Document:
    """Return what is said of the target with `key`; None is one that is not registered."""
    health = _health(tx, group, target, used=used)
    if group.target_type == "lambda":
        described: wire.Document = {"Id": key[0], "AvailabilityZone": ALL_ZONES}
        return {"Target": described, "TargetHealth": wire.from_target_health(health)}
    described = {"Id": key[0], "Port": key[1]}
    if target is not None and target.availability_zone is not None:
        described["AvailabilityZone"] = target.availability_zone
    port = group.health_check.port or ""
    found = tx.health.anomaly(group.arn, key)
    anomalies = {
        "Result": "anomalous" if found.is_anomalous else "normal",
        "MitigationInEffect": "yes" if found.is_mitigated else "no",
    }
    return {
        "Target": described,
        "HealthCheckPort": port if port.isdigit() else str(key[1]),
        "TargetHealth": wire.from_target_health(health),
        **({"AnomalyDetection": anomalies} if with_anomalies else {}),
    }


def _health(
    tx: "Transaction", group: TargetGroup, target: Target | None, *, used: bool
) -> TargetHealth:
    """Return the health of a target of `group`; None is one that is not registered."""
    if target is None:
        return because("Target.NotRegistered")
    found = tx.health.health(group.arn, target.key)
    return shown(group, target, found, used=used, now=tx.now)


def _check_any(params: Mapping[str, Any]) -> None:
    if not params["Targets"]:
        raise ValidationError("A target must be specified")
    if any(target.get("QuicServerId") for target in params["Targets"]):
        raise ValidationError(
            "'QuicServerId' can only be specified for target groups with the protocol QUIC or "
            "TCP_QUIC"
        )


def _key(group: TargetGroup, target: Mapping[str, Any]) -> tuple[str, int | None]:
    """Return the key of the target that the API's document `target` means."""
    if group.target_type == "lambda":
        return target["Id"], None
    return addresses.canonical(target["Id"]), target.get("Port", group.port)


def _functions(params: Mapping[str, Any]) -> dict[tuple[str, int | None], Target]:
    """Return the functions to register; a port is ignored."""
    for target in params["Targets"]:
        zone = target.get("AvailabilityZone", ALL_ZONES)
        if zone != ALL_ZONES:
            raise ValidationError(
                f"The Availability Zone '{zone}' is not valid for a target group with "
                f"target type 'lambda'; it must be '{ALL_ZONES}'"
            )
    # AWS is silent: registering a function again changes nothing.
    return {
        (target["Id"], None): Target(id=target["Id"], availability_zone=ALL_ZONES)
        for target in params["Targets"]
    }


def _servers(
    tx: "Transaction", group: TargetGroup, params: Mapping[str, Any], instances: Mapping[str, str]
) -> dict[tuple[str, int | None], Target]:
    """Return the instances or addresses to register."""
    found = {}
    for document in params["Targets"]:
        zone = document.get("AvailabilityZone")
        id_, port = _key(group, document)
        address = None
        if group.target_type == "instance":
            address = _address_of(id_, zone, instances)
        else:
            loopback = Leniency.LOOPBACK_TARGETS in tx.lenient
            addresses.check(document["Id"], group.ip_address_type, loopback=loopback)
            _check_zone(tx.scope.region, zone)
        found[id_, port] = Target(id=id_, port=port, address=address, availability_zone=zone)
    return found


def _check_zone(region: str, zone: str | None) -> None:
    """Raise ValidationError unless `zone` is one of the Region, a Local Zone of it, or all."""
    if zone in (None, ALL_ZONES):
        return
    if not re.fullmatch(rf"{region}(-[a-z]{{3}}-[0-9])?[a-z]", zone or ""):
        raise ValidationError(f"The Availability Zone '{zone}' is not valid")


def _address_of(id_: str, zone: str | None, instances: Mapping[str, str]) -> str:
    """Return the address of an instance. Raises InvalidTarget, ValidationError."""
    if zone is not None:
        raise ValidationError(
            "You cannot specify an Availability Zone for target groups with target type 'instance'"
        )
    if id_ not in instances:
        raise InvalidTarget(
            f"The following targets are not in a running state and cannot be registered: '{id_}'"
        )
    return instances[id_]


def _check_function(tx: "Transaction", group: TargetGroup, id_: str) -> None:
    """Check that `id_` is the ARN of a function, version or alias that may be invoked.

    The resource policy asked is that of the ARN itself: a qualified one has a policy of its own.
    """
    named = arns.parse_function(id_)
    if named is None or named.scope is None:
        raise ValidationError(f"'{id_}' is not a valid Lambda function ARN")
    arn = id_.removesuffix(f":{LATEST}")
    invocable = tx.get(Function, arn) or tx.get(Version, arn) or tx.get(Alias, arn)
    if invocable is None and tx.remotes.find(arn) is not None:
        _check_scope(tx, id_, named.scope)
        # differs from AWS: a function that runs elsewhere (the table `remote_functions`) may be
        # registered without a look at whether it is there and may be invoked; an invocation tells.
        return
    if invocable is None:
        # AWS is silent: a function that does not exist is refused with InvalidTarget.
        raise InvalidTarget(f"The Lambda function '{id_}' does not exist")
    if not invocable.may_be_invoked_from(group.arn):
        raise AccessDenied(
            f"elasticloadbalancing principal does not have permission to invoke {id_} "
            f"from target group {group.arn}"
        )


def _check_scope(tx: "Transaction", id_: str, scope: Scope) -> None:
    """Raise InvalidTarget unless a function elsewhere is of the target group's account and Region.

    Source: ALB user guide, "Lambda functions as targets" (limits).
    """
    if scope != tx.scope:
        raise InvalidTarget(
            f"The Lambda function '{id_}' is not of the target group's account {tx.scope.account} "
            f"and Region {tx.scope.region}. Which these are, the settings `account` and `region` "
            "say, or whoever signs the call."
        )
