"""The server's log says of each failed request why, but no more often than one can read."""

import logging
import time
from collections.abc import Callable

from albatross.host import explain

LINES_PER_S_MAX = 10
_PATH_MAX = 200  # characters of a request's target

log = logging.getLogger("albatross.requests")


class FailureLog:
    """Writes a line a failure; beyond `LINES_PER_S_MAX` it counts them instead."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since_s = clock()
        self._lines = 0
        self._untold = 0

    def tell(self, method: str, path: str, status: int, code: str | None, detail: str) -> None:
        """Write why a request failed, or was answered otherwise than its function wanted."""
        now_s = self._clock()
        if now_s - self._since_s >= 1:
            if self._untold:
                log.warning("%s more requests failed that are not told of", f"{self._untold:,}")
            self._since_s, self._lines, self._untold = now_s, 0, 0
        if self._lines >= LINES_PER_S_MAX:
            self._untold += 1
            return
        self._lines += 1
        shown = path if len(path) <= _PATH_MAX else path[:_PATH_MAX] + "..."
        why = f"{code}: {detail}" if code else detail
        log.warning("%s", explain.header_value(f"{method} {shown} {status} {why}"))
