"""What processes write, as events: lines, or whole records where the runtime marks their bounds.

Runtimes that AWS publishes write a record as a frame: 4 bytes of type, its length in 4, its time in
microseconds in 8, big-endian, and the text. Source: FramedTelemetryLogSink in AWS's runtime client
for Python. Frames come in the pipe of standard output, so that what a function prints and what it
logs stay in order.
"""

import struct

EVENT_BYTES_MAX = 256 * 1024  # AWS is silent: a line of over 256 KB becomes several log events.
VARIABLE = "_LAMBDA_TELEMETRY_LOG_FD"  # tells a runtime that it is to write frames
_MAGIC = b"\xa5\x5a\x00"
_HEAD = struct.Struct(">4sIQ")

Piece = tuple[int, bytes, bool]  # time in ms, text, and whether it is an event by itself
Event = tuple[int, bytes, bool]  # time in ms, text, and whether each line of it is an event


class Source:
    """One pipe. `split` takes what is read from it, in parts as they come."""

    def __init__(self) -> None:
        self._rest = b""  # a frame's head that is not complete
        self._left = 0  # bytes still to come of a frame
        self._ms = 0
        self._printed_ms = 0  # when something was printed last: no record after it is older
        self._parts: list[bytes] = []  # of the text of that frame
        self.partial: list[bytes] = []  # of a line that is not complete
        self.partial_bytes = 0
        self.partial_ms = 0

    def split(self, now_ms: int, data: bytes) -> list[Piece]:
        """Return what is printed and the records in `data`, without their marks."""
        if not self._left and not self._rest and b"\xa5" not in data:
            self._printed_ms = now_ms
            return [(now_ms, data, False)]
        return self._frames(now_ms, data)

    def _frames(self, now_ms: int, data: bytes) -> list[Piece]:
        data, self._rest = self._rest + data, b""
        pieces: list[Piece] = []
        at = 0
        while at < len(data):
            if self._left:
                part = data[at : at + min(self._left, EVENT_BYTES_MAX - sum(map(len, self._parts)))]
                at += len(part)
                self._left -= len(part)
                self._parts.append(part)
                if not self._left or sum(map(len, self._parts)) >= EVENT_BYTES_MAX:
                    pieces.append((self._ms, b"".join(self._parts), True))
                    self._parts = []
                continue
            found = data.find(_MAGIC, at)
            if found < 0:
                kept = _begun(data[at:])
                if kept < len(data) - at:
                    self._printed_ms = now_ms
                    pieces.append((now_ms, data[at : len(data) - kept], False))
                self._rest = data[len(data) - kept :]
                break
            if found > at:
                self._printed_ms = now_ms
                pieces.append((now_ms, data[at:found], False))
            if len(data) - found < _HEAD.size:
                self._rest = data[found:]
                break
            _, self._left, microseconds = _HEAD.unpack_from(data, found)
            self._ms = max(microseconds // 1000, self._printed_ms)
            at = found + _HEAD.size
        return pieces

    def lines(self, piece: Piece) -> list[Event]:
        """Return the events that `piece` completes."""
        ms, text, is_event = piece
        if is_event:
            return [*self.rest(), (ms, text, False)]
        tail = text[text.rfind(b"\n") + 1 :]
        whole = text[: len(text) - len(tail)] if tail else text
        events: list[Event] = []
        if whole and self.partial:
            first, _, whole = whole.partition(b"\n")
            begun = b"".join((*self.partial, first, b"\n"))
            events += [(self.partial_ms, part, False) for part in _parts(begun)]
            self.partial, self.partial_bytes = [], 0
        if whole:
            events.append((ms, whole, True))
        if tail:
            if not self.partial:
                self.partial_ms = ms
            self.partial.append(tail)
            self.partial_bytes += len(tail)
            if self.partial_bytes >= EVENT_BYTES_MAX:
                events += self.rest()
        return events

    def rest(self) -> list[Event]:
        """Return the line that has no end yet, as it is."""
        if not self.partial:
            return []
        text, self.partial, self.partial_bytes = b"".join(self.partial), [], 0
        return [(self.partial_ms, part, False) for part in _parts(text)]


def _parts(text: bytes) -> list[bytes]:
    return [text[at : at + EVENT_BYTES_MAX] for at in range(0, len(text), EVENT_BYTES_MAX)]


def _begun(data: bytes) -> int:
    """Return how many bytes at the end of `data` may be the beginning of a frame."""
    return next((n for n in (2, 1) if data.endswith(_MAGIC[:n])), 0)
