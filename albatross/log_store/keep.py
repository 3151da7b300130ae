"""What ends events: their retention, and the room that there is for them."""

import time
from contextlib import suppress
from pathlib import Path

from albatross.log_store.append import SEGMENT_BYTES
from albatross.log_store.files import LogFiles, OpenGroup
from albatross.log_store.segment import Segment

EXPIRE_EVERY_S = 60.0
_QUIET_S = 60.0  # a segment to which nothing has been added for as long is not written to


class Keeper:
    """Ends what has expired, and the oldest of what is too much; indexes what is complete."""

    def __init__(self, files: LogFiles, *, group_bytes_max: int, bytes_max: int) -> None:
        self._files = files
        self._group_bytes_max = group_bytes_max
        self._bytes_max = bytes_max
        self._expired_s = 0.0
        self._sizes: dict[Path, dict[Path, int]] = {}  # of segments, by directory
        self._changed_ns: dict[Path, int] = {}  # when a directory had another file

    def look(self) -> None:
        """Look once at every group; at its segments only where there are others than before."""
        now_s = time.monotonic()
        if expires := now_s - self._expired_s >= EXPIRE_EVERY_S:
            self._expired_s = now_s
        present = set()
        for directory in self._files.directories():
            with suppress(FileNotFoundError):  # deleted just now
                changed_ns = directory.stat().st_mtime_ns
                present.add(directory)
                if expires:
                    self._expire(directory)
                if self._changed_ns.get(directory) == changed_ns:
                    continue
                self._sizes[directory] = _sizes(directory)
                self._limit([directory], self._group_bytes_max)
                self._index(directory)  # of what is left
                self._changed_ns[directory] = directory.stat().st_mtime_ns
        for gone in self._sizes.keys() - present:
            del self._sizes[gone]
        self._limit(list(self._sizes), self._bytes_max)

    def _expire(self, directory: Path) -> None:
        found = self._files.at(directory)
        earliest_ms = found.earliest_ms(self._files.now_ms()) if found else 0
        if found is None or not earliest_ms:
            return
        for segment in found.refresh():
            is_quiet = time.time() - segment.path.stat().st_mtime > _QUIET_S
            if segment.blocks and segment.max_ms < earliest_ms and is_quiet:
                segment.remove()

    def _index(self, directory: Path) -> None:
        found: OpenGroup | None = None
        for path, size in _sizes(directory).items():
            if size >= SEGMENT_BYTES and not path.with_suffix(".index").exists():
                found = found or self._files.at(directory)
                if found is not None:
                    # Not kept in memory, where it would outlive its file: who reads it loads it.
                    segment = found.segments.get(path.name) or Segment.at(path)
                    segment.refresh()
                    segment.save()

    def _limit(self, directories: list[Path], bytes_max: int) -> None:
        """Remove the oldest complete segments of groups beyond `bytes_max`."""
        sizes = {path: size for each in directories for path, size in self._sizes[each].items()}
        excess = sum(sizes.values()) - bytes_max
        if excess <= 0:
            return
        for path in sorted(sizes, key=lambda path: path.name):
            if excess > 0 and sizes[path] >= SEGMENT_BYTES:
                Segment(path, 0).remove()
                del self._sizes[path.parent][path]
                excess -= sizes[path]


def _sizes(directory: Path) -> dict[Path, int]:
    return {path: path.stat().st_size for path in directory.glob("*.log")}
