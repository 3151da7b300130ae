"""What functions print, and what Lambda says of their invocations: events of log streams on disk.

A log group belongs to a function, unless its `LoggingConfig` names another; each environment has a
stream of its own. Source: Lambda guide, "Sending Lambda function logs to CloudWatch Logs".
"""

import asyncio
import logging
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from albatross.host.observe.framing import Piece, Source
from albatross.host.observe.log_lines import Lines, level_of, lines_for
from albatross.log_store.append import HOST, Appender, now_ms
from albatross.log_store.place import ROOT, group_directory
from albatross.log_store.record import Entry
from albatross.model import arn
from albatross.model.function import Function

log = logging.getLogger(__name__)

TAIL_BYTES_MAX = 4 * 1024  # Lambda API, Invoke: "the last 4 KB of the execution log"
READ_BYTES_MAX = 64 * 1024  # per turn of the loop, so that a flood does not starve the others
# Of one group; then they are written at once: little by little, a megabyte takes milliseconds.
HELD_BYTES_MAX = 128 * 1024
# Of one stream; then they are written at once: what a busy function's invocations log in a fifth of
# a second takes 6 ms, for which all requests would wait.
PENDING_MAX = 100
_FLUSH_S = 0.2
_LINE_BYTES = 32  # that are kept of each line besides its text: times, stream, kind


class GroupLog:
    """Writes the events of a group's streams, in batches: nothing on the path of a request."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self._appender = Appender(directory, name, HOST)
        self._streams: list[StreamLog] = []  # those that have something to write
        self._held_bytes = 0
        self._flush: asyncio.TimerHandle | None = None

    def add(self, stream: "StreamLog") -> None:
        """Note that `stream` has something to write."""
        self._streams.append(stream)
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(_FLUSH_S, self.flush)

    def relieve(self, size: int) -> None:
        """Note `size` more bytes, and write now if there is much."""
        self._held_bytes += size
        if self._held_bytes > HELD_BYTES_MAX:
            self.flush()

    def flush(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        streams, self._streams, self._held_bytes = self._streams, [], 0
        entries = [entry for stream in streams for entry in stream.take()]
        if not entries:
            return
        try:
            self._appender.append(entries, now_ms())
        except OSError as error:
            log.error("cannot write the log group %s: %s", self.name, error)


class StreamLog:
    """The log of one environment. What it returns is the text as Invoke's log tail shows it."""

    def __init__(self, group: GroupLog, function: Function, environment_id: str) -> None:
        self.group = group
        self.name = stream_name(function, environment_id)
        self.lines: Lines = lines_for(function)
        self.pending: list[tuple[Source, Piece]] = []
        self._own = Source()  # Lambda's lines, which are events by themselves
        self._sources: list[Source] = []
        self._created_ms = now_ms()
        self._is_json = function.logging.is_json
        self._json_level = function.logging.application_level if function.logging.is_json else 0

    def write(self, *texts: bytes) -> bytes:
        """Take events of Lambda's. An empty one is none: its level is not wanted."""
        if not self.pending:
            self.group.add(self)
        ms = int(time.time() * 1000)
        if self._is_json:
            self.pending += [(self._own, (ms, text, True)) for text in texts if text]
            written = b"".join(map(_ended, texts))
        else:
            written = texts[0] if len(texts) == 1 else b"".join(texts)
            if written:
                self.pending.append((self._own, (ms, written, False)))
        if len(self.pending) >= PENDING_MAX:
            self.group.flush()
        return written

    def printed(self, data: bytes, source: Source) -> bytes:
        """Take what a process has written, and return it without the marks of records."""
        if not self.pending:
            self.group.add(self)
        pieces = source.split(int(time.time() * 1000), data)
        self.pending += [(source, piece) for piece in pieces]
        self.group.relieve(kept_bytes(data))
        return b"".join(_ended(text) if is_event else text for _, text, is_event in pieces)

    def take(self) -> list[Entry]:
        """Return the events of what has been written until now."""
        pending, self.pending = self.pending, []
        entries: list[Entry] = []
        own, name, created_ms = self._own, self.name, self._created_ms
        for source, piece in pending:
            if source is own:
                for begun in self._sources:  # a line that has no end yet ends here
                    entries += [(name, created_ms, *event) for event in begun.rest()]
                ms, text, is_event = piece
                if text:
                    entries.append((name, created_ms, ms, text, not is_event))
                continue
            if source not in self._sources:
                self._sources.append(source)
            for ms, text, is_lines in source.lines(piece):
                if not self._json_level:
                    entries.append((name, created_ms, ms, text, is_lines))
                    continue
                for each in _lines(text) if is_lines else (text,):
                    if level_of(each) >= self._json_level:
                        entries.append((name, created_ms, ms, each, False))
        return entries

    def close(self) -> None:
        """Take the last line of each process, which may have no end."""
        rest = [(each, event) for each in self._sources for event in each.rest()]
        if rest and not self.pending:
            self.group.add(self)
        self.pending += [(source, (ms, text, True)) for source, (ms, text, _) in rest]


class Logs:
    """All log groups that functions write to, below a data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / ROOT
        self._groups: dict[Path, GroupLog] = {}

    def stream(self, function: Function, environment_id: str) -> StreamLog:
        """Return the log of a new environment."""
        name = function.logging.group
        directory = group_directory(self._root, arn.scope_of(function.arn), name)
        if directory not in self._groups:
            self._groups[directory] = GroupLog(directory, name)
        return StreamLog(self._groups[directory], function, environment_id)

    def flush(self) -> None:
        for group in self._groups.values():
            group.flush()


def stream_name(function: Function, environment_id: str) -> str:
    """Return the name of an environment's stream.

    In a group that other functions may share it has the function's name. Source: Lambda guide,
    "Configuring CloudWatch log groups".
    """
    today = datetime.now(UTC).strftime("%Y/%m/%d")
    of = function.name if function.logging.is_shared else ""
    return f"{today}/{of}[{function.version}]{environment_id}"


def kept_bytes(printed: bytes) -> int:
    """Return about how many bytes a log keeps of what was printed."""
    return len(printed) + printed.count(b"\n") * _LINE_BYTES


def _lines(text: bytes) -> list[bytes]:
    return [line + b"\n" for line in text[:-1].split(b"\n")]


def _ended(text: bytes) -> bytes:
    """Return an event as it is shown among others."""
    return text if not text or text.endswith(b"\n") else text + b"\n"


def tail(chunks: list[bytes]) -> bytes:
    """Return the last 4 KB of a log."""
    return b"".join(chunks)[-TAIL_BYTES_MAX:]


def read_available(fd: int) -> bytes | None:
    """Return what a pipe holds now, up to READ_BYTES_MAX; None at its end: nobody writes any more.

    Empty when it is dry.
    """
    try:
        return os.read(fd, READ_BYTES_MAX) or None
    except BlockingIOError:
        return b""
    except OSError:
        return None
