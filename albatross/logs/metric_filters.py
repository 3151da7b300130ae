"""Metric filters. Source: CloudWatch Logs API, `PutMetricFilter` and its siblings."""

from collections.abc import Mapping
from typing import Any

from albatross.log_store.files import LogFiles, OpenGroup
from albatross.logs import lookup
from albatross.logs.events import pattern
from albatross.model.arn import Scope
from albatross.model.errors import (
    InvalidParameterException,
    LimitExceededException,
    ResourceNotFoundException,
)

FILTERS_MAX = 100  # of a log group: CloudWatch Logs guide, "CloudWatch Logs quotas"
_LIMIT = 50  # of a page where the call names none
_KEPT = ("metricTransformations", "fieldSelectionCriteria", "emitSystemFieldDimensions")


def put_metric_filter(files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
    """PutMetricFilter: make or replace one.

    Raises ResourceNotFoundException, InvalidParameterException, LimitExceededException.
    """
    # differs from AWS: metric filters are kept and shown, but no metrics come of them.
    found = lookup.by_name(files, scope, params["logGroupName"])
    pattern(params["filterPattern"])
    name = params["filterName"]
    there = found.group.metric_filters
    if name not in there and len(there) >= FILTERS_MAX:
        raise LimitExceededException("Resource limit exceeded.")
    made = {
        "filterName": name,
        "filterPattern": params["filterPattern"],
        "creationTime": files.now_ms(),
        "applyOnTransformedLogs": params.get("applyOnTransformedLogs", False),
        **{member: params[member] for member in _KEPT if member in params},
    }
    files.change(found, metric_filters={**there, name: made})
    return {}


def delete_metric_filter(
    files: LogFiles, scope: Scope, params: Mapping[str, Any]
) -> dict[str, Any]:
    """DeleteMetricFilter. Raises ResourceNotFoundException."""
    found = lookup.by_name(files, scope, params["logGroupName"])
    there = found.group.metric_filters
    if params["filterName"] not in there:
        raise ResourceNotFoundException("The specified metric filter does not exist.")
    rest = {name: each for name, each in there.items() if name != params["filterName"]}
    files.change(found, metric_filters=rest)
    return {}


def describe_metric_filters(
    files: LogFiles, scope: Scope, params: Mapping[str, Any]
) -> dict[str, Any]:
    """DescribeMetricFilters: of one log group or of all, by name; or those of one metric.

    Raises ResourceNotFoundException, InvalidParameterException.
    """
    if ("metricName" in params) != ("metricNamespace" in params):
        raise InvalidParameterException("metricName and metricNamespace must be given together.")
    groups = files.groups(scope)
    if "logGroupName" in params:
        groups = [lookup.by_name(files, scope, params["logGroupName"])]
    every = sorted(
        (each for group in groups for each in _shown(group, params)),
        key=lambda each: (each["filterName"], each["logGroupName"]),
    )
    if "nextToken" in params:
        after = tuple(lookup.parts_of(params["nextToken"], 2))
        every = [each for each in every if (each["filterName"], each["logGroupName"]) > after]
    limit = params.get("limit", _LIMIT)
    answer: dict[str, Any] = {"metricFilters": every[:limit]}
    if len(every) > limit:
        last = every[limit - 1]
        answer["nextToken"] = lookup.token(last["filterName"], last["logGroupName"])
    return answer


def _shown(found: OpenGroup, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return shape `MetricFilter` of those filters of a group that are asked for."""
    return [
        {**each, "logGroupName": found.group.name}
        for name, each in found.group.metric_filters.items()
        if name.startswith(params.get("filterNamePrefix", ""))
        and ("metricName" not in params or _is_for(each, params))
    ]


def _is_for(metric_filter: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    return any(
        (each["metricName"], each["metricNamespace"])
        == (params["metricName"], params["metricNamespace"])
        for each in metric_filter["metricTransformations"]
    )
