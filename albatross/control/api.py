"""What the API's port serves: the operations of every service, and the server's own paths."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from albatross import acm, elbv2, lambda_, sts
from albatross.aws.access_keys import KeyFile
from albatross.aws.app import App
from albatross.config import Config
from albatross.control import (
    backup_routes,
    endpoints,
    function_code,
    instances,
    invoke,
    provisioned,
    s3,
    trust_material,
)
from albatross.control.parts import Parts
from albatross.control.publish import Publisher
from albatross.lambda_.function_urls import FunctionUrls
from albatross.model import leniency
from albatross.model.errors import InvalidConfigurationRequest, ServiceException
from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.operation import AsyncOperation, Operation
from albatross.store.backup import Backups
from albatross.store.transaction import Transaction

# Whoever may know that there is a server may ask whether it is ready; the URLs of contents are
# answers to signed calls, and name what they lead to by its hash.
OPEN_PATHS = frozenset(
    {endpoints.HEALTH_PATH, trust_material.CONTENT_PATH, function_code.CODE_PATH}
)


def app(parts: Parts) -> App:
    """Return the application that uvicorn serves."""
    config, verifier = parts.config, None
    if config.auth:
        from albatross.aws.verify import Verifier  # time: most servers verify nothing

        verifier = Verifier(KeyFile(config.auth).keys)
    return App(
        operations(parts),
        parts.store,
        region=config.region,
        account=config.account,
        after_write=parts.publisher.wait_in_effect,
        extra_routes=_own_routes(parts),
        is_loopback=config.is_loopback,
        lenient=leniency.allowed(strict=config.strict, kept=config.lenient),
        verifier=verifier,
        open_paths=OPEN_PATHS,
    )


def operations(parts: Parts) -> Mapping[str, Mapping[str, Operation | AsyncOperation]]:
    """Return every operation of the API by service and name."""
    config, store, publisher = parts.config, parts.store, parts.publisher
    read, after_write = partial(s3.read, config.s3_endpoint), publisher.wait_in_effect
    elb = dict(elbv2.OPERATIONS)
    for name in ("CreateListener", "ModifyListener"):
        elb[name] = _only_where_it_can_listen(elb[name], publisher)
    of_trust_stores = trust_material.operations(
        store, parts.contents, read, after_write=after_write, links=parts.links
    )
    sources = function_code.Sources(read, hot_reload=config.may_hot_reload)
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
            **provisioned.operations(store, parts.host),
            **invoke.operations(store, parts.host, parts.events),
            **_only_where_they_are_served(config, publisher),
        },
        "logs": parts.log_groups.operations(),
        "sts": sts.OPERATIONS,
    }


def _own_routes(parts: Parts) -> endpoints.Routes:
    """Return what is served below /_albatross/."""
    config, store, publisher, keys = parts.config, parts.store, parts.publisher, parts.keys
    backups = Backups(Path(config.data_dir), store, parts.packages, keys, parts.contents)
    return {
        **endpoints.routes(config, parts.run_dir, store, publisher, parts.events.queue.clear),
        **backup_routes.routes(config, backups, lambda: publisher.renew(keys.cookie_key())),
        **function_code.routes(parts.packages, parts.links),
        **trust_material.routes(parts.contents, parts.links),
        **parts.events.routes(),
    }


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
