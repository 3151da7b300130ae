"""What happens in one environment, told to the extensions that have subscribed to it.

Events are kept from the environment's start on, as extensions subscribe during its init phase; one
without subscribers tells nobody from then on. Sources: Lambda guide, "Telemetry API", "Logs API".
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import orjson

from albatross.host.observe import records
from albatross.host.observe.framing import Source
from albatross.host.observe.records import Ended, Record, timestamp_of
from albatross.host.observe.subscription import LOGS, Subscription
from albatross.host.observe.telemetry_stream import Stream
from albatross.model.function import Function

_EARLY_MAX = 1_000  # events before anyone has subscribed; later ones are lost
# What each version of the Logs API tells of the platform; the Telemetry API has everything.
_LOGS_API = {"platform.start", "platform.end", "platform.report", "platform.extension"}
_LOGS_API |= {"platform.logsSubscription", "platform.fault", "platform.logsDropped"}
_LOGS_API_2021 = _LOGS_API | {
    *("platform.runtimeDone", "platform.initRuntimeDone", "platform.initReport")
}


class Closed(Exception):
    """A subscription that comes after the init phase, or by the other of the two APIs."""


@dataclass(frozen=True, slots=True)
class Event:
    """`kind` is a type of AWS's; what is not of the platform has a line of text as its record."""

    ms: int
    kind: str
    record: Record | str


class Telemetry:
    """The events of one environment, and the streams they go to. `json`: its logs are JSON."""

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._early: list[Event] | None = []
        self._sources: dict[Source, tuple[str, Source]] = {}  # what is printed, again, by kind
        self.streams: dict[str, Stream] = {}  # by extension

    def subscribe(self, extension: str, subscription: Subscription, now_ms: int) -> None:
        """Send the extension what has happened, and all that follows. Raises Closed.

        Who has subscribed already keeps that subscription.
        """
        if self._early is None:
            raise Closed
        if any(stream.subscription.api is not subscription.api for stream in self.streams.values()):
            raise Closed
        if extension in self.streams:
            return
        self.streams[extension] = stream = Stream(subscription)
        for event in self._early:
            self._send(stream, event)
        record: Record = {
            "name": extension,
            "state": "Subscribed",
            "types": list(subscription.types),
        }
        self.tell(now_ms, subscription.api.subscribed, record)

    def close_subscriptions(self) -> bool:
        """The init phase is over. Tell whether anyone has subscribed."""
        self._early = None
        return bool(self.streams)

    def tell(self, ms: int, kind: str, record: Record | str) -> None:
        event = Event(ms, kind, record)
        if self._early is not None and len(self._early) < _EARLY_MAX:
            self._early.append(event)
        for stream in self.streams.values():
            self._send(stream, event)

    def printed(self, kind: str, ms: int, data: bytes, source: Source) -> None:
        """Tell what a process has written: `kind` is function or extension."""
        if source not in self._sources:
            self._sources[source] = kind, Source()
        _, own = self._sources[source]
        for piece in own.split(ms, data):
            for at_ms, text, is_lines in own.lines(piece):
                self._tell_lines(kind, at_ms, text, is_lines)

    def ended(self, ms: int, function: Function, ended: Ended) -> None:
        """An invocation has ended."""
        self._end_lines()
        self.tell(ms, "platform.runtimeDone", records.runtime_done(ended))
        self.tell(ms, "platform.report", records.report(function, ended))

    def flush(self) -> None:
        """Send what waits, without waiting for more: a process has ended, or will."""
        self._end_lines()
        for stream in self.streams.values():
            stream.flush()

    async def delivered(self) -> None:
        """Send what waits; return when all of it has arrived."""
        self._end_lines()
        await asyncio.gather(*(stream.delivered() for stream in self.streams.values()))

    async def close(self) -> None:
        """All processes have ended, and some may not have been told all."""
        await asyncio.gather(*(stream.close() for stream in self.streams.values()))

    def _end_lines(self) -> None:
        """What has been printed without a line's end ends here."""
        for kind, own in self._sources.values():
            for ms, text, is_lines in own.rest():
                self._tell_lines(kind, ms, text, is_lines)

    def _tell_lines(self, kind: str, ms: int, text: bytes, is_lines: bool) -> None:
        shown = text.decode(errors="replace").removesuffix("\n")
        for line in shown.split("\n") if is_lines else [shown]:
            self.tell(ms, kind, line)

    def _send(self, stream: Stream, event: Event) -> None:
        subscription = stream.subscription
        if event.kind.partition(".")[0] not in subscription.types:
            return
        if subscription.api is LOGS:
            for kind, record in _for_logs_api(event, subscription.schema):
                stream.put(_encoded(event.ms, kind, record))
            return
        record = event.record
        if isinstance(record, str) and self._json and subscription.has_structure:
            record = _structured(record)
        stream.put(_encoded(event.ms, event.kind, record))


def _for_logs_api(event: Event, schema: str) -> list[tuple[str, Any]]:
    """Return the event as the Logs API tells it, which may be as several, or not at all."""
    record = event.record
    if isinstance(record, str):
        return [(event.kind, record)]
    if event.kind not in (_LOGS_API if schema == "2020-08-15" else _LOGS_API_2021):
        return []
    if event.kind == "platform.runtimeDone":
        record = {name: record[name] for name in ("requestId", "status")}
    if event.kind != "platform.report":
        return [(event.kind, record)]
    shown = {name: record[name] for name in ("requestId", "metrics")}
    told: list[tuple[str, Any]] = [("platform.end", {"requestId": record["requestId"]})]
    if record["status"] in ("error", "timeout"):
        kind = f"\tErrorType: {record['errorType']}" if "errorType" in record else ""
        fault = f"RequestId: {record['requestId']} Status: {record['status']}{kind}"
        told.append(("platform.fault", fault))
    return [*told, (event.kind, shown)]


def _structured(line: str) -> Any:
    if not line.startswith("{"):
        return line
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return line


def _encoded(ms: int, kind: str, record: Any) -> bytes:
    return orjson.dumps({"time": timestamp_of(ms), "type": kind, "record": record})
