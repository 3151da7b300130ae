"""Which load balancer uses which target group. Source: elbv2 API, `CreateRule`; quotas."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from albatross.elbv2.limits import quota
from albatross.model import arn as arns
from albatross.model import attributes, quotas
from albatross.model.errors import (
    IncompatibleProtocols,
    InvalidConfigurationRequest,
    InvalidLoadBalancerAction,
    TargetGroupAssociationLimit,
    TargetGroupNotFound,
    TooManyRegistrationsForTargetId,
    TooManyTargets,
    TooManyUniqueTargetGroupsPerLoadBalancer,
    ValidationError,
)
from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.rule import Action, Forward, Redirect, Rule
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
    TooManyUniqueTargetGroupsPerLoadBalancer, ValidationError, and as check_addresses and
    check_targets do.
    """
    if not isinstance(action, Forward):
        return
    for arn in action.target_group_arns:
        group = _group(tx, arn)
        if _is_sticky(group) and _mixes_groups(action):
            raise InvalidLoadBalancerAction(
                "You must enable group stickiness on a rule if you enabled target stickiness on "
                "one of its target groups"
            )
        user = load_balancer_of(tx, arn, but_for=instead_of)
        if user not in (None, load_balancer_arn):
            raise TargetGroupAssociationLimit(
                "The following target groups cannot be associated with more than one load "
                f"balancer: {arn}"
            )
    balancer = tx.get(LoadBalancer, load_balancer_arn)
    assert balancer is not None, "its listener is there"
    check_addresses(tx, balancer.ip_address_type, action.target_group_arns)
    used = target_groups_of(tx, load_balancer_arn, but_for=instead_of)
    most = quota(tx, quotas.TARGET_GROUPS_OF_BALANCER)
    if len(used.union(action.target_group_arns)) > most:
        raise TooManyUniqueTargetGroupsPerLoadBalancer(
            "You have reached the maximum number of unique target groups that you can associate "
            f"with a load balancer of type 'application': [{most}]"
        )
    if new := set(action.target_group_arns) - used:
        check_targets(tx, [each for arn in used | new if (each := tx.get(TargetGroup, arn))])


def _group(tx: "Transaction", arn: str) -> TargetGroup:
    """Return the target group. Raises ValidationError for what is no ARN of one."""
    if arns.elb_kind(arn) != "targetgroup":
        raise ValidationError(f"'{arn}' is not a valid target group ARN")
    group = tx.get(TargetGroup, arn)
    if group is None:
        raise TargetGroupNotFound(f"Target group '{arn}' not found")
    return group


def check_addresses(tx: "Transaction", ip_address_type: str, groups: Iterable[str]) -> None:
    """Check that a load balancer of that type reaches the targets of all `groups` (ARNs).

    Raises InvalidConfigurationRequest.
    """
    if ip_address_type != "ipv4":
        return
    for arn in groups:
        group = tx.get(TargetGroup, arn)
        if group is not None and group.ip_address_type == "ipv6":
            raise InvalidConfigurationRequest(
                f"Target group '{arn}' with IP address type 'ipv6' cannot be used with a load "
                "balancer with IP address type 'ipv4'"
            )


def check_targets(tx: "Transaction", groups: Iterable[TargetGroup]) -> None:
    """Check that one load balancer may forward to all `groups`, as to their targets.

    Raises TooManyTargets, TooManyRegistrationsForTargetId.
    """
    ids = [
        target.id for group in groups for target in group.targets if target.draining_until is None
    ]
    # AWS is silent: a target counts once for each target group in which it is registered.
    if len(ids) > (most := quota(tx, quotas.TARGETS_OF_BALANCER)):
        raise TooManyTargets(
            f"Up to '{most}' targets can be registered with a load balancer, "
            f"but there would be '{len(ids)}'"
        )
    most = quota(tx, quotas.REGISTRATIONS)
    for id_, count in Counter(ids).most_common(1):
        if count > most:
            raise TooManyRegistrationsForTargetId(
                f"Target '{id_}' can be registered up to '{most}' times with a load balancer"
            )


def check_protocols(tx: "Transaction", listener: Listener, actions: Iterable[Action]) -> None:
    """Check that clients of `listener` can speak as the targets of `actions` ask for, and that none
    is redirected from HTTPS to HTTP.

    Raises IncompatibleProtocols, InvalidLoadBalancerAction.
    """
    is_secure = listener.protocol == "HTTPS"
    for action in actions:
        if is_secure and isinstance(action, Redirect) and action.protocol == "HTTP":
            raise InvalidLoadBalancerAction("You cannot redirect from HTTPS to HTTP")
        if not is_secure and isinstance(action, Forward):
            for arn in action.target_group_arns:
                _check_version(tx, listener, arn)


def _check_version(tx: "Transaction", listener: Listener, target_group_arn: str) -> None:
    group = tx.get(TargetGroup, target_group_arn)
    # AWS is silent: a forward from an HTTP listener to a group of HTTP2 or GRPC is refused with
    # IncompatibleProtocols.
    if group is not None and group.version != "HTTP1":
        raise IncompatibleProtocols(
            f"Listener protocol '{listener.protocol}' is not supported with a target "
            f"group with the protocol-version '{group.version}'"
        )


def check_stickiness(tx: "Transaction", group: TargetGroup) -> None:
    """Check that the rules that forward to `group` let clients stay with its targets, if it does.

    Raises InvalidConfigurationRequest.
    """
    if not _is_sticky(group):
        return
    for rule in filter(None, (tx.get(Rule, arn) for arn in tx.users(group.arn))):
        if isinstance(rule.action, Forward) and _mixes_groups(rule.action):
            raise InvalidConfigurationRequest(
                "This target group appears behind a rule with group stickiness disabled "
                f"({rule.arn}). You must enable group stickiness before enabling target stickiness"
            )


def _is_sticky(group: TargetGroup) -> bool:
    is_server = group.target_type != "lambda"
    return is_server and attributes.get(group, "stickiness.enabled") == "true"


def _mixes_groups(action: Forward) -> bool:
    """Tell whether a client may get several groups in turn, so cannot stay with a target."""
    return len(action.target_groups) > 1 and not action.is_sticky
