"""Runs the parts of the control plane until it is told to stop."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from pathlib import Path

from albatross import hosts_file, ports
from albatross.config import EXIT_CANNOT_BOOT, Config
from albatross.control.parts import Parts, api_url, assemble
from albatross.control.publish import Publisher
from albatross.host.client import HostClient
from albatross.model.errors import AwsError
from albatross.run.terminal import Terminal
from albatross.store.engine import UnusableData
from albatross.store.store import Store
from albatross.telemetry.access_log import AccessLog
from albatross.xds import admin
from albatross.xds.server import XdsServer

COLLECT_S = 60.0  # how often to look for packages out of use
START_S = 30.0  # longer than any start takes
SENT_S = 0.1  # how long the API waits for the first publication: without a host there is none
DRAIN_SAID_S = 0.5  # a drain that takes longer is told of
LOOPBACK = "127.0.0.1"  # where debuggers listen
DEBUGGER_LOOK_S = 0.1  # how often to look whether one does
READY_LOOK_S = 0.01  # how often to look whether everything has started

log = logging.getLogger("albatross")


async def run(
    config: Config,
    run_dir: Path,
    api_socket: socket.socket,
    xds: XdsServer,
    terminal: Terminal | None,
) -> int:
    """Serve until SIGTERM and return the exit status. `terminal` is that of `albatross run`."""
    try:
        parts = await assemble(config, run_dir, xds)
    except (UnusableData, OSError) as error:
        log.error("%s", error)
        return EXIT_CANNOT_BOOT
    await _serve(parts, api_socket, terminal)
    return 0


async def _serve(parts: Parts, api_socket: socket.socket, terminal: Terminal | None) -> None:
    """Serve until SIGTERM, then drain."""
    config, run_dir = parts.config, parts.run_dir
    stopped = _on_signal()
    async with asyncio.TaskGroup() as group:
        background = [
            *(group.create_task(one.run()) for one in (parts.publisher, parts.access_log)),
            *(group.create_task(one.run()) for one in (parts.health, parts.balance)),
            *(group.create_task(one.run()) for one in (parts.draining, parts.events)),
            group.create_task(parts.log_groups.run()),
            group.create_task(_collect(parts.store)),
        ]
        if terminal is not None:
            background.append(group.create_task(_show(parts.host, terminal)))
        await parts.publisher.wait_sent(SENT_S)
        from albatross.control.api_server import (
            server_of,  # meanwhile the proxy takes what it was sent
        )

        server = server_of(parts)
        serving = group.create_task(server.serve(sockets=[api_socket]))
        background.append(group.create_task(_announce(config, parts.publisher, terminal)))
        await stopped.wait()
        await _drain(run_dir, config.grace_s, terminal)
        server.should_exit = True
        await serving
        for task in background:
            task.cancel()
    await _complete(parts.access_log, run_dir)
    _forget_names(config)
    await parts.events.queue.close()
    parts.log_groups.close()
    await parts.store.close()


def _forget_names(config: Config) -> None:
    if config.hosts_file:
        with contextlib.suppress(OSError):
            hosts_file.update(config.hosts_file, [])


async def _collect(store: Store) -> None:
    """Remove packages that have gone out of use, for ever."""
    while True:
        await asyncio.sleep(COLLECT_S)
        try:
            await store.collect_packages()
        except (AwsError, OSError) as error:
            log.warning("packages out of use cannot be removed: %s", error)


async def _complete(access_log: AccessLog, run_dir: Path) -> None:
    """Have the log say all that was requested until now. The proxy answers no more requests."""
    with contextlib.suppress(OSError):
        await admin.flush_logs(run_dir)
    await access_log.close()


async def _announce(config: Config, publisher: Publisher, terminal: Terminal | None) -> None:
    """Say once that everything runs."""
    asyncio.get_running_loop().call_later(START_S, gc.enable)  # should it never be ready
    # Three processes: there is no one event to wait for.
    while await publisher.missing():  # noqa: ASYNC110
        await asyncio.sleep(READY_LOOK_S)
    # What is there now stays: to look at it again and again is in vain. Even once is: the start
    # leaves no garbage, and with many rules a look stops the API for a tenth of a second.
    gc.freeze()
    gc.enable()
    url = api_url(config)
    if terminal is None:
        log.info("ready: AWS API on %s, data in %s", url, config.data_dir)
    else:
        (place,) = publisher.places.values()
        terminal.announce(f"http://{place.address}:{place.port}", url)
        await _announce_debugger(config, terminal)


async def _announce_debugger(config: Config, terminal: Terminal) -> None:
    """Say once that the debugger listens. It is not asked: it takes that for an editor's visit."""
    loop = asyncio.get_running_loop()
    give_up_s = loop.time() + START_S
    for port in config.debug.values():
        # Nobody tells when a debugger begins to listen.
        while ports.has_listener(LOOPBACK, port) is False and loop.time() < give_up_s:  # noqa: ASYNC110
            await asyncio.sleep(DEBUGGER_LOOK_S)
        if ports.has_listener(LOOPBACK, port) is not False:
            terminal.debugger(port)


async def _show(host: HostClient, terminal: Terminal) -> None:
    """Show what happens in the host and in each that replaces it."""
    while True:
        with contextlib.suppress(OSError):
            await terminal.show(host)
        await asyncio.sleep(READY_LOOK_S)


async def _drain(run_dir: Path, grace_s: float, terminal: Terminal | None) -> None:
    """Let the proxy refuse connections and finish requests, for at most `grace_s`."""
    said = None
    if terminal is not None:
        loop = asyncio.get_running_loop()
        said = loop.call_later(DRAIN_SAID_S, terminal.stopping, grace_s)
    try:
        if not await admin.drain(run_dir, grace_s):
            log.warning("requests were still in flight after %g s", grace_s)
    except (OSError, admin.AdminError) as error:
        log.info("the proxy cannot be drained: %s", error)
    if said is not None:
        said.cancel()


def _on_signal() -> asyncio.Event:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    return stopped
