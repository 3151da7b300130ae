"""The CloudWatch Logs API, asked with boto3."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from albatross.logs import Logs, lookup
from tests.support.server import client

NO_GROUP = ("ResourceNotFoundException", "The specified log group does not exist.")
NO_STREAM = ("ResourceNotFoundException", "The specified log stream does not exist.")
GROUP = "/my/group"


@pytest.fixture
def now() -> int:
    return int(time.time() * 1000)


@pytest.fixture
def put(api: Any, now: int):
    """`put("s", "a", "b")` writes messages to a stream, a second apart, the last one now."""
    api.create_log_group(logGroupName=GROUP)

    def put(stream: str, *messages: str, **more: Any) -> Any:
        if stream not in streams(api):
            api.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        start = now - 1000 * (len(messages) - 1)
        events = [{"timestamp": start + 1000 * n, "message": m} for n, m in enumerate(messages)]
        return api.put_log_events(
            logGroupName=GROUP, logStreamName=stream, logEvents=events, **more
        )

    return put


def streams(api: Any, **params: Any) -> list[str]:
    found = api.describe_log_streams(logGroupName=GROUP, **params)["logStreams"]
    return [stream["logStreamName"] for stream in found]


def texts(answer: dict[str, Any]) -> list[str]:
    return [event["message"] for event in answer["events"]]


def test_a_group_is_described_as_it_was_made(api, account, now) -> None:
    api.create_log_group(logGroupName=GROUP, tags={"a": "b"}, logGroupClass="INFREQUENT_ACCESS")
    (group,) = api.describe_log_groups(logGroupNamePrefix="/my")["logGroups"]
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:{GROUP}"
    assert (group["arn"], group["logGroupArn"]) == (f"{arn}:*", arn)
    assert group["logGroupClass"] == "INFREQUENT_ACCESS"
    assert abs(group["creationTime"] - now) < 60_000
    assert "retentionInDays" not in group
    assert api.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "b"}


def test_groups_are_listed_by_prefix_pattern_and_page(api) -> None:
    for name in ("/aws/lambda/One", "/aws/lambda/two", "other"):
        api.create_log_group(logGroupName=name)

    def names(**params: Any) -> list[str]:
        pages = api.get_paginator("describe_log_groups").paginate(**params)
        return [group["logGroupName"] for page in pages for group in page["logGroups"]]

    assert names(limit=1) == ["/aws/lambda/One", "/aws/lambda/two", "other"]
    assert names(logGroupNamePrefix="/aws") == ["/aws/lambda/One", "/aws/lambda/two"]
    assert names(logGroupNamePattern="one") == ["/aws/lambda/One"]
    assert [g["logGroupName"] for g in api.list_log_groups(logGroupNamePattern="^other|two")[
        "logGroups"
    ]] == ["/aws/lambda/two", "other"]  # fmt: skip


def test_accounts_and_regions_are_apart(api, url, account) -> None:
    api.create_log_group(logGroupName=GROUP)
    for other in (
        client("logs", url, access_key="999999999999"),
        client("logs", url, access_key=account, region="eu-west-1"),
    ):
        assert other.describe_log_groups()["logGroups"] == []
        arn = f"arn:aws:logs:us-east-1:{account}:log-group:{GROUP}"
        with pytest.raises(other.exceptions.ResourceNotFoundException):
            other.filter_log_events(logGroupIdentifier=arn)


def test_what_is_not_there_is_said(api, refused) -> None:
    assert refused(api.delete_log_group, logGroupName="x") == NO_GROUP
    assert refused(api.describe_log_streams, logGroupName="x") == NO_GROUP
    assert refused(api.filter_log_events, logGroupName="x") == NO_GROUP
    assert refused(api.put_retention_policy, logGroupName="x", retentionInDays=1) == NO_GROUP
    assert refused(api.describe_subscription_filters, logGroupName="x") == NO_GROUP
    api.create_log_group(logGroupName=GROUP)
    of_stream = {"logGroupName": GROUP, "logStreamName": "s"}
    assert refused(api.get_log_events, **of_stream) == NO_STREAM
    assert refused(api.delete_log_stream, **of_stream) == NO_STREAM
    event = {"timestamp": int(time.time() * 1000), "message": "m"}
    assert refused(api.put_log_events, **of_stream, logEvents=[event]) == NO_STREAM
    assert api.describe_subscription_filters(logGroupName=GROUP)["subscriptionFilters"] == []
    assert api.describe_metric_filters()["metricFilters"] == []


def test_what_is_there_is_not_made_twice(api, refused) -> None:
    api.create_log_group(logGroupName=GROUP)
    code, message = refused(api.create_log_group, logGroupName=GROUP)
    assert code == "ResourceAlreadyExistsException"
    assert message == "The specified log group already exists"
    api.create_log_stream(logGroupName=GROUP, logStreamName="s")
    code, _ = refused(api.create_log_stream, logGroupName=GROUP, logStreamName="s")
    assert code == "ResourceAlreadyExistsException"


def test_a_pattern_is_tried_on_messages(api, refused) -> None:
    messages = ["ERROR 1", "INFO 2", "ERROR 3"]
    tried = api.test_metric_filter(filterPattern="[level = ERROR, n]", logEventMessages=messages)
    assert tried["matches"] == [
        {
            "eventNumber": number,
            "eventMessage": f"ERROR {number}",
            "extractedValues": {"$level": "ERROR", "$n": str(number)},
        }
        for number in (1, 3)
    ]
    everything = api.test_metric_filter(filterPattern="", logEventMessages=messages)
    assert [each["eventNumber"] for each in everything["matches"]] == [1, 2, 3]
    bad = {"filterPattern": "{ $.a }", "logEventMessages": messages}
    assert refused(api.test_metric_filter, **bad)[0] == "InvalidParameterException"


@pytest.mark.parametrize(
    ("call", "params"),
    [
        ("create_log_group", {"logGroupName": "a b"}),
        ("create_log_group", {"logGroupName": "aws/lambda/mine"}),
        ("create_log_stream", {"logGroupName": GROUP, "logStreamName": "a:b"}),
        ("put_retention_policy", {"logGroupName": GROUP, "retentionInDays": 2}),
        ("describe_log_groups", {"limit": 51}),
        ("describe_log_groups", {"logGroupNamePrefix": "a", "logGroupNamePattern": "b"}),
        ("describe_log_groups", {"nextToken": "?"}),
        ("describe_log_streams", {"logGroupName": GROUP, "nextToken": lookup.token("²", "s")}),
        ("filter_log_events", {"logGroupName": GROUP, "nextToken": lookup.token("f", *"1²3")}),
        ("get_log_events", {"logStreamName": "s"}),
        ("get_log_events", {"logGroupName": GROUP, "logStreamName": "s", "nextToken": "f/1/s"}),
        ("filter_log_events", {"logGroupName": GROUP, "filterPattern": "{ $.a = }"}),
        ("filter_log_events", {"logGroupName": GROUP, "limit": 10_001}),
        ("describe_log_streams", {"logGroupName": GROUP, "orderBy": "LastEventTime",
                                  "logStreamNamePrefix": "s"}),
    ],
)  # fmt: skip
def test_bad_parameters_are_refused(api, put, refused, call: str, params: dict[str, Any]) -> None:
    put("s", "m")
    assert refused(getattr(api, call), **params)[0] == "InvalidParameterException"


def test_operations_that_are_not_there_are_refused_by_name(api, refused) -> None:
    code, message = refused(
        api.start_query, logGroupName="g", startTime=0, endTime=1, queryString="fields @message"
    )
    assert code == "NotImplemented"
    assert message.startswith("StartQuery is not implemented")


def test_a_stream_is_read_in_pages_in_both_directions(api, put) -> None:
    put("s", *"abcdefg")

    def get(**params: Any) -> dict[str, Any]:
        return api.get_log_events(logGroupName=GROUP, logStreamName="s", limit=3, **params)

    latest = get()
    assert texts(latest) == ["e", "f", "g"]
    earlier = get(nextToken=latest["nextBackwardToken"])
    assert texts(earlier) == ["b", "c", "d"]
    first = get(startFromHead=True)
    assert texts(first) == ["a", "b", "c"]
    second = get(nextToken=first["nextForwardToken"])
    assert texts(second) == ["d", "e", "f"]
    assert texts(get(nextToken=second["nextBackwardToken"])) == ["a", "b", "c"]
    third = get(nextToken=second["nextForwardToken"])
    end = get(nextToken=third["nextForwardToken"])
    assert (texts(third), texts(end)) == (["g"], [])
    assert end["nextForwardToken"] == third["nextForwardToken"]
    put("s", "h")
    assert "h" in texts(get(nextToken=end["nextForwardToken"]))


def test_a_time_range_includes_its_start(api, put, now) -> None:
    put("s", "a", "b", "c")
    params = {"logGroupName": GROUP, "startTime": now - 2000, "endTime": now - 1000}
    assert texts(api.get_log_events(logStreamName="s", **params)) == ["a"]
    assert texts(api.filter_log_events(**params)) == ["a", "b"]  # and there, its end


def test_a_search_has_all_streams_by_time_and_pages(api, put, now) -> None:
    put("a", "1 x", "3 x")
    put("b", "2 x", "4 y", "5 x")
    pages = api.get_paginator("filter_log_events").paginate(
        logGroupName=GROUP, filterPattern="x", PaginationConfig={"PageSize": 2}
    )
    found = [event for page in pages for event in page["events"]]
    times = [event["timestamp"] for event in found]
    assert sorted(event["message"] for event in found) == ["1 x", "2 x", "3 x", "5 x"]
    assert times == sorted(times)
    assert len({event["eventId"] for event in found}) == 4
    last = api.filter_log_events(logGroupName=GROUP, startFromHead=False, logStreamNamePrefix="b")
    assert texts(last) == ["5 x", "4 y", "2 x"]
    assert texts(api.filter_log_events(logGroupName=GROUP, logStreamNames=["a"])) == ["1 x", "3 x"]


def test_streams_are_ordered_by_name_or_by_their_last_event(api, put, now) -> None:
    for n, name in enumerate("abc"):
        api.create_log_group(logGroupName=f"unused-{name}")
        put(name, "m")
        event = {"timestamp": now - 5000 + n * (-1000), "message": "old"}
        api.put_log_events(logGroupName=GROUP, logStreamName=name, logEvents=[event])
    api.put_log_events(
        logGroupName=GROUP, logStreamName="b", logEvents=[{"timestamp": now + 9, "message": "n"}]
    )
    assert streams(api) == ["a", "b", "c"]
    assert streams(api, descending=True) == ["c", "b", "a"]
    assert streams(api, orderBy="LastEventTime", descending=True)[0] == "b"
    assert streams(api, logStreamNamePrefix="c") == ["c"]
    pages = api.get_paginator("describe_log_streams").paginate(
        logGroupName=GROUP, PaginationConfig={"PageSize": 1}
    )
    assert [s["logStreamName"] for page in pages for s in page["logStreams"]] == ["a", "b", "c"]
    (first,) = api.describe_log_streams(logGroupName=GROUP, limit=1)["logStreams"]
    assert first["firstEventTimestamp"] == now - 5000
    assert first["lastEventTimestamp"] == now


def test_a_stream_without_events_has_no_times_and_no_token(api, put) -> None:
    api.create_log_group(logGroupName="other")
    api.create_log_stream(logGroupName="other", logStreamName="s")
    (empty,) = api.describe_log_streams(logGroupName="other")["logStreams"]
    assert empty.keys() == {"logStreamName", "creationTime", "arn", "storedBytes"}
    put("s", "m")
    (used,) = api.describe_log_streams(logGroupName=GROUP)["logStreams"]
    assert used.keys() - empty.keys() == {
        *("firstEventTimestamp", "lastEventTimestamp", "lastIngestionTime", "uploadSequenceToken")
    }


def test_a_group_is_named_once(api, refused) -> None:
    api.create_log_group(logGroupName=GROUP)
    both = {"logGroupName": GROUP, "logGroupIdentifier": GROUP}
    assert refused(api.describe_log_streams, **both) == (
        "ValidationException",
        "LogGroup name and LogGroup ARN are mutually exclusive parameters.",
    )


def test_events_out_of_the_time_that_is_taken_are_rejected(api, put, now) -> None:
    put("s", "m")

    def write(*times: int) -> dict[str, Any]:
        events = [{"timestamp": at, "message": str(at)} for at in times]
        answer = api.put_log_events(logGroupName=GROUP, logStreamName="s", logEvents=events)
        return answer.get("rejectedLogEventsInfo", {})

    day = 24 * 3600 * 1000
    assert write(now - 14 * day - 60_000, now - 14 * day + 60_000) == {"tooOldLogEventEndIndex": 1}
    assert write(now, now + 3 * 3600 * 1000) == {"tooNewLogEventStartIndex": 1}
    api.put_retention_policy(logGroupName=GROUP, retentionInDays=1)
    assert write(now - day - 60_000, now - day + 60_000) == {"expiredLogEventEndIndex": 1}
    assert str(now - 14 * day + 60_000) not in texts(api.filter_log_events(logGroupName=GROUP))
    api.delete_retention_policy(logGroupName=GROUP)
    assert str(now - 14 * day + 60_000) in texts(api.filter_log_events(logGroupName=GROUP))


@pytest.mark.parametrize(
    "times", [(0, -1), (-25 * 3600 * 1000, 0)], ids=["out of order", "over more than a day"]
)
def test_a_batch_that_is_no_batch_is_refused(api, put, now, refused, times) -> None:
    put("s", "m")
    events = [{"timestamp": now + at, "message": "x"} for at in times]
    of_stream = {"logGroupName": GROUP, "logStreamName": "s"}
    code, _ = refused(api.put_log_events, **of_stream, logEvents=events)
    assert code == "InvalidParameterException"
    large = [{"timestamp": now, "message": "x" * 600_000}] * 2
    _, message = refused(api.put_log_events, **of_stream, logEvents=large)
    assert message == "Upload too large: 1200052 bytes exceeds limit of 1048576"


def test_a_page_has_a_megabyte_at_most(api, put) -> None:
    for _ in range(3):
        put("s", "x" * 600_000)
    found = api.filter_log_events(logGroupName=GROUP)
    assert len(found["events"]) == 1
    assert found["nextToken"]


def test_a_stream_that_is_deleted_is_gone_with_its_events(api, put) -> None:
    put("a", "1")
    put("b", "2")
    api.delete_log_stream(logGroupName=GROUP, logStreamName="a")
    assert streams(api) == ["b"]
    assert texts(api.filter_log_events(logGroupName=GROUP)) == ["2"]
    put("a", "3")
    assert streams(api) == ["a", "b"]
    assert texts(api.get_log_events(logGroupName=GROUP, logStreamName="a")) == ["3"]


def test_a_group_is_deleted_unless_it_is_protected(api, put, refused) -> None:
    put("s", "m")
    api.put_log_group_deletion_protection(logGroupIdentifier=GROUP, deletionProtectionEnabled=True)
    assert refused(api.delete_log_group, logGroupName=GROUP)[0] == "ValidationException"
    api.put_log_group_deletion_protection(logGroupIdentifier=GROUP, deletionProtectionEnabled=False)
    api.delete_log_group(logGroupName=GROUP)
    assert api.describe_log_groups()["logGroups"] == []
    api.create_log_group(logGroupName=GROUP)
    assert streams(api) == []


def test_tags_are_the_same_by_name_and_by_arn(api, account, refused) -> None:
    api.create_log_group(logGroupName=GROUP)
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:{GROUP}"
    api.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
    api.tag_log_group(logGroupName=GROUP, tags={"c": "3"})
    assert api.list_tags_log_group(logGroupName=GROUP)["tags"] == {"a": "1", "b": "2", "c": "3"}
    api.untag_resource(resourceArn=arn, tagKeys=["a"])
    api.untag_log_group(logGroupName=GROUP, tags=["b"])
    assert api.list_tags_for_resource(resourceArn=arn)["tags"] == {"c": "3"}
    many = {str(number): "" for number in range(50)}
    assert refused(api.tag_resource, resourceArn=arn, tags=many)[0] == "TooManyTagsException"


def test_keys_of_tags_that_begin_with_aws_are_reserved(api, account, refused) -> None:
    expected = ("InvalidParameterException", "Tag keys that begin with aws: are reserved.")
    reserved = {"a": "1", "Aws:x": "2"}
    assert refused(api.create_log_group, logGroupName=GROUP, tags=reserved) == expected
    api.create_log_group(logGroupName=GROUP)
    assert refused(api.tag_log_group, logGroupName=GROUP, tags=reserved) == expected
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:{GROUP}"
    assert refused(api.tag_resource, resourceArn=arn, tags=reserved) == expected
    assert api.list_tags_for_resource(resourceArn=arn)["tags"] == {}


def test_a_live_tail_shows_what_comes_and_matches(api, put, account) -> None:
    put("s", "before x")
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:{GROUP}"
    stream = api.start_live_tail(logGroupIdentifiers=[arn], logEventFilterPattern="x")
    events = iter(stream["responseStream"])
    assert next(events)["sessionStart"]["logGroupIdentifiers"] == [arn]
    put("s", "one x", "two")
    seen: list[dict[str, Any]] = []
    while not seen:
        seen += next(events)["sessionUpdate"]["sessionResults"]
    assert [event["message"] for event in seen] == ["one x"]
    assert seen[0]["logGroupIdentifier"] == f"{account}:{GROUP}"
    stream["responseStream"].close()


def test_a_damaged_group_does_not_end_what_keeps_all_of_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("albatross.logs.KEEP_EVERY_S", 0.01)
    damaged = tmp_path / "logs" / "123456789012" / "us-east-1" / "g" / "group.json"
    damaged.parent.mkdir(parents=True)
    damaged.touch()

    async def run() -> None:
        logs = Logs(tmp_path, group_bytes_max=2**40, bytes_max=2**40)
        keeping = asyncio.ensure_future(logs.run())
        while "cannot be kept to" not in caplog.text:
            assert not keeping.done()
            await asyncio.sleep(0.01)
        keeping.cancel()
        logs.close()

    asyncio.run(run())
