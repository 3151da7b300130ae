"""Quotas of an account and what an API call may carry. Source: ALB user guide, "Quotas".

All have AWS's default values; those of `model/quotas.py` may be set. `DescribeAccountLimits` shows
those that have a name there.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from albatross.elbv2.pagination import page
from albatross.model import quotas
from albatross.model.errors import ValidationError

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction

CERTIFICATES_MAX = 25  # per load balancer, default ones not counted
TRUST_STORES_MAX = 20  # per account and Region
LAMBDA_TARGETS_MAX = 1  # per target group
TARGETS_MAX = 1000  # per target group of instances or addresses
# differs from AWS: one condition may have all five values that its rule may have; AWS says three.
CONDITION_VALUES_MAX = 5  # per rule
# AWS is silent: a rule may have six wildcards, as the page of quotas says; other pages say five.
CONDITION_WILDCARDS_MAX = 6  # per rule
# AWS is silent: a resource may have 50 tags.
TAGS_MAX = 50  # per resource
ARNS_MAX = 20  # in one call of DescribeLoadBalancers or DescribeTags

_NAMES = {
    **quotas.DEFAULTS,
    "certificates-per-application-load-balancer": CERTIFICATES_MAX,
    "target-groups-per-action-on-application-load-balancer": 5,
    "targets-per-application-load-balancer": 1000,
    "target-id-registrations-per-application-load-balancer": 1000,
    "targets-per-target-group": TARGETS_MAX,
    "condition-values-per-alb-rule": CONDITION_VALUES_MAX,
    "condition-wildcards-per-alb-rule": CONDITION_WILDCARDS_MAX,
}


def quota(tx: "Transaction", name: str) -> int:
    """Return the quota of that name."""
    return tx.quotas.get(name, _NAMES[name])


def describe_account_limits(tx: "Transaction", params: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeAccountLimits: the quotas that concern Application Load Balancers."""
    names, marker = page(_NAMES, params, key=str)
    return {"Limits": [{"Name": name, "Max": str(quota(tx, name))} for name in names], **marker}


def check_count(what: str, given: Sequence[Any]) -> None:
    """Raise ValidationError where one call names more than `ARNS_MAX`."""
    if len(given) > ARNS_MAX:
        raise ValidationError(
            f"Up to '{ARNS_MAX}' {what} can be specified, but '{len(given)}' were specified"
        )
