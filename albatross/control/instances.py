"""Where instances are: as the configuration says, else as an EC2 API does.

RegisterTargets asks before its transaction begins, since an API may take its time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from albatross.config import Config
from albatross.elbv2.targets import register_targets
from albatross.model.arn import Scope
from albatross.model.operation import AsyncOperation
from albatross.store.store import Store

ANSWER_S = 5  # longest wait for the EC2 API

log = logging.getLogger(__name__)


def operation(
    config: Config, store: Store, after_write: Callable[[], Awaitable[None]]
) -> AsyncOperation:
    """Return RegisterTargets, which can register instances."""

    async def register(scope: Scope, params: Any) -> dict[str, Any]:
        ids = [target["Id"] for target in params["Targets"] if target["Id"].startswith("i-")]
        addresses = await addresses_of(ids, config, scope)
        result = await store.write(scope, lambda tx: register_targets(tx, params, addresses))
        await after_write()
        return result

    return AsyncOperation(register)


async def addresses_of(ids: Iterable[str], config: Config, scope: Scope) -> Mapping[str, str]:
    """Return the addresses of those of `ids` that are known, by id."""
    wanted = dict.fromkeys(ids)
    known = {id_: config.instances[id_] for id_ in wanted if id_ in config.instances}
    unknown = [id_ for id_ in wanted if id_ not in known]
    if unknown and config.ec2_endpoint:
        known |= await asyncio.to_thread(_describe, unknown, config.ec2_endpoint, scope)
    return known


def _describe(ids: list[str], endpoint: str, scope: Scope) -> dict[str, str]:
    """Return the private addresses of the instances that run, as the EC2 API at `endpoint` says."""
    import boto3  # only where it is asked for: it takes time and memory
    from botocore.config import Config as ClientConfig
    from botocore.exceptions import BotoCoreError, ClientError

    limits = ClientConfig(
        connect_timeout=ANSWER_S, read_timeout=ANSWER_S, retries={"total_max_attempts": 1}
    )
    ec2 = boto3.client(
        "ec2",
        endpoint_url=endpoint,
        region_name=scope.region,
        aws_access_key_id=scope.account,
        aws_secret_access_key="none",
        config=limits,
    )
    found = {}
    try:
        # By a filter: with InstanceIds one unknown instance fails the call.
        pages = ec2.get_paginator("describe_instances").paginate(
            Filters=[
                {"Name": "instance-id", "Values": ids},
                {"Name": "instance-state-name", "Values": ["running"]},
            ]
        )
        for page in pages:
            for reservation in page["Reservations"]:
                for instance in reservation["Instances"]:
                    if address := instance.get("PrivateIpAddress"):
                        found[instance["InstanceId"]] = address
    except (BotoCoreError, ClientError) as error:
        log.warning("the EC2 API at %s does not say where instances are: %s", endpoint, error)
    return found
