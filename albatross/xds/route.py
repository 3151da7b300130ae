"""Rules -> a route table. All that changes often is here: a new table drains no connection."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from envoy.config.route.v3.route_components_pb2 import (
    FilterConfig,
    Route,
    VirtualHost,
)
from envoy.config.route.v3.route_pb2 import RouteConfiguration

from albatross.model import attributes
from albatross.model.rule import Action, Forward, HostHeader, Rule
from albatross.xds import client_certificates, conditions, index, names, target_group, weights
from albatross.xds.access_log import choice
from albatross.xds.actions import (
    ADD_IF_ABSENT,
    OVERWRITE,
    header,
    headers_without_body,
    perform,
)
from albatross.xds.entry import Entry
from albatross.xds.memo import Memo
from albatross.xds.packing import packed
from albatross.xds.response_headers import set_response_headers
from albatross.xds.tenant import Tenant
from albatross.xds.transforms import transform

_CLIENT_ADDRESS = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"
_DEFAULT_PORTS = (80, 443)  # Host is sent to targets without these
_HOST = re.compile(r"(\*\.)?[a-z0-9_-][a-z0-9_.-]*")
# Envoy adds these for a client of its own network.
_ENVOY_HEADERS = ("x-envoy-external-address", "x-envoy-internal")
_ENABLED = packed(FilterConfig(config={}))


@dataclass(frozen=True, slots=True)
class _Settings:
    """What all routes of a table share."""

    lambda_idle_timeout: bool
    bare_host: bool  # rules see Host without its port: one of them has an expression for it


def to_route_table(
    name: str,
    tenants: list[Tenant],
    memo: Memo,
    *,
    lambda_idle_timeout: bool,
    certified: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> RouteConfiguration:
    """Return the routes of the listeners in `tenants`, the oldest load balancer first.

    A request belongs to the load balancer whose DNS name is its Host, else to the oldest one
    that names this host in a host-header condition, else to the oldest with a certificate for it,
    else to the oldest. `certified`: the names of certificates by their listener's ARN. `memo` is
    of this table.
    """
    settings = memo.call(
        "settings", _Settings, lambda_idle_timeout, any(map(_sees_bare_host, tenants))
    )
    lists = {}
    for tenant in tenants:
        slot = (tenant.listener.arn, "routes")
        inner = memo.inside((slot, "rules"))
        lists[tenant.listener.arn] = memo.call(slot, to_routes, tenant, inner, settings)
    hosts: list[VirtualHost] = []
    everyone: list[Entry] = []
    # differs from AWS: load balancers with listeners on the same port share it, unless the setting
    # `addresses` gives each an address of its own. A request is for the one whose DNS name is its
    # Host, else for the oldest one that has this host in a rule, else (HTTPS) for the oldest one
    # that has a certificate for this host, else for the oldest.
    if len(tenants) > 1:
        for tenant in tenants:
            arn = tenant.listener.arn
            hosts.append(
                memo.call(
                    (arn, "own"),
                    index.virtual_host,
                    *(tenant.balancer.dns_name, lists[arn], memo.inside((arn, "own lists"))),
                )
            )
            everyone += memo.call((arn, "named"), _for_hosts_named, tenant, lists[arn])
        names_of = _names_of_others(tenants, certified)
        hosts += [
            _certified_host(
                names_of[arn], [*everyone, *lists[arn]], memo.inside((arn, "certified"))
            )
            for arn in names_of
        ]
    everyone += lists[tenants[0].listener.arn]
    taken = {domain for host in hosts for domain in host.domains}
    hosts += index.virtual_hosts("any", everyone, memo.inside("any"), taken=taken)
    used = {
        name
        for arn, own in lists.items()
        for name in memo.call((arn, "filters"), _filters_used, own)
    }
    memo.forget_unused()
    return RouteConfiguration(
        name=name,
        virtual_hosts=hosts,
        ignore_port_in_host_matching=True,
        request_headers_to_remove=(*_ENVOY_HEADERS, *names.ENVOYS_OWN_HEADERS),
        # On all routes, or none: Envoy goes by the route that it chooses first, which need not be
        # the one that a request takes (`lua/request.lua`, choose).
        typed_per_filter_config={one: _ENABLED for one in sorted(used)},
    )


def _names_of_others(
    tenants: list[Tenant], certified: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Return, by ARN, the names for which a listener is the oldest with a certificate.

    Without those of the oldest listener of all, who gets what is nobody's, and DNS names. A
    certificate may have any bytes as a name, of which the proxy takes no others for hosts.
    """
    oldest, *others = (tenant.listener.arn for tenant in tenants)
    taken = {tenant.balancer.dns_name.lower() for tenant in tenants}
    taken.update(certified.get(oldest, ()))
    found = {}
    for arn in others:
        known = certified.get(arn, ())
        names_left = tuple(one for one in known if one not in taken and _HOST.fullmatch(one))
        if names_left:
            found[arn] = names_left
            taken.update(names_left)
    return found


def _certified_host(
    host_names: tuple[str, ...], entries: Sequence[Entry], memo: Memo
) -> VirtualHost:
    """Return the virtual host that has `entries` for `host_names`, some with a wildcard."""
    host = index.virtual_host(host_names[0], entries, memo)
    host.name = f"certified {host.name}"
    del host.domains[:]
    host.domains.extend(host_names)
    return host


def _filters_used(entries: Iterable[Entry]) -> set[str]:
    """Return the filters that run only in tables in which a route has settings for them."""
    used = {name for entry in entries for name in entry.route.typed_per_filter_config}
    return used - {names.BODY_LIMIT_FILTER}


def to_routes(tenant: Tenant, memo: Memo, settings: _Settings) -> list[Entry]:
    """Return the routes in the order of the rules: Envoy takes the first that matches.

    `memo` is of this tenant.
    """
    # What routes of one rule depend on beside that rule. The same object is soon found equal.
    about = memo.call("about", Tenant, tenant.balancer, tenant.listener, (), tenant.groups)
    entries = [
        entry
        for rule in tenant.rules
        for entry in memo.call(rule.arn, _to_routes_of, rule, about, settings)
    ]
    memo.forget_unused()
    return entries


def _to_routes_of(rule: Rule, tenant: Tenant, settings: _Settings) -> list[Entry]:
    """Return the route of `rule`; where a target group is to be chosen, one a group before that."""
    entries, choices = [], []
    action = rule.action
    if isinstance(action, Forward) and weights.is_choice(action):
        for group in action.target_groups:
            to_group = Forward.to(group.arn)
            route, parameters = _to_route(rule, to_group, tenant, settings)
            route.name = names.route(choice(tenant, rule, to_group), {})
            taken = weights.take(route, rule, group, tenant.groups.cookie_key)
            choices.append(parameters | taken)
            entries.append(Entry(route, (), is_certain=False))  # the script has looked at them
    route, parameters = _to_route(rule, action, tenant, settings)
    if choices:
        parameters |= weights.prepare(route, [entry.route for entry in entries], choices)
    named = choice(tenant, rule, action)
    route.name = names.route(named, parameters, bare_host=settings.bare_host)
    return [*entries, Entry(route, rule.conditions)]


def _to_route(
    rule: Rule, action: Action, tenant: Tenant, settings: _Settings
) -> tuple[Route, dict[str, str]]:
    """Return a route of `rule` that does `action`, and what the script must know of it."""
    parameters = _parameters(tenant)
    route = Route(match=conditions.to_match(rule.conditions))
    parameters |= perform(
        route,
        action,
        tenant.groups,
        idle_timeout_s=int(attributes.get(tenant.balancer, "idle_timeout.timeout_seconds")),
        lambda_idle_timeout=settings.lambda_idle_timeout,
    )
    if route.HasField("route"):
        _add_forwarded_headers(route, tenant.listener.port, parameters)
        if tenant.listener.protocol == "HTTPS":  # the only clients with gRPC
            target_group.answer_grpc(route)
        client_certificates.add_connection_headers(route, tenant)
        parameters |= transform(route, rule.transforms)
    set_response_headers(route, tenant.listener, own=headers_without_body(action))
    return route, parameters


def _sees_bare_host(tenant: Tenant) -> bool:
    """Tell whether rules have regular expressions for hosts, which see Host without its port."""
    return any(one.regex_values for one in tenant.hosts)


def _for_hosts_named(tenant: Tenant, entries: list[Entry]) -> list[Entry]:
    """Return `entries` for the hosts alone that `tenant`'s rules name, if they name any.

    A rule on the host is for no other ones anyway.
    """
    if not tenant.hosts:
        return []
    named = conditions.authorities(tenant.hosts)
    limited = []
    for entry in entries:
        if weights.is_taken(entry.route) or any(
            isinstance(c, HostHeader) for c in entry.conditions
        ):
            limited.append(replace(entry, is_certain=False))
            continue
        for one in named:
            copy = Route()
            copy.CopyFrom(entry.route)
            copy.match.headers.append(one)
            limited.append(replace(entry, route=copy, is_certain=False))
    return limited


def _parameters(tenant: Tenant) -> dict[str, str]:
    """Return what the script must know of the load balancer and the listener, beside the choice."""
    balancer, port = tenant.balancer, tenant.listener.port
    if attributes.get(balancer, "routing.http.preserve_host_header.enabled") == "true":
        host = "preserve"
    else:
        host = "strip" if port in _DEFAULT_PORTS else "append"
    return {
        "host": host,
        "xff": attributes.get(balancer, "routing.http.xff_header_processing.mode"),
        "xff_port": attributes.get(balancer, "routing.http.xff_client_port.enabled"),
        "desync": attributes.get(balancer, "routing.http.desync_mitigation_mode"),
        "drop_invalid": attributes.get(balancer, "routing.http.drop_invalid_header_fields.enabled"),
        **client_certificates.parameters(tenant.listener),
    }


def _add_forwarded_headers(route: Route, port: int, parameters: Mapping[str, str]) -> None:
    """Add what needs no script. The port is the listener's, wherever it really listens."""
    route.request_headers_to_add.add(**header("x-forwarded-port", str(port), OVERWRITE))
    if parameters["xff"] == "append" and parameters["xff_port"] != "true":
        # Where the client sent one, the script has already appended to it.
        forwarded_for = header("x-forwarded-for", _CLIENT_ADDRESS, ADD_IF_ABSENT)
        route.request_headers_to_add.add(**forwarded_for)
