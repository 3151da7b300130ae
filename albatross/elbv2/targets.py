"""Targets and their health. Source: elbv2 API, `RegisterTargets`, `DeregisterTargets`,
`DescribeTargetHealth`; ALB user guide, "Lambda functions as targets".
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from albatross.elbv2 import associations, lookup, wire
from albatross.elbv2.limits import LAMBDA_TARGETS_MAX
from albatross.model import arn as arns
from albatross.model.errors import AccessDenied, InvalidTarget, TooManyTargets, ValidationError
from albatross.model.function import Function
from albatross.model.health import TargetHealth, because, shown
from albatross.model.target_group import Target, TargetGroup

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction

ALL_ZONES = "all"  # a function is in no Availability Zone


def register_targets(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """RegisterTargets: the function to invoke. Again, it changes nothing; a port is ignored.

    Raises TargetGroupNotFound, TooManyTargets, InvalidTarget where there is no such function,
    AccessDenied where its resource policy forbids the load balancer to invoke it, ValidationError.
    """
    group = lookup.by_arn(tx, TargetGroup, params["TargetGroupArn"])
    for target in params["Targets"]:
        zone = target.get("AvailabilityZone", ALL_ZONES)
        if zone != ALL_ZONES:
            raise ValidationError(
                f"The Availability Zone '{zone}' is not valid for a target group with "
                f"target type 'lambda'; it must be '{ALL_ZONES}'"
            )
    ids = dict.fromkeys(_ids(params))
    registered = {target.id: target for target in group.targets}
    targets = registered | {id_: Target(id=id_, availability_zone=ALL_ZONES) for id_ in ids}
    if len(targets) > LAMBDA_TARGETS_MAX:
        raise TooManyTargets(
            f"Up to '{LAMBDA_TARGETS_MAX}' Lambda function target(s) can be registered, "
            f"but '{len(targets)}' were specified"
        )
    # AWS is silent: registering a function again changes nothing.
    for id_ in ids:
        _check_function(tx, group, id_)
    tx.put(replace(group, targets=tuple(targets.values())))
    return {}


def deregister_targets(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DeregisterTargets. One that is not registered is no error. Raises TargetGroupNotFound."""
    group = lookup.by_arn(tx, TargetGroup, params["TargetGroupArn"])
    gone = _ids(params)
    # differs from AWS: requests that a function works on when it is deregistered are answered as
    # usual; AWS answers them with a 5XX.
    kept = tuple(target for target in group.targets if target.id not in gone)
    tx.put(replace(group, targets=kept))
    return {}


def describe_target_health(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DescribeTargetHealth: of all targets or of those asked for. Raises TargetGroupNotFound."""
    group = lookup.by_arn(tx, TargetGroup, params["TargetGroupArn"])
    used = group.arn in associations.load_balancers(tx)
    registered = {target.id: target for target in group.targets}
    return {
        "TargetHealthDescriptions": [
            {
                "Target": {"Id": id_, "AvailabilityZone": ALL_ZONES},
                "TargetHealth": wire.from_target_health(
                    _health(tx, group, registered.get(id_), used=used)
                ),
            }
            for id_ in (_ids(params) if params.get("Targets") else registered)
        ]
    }


def _health(
    tx: "Transaction", group: TargetGroup, target: Target | None, *, used: bool
) -> TargetHealth:
    """Return the health of a target of `group`; None is one that is not registered."""
    if target is None:
        return because("Target.NotRegistered")
    found = tx.health.health(group.arn, target.key)
    return shown(group, target, found, used=used, now=tx.now)


def _ids(params: Mapping[str, Any]) -> list[str]:
    if not params["Targets"]:
        raise ValidationError("A target must be specified")
    return [target["Id"] for target in params["Targets"]]


def _check_function(tx: "Transaction", group: TargetGroup, id_: str) -> None:
    """Check that `id_` is the ARN of a function that the load balancer may invoke."""
    named = arns.parse_function(id_)
    if named is None or named.scope is None:
        raise ValidationError(f"'{id_}' is not a valid Lambda function ARN")
    function = None
    if named.scope == tx.scope and named.qualifier in (None, "$LATEST"):
        function = tx.get(Function, arns.function(tx.scope, named.name))
    if function is None:
        # AWS is silent: a function that does not exist is refused with InvalidTarget.
        raise InvalidTarget(f"The Lambda function '{id_}' does not exist")
    if not function.may_be_invoked_from(group.arn):
        raise AccessDenied(
            f"elasticloadbalancing principal does not have permission to invoke {id_} "
            f"from target group {group.arn}"
        )
