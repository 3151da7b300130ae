"""Listeners. Source: elbv2 API, `CreateListener` and its relatives.

A listener's default action is kept in its default rule.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from albatross.elbv2 import associations, lookup, security, tags, wire
from albatross.elbv2.actions import to_action
from albatross.elbv2.limits import quota
from albatross.elbv2.pagination import page
from albatross.model import arn as arns
from albatross.model import quotas
from albatross.model.errors import DuplicateListener, TooManyListeners, ValidationError
from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.rule import Rule

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction


def create_listener(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """CreateListener, with its default rule. The same call again answers with what is there.

    Raises LoadBalancerNotFound, DuplicateListener, TooManyListeners, ValidationError, and what
    security.secured, to_action, associations.admit, associations.check_protocols and
    tags.from_params raise.
    """
    balancer = lookup.by_arn(tx, LoadBalancer, params["LoadBalancerArn"])
    if params.get("Port") is None:
        raise ValidationError("A listener port must be specified")
    if params.get("Protocol") is None:
        raise ValidationError("A listener protocol must be specified")
    action = to_action(params["DefaultActions"])
    new_tags = tags.from_params(params)
    asked = Listener(
        arn=arns.listener(balancer.arn, tx.new_id()),
        load_balancer_arn=balancer.arn,
        port=params["Port"],
        protocol=params["Protocol"],
    )
    listener = security.secured(tx, asked, params)
    if existing := _on_port(tx, listener):
        same = (
            _settings(existing) == _settings(listener)
            and default_rule(tx, existing).action == action
            and tx.tags(existing.arn) == new_tags
        )
        if same:
            return {"Listeners": [wire.from_listener(existing, action)]}
        raise _duplicate(listener)
    if len(tx.list(Listener, parent=balancer.arn)) >= (most := quota(tx, quotas.LISTENERS)):
        raise TooManyListeners(
            f"Load balancer '{balancer.arn}' has reached the limit of '{most}' listeners"
        )
    associations.admit(tx, balancer.arn, action)
    associations.check_protocols(tx, listener, [action])
    tx.put(listener)
    tx.put(
        Rule(
            arn=arns.rule(listener.arn, tx.new_id()),
            listener_arn=listener.arn,
            priority=None,
            conditions=(),
            action=action,
        )
    )
    tx.put_tags(listener.arn, new_tags)
    return {"Listeners": [wire.from_listener(listener, action)]}


def describe_listeners(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DescribeListeners: of one load balancer or by ARN, ordered by port.

    Raises LoadBalancerNotFound, ListenerNotFound, ValidationError.
    """
    wanted, balancer_arn = params.get("ListenerArns"), params.get("LoadBalancerArn", "")
    if not wanted and not balancer_arn:
        raise ValidationError("You must specify either listener ARNs or a load balancer ARN")
    if wanted and balancer_arn:
        raise ValidationError(
            "Listener ARNs and a load balancer ARN cannot be specified at the same time"
        )
    if wanted:
        listeners = lookup.by_arns(tx, Listener, wanted)
    else:
        balancer = lookup.by_arn(tx, LoadBalancer, balancer_arn)
        listeners = tx.list(Listener, parent=balancer.arn)
    listeners, marker = page(
        listeners,
        params,
        key=lambda listener: f"{listener.port:05} {listener.arn}",
        of="listeners",
    )
    return {
        "Listeners": [
            wire.from_listener(each, default_rule(tx, each).action) for each in listeners
        ],
        **marker,
    }


def modify_listener(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """ModifyListener: what is not given stays as it is.

    Raises ListenerNotFound, and as create_listener does.
    """
    listener = lookup.by_arn(tx, Listener, params["ListenerArn"])
    protocol = params.get("Protocol", listener.protocol)
    if protocol == "HTTPS" != listener.protocol and not params.get("SslPolicy"):
        raise ValidationError(
            "An SSL policy must be specified when the protocol of a listener becomes HTTPS"
        )
    asked = replace(listener, port=params.get("Port", listener.port), protocol=protocol)
    changed = security.secured(tx, asked, params)
    rule = default_rule(tx, listener)
    if params.get("DefaultActions"):
        rule = replace(rule, action=to_action(params["DefaultActions"]))
        associations.admit(tx, listener.load_balancer_arn, rule.action, instead_of=rule.arn)
    others = [each.action for each in tx.list(Rule, parent=listener.arn) if not each.is_default]
    associations.check_protocols(tx, changed, [rule.action, *others])
    other = _on_port(tx, changed)
    if other and other.arn != listener.arn:
        raise _duplicate(changed)
    tx.put(changed)
    tx.put(rule)
    return {"Listeners": [wire.from_listener(changed, rule.action)]}


def delete_listener(tx: "Transaction", params: Mapping[str, Any]) -> wire.Document:
    """DeleteListener, with its rules. Raises ListenerNotFound, ValidationError."""
    delete_with_rules(tx, lookup.by_arn(tx, Listener, params["ListenerArn"]))
    return {}


def delete_with_rules(tx: "Transaction", listener: Listener) -> None:
    """Delete `listener` and every rule of it."""
    for rule in tx.list(Rule, parent=listener.arn):
        tx.delete(rule.arn)
    tx.delete(listener.arn)


def default_rule(tx: "Transaction", listener: Listener) -> Rule:
    """Return the rule that applies when no other does. Every listener has one."""
    (rule,) = tx.list(Rule, parent=listener.arn, name="default")
    return rule


def _settings(listener: Listener) -> tuple[object, ...]:
    """Return what a repeated CreateListener must ask for again to succeed."""
    # The list for SNI is no part of a CreateListener.
    default = listener.certificates[:1]
    return listener.protocol, default, listener.ssl_policy, listener.mutual_authentication


def _on_port(tx: "Transaction", listener: Listener) -> Listener | None:
    """Return the listener that has the port of `listener` on its load balancer."""
    on_port = tx.list(Listener, parent=listener.load_balancer_arn, name=listener.name)
    return on_port[0] if on_port else None


def _duplicate(listener: Listener) -> DuplicateListener:
    return DuplicateListener(
        "A listener already exists on this port for this load balancer "
        f"'{listener.load_balancer_arn}'"
    )
