"""Which load balancer uses which target group. Source: elbv2 API, `CreateRule`; quotas."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from albatross.elbv2.limits import UNIQUE_TARGET_GROUPS_MAX
from albatross.model import arn as arns
from albatross.model import attributes
from albatross.model.errors import (
    InvalidLoadBalancerAction,
    TargetGroupAssociationLimit,
    TargetGroupNotFound,
    TooManyUniqueTargetGroupsPerLoadBalancer,
)
from albatross.model.rule import Action, Forward, Rule
from albatross.model.target_group import TargetGroup

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction


def load_balancers(tx: "Transaction") -> dict[str, str]:
    """Return, by target group ARN, the ARN of the load balancer that forwards to it."""
    return _users(tx.list(Rule))


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
    users = _users(rule for rule in tx.list(Rule) if rule.arn != instead_of)
    for arn in action.target_group_arns:
        group = tx.get(TargetGroup, arn)
        if group is None:
            raise TargetGroupNotFound(f"Target group '{arn}' not found")
        _check_stickiness(action, group)
        if users.setdefault(arn, load_balancer_arn) != load_balancer_arn:
            raise TargetGroupAssociationLimit(
                "The following target groups cannot be associated with more than one load "
                f"balancer: {arn}"
            )
    if list(users.values()).count(load_balancer_arn) > UNIQUE_TARGET_GROUPS_MAX:
        raise TooManyUniqueTargetGroupsPerLoadBalancer(
            "You have reached the maximum number of unique target groups that you can associate "
            f"with a load balancer of type 'application': [{UNIQUE_TARGET_GROUPS_MAX}]"
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


def _users(rules: Iterable[Rule]) -> dict[str, str]:
    return {
        arn: arns.load_balancer_of(rule.listener_arn)
        for rule in rules
        if isinstance(rule.action, Forward)
        for arn in rule.action.target_group_arns
    }
