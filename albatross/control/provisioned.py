"""Provisioned concurrency as it is: the store knows what was asked for, the Lambda host what is
ready.

Source: Lambda API, `GetProvisionedConcurrencyConfig`, `ListProvisionedConcurrencyConfigs`.
"""

from collections.abc import Mapping
from typing import Any

from albatross.host import view
from albatross.host.client import HostClient
from albatross.lambda_ import provisioned
from albatross.model.arn import Scope
from albatross.model.operation import AsyncOperation
from albatross.model.version import Alias, Version
from albatross.store.store import Store

Pools = Mapping[str, Mapping[str, Any]]  # what the host says of each, by its version's ARN


def operations(store: Store, host: HostClient) -> dict[str, AsyncOperation]:
    """Return the operations, for functions in `store`, run by `host`."""

    async def get(scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        found = await store.read(scope, lambda tx: provisioned.get(tx, params))
        return _document(found, await _pools(host))

    async def list_(scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        shown, more = await store.read(scope, lambda tx: provisioned.list_(tx, params))
        pools = await _pools(host)
        configs = [{"FunctionArn": found.arn, **_document(found, pools)} for found in shown]
        return {"ProvisionedConcurrencyConfigs": configs, **more}

    return {
        "GetProvisionedConcurrencyConfig": AsyncOperation(get),
        "ListProvisionedConcurrencyConfigs": AsyncOperation(list_),
    }


async def _pools(host: HostClient) -> Pools:
    """Return the pools of the host; none while it is being started."""
    try:
        statistics = await host.statistics()
    except OSError:
        return {}
    pools: Any = statistics["pools"]
    return {pool["arn"]: pool for pool in pools}


def _document(found: Version | Alias, pools: Pools) -> dict[str, Any]:
    assert found.provisioned is not None
    wanted = found.provisioned.executions
    parts = {found.arn: wanted} if isinstance(found, Version) else view.split(found, wanted)
    known = [(pools[arn], part) for arn, part in parts.items() if arn in pools]
    ready = sum(min(part, pool["provisioned_ready"]) for pool, part in known)
    failures = [pool["provisioned_failure"] for pool, _ in known]
    return provisioned.document(
        found.provisioned, ready=ready, failure=next(filter(None, failures), "")
    )
