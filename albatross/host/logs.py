"""What functions print: one log file a function, with Lambda's START, END and REPORT lines.

Source of the lines: Lambda guide, execution environment life cycle; the runtime interface emulator.
"""

import asyncio
import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

FILE_BYTES_MAX = 10 * 1024 * 1024  # then the file is rotated; one older file is kept
TAIL_BYTES_MAX = 4 * 1024  # Lambda API, Invoke: "the last 4 KB of the execution log"
READ_BYTES_MAX = 64 * 1024  # per turn of the loop, so that a flood does not starve the others
_FLUSH_S = 0.2


class FunctionLog:
    """Appends to a function's log file, in batches: nothing is written on the path of a request."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._buffer: list[bytes] = []
        self._flush: asyncio.TimerHandle | None = None

    def write(self, data: bytes) -> None:
        self._buffer.append(data)
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(_FLUSH_S, self.flush)

    def flush(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        data, self._buffer = b"".join(self._buffer), []
        if not data:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(data)
                size = file.tell()
            if size > FILE_BYTES_MAX:
                self.path.replace(self.path.with_suffix(".log.1"))
        except OSError as error:
            log.error("cannot write the log of a function to %s: %s", self.path, error)


def start_line(request_id: str, version: str) -> bytes:
    return f"START RequestId: {request_id} Version: {version}\n".encode()


def end_lines(
    request_id: str,
    *,
    duration_ms: float,
    memory_mb: int,
    memory_used_mb: int,
    init_ms: float | None,
    status: str = "",
) -> bytes:
    """Return the END and REPORT lines. `status` is a suffix such as `Status: timeout`."""
    billed = int(duration_ms + (init_ms or 0)) + 1
    report = (
        f"END RequestId: {request_id}\n"
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
        f"Billed Duration: {billed} ms\tMemory Size: {memory_mb} MB\t"
        f"Max Memory Used: {memory_used_mb} MB\t"
    )
    if init_ms is not None:
        report += f"Init Duration: {init_ms:.2f} ms\t"
    if status:
        report += f"{status}\t"
    return (report + "\n").encode()


def tail(chunks: list[bytes]) -> bytes:
    """Return the last 4 KB of a log."""
    return b"".join(chunks)[-TAIL_BYTES_MAX:]


def memory_used_mb(pid: int) -> int:
    """Return the peak resident memory of a process in MB, 0 where it cannot be known."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            for line in file:
                if line.startswith(b"VmHWM:"):
                    return int(line.split()[1]) // 1024
    except OSError:
        pass
    return 0


def read_available(fd: int) -> bytes:
    """Return what a pipe holds now, up to READ_BYTES_MAX; empty at its end or when dry."""
    try:
        return os.read(fd, READ_BYTES_MAX)
    except OSError:  # BlockingIOError, or the pipe is closed
        return b""
