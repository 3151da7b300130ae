"""A server of a command's own: `albatross run` in a process beside it, while it is used."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import click

STOP_S = 5.0
_KEPT = ("ALBATROSS_DATA_DIR",)  # of our own variables: where runtime clients are


class PrivateServer:
    """A running server. `ready` is what it said of itself."""

    def __init__(self, process: subprocess.Popen[str], ready: dict[str, Any], port: int) -> None:
        self._process = process
        self.ready = ready
        self.port = port

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield what happens (host/observe/hub.py). Raises ClickException when the server ends."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield _parsed(line)
        raise click.ClickException("The server that runs the function has ended.")


@contextmanager
def running(target: str, options: Sequence[str] = ()) -> Iterator[PrivateServer]:
    """Serve the handler `target` on a free port. Raises ClickException with what is in the way."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit)  # the server must not stay behind
    command = [sys.executable, "-P", "-m", "albatross", "run", target, "--json"]
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ALBATROSS_") or name in _KEPT
    }
    process = subprocess.Popen(
        [*command, "--ends-with-input", "--port", str(port), *options],
        env=variables,
        stdin=subprocess.PIPE,  # nothing is written: it closes when this process ends
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # the terminal's Ctrl-C is for this command
    )
    try:
        assert process.stdout is not None
        yield PrivateServer(process, _wait(process), port)
    finally:
        _stop(process)


def _exit(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


def _wait(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what the server says of itself when it is ready."""
    assert process.stdout is not None
    for line in process.stdout:
        event = _parsed(line)
        if event.get("type") == "ready":
            return event
    raise click.exceptions.Exit(process.wait() or 1)  # it has said why


def _parsed(line: str) -> dict[str, Any]:
    try:
        event: dict[str, Any] = json.loads(line)
    except ValueError:
        return {}
    return event


def _stop(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):  # the second means: at once
        if process.poll() is None:
            process.send_signal(number)
        try:
            process.wait(STOP_S)
            return
        except subprocess.TimeoutExpired:
            continue
