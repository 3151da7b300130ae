"""Resources by ARN or name, with AWS's errors for what is not there."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from albatross.model import arn as arns
from albatross.model.errors import (
    AwsError,
    ListenerNotFound,
    LoadBalancerNotFound,
    RuleNotFound,
    TargetGroupNotFound,
    TrustStoreNotFound,
    ValidationError,
)
from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.rule import Rule
from albatross.model.target_group import TargetGroup
from albatross.model.trust_store import TrustStore

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction

R = TypeVar("R", LoadBalancer, Listener, Rule, TargetGroup, TrustStore)

# By class: the kind in the ARN, AWS's noun, the plural in its messages, the error.
_KINDS: dict[type, tuple[str, str, str, type[AwsError]]] = {
    LoadBalancer: ("loadbalancer", "load balancer", "load balancers", LoadBalancerNotFound),
    Listener: ("listener", "listener", "listeners", ListenerNotFound),
    Rule: ("listener-rule", "listener rule", "rules", RuleNotFound),
    TargetGroup: ("targetgroup", "target group", "target groups", TargetGroupNotFound),
    TrustStore: ("truststore", "trust store", "trust stores", TrustStoreNotFound),
}


def check_arn(tx: "Transaction", cls: type[R], arn: str) -> None:
    """Raise ValidationError unless `arn` names a `cls` of the caller's account and Region."""
    kind, noun, _, _ = _KINDS[cls]
    if arns.elb_kind(arn) != kind or arn.split(":")[3:5] != [tx.scope.region, tx.scope.account]:
        raise ValidationError(f"'{arn}' is not a valid {noun} ARN")


def by_arn(tx: "Transaction", cls: type[R], arn: str) -> R:
    """Return the resource. Raises ValidationError for a bad ARN, the class's NotFound otherwise."""
    return by_arns(tx, cls, [arn])[0]


def by_arns(tx: "Transaction", cls: type[R], wanted: Iterable[str]) -> list[R]:
    """Return the resources, each once; all ARNs are checked before one is looked up."""
    unique = list(dict.fromkeys(wanted))
    for arn in unique:
        check_arn(tx, cls, arn)
    found = [resource for arn in unique if (resource := tx.get(cls, arn)) is not None]
    if len(found) < len(unique):
        raise _not_found(cls)
    return found


def by_names(tx: "Transaction", cls: type[R], wanted: Iterable[str]) -> list[R]:
    """Return the resources with these names, each once. Raises the class's NotFound."""
    found, missing = [], []
    for name in dict.fromkeys(wanted):
        named = tx.list(cls, name=name)
        found += named
        if not named:
            missing.append(name)
    if missing and cls is LoadBalancer:  # the only kind whose message says which
        raise LoadBalancerNotFound(f"Load balancers '[{', '.join(missing)}]' not found")
    if missing:
        raise _not_found(cls)
    return found


def _not_found(cls: type) -> AwsError:
    _, _, plural, error = _KINDS[cls]
    return error(f"One or more {plural} not found")
