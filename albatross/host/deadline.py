"""A time by which something has to be done, that is set anew for each request or invocation."""

import asyncio
import time
from collections.abc import Callable


class Deadline:
    """Calls `overdue` unless it is cleared in time. One timer serves many: it looks again."""

    __slots__ = ("_overdue", "_timer", "_timer_s", "at_s")

    def __init__(self, overdue: Callable[[], None]) -> None:
        self.at_s = 0.0  # by the monotonic clock; 0: there is none
        self._overdue = overdue
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = 0.0  # when it fires

    def set(self, at_s: float) -> None:
        self.at_s = at_s
        if self._timer is not None:
            if self._timer_s <= at_s:
                return
            self._timer.cancel()
        self._arm()

    def clear(self) -> None:
        self.at_s = 0.0

    def close(self) -> None:
        """It is not needed any more."""
        self.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._timer_s = self.at_s
        delay_s = self.at_s - time.monotonic()
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self.at_s:
            return
        if time.monotonic() < self.at_s:
            self._arm()
        else:
            self._overdue()
