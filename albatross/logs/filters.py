"""Filters that send events on: there are none. Source: CloudWatch Logs API reference."""

from collections.abc import Mapping
from typing import Any

from albatross.log_store.files import LogFiles
from albatross.logs import lookup
from albatross.model.arn import Scope


def describe_metric_filters(
    files: LogFiles, scope: Scope, params: Mapping[str, Any]
) -> dict[str, Any]:
    """DescribeMetricFilters. Raises ResourceNotFoundException."""
    if "logGroupName" in params:
        lookup.by_name(files, scope, params["logGroupName"])
    return {"metricFilters": []}


def describe_subscription_filters(
    files: LogFiles, scope: Scope, params: Mapping[str, Any]
) -> dict[str, Any]:
    """DescribeSubscriptionFilters. Raises ResourceNotFoundException."""
    lookup.by_name(files, scope, params["logGroupName"])
    return {"subscriptionFilters": []}
