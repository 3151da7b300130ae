"""How much memory environments use; ends those that use more than their function has (Linux).

Each environment that works is looked at ten times a second: the resident memory of
its processes together. What counts is told from it only when that sum is over the limit, because
that takes longer: pages that processes share count once, and pages of files not at all, which a
kernel takes back when it needs them. Of very many processes, some are looked at. A
function can be over its limit for a moment: when it answers, the most memory of its own that its
first process has had says so.
Source: Lambda guide, "Configure Lambda function memory".
"""

import asyncio
import math
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from albatross.host.environment import Environment
    from albatross.host.local.launch import Process

EVERY_S, IDLE_EVERY_S = 0.1, 0.5
PEAK_EARLY_S = (0.02, 0.06)  # after its start; once a process has ended there is nothing to read
_PEAK_EVERY_S, _PEAK_AFTER_S = 1.0, 0.005  # after a shorter invocation it is not worth the time
_PEAK_FRESH_S = 0.001
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
_PROCESSES_MAX = 64  # of an environment that are looked at: it takes time, 25 us each at best
_TREE_EVERY = 5  # looks; in between, only the first process is measured
_STARTER_KB_MAX = 5 * 1024
_STATUS_BYTES_MAX = 8 * 1024  # of /proc/PID/status; it has about 1.5 KB


class Peak:
    """The most memory that an environment's process has had, as far as it was looked at."""

    def __init__(self) -> None:
        # It may have ended before the first look. Elsewhere nothing is known.
        self.mb = 1 if sys.platform == "linux" else 0
        self.private_mb = 0  # of it what no file backs
        self._files_kb = 0  # the most pages of files that it was seen to have
        self._read_s = 0.0

    def look(self, process: "Process | None", now_s: float, taken_s: float = math.inf) -> int:
        """Return it in MB, as it is now or was after the last invocation that has taken long."""
        age_s = now_s - self._read_s
        is_due = age_s > _PEAK_EVERY_S or (taken_s > _PEAK_AFTER_S and age_s > _PEAK_FRESH_S)
        if process is not None and is_due:
            self._read_s = now_s
            peak_kb, files_kb = peak_kb_of(process.pid)
            self._files_kb = max(files_kb, self._files_kb)
            self.mb = peak_kb // 1024 or self.mb
            self.private_mb = max((peak_kb - self._files_kb) // 1024, self.private_mb)
        return self.mb


class MemoryWatch:
    """Looks at environments, in turns. `unlimited`: names of functions that are let be, with *."""

    def __init__(self, unlimited: str) -> None:
        self._unlimited = [each.strip() for each in unlimited.split(",") if each.strip()]
        self._environments: set[Environment] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._looks = 0

    def add(self, environment: "Environment") -> None:
        # differs from AWS: on macOS, functions can use more memory than they have.
        if sys.platform != "linux" or self._is_unlimited(environment.function.name):
            return
        self._environments.add(environment)
        environment.memory_limited = True
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._look)

    def remove(self, environment: "Environment") -> None:
        self._environments.discard(environment)

    def _is_unlimited(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._unlimited)

    def _look(self) -> None:
        self._looks += 1
        whole = self._looks % _TREE_EVERY == 0
        some_work = False
        for environment in list(self._environments):
            if environment.works and environment.process is not None:
                some_work = True
                limit_kb = environment.function.memory_mb * 1024
                pid = environment.process.pid
                if about(resident_kb, tree(pid) if whole else [pid]) > limit_kb:
                    environment.look_at_memory()
                    if _is_over(pid, limit_kb):
                        environment.over_memory()
        again_s = EVERY_S if some_work else IDLE_EVERY_S
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(again_s, self._look) if self._environments else None


def _is_over(pid: int, limit_kb: int) -> bool:
    if anonymous_kb(pid) > limit_kb:  # the exact count takes milliseconds, and can only be more
        return True
    return about(proportional_kb, tree(pid)) > limit_kb


def about(measure: Callable[[list[int]], int], pids: list[int]) -> int:
    """Return what `measure` says of the first and the others; of very many, by a sample."""
    first, others = pids[:1], pids[1:]
    if len(others) < _PROCESSES_MAX:
        return measure(pids)
    sample = others[:: math.ceil(len(others) / _PROCESSES_MAX)]
    return measure(first) + measure(sample) * len(others) // len(sample)


def tree(pid: int) -> list[int]:
    """Return `pid` and its descendants, not those of all of them if there are very many."""
    found = [pid]
    for each in found:
        if len(found) > _PROCESSES_MAX:
            break
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{each}/task"):
                with suppress(OSError), open(f"/proc/{each}/task/{thread}/children", "rb") as file:
                    found += map(int, file.read().split())
    return found


def peak_kb_of(pid: int) -> tuple[int, int]:
    """Return the most resident memory that a process has had, and what of files it has now.

    Both are 0 where they cannot be known. A small process, such as a shell or bubblewrap, has
    started what counts: then it is all together.
    """
    peak, files = _peak_kb(pid)
    if peak <= _STARTER_KB_MAX:
        looked_at = tree(pid)[:_PROCESSES_MAX]
        peak, files = map(sum, zip(*map(_peak_kb, looked_at), strict=True))
    return peak, files


def _peak_kb(pid: int) -> tuple[int, int]:
    try:
        descriptor = os.open(f"/proc/{pid}/status", os.O_RDONLY)  # open() takes twice as long
        try:
            status = os.read(descriptor, _STATUS_BYTES_MAX)
        finally:
            os.close(descriptor)
    except OSError:
        return 0, 0
    return _status_kb(status, b"\nVmHWM:"), _status_kb(status, b"\nRssFile:")


def _status_kb(status: bytes, name: bytes) -> int:
    _, _, rest = status.partition(name)
    return int(rest.split(maxsplit=1)[0]) if rest else 0


def resident_kb(pids: Iterable[int]) -> int:
    """Return the resident memory of processes, what they share counted for each."""
    pages = 0
    for pid in pids:
        with suppress(OSError), open(f"/proc/{pid}/statm", "rb") as file:
            pages += int(file.read().split()[1])
    return pages * _PAGE_KB


def anonymous_kb(pid: int) -> int:
    """Return the memory of a process that is of no file: only its descendants can share it."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            _, resident, shared, *_ = map(int, file.read().split())
    except OSError:
        return 0
    return (resident - shared) * _PAGE_KB


def proportional_kb(pids: Iterable[int]) -> int:
    """Return the memory of processes without pages of files, what they share divided among them."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
                found = dict(line.split()[:2] for line in file.read().splitlines()[1:])
            total += int(found[b"Pss:"]) - int(found.get(b"Pss_File:", 0))
        except (OSError, KeyError):  # another user's, or an old kernel: over-estimate
            total += resident_kb([pid])
    return total
