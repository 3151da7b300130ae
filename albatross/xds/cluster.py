"""Clusters: where Envoy sends what it forwards. All Lambda target groups share one."""

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.extensions.http.header_formatters.preserve_case.v3.preserve_case_pb2 import (
    PreserveCaseFormatterConfig,
)
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions

from albatross.xds import names
from albatross.xds.packing import extension, packed

_UNLIMITED = {
    "value": 1_000_000
}  # Envoy's defaults of 1,024 would answer 503 to the 1,025th request
_CONNECT_TIMEOUT_S = 10  # ALB user guide, troubleshooting, HTTP 504
_KEEP_ALIVE_S = 60  # of a connection to the Lambda host without requests
# The load balancer's limit of 32 KB on response headers is the Lambda host's to enforce: it knows
# what the function sent. Envoy must only not be the stricter one.
_RESPONSE_HEADERS_KB_MAX = 64

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
    """Return the cluster of the Lambda host. Its connections are kept, nothing is sent twice."""
    # AWS is silent: an invocation is never repeated, however it fails.
    thresholds = {
        "max_connections": _UNLIMITED,
        "max_pending_requests": _UNLIMITED,
        "max_requests": _UNLIMITED,
    }
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
        circuit_breakers={"thresholds": [thresholds]},
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
