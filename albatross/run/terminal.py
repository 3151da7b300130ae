"""What the terminal shows while `albatross run` serves."""

import asyncio
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, TextIO

from albatross.config import RunSpec
from albatross.run.view import JsonLines, View
from albatross.xds.refusals import Refusal

if TYPE_CHECKING:
    from albatross.host.client import HostClient

HOLD_S = 0.2  # how long what a function prints waits for its request's line


class Terminal:
    """Writes what happens to `out`: events of the Lambda host, and the proxy's own answers."""

    def __init__(self, spec: RunSpec, out: TextIO = sys.stdout) -> None:
        if isinstance(out, TextIOWrapper):
            out.reconfigure(errors="backslashreplace")  # a function may print any character
        self._spec = spec
        self._out = out
        self._view: View | JsonLines = (
            JsonLines() if spec.as_json else View(verbose=spec.verbose, colour=spec.colour)
        )

    def announce(self, url: str, api: str) -> None:
        """Say that requests are served at `url`."""
        self._write(self._view.greeting(self._spec, url, api))

    def debugger(self, port: int) -> None:
        """Say that a debugger can attach now."""
        self._write(self._view.text({"type": "debugger", "port": port}))

    def refused(self, refusal: Refusal) -> None:
        """Show a request that the proxy has answered by itself."""
        event = {
            "type": "request",
            "id": None,
            "function": None,
            "version": None,
            "method": refusal.method,
            "path": refusal.path,
            "status": refusal.status,
            "duration_ms": round(refusal.duration_ms, 2),
            "cold": False,
            "error_reason": refusal.code,
            "detail": refusal.detail,
        }
        self._write(self._view.text(event))

    def stopping(self, grace_s: float) -> None:
        """Say that the end has begun."""
        self._write(self._view.text({"type": "stopping", "grace_s": grace_s}))

    async def show(self, host: "HostClient") -> None:
        """Write what happens in `host` until it ends."""
        events = host.events(verbose=self._spec.verbose)
        coming = asyncio.ensure_future(anext(events))
        try:
            while True:
                done, _ = await asyncio.wait([coming], timeout=HOLD_S)
                self._write(self._view.text(coming.result()) if done else self._view.flush())
                if done:
                    coming = asyncio.ensure_future(anext(events))
        except StopAsyncIteration:
            self._write(self._view.flush())
        finally:
            coming.cancel()

    def _write(self, text: str) -> None:
        if text:
            with suppress(OSError):  # nobody reads on, or the disk is full: requests go on
                self._out.write(text)
                self._out.flush()
