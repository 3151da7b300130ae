"""Few starts at a time, so that many do not keep the processors from requests.

Starting an interpreter is work for a processor, so more at once than there are cores end no sooner.
What waits for something else while it starts (a network, say) lets the next one in after a while.
"""

import asyncio
import os

AT_ONCE = (os.cpu_count() or 1) + 1  # one may be waiting for a disk
PATIENCE_S = 0.25


class Gate:
    """Use it around the start of a process, with an event that says that it is up, or has ended."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)
        self._leaving: set[asyncio.Task[None]] = set()

    async def enter(self) -> None:
        """Wait for a place."""
        await self._places.acquire()

    def leave(self, settled: asyncio.Event | None = None) -> None:
        """Give the place back, with an event when that is set or `PATIENCE_S` have passed."""
        if settled is None:
            self._places.release()
            return
        task = asyncio.get_running_loop().create_task(self._leave_later(settled))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _leave_later(self, settled: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await settled.wait()
        except TimeoutError:
            pass
        finally:
            self._places.release()
