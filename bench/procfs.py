"""What the kernel says about processes. Linux only; everything is read from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

_ENDS_OF_LIFE = (FileNotFoundError, ProcessLookupError)


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in kB. `pss_kb` counts a page shared by n processes as one nth."""

    rss_kb: int
    pss_kb: int

    def __add__(self, other: "Memory") -> "Memory":
        return Memory(self.rss_kb + other.rss_kb, self.pss_kb + other.pss_kb)


def memory(pid: int) -> Memory:
    """Return the memory of `pid`, zero where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except _ENDS_OF_LIFE:
        return Memory(0, 0)
    by_name = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return Memory(by_name["Rss"], by_name["Pss"])


def rss_kb(pid: int) -> int:
    """Return what `pid` has in memory, 0 where it has ended. Much cheaper than `memory`."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except _ENDS_OF_LIFE:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def cpu_s(pid: int) -> float:
    """Return the processor time that `pid`'s living threads have used, in user and kernel mode."""
    times_ns = (
        int((task / "schedstat").read_text().split()[0])
        for task in Path(f"/proc/{pid}/task").iterdir()
    )
    return sum(times_ns) / 1e9


def descriptors(pid: int) -> int:
    """Return how many files `pid` has open, 0 where it has ended."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except _ENDS_OF_LIFE:
        return 0


def command(pid: int) -> list[str]:
    """Return the arguments with which `pid` was started, none where it has ended."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except _ENDS_OF_LIFE:
        return []
    return line.decode(errors="replace").split("\0")[:-1]


def children(pid: int) -> list[int]:
    """Return the processes that `pid` has started and that are its children still."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += map(int, task.read_text().split())
    return found


def name(pid: int) -> str:
    """Return what a list of processes calls it; nothing once it has ended."""
    try:
        return Path("/proc", str(pid), "comm").read_text().strip()
    except OSError:
        return ""


def descendants(pid: int) -> list[int]:
    """Return all processes below `pid`."""
    found: list[int] = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def with_variable(assignment: str) -> list[int]:
    """Return the processes in whose environment `assignment` (KEY=VALUE) is: also lost ones."""
    wanted, found = assignment.encode(), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if wanted in variables:
                found.append(int(entry.name))
    return found
