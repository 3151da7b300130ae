"""Provisioned concurrency of one version: how many environments it wants ready, and when to retry.

Source: Lambda guide, "Configuring provisioned concurrency for a function".
"""

from collections.abc import Callable

RETRY_S, RETRY_S_MAX = 1.0, 60.0
# Lambda API, `StatusReason`, for code that fails while it is loaded.
INIT_FAILURE = "FUNCTION_ERROR_INIT_FAILURE"


class Readiness:
    """Counts and times; the environments themselves belong to the pool."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.wanted = 0
        self.running = 0  # invocations that run on provisioned concurrency
        self.failure = ""  # why the last environment could not start
        self.is_awaited = False  # a timer will look again
        self._clock = clock
        self._failures = 0  # in a row
        self._not_before_s = 0.0

    def failed(self) -> None:
        """An environment could not start: the next one waits, twice as long as the last time."""
        self.failure = INIT_FAILURE
        pause_s = min(RETRY_S * 2**self._failures, RETRY_S_MAX)
        self._failures = min(self._failures + 1, 10)
        self._not_before_s = self._clock() + pause_s

    def succeeded(self) -> None:
        self.failure, self._failures, self._not_before_s = "", 0, 0.0

    def may_start(self) -> bool:
        return self._clock() >= self._not_before_s

    def retry_s(self) -> float:
        """Return the seconds until `may_start`, at least a moment."""
        return max(self._not_before_s - self._clock(), 0.01)
