"""Metric filters: made, shown and deleted, with boto3."""

import time
from typing import Any

import pytest

GROUP, OTHER = "/a/group", "/b/group"


def transformation(name: str = "errors", **more: Any) -> dict[str, Any]:
    return {"metricName": name, "metricNamespace": "app", "metricValue": "1", **more}


@pytest.fixture
def put(api: Any):
    """`put("name")` makes a metric filter of a log group that is there."""
    for group in (GROUP, OTHER):
        api.create_log_group(logGroupName=group)

    def put(name: str, group: str = GROUP, **params: Any) -> None:
        made = {"filterPattern": "ERROR", "metricTransformations": [transformation()], **params}
        api.put_metric_filter(logGroupName=group, filterName=name, **made)

    return put


def names(answer: dict[str, Any]) -> list[str]:
    return [each["filterName"] for each in answer["metricFilters"]]


def test_one_is_shown_as_it_was_made_and_counted_with_its_group(api, put) -> None:
    told = transformation(defaultValue=0.0, unit="Count", dimensions={"path": "$.path"})
    put("errors", filterPattern="{ $.level = ERROR }", metricTransformations=[told])
    (found,) = api.describe_metric_filters(logGroupName=GROUP)["metricFilters"]
    assert abs(found.pop("creationTime") - time.time() * 1000) < 60_000
    assert found == {
        "filterName": "errors",
        "filterPattern": "{ $.level = ERROR }",
        "metricTransformations": [told],
        "logGroupName": GROUP,
        "applyOnTransformedLogs": False,
    }
    counts = [each["metricFilterCount"] for each in api.describe_log_groups()["logGroups"]]
    assert counts == [1, 0]
    put("errors", filterPattern="")
    (found,) = api.describe_metric_filters(logGroupName=GROUP)["metricFilters"]
    assert found["filterPattern"] == ""
    api.delete_metric_filter(logGroupName=GROUP, filterName="errors")
    assert names(api.describe_metric_filters(logGroupName=GROUP)) == []


def test_they_are_found_by_group_prefix_metric_and_page(api, put) -> None:
    for name in ("a1", "a2", "b"):
        put(name)
    put("a1", OTHER, metricTransformations=[transformation("other")])
    find = api.describe_metric_filters
    assert names(find()) == ["a1", "a1", "a2", "b"]
    assert names(find(filterNamePrefix="a", logGroupName=GROUP)) == ["a1", "a2"]
    assert names(find(metricName="other", metricNamespace="app")) == ["a1"]
    pages = api.get_paginator("describe_metric_filters").paginate(PaginationConfig={"PageSize": 1})
    assert [names(page) for page in pages] == [["a1"], ["a1"], ["a2"], ["b"]]


@pytest.mark.parametrize(
    ("call", "params", "code", "message"),
    [
        pytest.param(
            "put",
            {"filterPattern": "{ $.a = }"},
            "InvalidParameterException",
            "Invalid filter pattern: ",
            id="pattern",
        ),
        pytest.param(
            "put",
            {"metricTransformations": [transformation(), transformation()]},
            "InvalidParameterException",
            "1 validation error detected: Value at 'metricTransformations' failed to satisfy "
            "constraint: Member must have length less than or equal to 1",
            id="two metrics",
        ),
        pytest.param(
            "put",
            {"logGroupName": "/none"},
            "ResourceNotFoundException",
            "The specified log group does not exist.",
            id="no group",
        ),
        pytest.param(
            "delete",
            {},
            "ResourceNotFoundException",
            "The specified metric filter does not exist.",
            id="no filter",
        ),
        pytest.param(
            "describe", {"metricName": "m"}, "InvalidParameterException", "", id="half a metric"
        ),
    ],
)
def test_what_cannot_be_is_refused(api, put, refused, call, params, code, message) -> None:
    given: dict[str, Any] = {"logGroupName": GROUP}
    if call != "describe":
        given["filterName"] = "errors"
    if call == "put":
        given |= {"filterPattern": "", "metricTransformations": [transformation()]}
    operation = f"{call}_metric_filter{'s' if call == 'describe' else ''}"
    found, said = refused(getattr(api, operation), **{**given, **params})
    assert (found, said[: len(message)]) == (code, message)


def test_a_group_has_a_hundred_at_most(api, put, refused) -> None:
    for number in range(100):
        put(f"f{number}")
    given = {"filterPattern": "", "metricTransformations": [transformation()]}
    answer = refused(api.put_metric_filter, logGroupName=GROUP, filterName="more", **given)
    assert answer == ("LimitExceededException", "Resource limit exceeded.")
    put("f7", filterPattern="WARN")
