"""What the API's port serves besides AWS, below /_albatross/: health, status, reset, ca.

GET  /_albatross/health   200 when requests are served, else 503 and what is missing
GET  /_albatross/status   load balancers, where they listen, functions, processes, as JSON
POST /_albatross/reset    forget all resources of all accounts and Regions
GET  /_albatross/ca       the certificate of the local authority, in PEM
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from albatross import __version__
from albatross.aws.http import Request, Response
from albatross.config import Config
from albatross.control.publish import Publisher
from albatross.model.arn import Scope
from albatross.model.certificate import Certificate
from albatross.model.function import Directory
from albatross.model.snapshot import Snapshot
from albatross.store.store import Store
from albatross.store.transaction import Transaction
from albatross.supervisor import PROCESSES_FILE

HEALTH_PATH = "/_albatross/health"

Routes = Mapping[tuple[str, str], Callable[[Request], Awaitable[Response]]]


def routes(
    config: Config,
    run_dir: Path,
    store: Store,
    publisher: Publisher,
    forget_events: Callable[[], Awaitable[None]],
) -> Routes:
    """Return the handlers by method and path. `forget_events` is part of a reset."""

    async def health(_: Request) -> Response:
        missing = await publisher.missing()
        return _json(503 if missing else 200, {"ready": not missing, "missing": missing})

    async def status(_: Request) -> Response:
        return _json(200, await describe(config, run_dir, store, publisher))

    async def reset(_: Request) -> Response:
        if not config.is_loopback and not config.auth:
            return _json(
                403,
                {"message": "Reset is there while `bind` is a loopback address, or with `auth`."},
            )
        await forget_everything(store)
        await forget_events()
        await publisher.wait_in_effect()
        return _json(200, {})

    async def ca(_: Request) -> Response:
        from albatross.acm import authority  # memory: only who asks needs cryptography

        scope = Scope(config.account, config.region)
        pem = await store.write(scope, lambda tx: authority.root_pem(tx.keys, tx.now))
        return Response(200, {"Content-Type": "application/x-pem-file"}, pem.encode())

    return {
        ("GET", HEALTH_PATH): health,
        ("GET", "/_albatross/status"): status,
        ("POST", "/_albatross/reset"): reset,
        ("GET", "/_albatross/ca"): ca,
    }


async def describe(
    config: Config, run_dir: Path, store: Store, publisher: Publisher
) -> dict[str, Any]:
    """Return what the server does now, as the status shows it."""
    snapshot, missing = publisher.snapshot, await publisher.missing()
    return {
        "version": __version__,
        "ready": not missing,
        "missing": missing,
        "problem": publisher.problem or store.problem,
        "refused_by_proxy": dict(publisher.refused()),
        "api": f"http://{config.bind}:{config.port}",
        "data_dir": config.data_dir,
        "revision": snapshot.revision,
        "processes": _processes(run_dir),
        "load_balancers": _load_balancers(snapshot, publisher),
        "functions": [
            {
                "name": function.name,
                "arn": function.arn,
                "runtime": function.runtime,
                "handler": function.handler,
                "code": function.code.path if isinstance(function.code, Directory) else "package",
            }
            for function in snapshot.functions
        ],
    }


def _load_balancers(snapshot: Snapshot, publisher: Publisher) -> list[dict[str, Any]]:
    addresses = dict(publisher.names())
    return [
        {
            "name": balancer.name,
            "arn": balancer.arn,
            "dns_name": balancer.dns_name,
            "address": addresses[balancer.dns_name],
            "listeners": [
                {
                    "arn": listener.arn,
                    "protocol": listener.protocol,
                    "port": listener.port,
                    "real_port": place.port,
                    "error": place.error,
                }
                for listener in snapshot.listeners
                if listener.load_balancer_arn == balancer.arn
                and (place := publisher.places.get(listener.arn))
            ],
        }
        for balancer in snapshot.load_balancers
    ]


def _processes(run_dir: Path) -> dict[str, Any]:
    """Return what the supervisor has noted: pid and number of starts by name."""
    try:
        noted: dict[str, Any] = json.loads((run_dir / PROCESSES_FILE).read_text())
    except OSError:
        return {}
    return noted


async def forget_everything(store: Store) -> None:
    """Delete all resources of all accounts and Regions."""

    def forget(tx: Transaction) -> None:
        for certificate in tx.list(Certificate):
            tx.drop_key(certificate.key_id)
        for arn in tx.arns():
            tx.delete(arn)

    for scope in await store.scopes():
        await store.write(scope, forget)


def _json(status: int, document: object) -> Response:
    return Response(status, {"Content-Type": "application/json"}, orjson.dumps(document))
