"""Rules. Source: elbv2 API, `CreateRule` and its relatives."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from albatross.elbv2 import associations, lookup, tags, wire
from albatross.elbv2.actions import to_action
from albatross.elbv2.conditions import to_conditions
from albatross.elbv2.limits import quota
from albatross.elbv2.pagination import page
from albatross.elbv2.transforms import to_transforms
from albatross.model import arn as arns
from albatross.model import quotas
from albatross.model.errors import (
    OperationNotPermitted,
    PriorityInUse,
    TooManyRules,
    ValidationError,
)
from albatross.model.listener import Listener
from albatross.model.rule import Rule

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction


def create_rule(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """CreateRule: add one rule to a listener.

    Raises ListenerNotFound, PriorityInUse, TooManyRules, ValidationError, and what to_conditions,
    to_action, to_transforms, associations.admit, associations.check_protocols and
    tags.from_params raise.
    """
    listener = lookup.by_arn(tx, Listener, params["ListenerArn"])
    rule = Rule(
        arn=arns.rule(listener.arn, tx.new_id()),
        listener_arn=listener.arn,
        priority=params["Priority"],
        conditions=to_conditions(params["Conditions"], tx.lenient),
        action=to_action(params["Actions"]),
        transforms=to_transforms(params.get("Transforms") or ()),
    )
    new_tags = tags.from_params(params)
    if tx.list(Rule, parent=listener.arn, name=rule.name):
        raise _in_use(rule.name)
    if _rule_count(tx, listener.load_balancer_arn) >= (most := quota(tx, quotas.RULES)):
        raise TooManyRules(
            f"Load balancer '{listener.load_balancer_arn}' has reached the limit of '{most}' rules"
        )
    associations.admit(tx, listener.load_balancer_arn, rule.action)
    associations.check_protocols(tx, listener, [rule.action])
    tx.put(rule)
    tx.put_tags(rule.arn, new_tags)
    return {"Rules": [wire.from_rule(rule)]}


def describe_rules(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DescribeRules: of one listener or by ARN, ordered by priority, the default rule last.

    Raises ListenerNotFound, RuleNotFound, ValidationError.
    """
    wanted, listener_arn = params.get("RuleArns"), params.get("ListenerArn", "")
    if not wanted and not listener_arn:
        raise ValidationError("You must specify either listener rule ARNs or a listener ARN")
    if wanted and listener_arn:
        raise ValidationError(
            "Listener rule ARNs and a listener ARN cannot be specified at the same time"
        )
    if wanted:
        rules = lookup.by_arns(tx, Rule, wanted)
    else:
        rules = tx.list(Rule, parent=lookup.by_arn(tx, Listener, listener_arn).arn)
    rules, marker = page(
        rules, params, key=lambda rule: f"{rule.name.zfill(5)} {rule.arn}", of="rules"
    )
    return {"Rules": [wire.from_rule(rule) for rule in rules], **marker}


def modify_rule(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """ModifyRule: what is not given stays as it is.

    Raises RuleNotFound, OperationNotPermitted for a default rule, ValidationError, and what
    to_conditions, to_action, to_transforms, associations.admit and
    associations.check_protocols raise.
    """
    rule = lookup.by_arn(tx, Rule, params["RuleArn"])
    conditions, actions = params.get("Conditions"), params.get("Actions")
    transforms, reset = params.get("Transforms"), params.get("ResetTransforms")
    if not (conditions or actions or transforms or reset):
        raise ValidationError("Either conditions or actions must be specified")
    if transforms and reset:
        raise ValidationError("You cannot specify both 'Transforms' and 'ResetTransforms'")
    if rule.is_default:
        raise OperationNotPermitted(f"Default rule '{rule.arn}' cannot be modified")
    if conditions:
        rule = replace(rule, conditions=to_conditions(conditions, tx.lenient))
    if actions:
        rule = replace(rule, action=to_action(actions))
        balancer_arn = arns.load_balancer_of(rule.listener_arn)
        associations.admit(tx, balancer_arn, rule.action, instead_of=rule.arn)
        listener = lookup.by_arn(tx, Listener, rule.listener_arn)
        associations.check_protocols(tx, listener, [rule.action])
    if transforms or reset:
        rule = replace(rule, transforms=to_transforms(transforms or ()))
    tx.put(rule)
    return {"Rules": [wire.from_rule(rule)]}


def delete_rule(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DeleteRule. Raises RuleNotFound, OperationNotPermitted for a default rule."""
    rule = lookup.by_arn(tx, Rule, params["RuleArn"])
    if rule.is_default:
        raise OperationNotPermitted(f"Default rule '{rule.arn}' cannot be deleted")
    tx.delete(rule.arn)
    return {}


def set_rule_priorities(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """SetRulePriorities: all at once; only the outcome must be free of conflicts.

    Raises RuleNotFound, PriorityInUse, OperationNotPermitted for a default rule, ValidationError.
    """
    wanted = _wanted_priorities(params)
    rules = lookup.by_arns(tx, Rule, wanted)
    for rule in rules:
        if rule.is_default:
            raise OperationNotPermitted(f"The priority of default rule '{rule.arn}' cannot be set")
    moved = [replace(rule, priority=wanted[rule.arn]) for rule in rules]
    places = [(rule.listener_arn, rule.name) for rule in moved]
    for listener_arn, priority in places:
        if places.count((listener_arn, priority)) > 1:
            raise ValidationError(f"Priority '{priority}' was provided multiple times")
        holders = tx.list(Rule, parent=listener_arn, name=priority)
        if any(holder.arn not in wanted for holder in holders):
            raise _in_use(priority)
    for rule in moved:
        tx.put(rule)
    return {"Rules": [wire.from_rule(rule) for rule in moved]}


def _wanted_priorities(params: Mapping[str, Any]) -> dict[str, int]:
    """Return the priorities by rule ARN."""
    wanted: dict[str, int] = {}
    for pair in params["RulePriorities"]:
        arn, priority = pair.get("RuleArn"), pair.get("Priority")
        if not arn or priority is None:
            raise ValidationError("A rule ARN and a priority must be specified")
        if arn in wanted:
            raise ValidationError(f"Rule '{arn}' was provided multiple times")
        wanted[arn] = priority
    if not wanted:
        raise ValidationError("A rule priority must be specified")
    return wanted


def _rule_count(tx: "Transaction", load_balancer_arn: str) -> int:
    """Return how many rules a load balancer has, default rules not counted."""
    listeners = tx.list(Listener, parent=load_balancer_arn)
    return sum(tx.count(Rule, parent=listener.arn) - 1 for listener in listeners)


def _in_use(priority: str) -> PriorityInUse:
    return PriorityInUse(f"Priority '{priority}' is currently in use")
