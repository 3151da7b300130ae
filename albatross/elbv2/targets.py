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
from albatross.model.target_group import Target, TargetGroup

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction

ALL_ZONES = "all"  # a function is in no Availability Zone

_NOT_REGISTERED = {
    "State": "unused",
    "Reason": "Target.NotRegistered",
    "Description": "Target is not registered to the target group",
}
_NOT_IN_USE = {
    "State": "unused",
    "Reason": "Target.NotInUse",
    "Description": "Target group is not configured to receive traffic from the load balancer",
}
_NOT_CHECKED = {
    "State": "unavailable",
    "Reason": "Target.HealthCheckDisabled",
    "Description": "Health checks are not enabled for this target",
}
_FIRST_CHECKS = {
    "State": "initial",
    "Reason": "Elb.InitialHealthChecking",
    "Description": "Initial health checks in progress",
}


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
    registered = [target.id for target in group.targets]
    return {
        "TargetHealthDescriptions": [
            {
                "Target": {"Id": id_, "AvailabilityZone": ALL_ZONES},
                "TargetHealth": _health(group, used=used)
                if id_ in registered
                else dict(_NOT_REGISTERED),
            }
            for id_ in (_ids(params) if params.get("Targets") else registered)
        ]
    }


def _health(group: TargetGroup, *, used: bool) -> dict[str, str]:
    """Return the health of a registered target of `group`."""
    # AWS is silent: a function whose target group no rule uses is `unused`, health checks or not.
    if not used:
        return dict(_NOT_IN_USE)
    # differs from AWS: a target with health checks stays `initial`: there are no health checks yet.
    return dict(_FIRST_CHECKS if group.health_check.enabled else _NOT_CHECKED)


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
