"""What a process writes to its standard output and error, read as it comes."""

import asyncio
import select
import subprocess
from collections.abc import Callable

from albatross.host import logs
from albatross.host.framing import Source

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
        """Read what is there now."""
        if not self._stdout.closed and (data := logs.read_available(self._stdout.fileno())):
            self._printed(data, self._source)

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
