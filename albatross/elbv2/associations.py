"""Which load balancer uses which target group. Source: elbv2 API, `CreateRule`; quotas."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from albatross.elbv2.limits import UNIQUE_TARGET_GROUPS_MAX
from albatross.model import arn as arns
from albatross.model import attributes
from albatross.model.errors import (
    IncompatibleProtocols,
    InvalidLoadBalancerAction,
    TargetGroupAssociationLimit,
    TargetGroupNotFound,
    TooManyUniqueTargetGroupsPerLoadBalancer,
)
from albatross.model.listener import Listener
from albatross.model.rule import Action, Forward
from albatross.model.target_group import TargetGroup

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction


def load_balancer_of(
    tx: "Transaction", target_group_arn: str, *, but_for: str | None = None
) -> str | None:
    """Return the ARN of the load balancer that forwards to a target group, None where none does.

    `but_for`: the ARN of a rule that does not count.
    """
    users = (arn for arn in tx.users(target_group_arn) if arn != but_for)
    rule_arn = next(users, None)
    return None if rule_arn is None else arns.load_balancer_of_rule(rule_arn)


def target_groups_of(
    tx: "Transaction", load_balancer_arn: str, *, but_for: str | None = None
) -> set[str]:
    """Return the ARNs of the target groups to which a load balancer forwards, as above."""
    listeners = [listener.arn for listener in tx.list(Listener, parent=load_balancer_arn)]
    return {arn for rule_arn, arn in tx.used_below(listeners) if rule_arn != but_for}


def admit(
    tx: "Transaction", load_balancer_arn: str, action: Action, *, instead_of: str | None = None
) -> None:
    """Check that a rule of the load balancer may perform `action`.

    `instead_of` is the ARN of the rule that has it from now on, None for a new rule.
    Raises TargetGroupNotFound, TargetGroupAssociationLimit, InvalidLoadBalancerAction,
    TooManyUniqueTargetGroupsPerLoadBalancer.
    """
    if not isinstance(action, Forward):
        return
    for arn in action.target_group_arns:
        group = tx.get(TargetGroup, arn)
        if group is None:
            raise TargetGroupNotFound(f"Target group '{arn}' not found")
        _check_stickiness(action, group)
        user = load_balancer_of(tx, arn, but_for=instead_of)
        if user not in (None, load_balancer_arn):
            raise TargetGroupAssociationLimit(
                "The following target groups cannot be associated with more than one load "
                f"balancer: {arn}"
            )
    used = target_groups_of(tx, load_balancer_arn, but_for=instead_of)
    if len(used.union(action.target_group_arns)) > UNIQUE_TARGET_GROUPS_MAX:
        raise TooManyUniqueTargetGroupsPerLoadBalancer(
            "You have reached the maximum number of unique target groups that you can associate "
            f"with a load balancer of type 'application': [{UNIQUE_TARGET_GROUPS_MAX}]"
        )


def check_versions(tx: "Transaction", listener: Listener, actions: Iterable[Action]) -> None:
    """Check that clients of `listener` can speak as the target groups of `actions` ask for.

    Raises IncompatibleProtocols.
    """
    if listener.protocol == "HTTPS":
        return
    for action in actions:
        for arn in action.target_group_arns if isinstance(action, Forward) else ():
            group = tx.get(TargetGroup, arn)
            # AWS is silent: a forward from an HTTP listener to a group of HTTP2 or GRPC is refused
            # with IncompatibleProtocols.
            if group is not None and group.version != "HTTP1":
                raise IncompatibleProtocols(
                    f"Listener protocol '{listener.protocol}' is not supported with a target "
                    f"group with the protocol-version '{group.version}'"
                )


def _check_stickiness(action: Forward, group: TargetGroup) -> None:
    """Among several groups, clients stay with a target only where they stay with its group."""
    if len(action.target_groups) == 1 or action.is_sticky or group.target_type == "lambda":
        return
    if attributes.get(group, "stickiness.enabled") == "true":
        raise InvalidLoadBalancerAction(
            "You must enable group stickiness on a rule if you enabled target stickiness on one "
            "of its target groups"
        )
