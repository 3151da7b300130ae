"""Rules -> a route table. All that changes often is here: a new table drains no connection."""

from collections.abc import Mapping
from hashlib import sha256

from envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration

from albatross.model import attributes
from albatross.model.rule import HostHeader
from albatross.xds import conditions, names
from albatross.xds.access_log import note_choice
from albatross.xds.actions import ADD_IF_ABSENT, OVERWRITE, header, perform
from albatross.xds.response_headers import set_response_headers
from albatross.xds.tenant import Tenant

_CLIENT_ADDRESS = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"
_DEFAULT_PORTS = (80, 443)  # Host is sent to targets without these
# Envoy adds these for a client of its own network.
_ENVOY_HEADERS = ("x-envoy-external-address", "x-envoy-internal")


def to_route_table(
    name: str, tenants: list[Tenant], *, lambda_idle_timeout: bool
) -> RouteConfiguration:
    """Return the routes of the listeners in `tenants`, the oldest load balancer first.

    A request belongs to the load balancer whose DNS name is its Host, else to the oldest one
    that names this host in a host-header condition, else to the oldest.
    """
    routes = {
        tenant.listener.arn: to_routes(tenant, lambda_idle_timeout=lambda_idle_timeout)
        for tenant in tenants
    }
    hosts = []
    everyone = VirtualHost(name="any", domains=["*"])
    # differs from AWS: load balancers with listeners on the same port share it, unless the setting
    # `addresses` gives each an address of its own. A request is for the one whose DNS name is its
    # Host, else for the oldest one that has this host in a rule, else for the oldest.
    if len(tenants) > 1:
        for tenant in tenants:
            dns_name = tenant.balancer.dns_name
            own = routes[tenant.listener.arn]
            hosts.append(VirtualHost(name=dns_name, domains=[dns_name.lower()], routes=own))
            everyone.routes.extend(_for_hosts_named(tenant, own))
    everyone.routes.extend(routes[tenants[0].listener.arn])
    return RouteConfiguration(
        name=name,
        virtual_hosts=[*hosts, everyone],
        ignore_port_in_host_matching=True,
        request_headers_to_remove=(*_ENVOY_HEADERS, names.SIZE_HEADER),
    )


def to_routes(tenant: Tenant, *, lambda_idle_timeout: bool) -> list[Route]:
    """Return one route a rule, in the order of the rules: Envoy takes the first that matches."""
    idle_timeout_s = int(attributes.get(tenant.balancer, "idle_timeout.timeout_seconds"))
    of_balancer = _parameters(tenant)
    routes = []
    for rule in tenant.rules:
        route = Route(name=rule.arn, match=conditions.to_match(rule.conditions))
        of_action = perform(
            route, rule.action, idle_timeout_s=idle_timeout_s if lambda_idle_timeout else None
        )
        if route.HasField("route"):
            _add_forwarded_headers(route, of_balancer)
        _hand_to_script(route, of_balancer | of_action)
        note_choice(route, tenant, rule, of_action["action"])
        set_response_headers(route, tenant.listener)
        routes.append(route)
    return routes


def _for_hosts_named(tenant: Tenant, routes: list[Route]) -> list[Route]:
    """Return `routes` for the hosts alone that `tenant`'s rules name, if they name any."""
    hosts = [
        host
        for rule in tenant.rules
        for condition in rule.conditions
        if isinstance(condition, HostHeader)
        for host in condition.values
    ]
    if not hosts:
        return []
    named = conditions.authority(dict.fromkeys(hosts))
    limited = []
    for route in routes:
        copy = Route()
        copy.CopyFrom(route)
        copy.match.headers.append(named)
        limited.append(copy)
    return limited


def _parameters(tenant: Tenant) -> dict[str, str]:
    """Return what the script must know of the load balancer and the listener."""
    balancer, port = tenant.balancer, tenant.listener.port
    if attributes.get(balancer, "routing.http.preserve_host_header.enabled") == "true":
        host = "preserve"
    else:
        host = "strip" if port in _DEFAULT_PORTS else "append"
    return {
        "protocol": tenant.listener.protocol.lower(),
        "port": str(port),
        "host": host,
        "xff": attributes.get(balancer, "routing.http.xff_header_processing.mode"),
        "xff_port": attributes.get(balancer, "routing.http.xff_client_port.enabled"),
        "drop_invalid": attributes.get(balancer, "routing.http.drop_invalid_header_fields.enabled"),
    }


def _add_forwarded_headers(route: Route, parameters: Mapping[str, str]) -> None:
    """Add what needs no script. The port is the listener's, wherever it really listens."""
    route.request_headers_to_add.add(**header("x-forwarded-port", parameters["port"], OVERWRITE))
    if parameters["xff"] == "append" and parameters["xff_port"] != "true":
        # Where the client sent one, the script has already appended to it.
        forwarded_for = header("x-forwarded-for", _CLIENT_ADDRESS, ADD_IF_ABSENT)
        route.request_headers_to_add.add(**forwarded_for)


def _hand_to_script(route: Route, parameters: dict[str, str]) -> None:
    """Put `parameters` on `route`. The script reads each set once and knows it by its `id` then."""
    text = "\n".join(f"{key}={value}" for key, value in sorted(parameters.items()))
    metadata = parameters | {"id": sha256(text.encode()).hexdigest()[:16]}
    route.metadata.filter_metadata[names.LUA_FILTER].update(metadata)
