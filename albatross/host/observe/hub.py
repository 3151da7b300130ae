"""What happens in the host, as JSON objects for whoever watches: `albatross run`, tests, tools.

{"type": "request", "id", "function", "version", "method", "path", "status", "duration_ms", "cold",
 "error_reason", "detail", "event", "response"}   event and response for verbose watchers only
{"type": "log", "function", "request_id", "text"}
{"type": "reload", "function"}        {"type": "init_error", "function", "error"}
{"type": "lost"}      log events are missing before this: the watcher read slower than they came
"""

import time
from typing import Protocol

import orjson

from albatross.host.invocation import Invocation
from albatross.host.response import Response


class Watcher(Protocol):
    verbose: bool

    def watch(self, line: bytes, *, may_be_lost: bool) -> None:
        """Take one event, a line of JSON; one that `may_be_lost` gives way when there are many."""


class Hub:
    """Hands events to watchers. Without any, nothing is built: ask `wanted` first."""

    def __init__(self) -> None:
        self._watchers: set[Watcher] = set()
        self.wanted = False
        self.verbose = False

    def add(self, watcher: Watcher) -> None:
        self._watchers.add(watcher)
        self._count()

    def remove(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)
        self._count()

    def publish(self, record: dict[str, object], /, **verbose: object) -> None:
        """Send `record`; the `verbose` members only to those who asked for them."""
        short = orjson.dumps(record) + b"\n"
        long = orjson.dumps({**record, **verbose}) + b"\n" if verbose and self.verbose else short
        is_log = record["type"] == "log"
        for watcher in list(self._watchers):
            watcher.watch(long if watcher.verbose else short, may_be_lost=is_log)

    def request(
        self,
        method: str,
        target: bytes,
        response: Response,
        invocation: Invocation | None,
        /,
        *,
        function_arn: str | None,
        started_s: float,
        **verbose: object,
    ) -> None:
        """Publish how a request has been answered."""
        self.publish(
            {
                "type": "request",
                "id": invocation.id if invocation else None,
                "function": function_arn.split(":")[6] if function_arn else None,
                "version": invocation.version if invocation else None,
                "method": method,
                "path": target.decode("latin-1"),
                "status": response.status,
                "duration_ms": round((time.monotonic() - started_s) * 1000, 2),
                "cold": invocation.cold if invocation else False,
                "error_reason": response.code,
                "detail": response.detail,
            },
            **verbose,
        )

    def _count(self) -> None:
        self.wanted = bool(self._watchers)
        self.verbose = any(watcher.verbose for watcher in self._watchers)
