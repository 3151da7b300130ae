"""What a process writes to its standard output and error, read as it comes.

Whoever writes more than is read waits: a pipe holds 64 KB. So a function that floods its log sleeps
most of its time, and takes neither memory nor the processor from others.
"""

import asyncio
import select
import time
from collections.abc import Callable

from albatross.host.local.launch import Process
from albatross.host.observe import logs
from albatross.host.observe.framing import Source

# AWS is silent: a process may write 8 MB of output at once, and 2 MB in each second, each line
# counted as 32 bytes longer; then its writes wait.
BURST_BYTES = 8 * 1024 * 1024
BYTES_PER_S = 2 * 1024 * 1024
_FLOOD_PAUSE = 9  # times what reading a full buffer has taken
_FLOOD_PAUSE_S_MIN = 0.005  # so at most 13 MB a second from one process, even at once
_REST_READS_MAX = 16  # a pipe holds 64 KB; a grandchild may keep writing


class Budget:
    """How much may be read: it fills with time, up to `BURST_BYTES`. Times are monotonic."""

    def __init__(self, now_s: float) -> None:
        self._bytes = float(BURST_BYTES)
        self._as_of_s = now_s

    def take(self, size: int, now_s: float) -> None:
        """Note that `size` bytes have been read, which may be more than there was for."""
        filled = self._bytes + (now_s - self._as_of_s) * BYTES_PER_S
        self._bytes = min(filled, BURST_BYTES) - size
        self._as_of_s = now_s

    def wait_s(self, now_s: float) -> float:
        """Return the seconds until there is enough for a full buffer, 0 when there is now."""
        there = self._bytes + (now_s - self._as_of_s) * BYTES_PER_S
        return max(0.0, (logs.READ_BYTES_MAX - there) / BYTES_PER_S)


class Output:
    """Calls `printed` with what `process` has written; reads a flood in turns with other work."""

    def __init__(self, process: Process, printed: Callable[[bytes, Source], None]) -> None:
        assert process.stdout is not None
        self._stdout = process.stdout
        self._printed = printed
        self._source = Source()
        self._loop = asyncio.get_running_loop()
        self._budget = Budget(time.monotonic())
        self._is_paused = False
        # Asked before each answer: a poll without result costs a sixth of a read without.
        self._ready = select.poll()
        self._ready.register(self._stdout.fileno(), select.POLLIN)
        self._loop.add_reader(self._stdout.fileno(), self.read)

    def read_rest(self) -> None:
        """Read what is there now, most often nothing."""
        if not self._stdout.closed and self._ready.poll(0):
            self.read()

    def read(self) -> None:
        """Read what is there now. A flood is left waiting, so that it takes little of our time."""
        begun_s = time.monotonic()
        if self._stdout.closed or self._budget.wait_s(begun_s):
            return
        data = logs.read_available(self._stdout.fileno())
        if data is None:  # closed by the function, which lives on
            self._loop.remove_reader(self._stdout.fileno())
            return
        if data:
            self._printed(data, self._source)
        now_s = time.monotonic()
        self._budget.take(logs.kept_bytes(data), now_s)
        pause_s = self._budget.wait_s(now_s)
        if len(data) == logs.READ_BYTES_MAX:
            pause_s = max(pause_s, (now_s - begun_s) * _FLOOD_PAUSE, _FLOOD_PAUSE_S_MIN)
        if pause_s and not self._is_paused:
            self._is_paused = True
            self._loop.remove_reader(self._stdout.fileno())
            self._loop.call_later(pause_s, self._resume)

    def _resume(self) -> None:
        self._is_paused = False
        if not self._stdout.closed:
            self._loop.add_reader(self._stdout.fileno(), self.read)

    def close(self) -> None:
        """Read what the ended process has left in the pipe, and close it."""
        if self._stdout.closed:
            return
        self._loop.remove_reader(self._stdout.fileno())
        for _ in range(_REST_READS_MAX):
            data = logs.read_available(self._stdout.fileno())
            if not data:
                break
            self._printed(data, self._source)
        self._stdout.close()
