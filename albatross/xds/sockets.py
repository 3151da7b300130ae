"""Who listens on which socket, and what Envoy needs for each: its listener, routes and secrets.

What has been made is kept: a changed rule costs the sockets whose rules have changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as manager_pb2,
)
from google.protobuf.message import Message

from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.snapshot import ListenerRules, Snapshot
from albatross.model.target_group import TargetGroup
from albatross.xds import names, refusals
from albatross.xds.access_log import is_on, to_access_log
from albatross.xds.https import Credentials, Socket
from albatross.xds.memo import Memo
from albatross.xds.route import to_route_table
from albatross.xds.tenant import Door, Groups, Tenant
from albatross.xds.tls import Sealed


class DanglingName(Exception):
    """A resource names another one that does not exist. Nothing of such a snapshot is published."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a listener really listens."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Place:
    """A socket, and whose listeners share it, the oldest load balancer's first."""

    binding: Binding
    listeners: list[tuple[LoadBalancer, Listener]]


@dataclass(frozen=True, slots=True)
class Observed:
    """What is told of requests: in which file for access logs, and whether to clients why not."""

    request_log: str
    debug_headers: bool = False


@dataclass(frozen=True, slots=True)
class Served:
    """What Envoy needs for one socket."""

    listener: Message
    routes: Mapping[str, Message]
    secrets: Mapping[str, Sealed]
    is_logged: bool

    def has_listener_of(self, other: "Served") -> bool:
        """Tell whether they differ in what is in their tables at most."""
        return self.listener is other.listener and self.is_logged == other.is_logged


@dataclass(frozen=True, slots=True)
class AllServed:
    """What Envoy needs for all sockets, by name."""

    listeners: Mapping[str, Message]
    routes: Mapping[str, Message]
    secrets: Mapping[str, Sealed]
    logged: tuple[str, ...]  # the sockets of which an access log is written

    @classmethod
    def of(cls, sockets: Mapping[str, Served]) -> "AllServed":
        return cls(
            {name: one.listener for name, one in sockets.items()},
            {table: made for one in sockets.values() for table, made in one.routes.items()},
            {name: secret for one in sockets.values() for name, secret in one.secrets.items()},
            tuple(name for name, one in sockets.items() if one.is_logged),
        )


def places(
    listeners: Iterable[Listener],
    load_balancers: Sequence[LoadBalancer],
    bindings: Mapping[str, Binding],
) -> dict[str, Place]:
    """Return the sockets by name, sorted. Raises DanglingName."""
    age = {balancer.arn: n for n, balancer in enumerate(load_balancers)}
    for listener in listeners:
        if listener.load_balancer_arn not in age:
            raise DanglingName(f"{listener.arn} has no load balancer")
    found: dict[Binding, Place] = {}
    for listener in sorted(listeners, key=lambda one: age[one.load_balancer_arn]):
        if binding := bindings.get(listener.arn):
            place = found.setdefault(binding, Place(binding, []))
            place.listeners.append((load_balancers[age[listener.load_balancer_arn]], listener))
    return {
        names.socket(binding.address, binding.port): found[binding]
        for binding in sorted(found, key=lambda one: (one.address, one.port))
    }


class Sockets:
    """Serves snapshots that differ in their rules alone. `memo`: what was made for other ones."""

    def __init__(
        self,
        places: Mapping[str, Place],
        memo: Memo,
        groups: Mapping[str, TargetGroup],
        credentials: Credentials,
        cookie_key: bytes,
        observed: Observed | None,
        *,
        lambda_idle_timeout: bool,
    ) -> None:
        self._places = places
        self._memo = memo
        self._groups = groups
        self._credentials = credentials
        self._cookie_key = cookie_key
        self._observed = observed
        self._lambda_idle_timeout = lambda_idle_timeout
        self._place_of = {
            listener.arn: name for name, place in places.items() for _, listener in place.listeners
        }
        self._by_listener: Mapping[str, ListenerRules] = {}  # of the last snapshot
        self._served: dict[str, Served] = {}  # of that, by name
        self._all: AllServed | None = None  # the same

    def serve(self, snapshot: Snapshot) -> AllServed:
        """Return what the sockets need. Raises DanglingName."""
        now, before = snapshot.by_listener, self._by_listener
        changed = {arn for arn, tried in now.items() if before.get(arn) is not tried}
        self._refuse_dangling_names(snapshot, changed)
        if self._all is None:
            self._all = self._serve_first(now)
        else:
            stale = {self._place_of[arn] for arn in changed if arn in self._place_of}
            self._all = self._serve_anew(stale, now, self._all)
        self._by_listener = now
        return self._all

    def _serve_first(self, now: Mapping[str, ListenerRules]) -> AllServed:
        self._served = {name: self._serve(name, place, now) for name, place in self._places.items()}
        self._memo.forget_unused()
        return AllServed.of(self._served)

    def _serve_anew(
        self, stale: Iterable[str], now: Mapping[str, ListenerRules], last: AllServed
    ) -> AllServed:
        """Return what becomes of `last` where the rules of the sockets `stale` are others now."""
        made = {name: self._serve(name, self._places[name], now) for name in stale}
        only_rules = all(one.has_listener_of(self._served[name]) for name, one in made.items())
        self._served |= made
        if not only_rules:
            return AllServed.of(self._served)
        tables = {name: table for one in made.values() for name, table in one.routes.items()}
        return replace(last, routes={**last.routes, **tables})

    def _refuse_dangling_names(self, snapshot: Snapshot, changed: Iterable[str]) -> None:
        """Raise DanglingName where the rules of the listeners `changed` name what is not there."""
        if any(arn not in self._place_of for arn in changed):  # else there is each of them
            listeners = {listener.arn for listener in snapshot.listeners}
            for arn in changed:
                if arn not in listeners:
                    rule = snapshot.by_listener[arn].rules[0]
                    raise DanglingName(f"{rule.arn} has no listener")
        for arn in changed:
            for target_group_arn in snapshot.by_listener[arn].target_group_arns:
                if target_group_arn not in self._groups:
                    raise DanglingName(f"a rule of {arn} forwards to {target_group_arn}")

    def _serve(self, name: str, place: Place, by_listener: Mapping[str, ListenerRules]) -> Served:
        memo, tenants = self._memo, []
        for balancer, listener in place.listeners:
            tried = by_listener.get(listener.arn)
            if tried is None or not tried.has_default:
                raise DanglingName(f"{listener.arn} has no default rule")
            groups = tuple(map(self._groups.__getitem__, tried.target_group_arns))
            tenants.append(
                memo.call(
                    listener.arn, _tenant, balancer, listener, tried, groups, self._cookie_key
                )
            )
        return memo.call(
            name,
            _serve,
            *(name, place.binding, tenants, memo.inside((name, "parts"))),
            credentials=memo.call((name, "credentials"), self._credentials.only, tenants),
            observed=self._observed,
            lambda_idle_timeout=self._lambda_idle_timeout,
        )


def _tenant(
    balancer: LoadBalancer,
    listener: Listener,
    tried: ListenerRules,
    groups: tuple[TargetGroup, ...],
    cookie_key: bytes,
) -> Tenant:
    return Tenant(balancer, listener, tried.rules, Groups.of(groups, cookie_key))


def _serve(
    name: str,
    binding: Binding,
    tenants: list[Tenant],
    memo: Memo,
    *,
    credentials: Credentials,
    observed: Observed | None,
    lambda_idle_timeout: bool,
) -> Served:
    """Return the listener on a socket, its route tables and its secrets."""
    doors = [tenant.door for tenant in tenants]
    listener, socket = memo.call("listener", _open, name, binding, doors, credentials, observed)
    routes = {
        table: memo.call(
            table,
            to_route_table,
            *(table, group, memo.inside((table, "rules"))),
            lambda_idle_timeout=lambda_idle_timeout,
            certified=_certified(group, credentials),
        )
        for table, group in _by_table(socket, tenants).items()
    }
    memo.forget_unused()
    return Served(listener, routes, socket.secrets, any(map(is_on, tenants)))


def _certified(tenants: list[Tenant], credentials: Credentials) -> dict[str, tuple[str, ...]]:
    """Return the names of the certificates of each of several HTTPS listeners, by their ARNs."""
    if len(tenants) == 1:
        return {}  # there is no choice
    return {
        tenant.listener.arn: credentials.names_of(tenant.listener)
        for tenant in tenants
        if tenant.listener.protocol == "HTTPS"
    }


def _open(
    name: str,
    binding: Binding,
    doors: list[Door],
    credentials: Credentials,
    observed: Observed | None,
) -> tuple[Message, Socket]:
    """Return the listener on a socket, and what was made for it."""
    observe = partial(_observe, name, observed) if observed else None
    socket = Socket(name, binding.address, binding.port, doors, credentials, observe)
    return socket.listener(), socket


def _observe(
    name: str, observed: Observed, tenant: Door, manager: manager_pb2.HttpConnectionManager
) -> None:
    """Have `manager`, which serves the socket `name`, tell of its requests."""
    manager.access_log.append(to_access_log(observed.request_log, name, tenant))
    refusals.observe(manager, debug_headers=observed.debug_headers)


def _by_table(socket: Socket, tenants: list[Tenant]) -> dict[str, list[Tenant]]:
    """Return who is in which route table. What no connection can reach has none."""
    tables: dict[str, list[Tenant]] = {}
    for tenant in tenants:
        table = names.table(socket.name, tenant.listener)
        if table in socket.tables:
            tables.setdefault(table, []).append(tenant)
    return tables
