"""Quotas of an account and what an API call may carry. Source: ALB user guide, "Quotas".

All have AWS's default values. Which of them the setting `quotas` may change: model/quotas.py.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from albatross.elbv2.pagination import page
from albatross.model import quotas
from albatross.model.errors import ValidationError

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction

LAMBDA_TARGETS_MAX = 1  # per target group
# AWS is silent: a resource may have 50 tags.
TAGS_MAX = 50  # per resource
ARNS_MAX = 20  # in one call of DescribeLoadBalancers or DescribeTags


def quota(tx: "Transaction", name: str) -> int:
    """Return the quota of that name."""
    return tx.quotas.get(name, quotas.QUOTAS[name].default)


def describe_account_limits(tx: "Transaction", params: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeAccountLimits: the quotas, in the order of AWS's example."""
    place = {name: f"{number:03}" for number, name in enumerate(quotas.QUOTAS)}
    described = [name for name, each in quotas.QUOTAS.items() if each.described]
    names, marker = page(described, params, key=place.__getitem__, of="limits")
    return {"Limits": [{"Name": name, "Max": str(quota(tx, name))} for name in names], **marker}


def check_count(what: str, given: Sequence[Any]) -> None:
    """Raise ValidationError where one call names more than `ARNS_MAX`."""
    if len(given) > ARNS_MAX:
        raise ValidationError(
            f"Up to '{ARNS_MAX}' {what} can be specified, but '{len(given)}' were specified"
        )
