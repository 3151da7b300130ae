"""What the control plane is made of, wired together. `main.py` runs it, `api.py` serves it."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from albatross import logs
from albatross.aws.http import own_url
from albatross.config import Config
from albatross.control import function_code, lambda_check, trust_material
from albatross.control.balance import Balance, CountsByAddress
from albatross.control.draining import Draining
from albatross.control.event_queue import AsyncInvocations
from albatross.control.publish import Publisher
from albatross.control.signed_links import Links
from albatross.health.anomalies import Counts
from albatross.health.checker import Health
from albatross.host.client import HostClient
from albatross.model import remote
from albatross.model.arn import Scope
from albatross.store import directory
from albatross.store.contents import Contents
from albatross.store.engine import UnusableData, session_name
from albatross.store.keys import Keys
from albatross.store.packages import Packages
from albatross.store.store import Store
from albatross.telemetry.access_log import AccessLog
from albatross.telemetry.raw_log import REQUEST_LOG, RawLog
from albatross.telemetry.spool import Spool
from albatross.xds import admin, names
from albatross.xds.server import XdsServer

HOST_AWAY_S = 10.0  # so long Invoke waits for a Lambda host that is replaced
STORE_LOOK_S = 2.0  # how often to try a database that cannot be used

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Each part there once."""

    config: Config
    run_dir: Path
    xds: XdsServer
    host: HostClient
    health: Health
    balance: Balance
    draining: Draining
    links: Links
    keys: Keys
    contents: Contents
    packages: Packages
    store: Store
    access_log: AccessLog
    publisher: Publisher
    events: AsyncInvocations
    log_groups: logs.Logs


async def assemble(config: Config, run_dir: Path, xds: XdsServer) -> Parts:
    """Return the parts, ready to run. Raises UnusableData, OSError where that cannot be."""
    control, data_dir = str(run_dir / "control.sock"), Path(config.data_dir)
    host = HostClient(control, away_s=HOST_AWAY_S)
    directory.require_known(data_dir)
    health = Health(
        invoke=lambda_check.probe(HostClient(control), lambda: health.snapshot, _elsewhere(config)),
        changed=lambda: publisher.changed(),
    )
    balance = Balance(
        health, count=partial(_count_requests, run_dir), changed=lambda: publisher.changed()
    )
    draining, links = Draining(lambda: store), Links(partial(own_url, api_url(config)))
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
    if config.run is not None:
        from albatross.run import deployment as run

        spec, scope = config.run, Scope(config.account, config.region)
        await store.write(scope, lambda tx: run.create(tx, spec))
    return Parts(
        config=config,
        run_dir=run_dir,
        xds=xds,
        host=host,
        health=health,
        balance=balance,
        draining=draining,
        links=links,
        keys=keys,
        contents=contents,
        packages=packages,
        store=store,
        access_log=access_log,
        publisher=publisher,
        events=AsyncInvocations(config, store, host),
        log_groups=_log_groups(config),
    )


def api_url(config: Config) -> str:
    """Return where the API is, as the server itself names it."""
    return f"http://{names.socket(config.bind, config.port)}"


def _elsewhere(config: Config) -> remote.RemoteFunctions:
    return remote.parse(config.remote_functions)


def _tell(revision: int, *listeners: Callable[[int], None]) -> None:
    for listener in listeners:
        listener(revision)


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


async def _count_requests(run_dir: Path) -> CountsByAddress:
    """Return what the proxy has counted of the targets that are servers."""
    counted = await admin.requests_by_host(run_dir)
    return {
        cluster: {address: Counts(*counts) for address, counts in by_address.items()}
        for cluster, by_address in counted.items()
    }


def _access_log(config: Config, run_dir: Path) -> AccessLog:
    spool_dir, logs_dir = Path(config.data_dir) / "log-spool", Path(config.log_files)
    return AccessLog(
        RawLog(run_dir / REQUEST_LOG, lambda: admin.reopen_logs(run_dir)),
        Spool(spool_dir, logs_dir, interval_s=config.log_interval_s),
    )


def _log_groups(config: Config) -> logs.Logs:
    return logs.Logs(
        Path(config.data_dir),
        group_bytes_max=config.log_group_mb * 1024 * 1024,
        bytes_max=config.log_groups_mb * 1024 * 1024,
    )
