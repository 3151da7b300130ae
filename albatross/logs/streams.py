"""Log streams. Source: CloudWatch Logs API reference of these operations."""

from collections.abc import Mapping
from typing import Any

from albatross.log_store.files import LogFiles, Stream
from albatross.logs import lookup
from albatross.model.arn import Scope
from albatross.model.errors import InvalidParameterException, ResourceAlreadyExistsException

_LIMIT = 50  # of a page where the call names none


def create_log_stream(files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
    """CreateLogStream. Raises ResourceNotFoundException, ResourceAlreadyExistsException."""
    found = lookup.by_name(files, scope, params["logGroupName"])
    name = params["logStreamName"]
    if name in found.streams():
        raise ResourceAlreadyExistsException("The specified log stream already exists")
    # One that was deleted a moment ago must be younger than that.
    created_ms = max(files.now_ms(), found.group.deleted.get(name, 0) + 1)
    found.appender.create_stream(name, created_ms)
    return {}


def delete_log_stream(files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
    """DeleteLogStream: what the stream has is shown no more. Raises ResourceNotFoundException.

    A function that goes on writing to it makes it anew.
    """
    found = lookup.by_name(files, scope, params["logGroupName"])
    name = params["logStreamName"]
    there = found.streams()
    if name not in there:
        raise lookup.stream_missing()
    now = max(files.now_ms(), there[name].ingested_ms or there[name].created_ms)
    files.change(found, deleted={**found.group.deleted, name: now})
    return {}


def describe_log_streams(
    files: LogFiles, scope: Scope, params: Mapping[str, Any]
) -> dict[str, Any]:
    """DescribeLogStreams. Raises ResourceNotFoundException, InvalidParameterException."""
    found = lookup.find(files, scope, params)
    prefix = params.get("logStreamNamePrefix", "")
    by_time = params.get("orderBy") == "LastEventTime"
    if by_time and prefix:
        raise InvalidParameterException("Cannot order by LastEventTime with a logStreamNamePrefix.")

    def key(stream: Stream) -> tuple[int, str]:
        return (stream.last_ms or 0) if by_time else 0, stream.name

    descending = params.get("descending", False)
    streams = [each for each in found.streams().values() if each.name.startswith(prefix)]
    streams.sort(key=key, reverse=descending)
    if "nextToken" in params:
        last_ms, name = lookup.parts_of(params["nextToken"], 2)
        after = lookup.number(last_ms), name
        streams = [e for e in streams if (key(e) < after if descending else key(e) > after)]
    limit = params.get("limit", _LIMIT)
    answer: dict[str, Any] = {
        "logStreams": [_described(scope, found.group.name, each) for each in streams[:limit]]
    }
    if len(streams) > limit:
        answer["nextToken"] = lookup.token(*key(streams[limit - 1]))
    return answer


def _described(scope: Scope, group: str, stream: Stream) -> dict[str, Any]:
    shown = {
        "logStreamName": stream.name,
        "creationTime": stream.created_ms,
        "arn": lookup.stream_arn(scope, group, stream.name),
        "storedBytes": 0,  # as in AWS, since 2019
    }
    if stream.first_ms is not None:
        shown["uploadSequenceToken"] = f"{stream.ingested_ms:056d}"
        shown["firstEventTimestamp"] = stream.first_ms
        shown["lastEventTimestamp"] = stream.last_ms
        shown["lastIngestionTime"] = stream.ingested_ms
    return shown
