"""Filters that send events on: there are none. Patterns of filters can be tried.

Source: CloudWatch Logs API reference.
"""

from collections.abc import Mapping
from typing import Any

from albatross.log_store.files import LogFiles
from albatross.logs import filter_pattern, lookup
from albatross.logs.events import pattern
from albatross.model.arn import Scope


def describe_subscription_filters(
    files: LogFiles, scope: Scope, params: Mapping[str, Any]
) -> dict[str, Any]:
    """DescribeSubscriptionFilters. Raises ResourceNotFoundException."""
    lookup.by_name(files, scope, params["logGroupName"])
    return {"subscriptionFilters": []}


def test_metric_filter(files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
    """TestMetricFilter: which messages match. Raises InvalidParameterException."""
    text = params["filterPattern"]
    matches = pattern(text)
    return {
        "matches": [
            {
                "eventNumber": number,
                "eventMessage": message,
                "extractedValues": filter_pattern.values(text, message),
            }
            for number, message in enumerate(params["logEventMessages"], start=1)
            if matches(message)
        ]
    }
