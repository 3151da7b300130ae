"""When the next check of each target is due. Pure: times are numbers that the caller passes in."""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Schedule(Generic[K]):
    """Due times by key, the earliest first. Of a key that is added again the last time counts."""

    def __init__(self) -> None:
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._count = 0  # tells equal times apart, as keys need not be ordered

    def add(self, key: K, due_s: float) -> None:
        self._due[key] = due_s
        self._count += 1
        heapq.heappush(self._heap, (due_s, self._count, key))

    def remove(self, key: K) -> None:
        """Forget `key`, which need not be there."""
        self._due.pop(key, None)

    def next_s(self) -> float | None:
        """Return the earliest due time, None where nothing is due ever."""
        while self._heap:
            due_s, _, key = self._heap[0]
            if self._due.get(key) == due_s:
                return due_s
            heapq.heappop(self._heap)  # removed, or added again
        return None

    def pop(self, now_s: float) -> list[tuple[K, float]]:
        """Take out what is due at `now_s`: keys and the times they were due, in that order."""
        due: list[tuple[K, float]] = []
        while (next_s := self.next_s()) is not None and next_s <= now_s:
            key = heapq.heappop(self._heap)[2]
            del self._due[key]
            due.append((key, next_s))
        return due
