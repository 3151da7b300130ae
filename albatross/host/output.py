"""What a process writes to its standard output and error, read as it comes."""

import asyncio
import select
import subprocess
import time
from collections.abc import Callable

from albatross.host import logs
from albatross.host.framing import Source

_FLOOD_PAUSE = 9  # times what reading a full buffer has taken
_FLOOD_PAUSE_S_MIN = 0.005  # so at most 13 MB a second from one process
_REST_READS_MAX = 16  # a pipe holds 64 KB; a grandchild may keep writing


class Output:
    """Calls `printed` with what `process` has written; reads a flood in turns with other work."""

    def __init__(
        self, process: subprocess.Popen[bytes], printed: Callable[[bytes, Source], None]
    ) -> None:
        assert process.stdout is not None
        self._stdout = process.stdout
        self._printed = printed
        self._source = Source()
        self._loop = asyncio.get_running_loop()
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
        if self._stdout.closed:
            return
        begun_s = time.monotonic()
        if data := logs.read_available(self._stdout.fileno()):
            self._printed(data, self._source)
        if len(data) == logs.READ_BYTES_MAX:
            self._loop.remove_reader(self._stdout.fileno())
            taken_s = time.monotonic() - begun_s
            pause_s = max(taken_s * _FLOOD_PAUSE, _FLOOD_PAUSE_S_MIN)
            self._loop.call_later(pause_s, self._resume)

    def _resume(self) -> None:
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
