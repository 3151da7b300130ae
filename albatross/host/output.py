"""What a process writes to its standard output and error, read as it comes."""

import asyncio
import subprocess
from collections.abc import Callable

from albatross.host import logs

_REST_READS_MAX = 16  # a pipe holds 64 KB; a grandchild may keep writing


class Output:
    """Calls `printed` with what `process` has written; reads a flood in turns with other work."""

    def __init__(self, process: subprocess.Popen[bytes], printed: Callable[[bytes], None]) -> None:
        assert process.stdout is not None
        self._stdout = process.stdout
        self._printed = printed
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._stdout.fileno(), self.read)

    def read(self) -> None:
        """Read what is there now."""
        if not self._stdout.closed and (data := logs.read_available(self._stdout.fileno())):
            self._printed(data)

    def close(self) -> None:
        """Read what the ended process has left in the pipe, and close it."""
        if self._stdout.closed:
            return
        self._loop.remove_reader(self._stdout.fileno())
        for _ in range(_REST_READS_MAX):
            data = logs.read_available(self._stdout.fileno())
            if not data:
                break
            self._printed(data)
        self._stdout.close()
