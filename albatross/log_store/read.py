"""Reading events in the order of their times, from any number of segments, without reading more
than is asked for.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from albatross.log_store.segment import Block, Event, Segment


class Position(NamedTuple):
    """A place between events: before the event that has it, or would."""

    ms: int
    segment: int = 0
    offset: int = 0


def before(event: Event) -> Position:
    return Position(event.ms, event.segment, event.offset)


def after(event: Event) -> Position:
    return Position(event.ms, event.segment, event.offset + 1)


@dataclass(slots=True)
class Effort:
    """What reading has cost, and where it stopped because `bytes_max` was reached."""

    bytes_max: int
    bytes_read: int = 0
    stopped: Position | None = None


def forward(
    segments: list[Segment],
    start: Position,
    end_ms: int,
    streams: set[str] | None,
    effort: Effort | None = None,
) -> Iterator[Event]:
    """Yield the events from `start` on and before `end_ms`, by time."""
    blocks = [
        (block, numbers)
        for block, numbers in _blocks(segments, streams)
        if block.max_ms >= start.ms and block.min_ms < end_ms
    ]
    blocks.sort(key=lambda each: each[0].min_ms)
    pending: list[Event] = []
    for block, numbers in blocks:
        cut = bisect_left(pending, (block.min_ms,))
        yield from pending[:cut]
        del pending[:cut]
        if effort is not None:
            if effort.bytes_read >= effort.bytes_max and block.min_ms > start.ms:
                effort.stopped = Position(block.min_ms)
                return
            effort.bytes_read += block.length
        pending += [
            event for event in block.events(numbers) if event >= start and event.ms < end_ms
        ]
        pending.sort()
    yield from pending


def backward(
    segments: list[Segment],
    end: Position,
    start_ms: int,
    streams: set[str] | None,
    effort: Effort | None = None,
) -> Iterator[Event]:
    """Yield the events before `end` and not before `start_ms`, the latest first."""
    blocks = [
        (block, numbers)
        for block, numbers in _blocks(segments, streams)
        if block.min_ms <= end.ms and block.max_ms >= start_ms
    ]
    blocks.sort(key=lambda each: each[0].max_ms, reverse=True)
    pending: list[Event] = []
    for block, numbers in blocks:
        cut = bisect_left(pending, (block.max_ms + 1,))
        yield from reversed(pending[cut:])
        del pending[cut:]
        if effort is not None:
            if effort.bytes_read >= effort.bytes_max and block.max_ms < end.ms:
                effort.stopped = Position(block.max_ms + 1)
                return
            effort.bytes_read += block.length
        pending += [
            event for event in block.events(numbers) if event < end and event.ms >= start_ms
        ]
        pending.sort()
    yield from reversed(pending)


def _blocks(
    segments: list[Segment], streams: set[str] | None
) -> Iterator[tuple[Block, set[int] | None]]:
    for segment in segments:
        numbers = segment.numbers(streams)
        if numbers is None:
            for block in segment.blocks:
                yield block, None
        elif numbers:
            for block in segment.blocks:
                if not numbers.isdisjoint(block.streams):
                    yield block, numbers
