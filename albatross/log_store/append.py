"""Writing events: each process that does has segments of its own, told apart by a letter."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

from albatross.log_store import group, record
from albatross.log_store.record import Entry

SEGMENT_BYTES = 4 * 1024 * 1024  # a segment that has as many is complete
HOST, API = "h", "a"  # the letters of those who write


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Appender:
    """Appends to the newest segment of one writer in a group, which it makes if need be."""

    def __init__(self, directory: Path, name: str, writer: str) -> None:
        self._directory = directory
        self._name = name
        self._writer = writer
        self._path: Path | None = None
        self._numbers: dict[str, int] = {}  # of streams in this segment
        self._count = 0  # of numbers given there

    def append(self, entries: Iterable[Entry], ingested_ms: int) -> None:
        """Write events with one system call. Raises OSError: then none is to be relied on."""
        descriptor = self._open(ingested_ms)
        try:
            size = os.fstat(descriptor).st_size
            if size == 0:  # new, or removed meanwhile
                self._forget()
            data = b"".join(self._lines(entries, ingested_ms))
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
        finally:
            os.close(descriptor)
        if size + len(data) >= SEGMENT_BYTES:
            self._path = None

    def create_stream(self, name: str, created_ms: int) -> None:
        """Note a stream that has no events yet."""
        descriptor = self._open(created_ms)
        try:
            if os.fstat(descriptor).st_size == 0:
                self._forget()
            os.write(descriptor, self._stream(name, created_ms))
        finally:
            os.close(descriptor)

    def _lines(self, entries: Iterable[Entry], ingested_ms: int) -> Iterable[bytes]:
        numbers = self._numbers
        for stream, created_ms, ms, message, is_lines in entries:
            number = numbers.get(stream)
            if number is None:
                yield self._stream(stream, created_ms)
                number = numbers[stream]
            write = record.event_lines if is_lines else record.event_line
            yield write(ms, ingested_ms, number, message)

    def _stream(self, name: str, created_ms: int) -> bytes:
        number = self._numbers[name] = self._count
        self._count += 1
        return record.stream_line(number, created_ms, name)

    def _forget(self) -> None:
        self._numbers.clear()
        self._count = 0

    def _open(self, now: int) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        if self._path is None:
            self._path = self._newest(now)
        try:
            return os.open(self._path, flags, 0o600)
        except FileNotFoundError:  # the group is new, or has been deleted
            self._path = None
        group.create(self._directory, group.Group(name=self._name, created_ms=now))
        self._path = self._newest(now)
        return os.open(self._path, flags, 0o600)

    def _newest(self, now: int) -> Path:
        """Return the segment to go on with: the last one, unless it is complete."""
        self._forget()
        mine = sorted(self._directory.glob(f"*-{self._writer}.log"))
        if mine and mine[-1].stat().st_size < SEGMENT_BYTES:
            data = mine[-1].read_bytes()
            for number, _, name in record.STREAM.findall(data):
                self._numbers[record.stream_name(name)] = int(number)
                self._count = max(self._count, int(number) + 1)
            if data and not data.endswith(b"\n"):  # cut off by a crash
                with mine[-1].open("ab") as file:
                    file.write(b"\n")
            return mine[-1]
        if mine:
            now = max(now, int(mine[-1].name[:13]) + 1)
        return self._directory / f"{now:013d}-{self._writer}.log"
