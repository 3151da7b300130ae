"""Snapshot -> Envoy resources. Pure: the same snapshot gives the same bytes."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from types import MappingProxyType

from google.protobuf.message import Message

from albatross.model import attributes
from albatross.model.listener import Listener
from albatross.model.snapshot import Snapshot
from albatross.model.target_group import TargetGroup
from albatross.xds import names
from albatross.xds.access_log import to_access_log, to_runtime
from albatross.xds.cluster import (
    lambda_cluster,
    lambda_endpoints,
    server_cluster,
    server_endpoints,
)
from albatross.xds.https import Credentials, Socket
from albatross.xds.memo import Memo
from albatross.xds.route import to_route_table
from albatross.xds.tenant import Groups, Tenant
from albatross.xds.tls import Sealed, TrustFiles

Weights = Callable[[TargetGroup], Mapping[tuple[str, int | None], int]]
Routable = Callable[[TargetGroup], Collection[tuple[str, int | None]]]


def _registered(group: TargetGroup) -> Collection[tuple[str, int | None]]:
    """Return all targets: without health checks."""
    return [target.key for target in group.targets]


def _equal(_: TargetGroup) -> Mapping[tuple[str, int | None], int]:
    """Return no weights: all targets are alike."""
    return {}


class DanglingName(Exception):
    """A resource names another one that does not exist. Nothing of such a snapshot is published."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a listener really listens."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Resources:
    """Envoy's configuration, each kind by name."""

    listeners: dict[str, Message] = field(default_factory=dict)
    routes: dict[str, Message] = field(default_factory=dict)
    clusters: dict[str, Message] = field(default_factory=dict)
    endpoints: dict[str, Message] = field(default_factory=dict)
    runtimes: dict[str, Message] = field(default_factory=dict)
    secrets: dict[str, Sealed] = field(default_factory=dict)


def translate(
    snapshot: Snapshot,
    bindings: Mapping[str, Binding],
    *,
    lambda_socket: str,
    lambda_idle_timeout: bool,
    request_log: str | None = None,
    cookie_key: bytes = b"",
    routable: Routable = _registered,
    weights: Weights = _equal,
    trust_files: Mapping[str, TrustFiles] = MappingProxyType({}),
    now: datetime | None = None,
    memo: Memo | None = None,
) -> Resources:
    """Return what Envoy needs to serve the listeners in `bindings` (by ARN); others are left out.

    `lambda_idle_timeout`: whether the load balancer's idle timeout ends a request that waits
    for a function. `request_log`: the file for what access logs are made of. `cookie_key`: from
    which stickiness cookies are made. `routable`: which targets of a group get requests;
    `weights`: of those whose share is not the full one (health/slow_start.py, WEIGHT_FULL).
    `trust_files`: the content of trust stores, by ARN. `now` tells which certificates have expired;
    None: none. `memo`: of the calls before, whose results are used again where they are the same.
    Raises DanglingName.
    """
    memo = memo or Memo()
    _refuse_dangling_names(snapshot, bindings)
    credentials = Credentials(
        certificates=snapshot.server_certificates(),
        trust_stores={one.arn: one for one in snapshot.trust_stores},
        trust_files=trust_files,
        now=now,
    )
    resources = Resources(
        clusters={names.LAMBDA_CLUSTER: lambda_cluster()},
        endpoints={names.LAMBDA_CLUSTER: lambda_endpoints(lambda_socket)},
    )
    groups = Groups({group.arn: group for group in snapshot.target_groups}, cookie_key)
    _add_servers(resources, snapshot, groups, routable, weights, memo)
    sockets = {}
    for binding, tenants in _tenants_by_socket(snapshot, bindings, groups).items():
        name = names.socket(binding.address, binding.port)
        sockets[name] = tenants
        resources.listeners[name], socket = memo.call(
            (name, "listener"),
            _open,
            *(name, binding, tenants, credentials.only(tenants), request_log),
        )
        resources.secrets.update(socket.secrets)
        for table, group in _by_table(socket, tenants).items():
            resources.routes[table] = memo.call(
                table,
                to_route_table,
                table,
                group,
                memo.inside((table, "rules")),
                lambda_idle_timeout=lambda_idle_timeout,
            )
    resources.runtimes[names.RUNTIME] = to_runtime(sockets)
    memo.forget_unused()
    return resources


def _add_servers(
    resources: Resources,
    snapshot: Snapshot,
    groups: Groups,
    routable: Routable,
    weights: Weights,
    memo: Memo,
) -> None:
    """Add a cluster for each target group of servers that is in use."""
    for arn, balancer in snapshot.load_balancer_of_target_group().items():
        group = groups.by_arn[arn]
        if group.target_type != "lambda":
            idle_timeout_s = int(attributes.get(balancer, "idle_timeout.timeout_seconds"))
            name = names.cluster(arn)
            resources.clusters[name] = memo.call(
                (arn, "cluster"), server_cluster, group, idle_timeout_s=idle_timeout_s
            )
            resources.endpoints[name] = memo.call(
                (arn, "endpoints"), server_endpoints, group, routable(group), weights(group)
            )


def _open(
    name: str,
    binding: Binding,
    tenants: list[Tenant],
    credentials: Credentials,
    request_log: str | None,
) -> tuple[Message, Socket]:
    """Return the listener on a socket, and what was made for it."""
    log = partial(to_access_log, request_log, name) if request_log else None
    socket = Socket(name, binding.address, binding.port, tenants, credentials, log)
    return socket.listener(), socket


def _by_table(socket: Socket, tenants: list[Tenant]) -> dict[str, list[Tenant]]:
    """Return who is in which route table. What no connection can reach has none."""
    tables: dict[str, list[Tenant]] = {}
    for tenant in tenants:
        table = names.table(socket.name, tenant.listener)
        if table in socket.tables:
            tables.setdefault(table, []).append(tenant)
    return tables


def _tenants_by_socket(
    snapshot: Snapshot, bindings: Mapping[str, Binding], groups: Groups
) -> dict[Binding, list[Tenant]]:
    """Return who shares each socket, the oldest load balancer first. Sockets come sorted."""
    age = {balancer.arn: n for n, balancer in enumerate(snapshot.load_balancers)}
    sockets: dict[Binding, list[Tenant]] = {}
    for listener in sorted(snapshot.listeners, key=lambda one: age[one.load_balancer_arn]):
        if binding := bindings.get(listener.arn):
            balancer = snapshot.load_balancers[age[listener.load_balancer_arn]]
            tried = snapshot.by_listener[listener.arn]
            sockets.setdefault(binding, []).append(
                Tenant(balancer, listener, tried.rules, groups.only(tried.target_group_arns))
            )
    return dict(sorted(sockets.items(), key=lambda item: (item[0].address, item[0].port)))


def _refuse_dangling_names(snapshot: Snapshot, bindings: Mapping[str, Binding]) -> None:
    balancers = {balancer.arn for balancer in snapshot.load_balancers}
    listeners: dict[str, Listener] = {listener.arn: listener for listener in snapshot.listeners}
    target_groups = {group.arn for group in snapshot.target_groups}
    for listener in snapshot.listeners:
        if listener.load_balancer_arn not in balancers:
            raise DanglingName(f"{listener.arn} has no load balancer")
    for arn, tried in snapshot.by_listener.items():
        if arn not in listeners:
            raise DanglingName(f"{tried.rules[0].arn} has no listener")
        for target_group_arn in tried.target_group_arns:
            if target_group_arn not in target_groups:
                raise DanglingName(f"a rule of {arn} forwards to {target_group_arn}")
    for arn in bindings:
        if arn in listeners:
            found = snapshot.by_listener.get(arn)
            if found is None or not found.has_default:
                raise DanglingName(f"{arn} has no default rule")
