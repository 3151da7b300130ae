"""What the proxy has noted, taken from its file in segments.

A segment is the file under another name: it is renamed, and the proxy told to open its file anew,
which it does after it has written what it holds. So nothing is lost between two segments. One that
a killed process leaves is read by the next process from its beginning.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

REQUEST_LOG = "requests.log"  # in the run directory
_SEGMENT_SUFFIX = ".segment"
_BATCH_BYTES = 32 * 1024  # about half a millisecond of work
_REOPEN_S = 1.0  # longest wait for the proxy
_LOOK_S = 0.005


class RawLog:
    """The file `path`, to which the proxy appends. `reopen` tells it to open its files anew."""

    def __init__(self, path: Path, reopen: Callable[[], Awaitable[object]]) -> None:
        self._path = path
        self._segment = path.with_name(path.name + _SEGMENT_SUFFIX)
        self._reopen = reopen
        self._read_bytes = 0  # of the segment

    async def lines(self, spread_s: float = 0.0) -> AsyncIterator[list[str]]:
        """Yield what the proxy has written since the last time, in batches of lines.

        Lines come without their ends. Pauses of `spread_s` together lie between the batches, so
        that the proxy, which may share a processor, is never held up for long. Raises OSError where
        the proxy does not answer; then nothing is lost.
        """
        if not self._segment.exists():
            if not self._path.exists() or not self._path.stat().st_size:
                return
            self._path.rename(self._segment)
        if not self._path.exists():
            await self._reopen()
            if not await self._is_reopened():
                return
        async for batch in self._batches(spread_s):
            yield batch

    async def rest(self) -> AsyncIterator[list[str]]:
        """Yield what is left, when the proxy writes no more."""
        if self._segment.exists():
            async for batch in self._batches():
                yield batch
        if self._path.exists():
            self._path.rename(self._segment)
            async for batch in self._batches():
                yield batch

    async def _batches(self, spread_s: float = 0.0) -> AsyncIterator[list[str]]:
        """Yield the lines of the segment, with pauses, then remove it."""
        with self._segment.open("rb") as file:
            size = file.seek(0, os.SEEK_END) - file.seek(self._read_bytes)
            pause_s = spread_s * _BATCH_BYTES / size if size > _BATCH_BYTES else 0.0
            while lines := file.readlines(_BATCH_BYTES):
                self._read_bytes = file.tell()
                yield [one[:-1].decode("latin-1") for one in lines if one.endswith(b"\n")]
                await asyncio.sleep(pause_s)
        self._segment.unlink()
        self._read_bytes = 0

    async def _is_reopened(self) -> bool:
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + _REOPEN_S
        # The proxy offers nothing to wait on.
        while not self._path.exists():
            if loop.time() > give_up_s:
                return False
            await asyncio.sleep(_LOOK_S)
        return True
