"""What is where in a segment: blocks with the times and streams of their events.

A segment that grows is looked through from where the last look ended. One that is complete has its
index beside it, so that nothing of it is read that no query asks for.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import orjson

from albatross.log_store import record

BLOCK_BYTES = 64 * 1024
_READ_BYTES = 1024 * 1024
_WRITERS = "ah"  # a letter's place is the last digit of a segment's number


class Event(NamedTuple):
    """An event as it is read. The first three are its place: by time, then as it came."""

    ms: int
    segment: int
    offset: int
    ingested_ms: int
    stream: str
    kind: bytes
    text: bytes

    @property
    def message(self) -> str:
        return record.message(self.kind, self.text)


@dataclass(slots=True)
class Block:
    """A part of a segment, whole lines."""

    segment: "Segment"
    offset: int
    length: int
    min_ms: int
    max_ms: int
    streams: set[int]

    def events(self, streams: set[int] | None) -> Iterator[Event]:
        """Yield the events of `streams`, or all, as they came. Nothing where the file is gone."""
        try:
            with self.segment.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read(self.length)
        except FileNotFoundError:
            return
        number, known = self.segment.number, self.segment.streams
        for match in record.EVENT.finditer(data):
            stream = int(match[3])
            if (streams is None or stream in streams) and stream in known:
                yield Event(
                    int(match[1]),
                    number,
                    self.offset + match.start(),
                    int(match[2]),
                    known[stream].name,
                    match[4],
                    match[5],
                )


@dataclass(slots=True)
class StreamPart:
    """What a segment has of a stream. Times are in milliseconds; without events None."""

    name: str
    created_ms: int
    first_ms: int | None = None
    last_ms: int | None = None
    ingested_ms: int = 0  # the last time


@dataclass(slots=True)
class Segment:
    """A segment file. `size`: how far it has been looked through."""

    path: Path
    number: int
    size: int = 0
    blocks: list[Block] = field(default_factory=list)
    streams: dict[int, StreamPart] = field(default_factory=dict)

    @classmethod
    def at(cls, path: Path) -> "Segment":
        segment = cls(path, int(path.name[:13]) * 10 + _WRITERS.index(path.name[14]))
        segment._load()
        return segment

    @property
    def max_ms(self) -> int:
        return max((block.max_ms for block in self.blocks), default=0)

    @property
    def index_path(self) -> Path:
        return self.path.with_suffix(".index")

    def refresh(self) -> None:
        """Look through what has been appended since the last look."""
        try:
            size = os.stat(self.path).st_size
        except FileNotFoundError:
            return
        if size < self.size:  # removed, and made anew
            self.size, self.blocks, self.streams = 0, [], {}
        if size == self.size:
            return
        with self.path.open("rb") as file:
            file.seek(self.size)
            while data := file.read(_READ_BYTES):
                end = data.rfind(b"\n") + 1
                if not end:
                    if len(data) < _READ_BYTES:
                        return  # a line that is being written
                    data += file.readline()
                    end = len(data) if data.endswith(b"\n") else 0
                    if not end:
                        return
                self._look(data[:end])
                file.seek(self.size)

    def save(self) -> None:
        """Leave the index of a complete segment beside it."""
        document = {
            "size": self.size,
            "blocks": [
                (b.offset, b.length, b.min_ms, b.max_ms, sorted(b.streams)) for b in self.blocks
            ],
            "streams": [
                (n, s.name, s.created_ms, s.first_ms, s.last_ms, s.ingested_ms)
                for n, s in self.streams.items()
            ],
        }
        partial = self.index_path.with_suffix(".partial")
        partial.write_bytes(orjson.dumps(document))
        partial.replace(self.index_path)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.index_path.unlink(missing_ok=True)

    def numbers(self, names: set[str] | None) -> set[int] | None:
        """Return the numbers of streams here, None for all."""
        if names is None:
            return None
        return {number for number, stream in self.streams.items() if stream.name in names}

    def _load(self) -> None:
        try:
            found = orjson.loads(self.index_path.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return
        self.size = found["size"]
        self.blocks = [
            Block(self, offset, length, min_ms, max_ms, set(streams))
            for offset, length, min_ms, max_ms, streams in found["blocks"]
        ]
        self.streams = {number: StreamPart(*rest) for number, *rest in found["streams"]}

    def _look(self, data: bytes) -> None:
        """Take in `data`, whole lines that follow what is known."""
        base = self.size
        block = self.blocks[-1] if self.blocks else None
        for match in record.HEAD.finditer(data):
            offset = base + match.start()
            if match[4] is not None:
                name = record.stream_name(match[6])
                self.streams[int(match[4])] = StreamPart(name, int(match[5]))
                continue
            ms, number = int(match[1]), int(match[3])
            if block is None or offset - block.offset >= BLOCK_BYTES:
                if block is not None:
                    block.length = offset - block.offset
                block = Block(self, offset, 0, ms, ms, set())
                self.blocks.append(block)
            if ms < block.min_ms:
                block.min_ms = ms
            elif ms > block.max_ms:
                block.max_ms = ms
            block.streams.add(number)
            if (stream := self.streams.get(number)) is not None:
                if stream.first_ms is None or stream.last_ms is None:
                    stream.first_ms = stream.last_ms = ms
                elif ms > stream.last_ms:
                    stream.last_ms = ms
                elif ms < stream.first_ms:
                    stream.first_ms = ms
                stream.ingested_ms = int(match[2])
        self.size = base + len(data)
        if block is not None:
            block.length = self.size - block.offset
