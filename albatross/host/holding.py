"""Who reads a streamed result slowly holds back the runtime that writes it."""

from albatross.host.invocation import Invocation, Source


class Holder:
    """What a connection holds back while its own peer does not read."""

    def __init__(self) -> None:
        self._held: Source | None = None

    def hold(self, invocation: Invocation | None) -> None:
        parts = invocation.parts if invocation is not None else None
        if parts is not None and parts.source is not None and not parts.source.is_closing():
            self._held = parts.source
            self._held.pause_reading()

    def release(self) -> None:
        """Let it go on, also where the result has ended meanwhile."""
        source, self._held = self._held, None
        if source is not None and not source.is_closing():
            source.resume_reading()
