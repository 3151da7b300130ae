"""On two cores, the proxy has one and the Lambda host the other.

A request goes from one process to the next and back; where both may run anywhere, the kernel moves
them at nearly every turn, and each move costs cold caches. With more cores it does so less, and a
core of one's own could be one that others use: there nothing is done. Linux only.
"""

import os
import sys
from contextlib import suppress

PROXY, HOST = 0, 1  # which of the two
_CORES = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []  # before settling


def settle(place: int) -> None:
    """Keep this process, and what it starts from now on, on its core where there are two."""
    if len(_CORES) == 2:
        _go({_CORES[place]})


def roam() -> None:
    """Let this process run wherever the server may."""
    if len(_CORES) == 2:
        _go(set(_CORES))


def _go(cores: set[int]) -> None:
    with suppress(OSError):  # a sandbox may not let us
        os.sched_setaffinity(0, cores)
