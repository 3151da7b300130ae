"""The Lambda host's process: `python -m albatross.host --run-dir DIR --config FILE`."""

import argparse
import asyncio
import json
import logging
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import uvloop

from albatross.config import EXIT_CANNOT_BOOT
from albatross.host.app import LambdaConnection
from albatross.host.control import ControlConnection
from albatross.host.engine import Elsewhere
from albatross.host.host import Host
from albatross.host.local import affinity
from albatross.host.local.debugging import Debugging
from albatross.host.local.isolation import Impossible
from albatross.host.local.processes import Options, Processes
from albatross.host.observe.failure_log import FailureLog
from albatross.host.urls.app import Authenticate, UrlConnection
from albatross.model import remote

log = logging.getLogger("albatross.host")

_BACKLOG = 4096  # connections that wait to be accepted
_COLLECTED_AFTER = 20_000  # objects more than before


async def serve(
    run_dir: Path,
    config: Mapping[str, Any],
    authenticate: Authenticate | None = None,
    inherited: Sequence[int] = (),
) -> None:
    """Serve until SIGTERM or SIGINT; the proxy's requests from the first configuration on.

    `authenticate`: tells who calls function URLs; without it nobody looks at signatures.
    `inherited`: sockets that listen for the proxy's requests, those to functions and those to
    function URLs, where somebody else keeps them; else they appear when requests are taken.
    """
    for descriptor in inherited:
        os.set_inheritable(descriptor, False)  # functions get none of them
    if config["pin_cores"]:
        affinity.settle(affinity.HOST)
    loop = asyncio.get_running_loop()
    debugging = Debugging(config["debug"], config["debug_wait"])
    engine = _engine(run_dir, config, debugging)
    try:
        await engine.open()
    except Impossible as error:
        log.error("%s", error)
        raise SystemExit(EXIT_CANNOT_BOOT) from error
    elsewhere = _elsewhere(config)
    host = Host(
        engine,
        environment_idle_s=config["environment_idle_s"],
        elsewhere=elsewhere,
        failures=None if config["run"] else FailureLog(),  # `albatross run` shows them itself
        debug_headers=config["debug_headers"],
        debugging=debugging,
    )
    lambda_socket, control_socket = run_dir / "lambda.sock", run_dir / "control.sock"
    url_socket = run_dir / "urls.sock"
    servers: list[asyncio.AbstractServer] = []

    async def open_for_requests() -> None:
        if len(servers) == 1:
            lambda_fd, url_fd = inherited or (None, None)
            servers.append(await _listen(lambda_socket, lambda: LambdaConnection(host), lambda_fd))
            urls = await _listen(url_socket, lambda: UrlConnection(host, authenticate), url_fd)
            servers.append(urls)

    servers.append(
        await _listen(control_socket, lambda: ControlConnection(host, open_for_requests))
    )
    stopped = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopped.set)
    await stopped.wait()
    for server in servers:
        server.close()
    await engine.close()
    if elsewhere is not None:
        await elsewhere.close()
    own = () if inherited else (lambda_socket, url_socket)
    for path in (control_socket, *own):
        path.unlink(missing_ok=True)


def api_url(config: Mapping[str, Any]) -> str:
    """Return where functions find our API; empty where they are not to, or it would not let them.

    Their access keys are in no file of keys.
    """
    if config["auth"] or not config["function_endpoints"]:
        return ""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config["bind"], config["bind"])
    return (
        f"http://[{address}]:{config['port']}"
        if ":" in address
        else f"http://{address}:{config['port']}"
    )


def _engine(run_dir: Path, config: Mapping[str, Any], debugging: Debugging) -> Processes:
    return Processes(
        Path(config["data_dir"]),
        run_dir,
        environments_max=config["environments_max"],
        options=Options(
            isolation=config["isolation"],
            first_uid=config["first_uid"],
            freeze=config["freeze"],
            memory_unlimited=config["memory_unlimited"],
            channels=config["runtime_transport"] == "channel",
            template=config["python_template"],
            opt=Path(config["opt_dir"]) if config["opt_dir"] else None,
            api_url=api_url(config),
            debugging=debugging,
        ),
    )


def _elsewhere(config: Mapping[str, Any]) -> Elsewhere | None:
    """Return the engine for functions that run elsewhere, where there are some."""
    if not config["remote_functions"]:
        return None
    from albatross.host.remote import RemoteEngine  # memory: an HTTP client and a signer

    return RemoteEngine(remote.parse(config["remote_functions"]))


async def _listen(
    path: Path, factory: Callable[[], asyncio.BaseProtocol], inherited: int | None = None
) -> asyncio.AbstractServer:
    """Listen on a unix socket that only its owner may use, in place of one left behind.

    Where that is there and listens, as a descriptor, accept its connections.
    """
    if inherited is not None:
        listening = socket.socket(fileno=inherited)
        return await asyncio.get_running_loop().create_unix_server(
            factory, sock=listening, backlog=_BACKLOG
        )
    path.unlink(missing_ok=True)  # noqa: ASYNC240  a local socket
    before = os.umask(0o177)
    try:
        server = await asyncio.get_running_loop().create_unix_server(
            factory, str(path), backlog=_BACKLOG
        )
    finally:
        os.umask(before)
    return server


def main(
    authenticator: Callable[[Mapping[str, Any]], Authenticate | None] = lambda _: None,
) -> None:
    """Run the process. `authenticator` makes of the settings what tells who calls."""
    parser = argparse.ArgumentParser(prog="python -m albatross.host", description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--sockets", type=int, nargs=2, default=(), metavar="FD")
    arguments = parser.parse_args()
    config = json.loads(arguments.config.read_text())
    logging.basicConfig(
        level=config["log_level"].upper(), format="%(asctime)s %(levelname)s host: %(message)s"
    )
    uvloop.run(serve(arguments.run_dir, config, authenticator(config), arguments.sockets))


if __name__ == "__main__":
    main()
