"""The control plane's process, from its arguments to its exit status.

The stream that programs the proxy comes first: the proxy starts once that listens, and does so
while the rest is imported.
"""

import argparse
import logging
import socket
from collections.abc import Callable
from pathlib import Path

import uvloop

from albatross import config as configuration
from albatross import log as log_format
from albatross.config import Config
from albatross.host.observe.failure_log import FailureLog
from albatross.run.terminal import Terminal
from albatross.xds import refusals
from albatross.xds.bootstrap import XDS_SOCKET
from albatross.xds.server import XdsServer


async def _serve(config: Config, run_dir: Path, api_socket: socket.socket) -> int:
    """Serve until SIGTERM and return the exit status."""
    terminal = Terminal(config.run) if config.run is not None else None
    xds = XdsServer(str(run_dir / XDS_SOCKET), refusals.handler(_told_of(terminal)))
    await xds.start()
    try:
        from albatross.control import serving

        return await serving.run(config, run_dir, api_socket, xds, terminal)
    finally:
        await xds.stop(0)  # it must not outlive the event loop


def _told_of(terminal: Terminal | None) -> Callable[[refusals.Refusal], None]:
    """Return who is told of each answer of the proxy's own: the terminal, else the log."""
    if terminal is not None:
        return terminal.refused
    failures = FailureLog()

    def tell(one: refusals.Refusal) -> None:
        failures.tell(one.method, one.path, one.status, one.code, one.detail)

    return tell


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m albatross.control", description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--api-socket", type=int, required=True, metavar="FD")
    arguments = parser.parse_args()
    config = configuration.from_json(arguments.config.read_text())
    log_format.configure(config.log_level)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    api_socket = socket.socket(fileno=arguments.api_socket)
    return uvloop.run(_serve(config, arguments.run_dir, api_socket))
