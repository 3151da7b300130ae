"""Log events: read one stream, search a group, write. Source: CloudWatch Logs API reference."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from albatross.log_store import read
from albatross.log_store.files import DAY_MS, LogFiles, OpenGroup
from albatross.log_store.read import Effort, Position
from albatross.log_store.record import MS_MAX
from albatross.log_store.segment import Event
from albatross.logs import filter_pattern, lookup
from albatross.model.arn import Scope
from albatross.model.errors import InvalidParameterException

EVENTS_MAX = 10_000  # of a page
PAGE_BYTES_MAX = 1024 * 1024
LATEST_FIRST_MS = 1_704_067_200_000  # 2024-01-01: FilterLogEvents, `startFromHead`
EVENT_EXTRA_BYTES = 26  # with which each event counts
BATCH_BYTES_MAX = 1_048_576
# AWS is silent: a call of FilterLogEvents looks through 8 MiB of events at most, then answers with
# what it has found and a token.
SEARCHED_BYTES_MAX = 8 * 1024 * 1024
_PAST_MS, _FUTURE_MS = 14 * DAY_MS, 2 * 3600 * 1000  # of events that are written
_TOKEN = re.compile(r"([fb])/(\d{13})(\d{14})(\d{29})/s")


def get_log_events(files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetLogEvents. Raises ResourceNotFoundException, InvalidParameterException."""
    found = lookup.find(files, scope, params)
    name = params["logStreamName"]
    if name not in found.streams():
        raise lookup.stream_missing()
    start_ms, end_ms = _times(files, found, params, end_default=MS_MAX)
    forwards, position = _direction(params, start_ms, end_ms)
    segments = found.refresh()
    if forwards:
        start = max(position, Position(start_ms))
        taken, _ = _taken(found, read.forward(segments, start, end_ms, {name}), params)
    else:
        end = min(position, Position(end_ms))
        taken, _ = _taken(found, read.backward(segments, end, start_ms, {name}), params)
        taken.reverse()
    first = read.before(taken[0]) if taken else position
    last = read.after(taken[-1]) if taken else position
    return {
        "events": [
            {"timestamp": e.ms, "message": e.message, "ingestionTime": e.ingested_ms} for e in taken
        ],
        "nextForwardToken": f"f/{_digits(last)}/s",
        "nextBackwardToken": f"b/{_digits(first)}/s",
    }


def filter_log_events(files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
    """FilterLogEvents, of all streams in one order.

    Raises ResourceNotFoundException, InvalidParameterException.
    """
    found = lookup.find(files, scope, params)
    matches = pattern(params.get("filterPattern", ""))
    names = _stream_names(found, params)
    start_ms, end_ms = _times(files, found, params, end_default=MS_MAX - 1)
    forwards, position = _search_from(params, start_ms, end_ms)
    effort = Effort(SEARCHED_BYTES_MAX)
    segments = found.refresh()
    if forwards:
        start = max(position, Position(start_ms))
        events = read.forward(segments, start, end_ms + 1, names, effort)
    else:
        end = min(position, Position(end_ms + 1))
        events = read.backward(segments, end, start_ms, names, effort)
    taken, is_full = _taken(found, (e for e in events if matches(e.message)), params)
    answer: dict[str, Any] = {
        "events": [
            {
                "logStreamName": e.stream,
                "timestamp": e.ms,
                "message": e.message,
                "ingestionTime": e.ingested_ms,
                "eventId": _digits(read.before(e)),
            }
            for e in taken
        ],
        "searchedLogStreams": [],  # as in AWS, since 2019
    }
    goes_on = effort.stopped
    if is_full:
        goes_on = read.after(taken[-1]) if forwards else read.before(taken[-1])
    if goes_on is not None:
        answer["nextToken"] = lookup.token("f" if forwards else "b", *goes_on)
    return answer


def put_log_events(files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
    """PutLogEvents. Raises ResourceNotFoundException, InvalidParameterException."""
    found = lookup.by_name(files, scope, params["logGroupName"])
    name = params["logStreamName"]
    streams = found.streams()
    if name not in streams:
        raise lookup.stream_missing()
    events = params["logEvents"]
    _check_batch(events)
    now = files.now_ms()
    rejected: dict[str, int] = {}
    accepted = []
    expired_ms = found.earliest_ms(now)
    for number, event in enumerate(events):
        ms = event["timestamp"]
        if ms > now + _FUTURE_MS:
            rejected.setdefault("tooNewLogEventStartIndex", number)
        elif ms < now - _PAST_MS:
            rejected["tooOldLogEventEndIndex"] = number + 1
        elif ms < expired_ms:
            rejected["expiredLogEventEndIndex"] = number + 1
        else:
            message = event["message"].encode(errors="replace")
            accepted.append((name, streams[name].created_ms, ms, message, False))
    ingested_ms = max(now, found.group.deleted.get(name, 0) + 1)
    if accepted:
        found.appender.append(accepted, ingested_ms)
    answer: dict[str, Any] = {"nextSequenceToken": f"{ingested_ms:056d}"}
    if rejected:
        answer["rejectedLogEventsInfo"] = rejected
    return answer


def pattern(text: str) -> filter_pattern.Matcher:
    """Return what tells whether a message matches. Raises InvalidParameterException."""
    try:
        return filter_pattern.compiled(text)
    except filter_pattern.BadPattern as error:
        raise InvalidParameterException(f"Invalid filter pattern: {error}") from None


def _check_batch(events: list[Mapping[str, Any]]) -> None:
    times = [event["timestamp"] for event in events]
    if times != sorted(times):
        raise InvalidParameterException(
            "Log events in a single PutLogEvents request must be in chronological order."
        )
    if times[-1] - times[0] > DAY_MS:
        raise InvalidParameterException(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 "
            "hours."
        )
    size = sum(len(e["message"].encode(errors="replace")) + EVENT_EXTRA_BYTES for e in events)
    if size > BATCH_BYTES_MAX:
        raise InvalidParameterException(
            f"Upload too large: {size} bytes exceeds limit of {BATCH_BYTES_MAX}"
        )


def _times(
    files: LogFiles, found: OpenGroup, params: Mapping[str, Any], *, end_default: int
) -> tuple[int, int]:
    earliest_ms = found.earliest_ms(files.now_ms())
    start_ms = max(params.get("startTime", 0), earliest_ms)
    end_ms = min(params.get("endTime", end_default), end_default)
    if params.get("startTime", 0) > params.get("endTime", params.get("startTime", 0)):
        raise InvalidParameterException("startTime must not be after endTime.")
    return min(start_ms, MS_MAX), end_ms


def _direction(params: Mapping[str, Any], start_ms: int, end_ms: int) -> tuple[bool, Position]:
    """Return whether to read forwards, and from where."""
    if "nextToken" not in params:
        forwards = params.get("startFromHead", False)
        return forwards, Position(start_ms) if forwards else Position(end_ms)
    match = _TOKEN.fullmatch(params["nextToken"])
    if match is None:
        raise lookup.bad_token()
    return match[1] == "f", Position(int(match[2]), int(match[3]), int(match[4]))


def _search_from(params: Mapping[str, Any], start_ms: int, end_ms: int) -> tuple[bool, Position]:
    """Return whether to search forwards, and from where."""
    if "nextToken" in params:
        way, *parts = lookup.parts_of(params["nextToken"], 4)
        if way not in ("f", "b"):
            raise lookup.bad_token()
        return way == "f", Position(*map(lookup.number, parts))
    if params.get("startFromHead", True):
        return True, Position(start_ms)
    if params.get("startTime", LATEST_FIRST_MS) < LATEST_FIRST_MS:
        raise InvalidParameterException(
            "startFromHead can be false only where startTime is not before 2024-01-01T00:00:00Z."
        )
    return False, Position(end_ms + 1)


def _taken(
    found: OpenGroup, events: Iterator[Event], params: Mapping[str, Any]
) -> tuple[list[Event], bool]:
    """Return a page of events, and whether it is full."""
    limit = params.get("limit", EVENTS_MAX)
    taken: list[Event] = []
    size = 0
    for event in events:
        if not found.is_shown(event):
            continue
        size += len(event.text) + EVENT_EXTRA_BYTES
        if taken and size > PAGE_BYTES_MAX:
            return taken, True
        taken.append(event)
        if len(taken) == limit:
            return taken, True
    return taken, False


def _stream_names(found: OpenGroup, params: Mapping[str, Any]) -> set[str] | None:
    names, prefix = params.get("logStreamNames"), params.get("logStreamNamePrefix")
    if names and prefix:
        raise InvalidParameterException(
            "logStreamNames and logStreamNamePrefix are mutually exclusive."
        )
    there = found.streams() if names or prefix else {}
    if prefix:
        return {name for name in there if name.startswith(prefix)}
    if not names:
        return None
    if missing := [name for name in names if name not in there]:
        raise (
            lookup.stream_missing()
            if len(missing) == len(names)
            else InvalidParameterException(f"The specified log stream does not exist: {missing[0]}")
        )
    return set(names)


def _digits(position: Position) -> str:
    """Return the 56 digits that name a place, as the ids of events in AWS have."""
    return f"{position.ms:013d}{position.segment:014d}{position.offset:029d}"
