"""The control plane's process, started by the supervisor.

Wires the store, the AWS API, the publisher, the xDS server and the Lambda host's client together.
"""

import argparse
import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from albatross import (
    acm,
    backup_routes,
    elbv2,
    endpoints,
    function_code,
    hosts_file,
    instances,
    invoke,
    lambda_,
    lambda_check,
    logs,
    provisioned,
    run,
    s3,
    sts,
    trust_material,
)
from albatross import config as configuration
from albatross import log as log_format
from albatross.aws.access_keys import KeyFile
from albatross.aws.app import App
from albatross.aws.connection import Connection
from albatross.aws.http import own_url
from albatross.aws.verify import Verifier
from albatross.balance import Balance, CountsByAddress
from albatross.config import EXIT_CANNOT_BOOT, Config
from albatross.draining import Draining
from albatross.event_queue import AsyncInvocations
from albatross.health.anomalies import Counts
from albatross.health.checker import Health
from albatross.host.client import HostClient
from albatross.host.failure_log import FailureLog
from albatross.lambda_.function_urls import FunctionUrls
from albatross.model import leniency, remote
from albatross.model.arn import Scope
from albatross.model.errors import AwsError, InvalidConfigurationRequest, ServiceException
from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.operation import AsyncOperation, Operation
from albatross.publish import Publisher
from albatross.signed_links import Links
from albatross.store import directory
from albatross.store.backup import Backups
from albatross.store.contents import Contents
from albatross.store.engine import UnusableData, session_name
from albatross.store.keys import Keys
from albatross.store.packages import Packages
from albatross.store.store import Store
from albatross.store.transaction import Transaction
from albatross.telemetry.access_log import AccessLog
from albatross.telemetry.raw_log import REQUEST_LOG, RawLog
from albatross.telemetry.spool import Spool
from albatross.xds import admin, names, refusals
from albatross.xds.bootstrap import XDS_SOCKET
from albatross.xds.server import XdsServer

STORE_LOOK_S = 2.0  # how often to try a database that cannot be used
COLLECT_S = 60.0  # how often to look for packages out of use
# Whoever may know that there is a server may ask whether it is ready; the URLs of contents are
# answers to signed calls, and name what they lead to by its hash.
OPEN_PATHS = frozenset(
    {endpoints.HEALTH_PATH, trust_material.CONTENT_PATH, function_code.CODE_PATH}
)
START_S = 30.0  # longer than any start takes
DRAIN_SAID_S = 0.5  # a drain that takes longer is told of
READY_LOOK_S = 0.01  # how often to look whether everything has started

log = logging.getLogger("albatross")


class Api(uvicorn.Server):
    """uvicorn without its signal handlers: what a signal means is decided here."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(config: Config, run_dir: Path, api_socket: socket.socket) -> None:
    """Serve until SIGTERM, then drain. Raises UnusableData, OSError where it cannot start."""
    terminal = run.Terminal(config.run) if config.run is not None else None
    xds = XdsServer(str(run_dir / XDS_SOCKET), refusals.handler(_told_of(terminal)))
    await xds.start()  # first, because the proxy is started when it listens
    host, data_dir = HostClient(str(run_dir / "control.sock")), Path(config.data_dir)
    directory.require_known(data_dir)
    health = Health(
        invoke=lambda_check.probe(host, lambda: health.snapshot, _elsewhere(config)),
        changed=lambda: publisher.changed(),
    )
    balance = Balance(
        health, count=partial(_count_requests, run_dir), changed=lambda: publisher.changed()
    )
    draining, links = Draining(lambda: store), Links(partial(own_url, _api_url(config)))
    keys, contents = Keys(data_dir), Contents(data_dir)
    packages = Packages(data_dir, link=function_code.link(links))
    store: Store = await _open_store(
        config,
        run_dir,
        packages,
        keys,
        on_commit=lambda revision: _tell(revision, publisher.changed, draining.changed),
        health=balance,
    )
    access_log = _access_log(config, run_dir)
    contents.collect(trust_material.in_use(await store.snapshot()))
    publisher: Publisher = Publisher(
        *(config, run_dir, store, xds, host, health, balance, access_log, contents),
        keys.cookie_key(),
    )
    await _create_what_runs(config, store)
    backups = Backups(data_dir, store, packages, keys, contents)
    events, log_groups = AsyncInvocations(config, store, host), _log_groups(config)
    own_routes = {
        **backup_routes.routes(config, backups, lambda: publisher.renew(keys.cookie_key())),
        **function_code.routes(packages, links),
        **trust_material.routes(contents, links),
        **events.routes(),
    }
    app = _app(
        *(config, run_dir, store, contents, links, host, publisher, events, own_routes), log_groups
    )
    stopped = _on_signal()
    async with asyncio.TaskGroup() as group:
        background = [
            *(group.create_task(one.run()) for one in (publisher, access_log, health, balance)),
            *(group.create_task(one.run()) for one in (draining, events, log_groups)),
            group.create_task(_collect(store)),
            group.create_task(_announce(config, publisher, terminal)),
        ]
        if terminal is not None:
            background.append(group.create_task(_show(host, terminal)))
        api = _api(app)
        serving = group.create_task(api.serve(sockets=[api_socket]))
        await stopped.wait()
        await _drain(run_dir, config.grace_s, terminal)
        api.should_exit = True
        await serving
        for task in background:
            task.cancel()
    await _complete(access_log, run_dir)
    _forget_names(config)
    await events.queue.close()
    log_groups.close()
    await xds.stop(0)
    await store.close()


def _elsewhere(config: Config) -> remote.RemoteFunctions:
    return remote.parse(config.remote_functions)


def _log_groups(config: Config) -> logs.Logs:
    return logs.Logs(
        Path(config.data_dir),
        group_bytes_max=config.log_group_mb * 1024 * 1024,
        bytes_max=config.log_groups_mb * 1024 * 1024,
    )


async def _create_what_runs(config: Config, store: Store) -> None:
    """Make what `albatross run` serves, if that is what this is."""
    if config.run is not None:
        spec, scope = config.run, Scope(config.account, config.region)
        await store.write(scope, lambda tx: run.create(tx, spec))


def _forget_names(config: Config) -> None:
    if config.hosts_file:
        with contextlib.suppress(OSError):
            hosts_file.update(config.hosts_file, [])


def _app(
    config: Config,
    run_dir: Path,
    store: Store,
    contents: Contents,
    links: Links,
    host: HostClient,
    publisher: Publisher,
    events: AsyncInvocations,
    own_routes: endpoints.Routes,
    log_groups: logs.Logs,
) -> App:
    """Return what the API's port serves."""
    return App(
        {
            **operations(config, store, contents, links, host, publisher, events),
            "logs": log_groups.operations(),
        },
        store,
        region=config.region,
        account=config.account,
        after_write=publisher.wait_in_effect,
        extra_routes={
            **endpoints.routes(config, run_dir, store, publisher, events.queue.clear),
            **own_routes,
        },
        is_loopback=config.is_loopback,
        lenient=leniency.allowed(strict=config.strict, kept=config.lenient),
        verifier=Verifier(KeyFile(config.auth).keys) if config.auth else None,
        open_paths=OPEN_PATHS,
    )


def _is_first(run_dir: Path) -> bool:
    """Return whether this is the first control plane of the server. Notes that it was there."""
    try:
        (run_dir / "control-started").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


async def _open_store(
    config: Config, run_dir: Path, packages: Packages, keys: Keys, **options: Any
) -> Store:
    """Return the store, with `options` of its own. Raises UnusableData at the start of a server.

    A control plane that replaces another tries until the database can be used: meanwhile requests
    are served by what the proxy has.
    """
    is_first = _is_first(run_dir)
    while True:
        try:
            return Store(
                config.database_url,
                packages,
                keys,
                name=session_name(config.data_dir),
                check=partial(directory.bind, Path(config.data_dir)),
                is_fresh=is_first,
                strict=config.strict,
                lenient=config.lenient,
                quotas=config.quotas,
                remotes=_elsewhere(config),
                **options,
            )
        except UnusableData as error:
            if is_first:
                raise
            log.error("%s", error)
            await asyncio.sleep(STORE_LOOK_S)


async def _collect(store: Store) -> None:
    """Remove packages that have gone out of use, for ever."""
    while True:
        await asyncio.sleep(COLLECT_S)
        try:
            await store.collect_packages()
        except (AwsError, OSError) as error:
            log.warning("packages out of use cannot be removed: %s", error)


def _access_log(config: Config, run_dir: Path) -> AccessLog:
    spool_dir, logs_dir = Path(config.data_dir) / "log-spool", Path(config.log_files)
    return AccessLog(
        RawLog(run_dir / REQUEST_LOG, lambda: admin.reopen_logs(run_dir)),
        Spool(spool_dir, logs_dir, interval_s=config.log_interval_s),
    )


async def _count_requests(run_dir: Path) -> CountsByAddress:
    """Return what the proxy has counted of the targets that are servers."""
    counted = await admin.requests_by_host(run_dir)
    return {
        cluster: {address: Counts(*counts) for address, counts in by_address.items()}
        for cluster, by_address in counted.items()
    }


async def _complete(access_log: AccessLog, run_dir: Path) -> None:
    """Have the log say all that was requested until now. The proxy answers no more requests."""
    with contextlib.suppress(OSError):
        await admin.flush_logs(run_dir)
    await access_log.close()


def operations(
    config: Config,
    store: Store,
    contents: Contents,
    links: Links,
    host: HostClient,
    publisher: Publisher,
    events: AsyncInvocations,
) -> Mapping[str, Mapping[str, Operation | AsyncOperation]]:
    """Return every operation of the API by service and name."""
    elb = dict(elbv2.OPERATIONS)
    read, after_write = partial(s3.read, config.s3_endpoint), publisher.wait_in_effect
    of_trust_stores = trust_material.operations(
        store, contents, read, after_write=after_write, links=links
    )
    sources = function_code.Sources(read, hot_reload=config.may_hot_reload)
    for name in ("CreateListener", "ModifyListener"):
        elb[name] = _only_where_it_can_listen(elb[name], publisher)
    return {
        "acm": acm.OPERATIONS,
        "elasticloadbalancing": {
            **elb,
            **of_trust_stores,
            "RegisterTargets": instances.operation(config, store, after_write),
        },
        "lambda": {
            **lambda_.OPERATIONS,
            **function_code.operations(store, sources, after_write=after_write),
            **provisioned.operations(store, host),
            **invoke.operations(store, host, events),
            **_only_where_they_are_served(config, publisher),
        },
        "sts": sts.OPERATIONS,
    }


def _tell(revision: int, *listeners: Callable[[int], None]) -> None:
    for listener in listeners:
        listener(revision)


def _only_where_it_can_listen(operation: Operation, publisher: Publisher) -> Operation:
    """Return `operation`, refusing a listener whose port is in use before anything is stored."""

    def checked(tx: Transaction, params: Any) -> dict[str, Any]:
        result = operation.run(tx, params)
        for described in result["Listeners"]:
            balancer = tx.get(LoadBalancer, described["LoadBalancerArn"])
            assert balancer is not None
            listeners = tx.list(Listener, parent=balancer.arn)
            if fault := publisher.obstacle(balancer, listeners, described["ListenerArn"]):
                raise InvalidConfigurationRequest(fault)
        return result

    # differs from AWS: a listener whose port another program holds is refused with
    # InvalidConfigurationRequest.
    return replace(operation, run=checked)


def _only_where_they_are_served(config: Config, publisher: Publisher) -> dict[str, Operation]:
    """Return the operations on function URLs; none is created where it would not be served."""
    found = FunctionUrls(config.function_url_port).operations()
    create = found["CreateFunctionUrlConfig"]

    def checked(tx: Transaction, params: Any) -> dict[str, Any]:
        result = create.run(tx, params)
        if fault := publisher.obstacle_to_urls():
            raise ServiceException(fault)
        return result

    return {**found, "CreateFunctionUrlConfig": replace(create, run=checked)}


def _api_url(config: Config) -> str:
    return f"http://{names.socket(config.bind, config.port)}"


def _api(app: App) -> Api:
    return Api(
        uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )


async def _announce(config: Config, publisher: Publisher, terminal: run.Terminal | None) -> None:
    """Say once that everything runs."""
    asyncio.get_running_loop().call_later(START_S, gc.enable)  # should it never be ready
    # Three processes: there is no one event to wait for.
    while await publisher.missing():  # noqa: ASYNC110
        await asyncio.sleep(READY_LOOK_S)
    gc.enable()
    gc.collect()
    gc.freeze()  # what is there now stays: looking at it again and again is in vain
    api = _api_url(config)
    if terminal is None:
        log.info("ready: AWS API on %s, data in %s", api, config.data_dir)
    else:
        (place,) = publisher.places.values()
        terminal.announce(f"http://{place.address}:{place.port}", api)


def _told_of(terminal: run.Terminal | None) -> Callable[[refusals.Refusal], None]:
    """Return who is told of each answer of the proxy's own: the terminal, else the log."""
    if terminal is not None:
        return terminal.refused
    failures = FailureLog()

    def tell(one: refusals.Refusal) -> None:
        failures.tell(one.method, one.path, one.status, one.code, one.detail)

    return tell


async def _show(host: HostClient, terminal: run.Terminal) -> None:
    """Show what happens in the host and in each that replaces it."""
    while True:
        with contextlib.suppress(OSError):
            await terminal.show(host)
        await asyncio.sleep(READY_LOOK_S)


async def _drain(run_dir: Path, grace_s: float, terminal: run.Terminal | None) -> None:
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m albatross.control_plane", description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--api-socket", type=int, required=True, metavar="FD")
    arguments = parser.parse_args()
    gc.disable()  # until everything runs: with many resources it takes a tenth of the time
    config = configuration.from_json(arguments.config.read_text())
    log_format.configure(config.log_level)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    api_socket = socket.socket(fileno=arguments.api_socket)
    try:
        uvloop.run(serve(config, arguments.run_dir, api_socket))
    except (UnusableData, OSError) as error:
        log.error("%s", error)
        return EXIT_CANNOT_BOOT
    return 0
