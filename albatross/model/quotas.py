"""Quotas of an account that a setting may change. Source: ALB user guide, "Quotas"."""

LOAD_BALANCERS = "application-load-balancers"
LISTENERS = "listeners-per-application-load-balancer"
RULES = "rules-per-application-load-balancer"
TARGET_GROUPS = "target-groups"
TARGET_GROUPS_OF_BALANCER = "target-groups-per-application-load-balancer"

DEFAULTS = {
    LOAD_BALANCERS: 50,  # per account and Region
    LISTENERS: 50,
    RULES: 100,  # default rules not counted
    TARGET_GROUPS: 3000,  # per account and Region
    TARGET_GROUPS_OF_BALANCER: 100,
}
