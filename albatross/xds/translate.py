"""Snapshot -> Envoy resources. Pure: the same snapshot gives the same bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from google.protobuf.message import Message

from albatross.model.listener import Listener
from albatross.model.rule import Forward
from albatross.model.snapshot import Snapshot
from albatross.xds import names
from albatross.xds.access_log import to_access_log, to_runtime
from albatross.xds.cluster import lambda_cluster, lambda_endpoints
from albatross.xds.listener import to_listener
from albatross.xds.route import to_route_table
from albatross.xds.tenant import Tenant


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


def translate(
    snapshot: Snapshot,
    bindings: Mapping[str, Binding],
    *,
    lambda_socket: str,
    lambda_idle_timeout: bool,
    request_log: str | None = None,
) -> Resources:
    """Return what Envoy needs to serve the listeners in `bindings` (by ARN); others are left out.

    `lambda_idle_timeout`: whether the load balancer's idle timeout ends a request that waits
    for a function. `request_log`: the file for what access logs are made of. Raises DanglingName.
    """
    _refuse_dangling_names(snapshot, bindings)
    resources = Resources(
        clusters={names.LAMBDA_CLUSTER: lambda_cluster()},
        endpoints={names.LAMBDA_CLUSTER: lambda_endpoints(lambda_socket)},
    )
    sockets = {}
    for binding, tenants in _tenants_by_socket(snapshot, bindings).items():
        name = names.socket(binding.address, binding.port)
        sockets[name] = tenants
        access_log = to_access_log(request_log, name, tenants[0]) if request_log else None
        resources.listeners[name] = to_listener(
            name, binding.address, binding.port, tenants[0].balancer, access_log
        )
        resources.routes[name] = to_route_table(
            name, tenants, lambda_idle_timeout=lambda_idle_timeout
        )
    resources.runtimes[names.RUNTIME] = to_runtime(sockets)
    return resources


def _tenants_by_socket(
    snapshot: Snapshot, bindings: Mapping[str, Binding]
) -> dict[Binding, list[Tenant]]:
    """Return who shares each socket, the oldest load balancer first. Sockets come sorted."""
    age = {balancer.arn: n for n, balancer in enumerate(snapshot.load_balancers)}
    rules = snapshot.rules_by_listener()
    sockets: dict[Binding, list[Tenant]] = {}
    for listener in sorted(snapshot.listeners, key=lambda one: age[one.load_balancer_arn]):
        if binding := bindings.get(listener.arn):
            balancer = snapshot.load_balancers[age[listener.load_balancer_arn]]
            sockets.setdefault(binding, []).append(
                Tenant(balancer, listener, tuple(rules[listener.arn]))
            )
    return dict(sorted(sockets.items(), key=lambda item: (item[0].address, item[0].port)))


def _refuse_dangling_names(snapshot: Snapshot, bindings: Mapping[str, Binding]) -> None:
    balancers = {balancer.arn for balancer in snapshot.load_balancers}
    listeners: dict[str, Listener] = {listener.arn: listener for listener in snapshot.listeners}
    target_groups = {group.arn for group in snapshot.target_groups}
    for listener in snapshot.listeners:
        if listener.load_balancer_arn not in balancers:
            raise DanglingName(f"{listener.arn} has no load balancer")
    with_default = set()
    for rule in snapshot.rules:
        if rule.listener_arn not in listeners:
            raise DanglingName(f"{rule.arn} has no listener")
        if isinstance(rule.action, Forward) and rule.action.target_group_arn not in target_groups:
            raise DanglingName(f"{rule.arn} forwards to {rule.action.target_group_arn}")
        if rule.is_default:
            with_default.add(rule.listener_arn)
    for arn in bindings:
        if arn in listeners and arn not in with_default:
            raise DanglingName(f"{arn} has no default rule")
