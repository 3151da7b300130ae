"""Function URLs -> Envoy: one listener for all of them. The Lambda host looks at the name."""

from dataclasses import dataclass

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as manager_pb2,
)
from envoy.extensions.http.early_header_mutation.header_mutation.v3.header_mutation_pb2 import (
    HeaderMutation,
)
from google.protobuf.struct_pb2 import Struct

from albatross.xds import names
from albatross.xds.actions import OVERWRITE, UNTIL_REPLACED, header
from albatross.xds.cluster import lambda_cluster, lambda_endpoints
from albatross.xds.listener import socket_listener
from albatross.xds.packing import extension

_CLIENT_HEADER = "x-albatross-client"  # the address of the other end, for the Lambda host
_CLIENT_ADDRESS = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"
# The longest timeout of a function, 900 s, and time for a cold start.
_SILENCE = {"seconds": 960}
_KEEP_ALIVE = {"seconds": 60}
_READ_HEADERS_KB_MAX = 96


@dataclass(frozen=True, slots=True)
class UrlSocket:
    """Where function URLs are served, and the Lambda host's unix socket for them."""

    address: str
    port: int
    host_socket: str

    @property
    def name(self) -> str:
        """The name of the Envoy listener."""
        return names.socket(self.address, self.port)


def to_listener(socket: UrlSocket) -> Listener:
    """Return the listener. Requests reach the Lambda host as they came, but for their framing."""
    router = Router(suppress_envoy_headers=True, dynamic_stats={"value": False})
    manager = manager_pb2.HttpConnectionManager(
        codec_type="HTTP1",
        stat_prefix=socket.name,
        route_config=_routes(socket),
        http_filters=[extension("envoy.filters.http.router", router)],
        local_reply_config={"body_format": _own_answer()},
        early_header_mutation_extensions=[_early_mutations()],
        generate_request_id={"value": False},
        use_remote_address={"value": True},
        skip_xff_append=True,  # the Lambda host does: here the loopback has another address
        server_header_transformation="PASS_THROUGH",
        normalize_path={"value": False},
        merge_slashes=False,
        path_with_escaped_slashes_action="KEEP_UNCHANGED",
        max_request_headers_kb={"value": _READ_HEADERS_KB_MAX},
        request_headers_timeout=_KEEP_ALIVE,
        stream_idle_timeout=_SILENCE,
        common_http_protocol_options={"idle_timeout": _KEEP_ALIVE},
        http_protocol_options={
            "allow_custom_methods": True,
            "header_key_format": {"proper_case_words": {}},
        },
    )
    listener = socket_listener(socket.name, socket.address, socket.port)
    filters = [extension("envoy.filters.network.http_connection_manager", manager)]
    listener.filter_chains.add(filters=filters)
    return listener


def to_cluster() -> Cluster:
    """Return the cluster of the Lambda host's socket for function URLs."""
    cluster = lambda_cluster()
    cluster.name = names.FUNCTION_URL_CLUSTER
    return cluster


def to_endpoints(socket: UrlSocket) -> ClusterLoadAssignment:
    endpoints = lambda_endpoints(socket.host_socket)
    endpoints.cluster_name = names.FUNCTION_URL_CLUSTER
    return endpoints


def _routes(socket: UrlSocket) -> RouteConfiguration:
    route = Route(
        name="function-url",
        match={"prefix": ""},
        route={
            "cluster": names.FUNCTION_URL_CLUSTER,
            "timeout": {},
            "idle_timeout": _SILENCE,
            "retry_policy": UNTIL_REPLACED,
        },
        request_headers_to_add=[
            header(_CLIENT_HEADER, _CLIENT_ADDRESS, OVERWRITE),
            header("referer", f"%REQ({names.REFERER_HEADER})%", OVERWRITE),
            header("x-forwarded-port", str(socket.port), OVERWRITE),
        ],
        request_headers_to_remove=["x-envoy-external-address", "x-envoy-internal"],
    )
    host = VirtualHost(name="any", domains=["*"], routes=[route])
    return RouteConfiguration(
        name=socket.name,
        virtual_hosts=[host],
        request_headers_to_remove=[names.REFERER_HEADER],  # after the route has added its headers
    )


def _own_answer() -> SubstitutionFormatString:
    """Return the body of Envoy's own answers: for malformed requests, while the host is away."""
    document = Struct()
    document.update({"Message": "%LOCAL_REPLY_BODY%"})
    return SubstitutionFormatString(json_format=document, content_type="application/json")


def _early_mutations() -> dict[str, object]:
    """What a client sends under our names goes; its Referer, which Envoy may drop, is kept."""
    ours = {"key_matcher": {"prefix": names.INTERNAL_HEADER_PREFIX}}
    referer = header(names.REFERER_HEADER, "%REQ(REFERER)%", OVERWRITE)
    mutations = [{"remove_on_match": ours}, {"append": referer}]
    return extension("before-routing", HeaderMutation(mutations=mutations))
