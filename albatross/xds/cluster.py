"""Clusters: where Envoy sends what it forwards. All Lambda target groups share one, every other
target group has its own. Source: ALB user guide, "Target groups" (routing algorithms).
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.base_pb2 import TransportSocket
from envoy.config.core.v3.health_check_pb2 import HealthStatus
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.extensions.http.header_formatters.preserve_case.v3.preserve_case_pb2 import (
    PreserveCaseFormatterConfig,
)
from envoy.extensions.load_balancing_policies.least_request.v3.least_request_pb2 import LeastRequest
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import UpstreamTlsContext
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions

from albatross.model import attributes
from albatross.model.target_group import Target, TargetGroup
from albatross.xds import names
from albatross.xds.packing import extension, packed

_UNLIMITED = {
    "value": 1_000_000
}  # Envoy's defaults of 1,024 would answer 503 to the 1,025th request
_THRESHOLDS = {
    "max_connections": _UNLIMITED,
    "max_pending_requests": _UNLIMITED,
    "max_requests": _UNLIMITED,
}
_WEIGHT_FULL = 100  # of a target
_EQUAL: Mapping[tuple[str, int | None], int] = MappingProxyType({})
_CONNECT_TIMEOUT_S = 10  # ALB user guide, troubleshooting, HTTP 504
_KEEP_ALIVE_S = 60  # of a connection to the Lambda host without requests
# The load balancer's limits of 32 KB, on response headers and on the status line, are the Lambda
# host's to enforce: it knows what the function sent. Envoy must only not be the stricter one.
_RESPONSE_HEADERS_KB_MAX = 96
_SERVER_HEADERS_KB_MAX = 32  # ALB user guide, troubleshooting, HTTP 502

ADS = {"ads": {}, "resource_api_version": "V3"}

# Names of headers keep the spelling in which they came, reason phrases pass.
PRESERVE_CASE = {
    "stateful_formatter": extension(
        "preserve_case",
        PreserveCaseFormatterConfig(
            forward_reason_phrase=True,
            formatter_type_on_envoy_headers=PreserveCaseFormatterConfig.PROPER_CASE,
        ),
    )
}


def lambda_cluster() -> Cluster:
    """Return the cluster of the Lambda host. Its connections are kept, no request is sent twice."""
    # AWS is silent: an invocation is never repeated, however it fails.
    protocol = HttpProtocolOptions(
        explicit_http_config={"http_protocol_options": {"header_key_format": PRESERVE_CASE}},
        common_http_protocol_options={
            "idle_timeout": {"seconds": _KEEP_ALIVE_S},
            "max_response_headers_kb": {"value": _RESPONSE_HEADERS_KB_MAX},
            "max_headers_count": {"value": 10_000},
        },
    )
    return Cluster(
        name=names.LAMBDA_CLUSTER,
        type=Cluster.EDS,
        eds_cluster_config={"eds_config": ADS},
        connect_timeout={"seconds": _CONNECT_TIMEOUT_S},
        common_lb_config={"healthy_panic_threshold": {}},
        circuit_breakers={"thresholds": [_THRESHOLDS | {"max_retries": _UNLIMITED}]},
        typed_extension_protocol_options={
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packed(protocol)
        },
    )


def lambda_endpoints(lambda_socket: str) -> ClusterLoadAssignment:
    """Return the Lambda host's address: a unix socket."""
    return ClusterLoadAssignment(
        cluster_name=names.LAMBDA_CLUSTER,
        endpoints=[
            {"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": lambda_socket}}}}]}
        ],
    )


def server_cluster(group: TargetGroup, *, idle_timeout_s: int) -> Cluster:
    """Return the cluster of a target group of instances or addresses."""
    cluster = Cluster(
        name=names.cluster(group.arn),
        type=Cluster.EDS,
        eds_cluster_config={"eds_config": ADS},
        connect_timeout={"seconds": _CONNECT_TIMEOUT_S},
        # Who gets requests when too few are healthy is decided in health/routing.py.
        common_lb_config={"healthy_panic_threshold": {}},
        circuit_breakers={"thresholds": [_THRESHOLDS]},
        typed_extension_protocol_options={
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packed(
                _protocol(group, idle_timeout_s)
            )
        },
    )
    if group.protocol == "HTTPS":
        cluster.transport_socket.MergeFrom(TransportSocket(**_tls(group)))
    _balance(cluster, group)
    return cluster


def server_endpoints(
    group: TargetGroup,
    routable: Collection[tuple[str, int | None]],
    weights: Mapping[tuple[str, int | None], int] = _EQUAL,
) -> ClusterLoadAssignment:
    """Return the targets of `group`; requests go to those whose keys are `routable`.

    `weights`, in percent, are of targets that get less than their full share.
    """
    endpoints = []
    for target in group.targets:
        host, port = address_of(target)
        address = {"socket_address": {"address": host, "port_value": port}}
        status = _status(target, is_routable=target.key in routable)
        weight = {"value": weights.get(target.key, _WEIGHT_FULL)}
        endpoints.append(
            {
                "endpoint": {"address": address},
                "health_status": status,
                "load_balancing_weight": weight,
            }
        )
    return ClusterLoadAssignment(
        cluster_name=names.cluster(group.arn),
        endpoints=[{"lb_endpoints": endpoints}] if endpoints else [],
    )


def address_of(target: Target) -> tuple[str, int]:
    """Return where a target that is a server listens."""
    assert target.port is not None  # RegisterTargets has seen to it
    return target.host, target.port


def _status(target: Target, *, is_routable: bool) -> HealthStatus:
    # differs from AWS: requests in flight to a target are not cut when its deregistration delay
    # ends; AWS answers them with 502 or closes their connections.
    if target.draining_until is not None:
        return HealthStatus.DRAINING
    return HealthStatus.HEALTHY if is_routable else HealthStatus.UNHEALTHY


def _protocol(group: TargetGroup, idle_timeout_s: int) -> HttpProtocolOptions:
    if group.version == "HTTP1":
        explicit = {"http_protocol_options": {"header_key_format": PRESERVE_CASE}}
    else:
        explicit = {"http2_protocol_options": {}}
    return HttpProtocolOptions(
        explicit_http_config=explicit,
        common_http_protocol_options={
            "idle_timeout": {"seconds": idle_timeout_s},
            "max_response_headers_kb": {"value": _SERVER_HEADERS_KB_MAX},
            "max_headers_count": {"value": 10_000},
        },
    )


def _tls(group: TargetGroup) -> dict[str, object]:
    """Return TLS to targets, whose certificates are not validated."""
    # AWS is silent: connections to targets name no server (SNI).
    # differs from AWS: HTTPS targets may always choose TLS 1.3; in AWS only where a listener's
    # policy has it.
    context = UpstreamTlsContext(
        common_tls_context={
            "tls_params": {
                "tls_minimum_protocol_version": "TLSv1_0",
                "tls_maximum_protocol_version": "TLSv1_3",
            },
            "alpn_protocols": ["http/1.1" if group.version == "HTTP1" else "h2"],
        }
    )
    return extension("envoy.transport_sockets.tls", context)


def _balance(cluster: Cluster, group: TargetGroup) -> None:
    """Choose among targets as the group's attributes say."""
    match attributes.get(group, "load_balancing.algorithm.type"):
        case "least_outstanding_requests":
            policy = LeastRequest(selection_method=LeastRequest.FULL_SCAN)
            chosen = extension("envoy.load_balancing_policies.least_request", policy)
            cluster.load_balancing_policy.policies.add(typed_extension_config=chosen)
        case "weighted_random":
            if attributes.get(group, "load_balancing.algorithm.anomaly_mitigation") == "on":
                # A random place on a ring on which targets have room by their weights.
                cluster.lb_policy = Cluster.RING_HASH
            else:
                cluster.lb_policy = Cluster.RANDOM
        case _:
            cluster.lb_policy = Cluster.ROUND_ROBIN
