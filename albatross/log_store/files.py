"""All log groups on disk, as one process sees them. To be used from one thread at a time."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from albatross.log_store import group, place
from albatross.log_store.append import API, Appender, now_ms
from albatross.log_store.group import Group
from albatross.log_store.segment import Event, Segment, StreamPart
from albatross.model.arn import Scope

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Stream:
    """A log stream. Times are in milliseconds; without events None."""

    name: str
    created_ms: int
    first_ms: int | None
    last_ms: int | None
    ingested_ms: int | None


@dataclass(slots=True)
class OpenGroup:
    """A group with its segments. `group` is as it was when it was opened."""

    directory: Path
    group: Group
    appender: Appender
    segments: dict[str, Segment] = field(default_factory=dict)  # by the name of the file

    def refresh(self) -> list[Segment]:
        """Return the segments as they are now, the oldest first."""
        names = {path.name for path in self.directory.glob("*.log")}
        for gone in self.segments.keys() - names:
            del self.segments[gone]
        for name in names:
            if name not in self.segments:
                self.segments[name] = Segment.at(self.directory / name)
            self.segments[name].refresh()
        return sorted(self.segments.values(), key=lambda segment: segment.number)

    def streams(self) -> dict[str, Stream]:
        """Return all streams by name, without those that were deleted."""
        found: dict[str, Stream] = {}
        for segment in self.refresh():
            for part in segment.streams.values():
                if max(part.ingested_ms, part.created_ms) <= self.group.deleted.get(part.name, 0):
                    continue
                known = found.get(part.name)
                found[part.name] = _joined(known, part) if known else _stream(part)
        return found

    def is_shown(self, event: Event) -> bool:
        """Tell whether the stream has not been deleted since the event came."""
        return event.ingested_ms > self.group.deleted.get(event.stream, 0)

    def earliest_ms(self, now: int) -> int:
        """Return the time before which events have expired."""
        days = self.group.retention_days
        return 0 if days is None else now - days * DAY_MS

    def bytes(self) -> int:
        return sum(path.stat().st_size for path in self.directory.glob("*.log"))


class LogFiles:
    """The groups of all accounts and Regions."""

    def __init__(self, root: Path, clock_ms: Callable[[], int] = now_ms) -> None:
        self.root = root
        self.now_ms = clock_ms
        self._open: dict[Path, OpenGroup] = {}

    def group(self, scope: Scope, name: str) -> OpenGroup | None:
        """Return the group, None where there is none."""
        return self.at(place.group_directory(self.root, scope, name))

    def groups(self, scope: Scope) -> list[OpenGroup]:
        """Return all groups of an account and Region, by name."""
        found = map(self.at, place.group_directories(self.root, scope))
        return sorted((each for each in found if each), key=lambda each: each.group.name)

    def directories(self) -> list[Path]:
        """Return the directories of the groups of all accounts and Regions."""
        scopes = place.scopes(self.root)
        return [each for scope in scopes for each in place.group_directories(self.root, scope)]

    def create(self, scope: Scope, new: Group) -> bool:
        """Make a group; False where it is there already."""
        return group.create(place.group_directory(self.root, scope, new.name), new)

    def change(self, changed: OpenGroup, **values: object) -> None:
        """Change what a group is."""
        changed.group = replace(changed.group, **values)  # type: ignore[arg-type]
        group.save(changed.directory, changed.group)

    def delete(self, gone: OpenGroup) -> None:
        self._open.pop(gone.directory, None)
        group.delete(gone.directory)

    def at(self, directory: Path) -> OpenGroup | None:
        """Return the group in a directory, None where there is none."""
        found = group.load(directory)
        if found is None:
            self._open.pop(directory, None)
            return None
        known = self._open.get(directory)
        if known is None or known.group.created_ms != found.created_ms:
            appender = Appender(directory, found.name, API)
            known = self._open[directory] = OpenGroup(directory, found, appender)
        known.group = found
        return known


def _stream(part: StreamPart) -> Stream:
    ingested_ms = part.ingested_ms or None
    return Stream(part.name, part.created_ms, part.first_ms, part.last_ms, ingested_ms)


def _joined(stream: Stream, part: StreamPart) -> Stream:
    firsts = [ms for ms in (stream.first_ms, part.first_ms) if ms is not None]
    lasts = [ms for ms in (stream.last_ms, part.last_ms) if ms is not None]
    return Stream(
        stream.name,
        min(stream.created_ms, part.created_ms),
        min(firsts, default=None),
        max(lasts, default=None),
        max(stream.ingested_ms or 0, part.ingested_ms) or None,
    )
