"""The seam between requests and what runs functions.

An engine runs functions somewhere; what it says of one is a `Runner`. There are two: environments
on this machine (`pool.py`, with `processes.py` below it), and functions elsewhere (`remote.py`).
"""

from typing import Protocol

from albatross.host.invocation import Invocation


class Runner(Protocol):
    """Runs the invocations of one function, or refuses them."""

    def submit(self, invocation: Invocation) -> None:
        """Take `invocation`: its `done` is called once, sooner or later, with the outcome."""


class Elsewhere(Protocol):
    """An engine for functions that this server does not have."""

    def find(self, arn: str) -> Runner | None:
        """Return what runs the function, whose ARN may be qualified; None if this is not for it."""

    async def close(self) -> None:
        """Let go of connections. What still runs, runs on without anybody to hear of it."""
