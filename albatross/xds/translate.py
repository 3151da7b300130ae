"""Snapshot -> Envoy resources. Pure: the same snapshot gives the same bytes."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from google.protobuf.message import Message

from albatross.model import attributes
from albatross.model.load_balancer import LoadBalancer
from albatross.model.snapshot import Snapshot, server_certificates
from albatross.model.target_group import TargetGroup
from albatross.model.trust_store import TrustStore
from albatross.xds import names
from albatross.xds.access_log import to_runtime
from albatross.xds.cluster import (
    lambda_cluster,
    lambda_endpoints,
    server_cluster,
    server_endpoints,
)
from albatross.xds.function_urls import UrlSocket, to_cluster, to_endpoints, to_listener
from albatross.xds.https import Credentials, next_end
from albatross.xds.memo import Memo
from albatross.xds.sockets import Binding, DanglingName, Observed, Sockets, places
from albatross.xds.tls import Sealed, TrustFiles

__all__ = ["Binding", "DanglingName", "Observed", "Resources", "translate"]

Weights = Callable[[TargetGroup], Mapping[tuple[str, int | None], int]]
Routable = Callable[[TargetGroup], Collection[tuple[str, int | None]]]


def _registered(group: TargetGroup) -> Collection[tuple[str, int | None]]:
    """Return all targets: without health checks."""
    return [target.key for target in group.targets]


def _equal(_: TargetGroup) -> Mapping[tuple[str, int | None], int]:
    """Return no weights: all targets are alike."""
    return {}


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
    observed: Observed | None = None,
    cookie_key: bytes = b"",
    routable: Routable = _registered,
    weights: Weights = _equal,
    trust_files: Mapping[str, TrustFiles] = MappingProxyType({}),
    now: datetime | None = None,
    memo: Memo | None = None,
    function_urls: UrlSocket | None = None,
) -> Resources:
    """Return what Envoy needs to serve the listeners in `bindings` (by ARN); others are left out.

    `lambda_idle_timeout`: whether the load balancer's idle timeout ends a request that waits
    for a function. `observed`: what is told of requests. `cookie_key`: from
    which stickiness cookies are made. `routable`: which targets of a group get requests;
    `weights`: of those whose share is not the full one (health/slow_start.py, WEIGHT_FULL).
    `trust_files`: the content of trust stores, by ARN. `now` tells which certificates have expired;
    None: none. `memo`: of the calls before, whose results are used again where they are the same.
    `function_urls`: where those are served, None: nowhere. Raises DanglingName.
    """
    memo = memo or Memo()
    groups = memo.call("groups", _by_arn, snapshot.target_groups)
    certificates = memo.call(
        "certificates", server_certificates, snapshot.certificates, snapshot.keys
    )
    credentials = memo.call(
        "credentials",
        Credentials,
        certificates,
        memo.call("trust stores", _trust_stores, snapshot.trust_stores),
        trust_files,
        next_end(certificates.values(), now),
    )
    sockets = memo.call(
        "sockets",
        Sockets,
        memo.call("places", places, snapshot.listeners, snapshot.load_balancers, bindings),
        memo.inside("parts"),
        groups,
        credentials,
        cookie_key,
        observed,
        lambda_idle_timeout=lambda_idle_timeout,
    )
    name = names.LAMBDA_CLUSTER
    served = sockets.serve(snapshot)
    resources = Resources(
        listeners=dict(served.listeners),
        routes=dict(served.routes),
        secrets=dict(served.secrets),
        clusters={name: memo.call((name, "cluster"), lambda_cluster)},
        endpoints={name: memo.call((name, "endpoints"), lambda_endpoints, lambda_socket)},
    )
    resources.runtimes[names.RUNTIME] = memo.call("runtime", to_runtime, served.logged)
    _add_servers(resources, snapshot, groups, routable, weights, memo)
    if function_urls is not None:
        _add_function_urls(resources, function_urls, memo)
    memo.forget_unused()
    return resources


def _add_servers(
    resources: Resources,
    snapshot: Snapshot,
    groups: Mapping[str, TargetGroup],
    routable: Routable,
    weights: Weights,
    memo: Memo,
) -> None:
    """Add a cluster for each target group of servers that is in use."""
    for arn, balancer in snapshot.balancer_of_group.items():
        group = groups[arn]
        if group.target_type != "lambda":
            name = names.cluster(arn)
            resources.clusters[name] = memo.call((arn, "cluster"), _cluster, group, balancer)
            resources.endpoints[name] = memo.call(
                (arn, "endpoints"), server_endpoints, group, routable(group), weights(group)
            )


def _add_function_urls(resources: Resources, socket: UrlSocket, memo: Memo) -> None:
    name = names.FUNCTION_URL_CLUSTER
    resources.listeners[socket.name] = memo.call((name, "listener"), to_listener, socket)
    resources.clusters[name] = memo.call((name, "cluster"), to_cluster)
    resources.endpoints[name] = memo.call((name, "endpoints"), to_endpoints, socket)


def _cluster(group: TargetGroup, balancer: LoadBalancer) -> Message:
    idle_timeout_s = int(attributes.get(balancer, "idle_timeout.timeout_seconds"))
    cluster: Message = server_cluster(group, idle_timeout_s=idle_timeout_s)
    return cluster


def _by_arn(groups: Iterable[TargetGroup]) -> dict[str, TargetGroup]:
    return {group.arn: group for group in groups}


def _trust_stores(stores: Iterable[TrustStore]) -> dict[str, TrustStore]:
    return {store.arn: store for store in stores}
