"""Quotas of an account, with AWS's defaults. Source: ALB user guide, "Quotas"; example of the AWS
CLI, `describe-account-limits`, for the names and for the numbers of other load balancers.
"""

from collections.abc import Mapping
from dataclasses import dataclass

LOAD_BALANCERS = "application-load-balancers"
LISTENERS = "listeners-per-application-load-balancer"
RULES = "rules-per-application-load-balancer"
CERTIFICATES = "certificates-per-application-load-balancer"
TARGET_GROUPS = "target-groups"
TARGET_GROUPS_OF_BALANCER = "target-groups-per-application-load-balancer"
TARGET_GROUPS_OF_ACTION = "target-groups-per-action-on-application-load-balancer"
TARGETS = "targets-per-target-group"
TARGETS_OF_BALANCER = "targets-per-application-load-balancer"
REGISTRATIONS = "target-id-registrations-per-application-load-balancer"
CONDITION_VALUES = "condition-values-per-alb-rule"
CONDITION_WILDCARDS = "condition-wildcards-per-alb-rule"

# DescribeAccountLimits does not have these: the names are ours.
TRUST_STORES = "trust-stores"
AUTHORITIES = "ca-certificates-per-trust-store"
SUBJECT_SIZE = "ca-certificates-subject-size-per-trust-store"
REVOCATION_LISTS = "revocation-lists-per-trust-store"
REVOKED_ENTRIES = "revocation-entries-per-trust-store"
CAPACITY_UNITS = "capacity-units-per-application-load-balancer"
CAPACITY_UNITS_OF_REGION = "capacity-units-per-region"


@dataclass(frozen=True, slots=True)
class Quota:
    """`adjustable`: the setting `quotas` may change it, as AWS does when asked.

    `described`: DescribeAccountLimits has it.
    """

    default: int
    adjustable: bool = True
    described: bool = True


# Those of Network and Gateway Load Balancers are described, but there is nothing that they limit.
_ELSEWHERE: Mapping[str, int] = {
    "network-load-balancers": 50,
    "targets-per-network-load-balancer": 3000,
    "targets-per-availability-zone-per-network-load-balancer": 500,
    "listeners-per-network-load-balancer": 50,
    "target-groups-per-action-on-network-load-balancer": 1,
    "certificates-per-network-load-balancer": 25,
    "network-load-balancer-enis-per-vpc": 1200,
    "gateway-load-balancers": 100,
    "gateway-load-balancers-per-vpc": 100,
    "geneve-target-groups": 100,
    "targets-per-availability-zone-per-gateway-load-balancer": 300,
}
QUOTAS: Mapping[str, Quota] = {
    TARGET_GROUPS: Quota(3000),  # per account and Region
    TARGETS_OF_BALANCER: Quota(1000),
    LISTENERS: Quota(50),
    RULES: Quota(100),  # default rules not counted
    # differs from AWS: one condition may have all five values that its rule may have; AWS says
    # three, and so does the setting `strict`.
    CONDITION_VALUES: Quota(5, adjustable=False),
    # AWS is silent: a rule may have six wildcards, as the page of quotas says; other pages say
    # five.
    CONDITION_WILDCARDS: Quota(6, adjustable=False),
    TARGET_GROUPS_OF_BALANCER: Quota(100, adjustable=False),
    TARGET_GROUPS_OF_ACTION: Quota(5, adjustable=False),
    CERTIFICATES: Quota(25),  # default ones not counted
    TARGETS: Quota(1000),  # instances or addresses
    REGISTRATIONS: Quota(1000),  # of one target id
    LOAD_BALANCERS: Quota(50),  # per account and Region
    **{name: Quota(default, adjustable=False) for name, default in _ELSEWHERE.items()},
    TRUST_STORES: Quota(20, described=False),  # per account and Region
    AUTHORITIES: Quota(25, described=False),
    # AWS is silent: the size of subjects counts their characters, over a whole trust store.
    SUBJECT_SIZE: Quota(10_000, described=False),
    REVOCATION_LISTS: Quota(30, described=False),
    REVOKED_ENTRIES: Quota(500_000, described=False),
    CAPACITY_UNITS: Quota(15_000, described=False),
    CAPACITY_UNITS_OF_REGION: Quota(0, described=False),
}
MATCHES_OF_CONDITION = 3  # values of one condition; fixed


def fault(name: str, value: object) -> str | None:
    """Return what is wrong with the setting `name = value` as sentences, None where nothing is."""
    if name not in QUOTAS:
        return f"has no quota {name!r}. These can be changed: {', '.join(_adjustable())}."
    if not QUOTAS[name].adjustable:
        return (
            f"cannot change the quota {name!r}, which AWS does not change either. "
            f"These can be changed: {', '.join(_adjustable())}."
        )
    if type(value) is not int or value < 1:
        return f"needs a whole number from 1 up for {name!r}, not {value!r}."
    return None


def _adjustable() -> list[str]:
    return [name for name, quota in QUOTAS.items() if quota.adjustable]
