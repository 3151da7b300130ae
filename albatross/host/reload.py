"""The pool of a function whose code is a directory: the next request after a change runs the new
code.

Nothing is answered by half a file: after a change everything waits until the tree has been still
for `SETTLE_S`, and an environment that was starting while a file changed is not used. What runs
already, finishes on the old code.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from albatross.host.environment import Environment
from albatross.host.failures import InitFailure
from albatross.host.invocation import Invocation
from albatross.host.pool import Pool
from albatross.host.sources import Sources
from albatross.model.function import Directory, Function

SETTLE_S = 0.1
MEND_S = 0.25  # how long a failed start waits for the rest of a file before it is believed


class ReloadingPool(Pool):
    """A pool that looks at its function's sources before each request."""

    def __init__(
        self,
        function: Function,
        *arguments: Any,
        on_reload: Callable[[Function], None],
        **named: Any,
    ) -> None:
        super().__init__(function, *arguments, **named)
        assert isinstance(function.code, Directory)
        self._sources = Sources(Path(function.code.path), self._clock)
        self._on_reload = on_reload

    def submit(self, invocation: Invocation) -> None:
        if not self._held and self._sources.changed():
            self._reload()
        super().submit(invocation)

    def ready(self, environment: Environment) -> None:
        if environment in self._starting and self._sources.changed(now=True):
            environment.retire()
            self._reload()
        else:
            super().ready(environment)

    def gone(self, environment: Environment, failure: InitFailure | None) -> None:
        believed = failure is None or environment.retired or self._held or failure.timed_out
        if not believed:
            self.hold()
            super().gone(environment, failure)  # reports it; what waits goes on waiting
            assert failure is not None
            self._call_later(MEND_S, lambda: self._judge(failure))
        else:
            super().gone(environment, failure)

    def _judge(self, failure: InitFailure) -> None:
        """Fail what waits, unless the file that failed has changed since."""
        if self._sources.changed(now=True):
            self._reload()
        else:
            self.fail_waiting(failure)
            self.release()

    def _reload(self) -> None:
        self.hold()
        self.renew()
        self._on_reload(self.function)
        self._call_later(SETTLE_S, self._settle)

    def _settle(self) -> None:
        if self._sources.changed(now=True):
            self._call_later(SETTLE_S, self._settle)
        else:
            self.release()
