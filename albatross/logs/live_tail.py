"""StartLiveTail: events as they come, for as long as the client listens.

Source: CloudWatch Logs API, `StartLiveTail`.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from albatross.log_store.files import LogFiles, OpenGroup
from albatross.log_store.segment import Block, Event
from albatross.logs import events, lookup
from albatross.logs.filter_pattern import Matcher
from albatross.model.arn import Scope
from albatross.model.errors import InvalidParameterException, LimitExceededException

SESSION_S = 3 * 3600.0
SESSIONS_MAX = 15  # CloudWatch Logs quotas: concurrent Live Tail sessions
RESULTS_MAX = 500  # of an update; of more, some are left out
UPDATE_S = 0.5  # AWS sends an update a second
_MEMBERS = (
    *("logGroupIdentifiers", "logStreamNames", "logStreamNamePrefixes", "logEventFilterPattern"),
)

Run = Callable[[Callable[[], Any]], Any]  # in the thread of the log files


class Tail:
    """One session: the groups, and how far each of their segments has been read."""

    def __init__(self, files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> None:
        self._files = files
        self._scope = scope
        self._matches: Matcher = events.pattern(params.get("logEventFilterPattern", ""))
        self._names = set(params.get("logStreamNames", ()))
        self._prefixes = tuple(params.get("logStreamNamePrefixes", ()))
        self._read: dict[str, dict[str, int]] = {}  # by group and segment
        identifiers = params["logGroupIdentifiers"]
        if (self._names or self._prefixes) and len(identifiers) > 1:
            raise InvalidParameterException(
                "logStreamNames and logStreamNamePrefixes are for one log group."
            )
        if self._names and self._prefixes:
            raise InvalidParameterException(
                "logStreamNames and logStreamNamePrefixes are mutually exclusive."
            )
        # differs from AWS: StartLiveTail takes names of log groups where AWS takes their ARNs only.
        for identifier in identifiers:
            found = lookup.by_identifier(files, scope, identifier)
            self._read[found.group.name] = {s.path.name: s.size for s in found.refresh()}

    def look(self) -> list[tuple[str, Event]]:
        """Return what has come since the last look: groups and events, by time."""
        came: list[tuple[str, Event]] = []
        for name, read in self._read.items():
            found = self._files.group(self._scope, name)
            if found is not None:
                came += ((name, event) for event in self._new(found, read))
        came.sort(key=lambda each: each[1][:3])
        return came

    def _new(self, found: OpenGroup, read: dict[str, int]) -> list[Event]:
        new: list[Event] = []
        for segment in found.refresh():
            start = read.get(segment.path.name, 0)
            if segment.size > start:
                part = Block(segment, start, segment.size - start, 0, 0, set())
                new += (event for event in part.events(None) if self._is_wanted(event))
                read[segment.path.name] = segment.size
        return new

    def _is_wanted(self, event: Event) -> bool:
        if self._names and event.stream not in self._names:
            return False
        if self._prefixes and not event.stream.startswith(self._prefixes):
            return False
        return self._matches(event.message)


class LiveTails:
    """All sessions of this server."""

    def __init__(self, files: LogFiles, run: Run) -> None:
        self._files = files
        self._run = run
        self._sessions = 0

    async def start(self, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
        """StartLiveTail. Raises as lookup.by_identifier, LimitExceededException."""
        if self._sessions >= SESSIONS_MAX:
            raise LimitExceededException(
                f"There are {SESSIONS_MAX} Live Tail sessions, and no more may be."
            )
        tail = await self._run(lambda: Tail(self._files, scope, params))
        return {"responseStream": self._session(tail, scope, params)}

    async def _session(
        self, tail: Tail, scope: Scope, params: Mapping[str, Any]
    ) -> AsyncIterator[dict[str, Any]]:
        self._sessions += 1
        try:
            given = {name: params[name] for name in _MEMBERS if name in params}
            ids = {"requestId": str(uuid.uuid4()), "sessionId": str(uuid.uuid4())}
            yield {"sessionStart": {**ids, **given}}
            end_s = time.monotonic() + SESSION_S
            while time.monotonic() < end_s:
                came = await self._run(tail.look)
                every = -(-len(came) // RESULTS_MAX) or 1
                yield {
                    "sessionUpdate": {
                        "sessionMetadata": {"sampled": every > 1},
                        "sessionResults": [_result(scope, *each) for each in came[::every]],
                    }
                }
                await asyncio.sleep(UPDATE_S)
            yield {"SessionTimeoutException": {"message": "The session has lasted three hours."}}
        finally:
            self._sessions -= 1


def _result(scope: Scope, group: str, event: Event) -> dict[str, Any]:
    return {
        "logStreamName": event.stream,
        # AWS names a group here by account and name.
        "logGroupIdentifier": f"{scope.account}:{group}",
        "message": event.message,
        "timestamp": event.ms,
        "ingestionTime": event.ingested_ms,
    }
