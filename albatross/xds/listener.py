"""A listening socket -> Envoy listener.

What differs between load balancers on one socket is in their routes. Here is only what belongs
to a connection or comes before the choice of a route: `client_keep_alive.seconds`, the wait for
the next request and for its headers (`idle_timeout.timeout_seconds`), and the host of HTTP/1.0
requests without one. These follow the oldest load balancer of the socket; a change of them replaces
the listener, whose open connections keep the old values until they end, as AWS says of
client_keep_alive.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from envoy.config.common.mutation_rules.v3.mutation_rules_pb2 import HeaderMutation as Mutation
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.http.header_to_metadata.v3.header_to_metadata_pb2 import (
    Config as HeaderToMetadata,
)
from envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as manager_pb2,
)
from envoy.extensions.filters.network.set_filter_state.v3.set_filter_state_pb2 import (
    Config as SetFilterState,
)
from envoy.extensions.http.early_header_mutation.header_mutation.v3.header_mutation_pb2 import (
    HeaderMutation,
)
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from xds.type.v3.typed_struct_pb2 import TypedStruct

from albatross.model import attributes
from albatross.model.load_balancer import LoadBalancer
from albatross.xds import client_certificates, names, shortcut
from albatross.xds.actions import OVERWRITE, header
from albatross.xds.cluster import ADS, PRESERVE_CASE
from albatross.xds.local_reply import to_local_reply
from albatross.xds.packing import extension
from albatross.xds.response_headers import response_headers_filter
from albatross.xds.transforms import transform_filters

# AWS is silent: a request body may have 1,048,576 bytes (AWS: 1 MB), before any Base64.
BODY_BYTES_MAX = 1024 * 1024
# The script holds the exact limits (headers 64 KB, request target 16 KB). This bounds what is read.
_READ_HEADERS_KB_MAX = 96
_HEADERS_MAX = 32_768  # more cannot be in 64 KB
_DRAIN_TIMEOUT = {"nanos": 100_000_000}  # between the idle timeout and the end of a connection
_SCRIPTS = Path(__file__).parent / "lua"
_ROUTER = Router(suppress_envoy_headers=True, dynamic_stats={"value": False})


def to_listener(
    name: str,
    address: str,
    port: int,
    oldest: LoadBalancer,
    *,
    observe: Callable[[manager_pb2.HttpConnectionManager], None] | None = None,
    keep_case: bool = False,
) -> Listener:
    """Return the HTTP listener on `address` and `port`; its routes are in the table `name`.

    `observe` adds what is told of its requests.
    """
    manager = connection_manager(name, name, oldest, keep_case=keep_case)
    if observe is not None:
        observe(manager)
    listener = socket_listener(name, address, port)
    listener.filter_chains.add(filters=network_filters(manager))
    return listener


def socket_listener(name: str, address: str, port: int) -> Listener:
    """Return a listener on `address` and `port` without filter chains."""
    return Listener(
        name=name,
        address={"socket_address": {"address": address, "port_value": port}},
        # A port that another program holds is refused, not shared.
        enable_reuse_port={"value": False},
        connection_balance_config={"exact_balance": {}},
    )


def network_filters(manager: manager_pb2.HttpConnectionManager) -> list[dict[str, object]]:
    """Return what a filter chain does with a connection whose requests `manager` serves."""
    return [
        note_client_address(),
        extension("envoy.filters.network.http_connection_manager", manager),
    ]


# differs from AWS: several lines of one header become one, joined by commas, also for conditions of
# rules, where it is, in a request, accept, accept-encoding, access-control-request-*,
# authorization, cache-control, content-encoding, content-type, if-*, origin, pragma, referer,
# user-agent, via, x-forwarded-for, x-forwarded-host or x-request-id, and in a response
# access-control-*, age, cache-control, content-encoding, content-type, date, etag, expires,
# last-modified, location, server, vary, via or x-request-id.
# differs from AWS: in every `routing.http.desync_mitigation_mode` requests with a Content-Length
# twice or beside Transfer-Encoding, with a space in the target, and with a header whose name is no
# token are refused with 400; AWS serves them in the modes monitor and defensive. So are severe
# ones, which AWS serves in the mode monitor.
# differs from AWS: `Transfer-Encoding: identity` is answered with 501, as every other coding than
# chunked is, and so is chunked in two lines, which AWS refuses with 400.
# differs from AWS: a request line with another version than HTTP/1.0 and HTTP/1.1, or without one,
# is served as HTTP/1.0, not refused.
# differs from AWS: a header that is folded over two lines becomes one line, without an added colon.
# differs from AWS: a carriage return within a header's value is taken out instead of refused.
# differs from AWS: a QUERY request without Content-Type is refused with 400.
# differs from AWS: responses on HTTP/1.1 have no `Connection: keep-alive`, and of the load
# balancer's headers Date comes last, not second.
# differs from AWS: a client's Keep-Alive, Proxy-Connection, TE but `trailers`, Upgrade and those of
# its x-envoy-* headers that mean something to the proxy are not handed on.
# AWS is silent: headers that a client names in Connection are not handed on, nor are their names
# there.
# differs from AWS: over HTTP/2 and HTTP/1.0, too, `Expect: 100-continue` is answered with 100.
# differs from AWS: names of headers in a response that differ in case alone are all sent as the
# first of them is written.
def connection_manager(
    name: str, table: str, oldest: LoadBalancer, *, keep_case: bool = False
) -> manager_pb2.HttpConnectionManager:
    """Return what serves HTTP/1.1 connections with the route table `table`.

    `keep_case`: names of request headers keep their spelling, for servers that look at it.
    """
    idle_timeout = {"seconds": int(attributes.get(oldest, "idle_timeout.timeout_seconds"))}
    # differs from AWS: where load balancers share a socket, `client_keep_alive.seconds` and the
    # idle timeout between requests are those of the oldest.
    # differs from AWS: open connections end, with their next answer or when they are idle, where
    # `client_keep_alive.seconds` or the idle timeout is changed, which in AWS concerns new ones,
    # and where the first rule of a port that forwards to servers comes or the last one goes.
    keep_alive = {"seconds": int(attributes.get(oldest, "client_keep_alive.seconds"))}
    manager = manager_pb2.HttpConnectionManager(
        codec_type="HTTP1",  # HTTP/2 is for HTTPS listeners
        stat_prefix=name,
        rds={"route_config_name": table, "config_source": ADS},
        http_filters=_filters(shortcut.library()),
        local_reply_config=to_local_reply(),
        early_header_mutation_extensions=[_early_mutations()],
        generate_request_id={"value": False},
        use_remote_address={"value": True},  # Envoy takes no orders from a client's x-envoy-*
        skip_xff_append=True,
        # Without one, Envoy refuses request targets such as https://host/path on this protocol.
        # The address that it then takes from a client's X-Forwarded-For is not used for anything.
        xff_num_trusted_hops=1,
        forward_client_cert_details="ALWAYS_FORWARD_ONLY",
        server_header_transformation="PASS_THROUGH",
        normalize_path={"value": False},
        merge_slashes=False,
        path_with_escaped_slashes_action="KEEP_UNCHANGED",
        max_request_headers_kb={"value": _READ_HEADERS_KB_MAX},
        request_headers_timeout=idle_timeout,
        stream_idle_timeout=idle_timeout,  # until a route is chosen, which has its own
        drain_timeout=_DRAIN_TIMEOUT,
        http1_safe_max_connection_duration=True,
        common_http_protocol_options={
            "idle_timeout": idle_timeout,
            "max_connection_duration": keep_alive,
            "max_headers_count": {"value": _HEADERS_MAX},
        },
        http_protocol_options={
            # AWS is silent: methods that HTTP does not name are forwarded, to functions too.
            "allow_custom_methods": True,
            "accept_http_10": True,
            "default_host_for_http_10": oldest.dns_name,
            # Else of answers that are Envoy's own.
            # differs from AWS: where a listener forwards to servers, the names of the headers of
            # the load balancer's own answers are in lower case.
            "header_key_format": PRESERVE_CASE if keep_case else {"proper_case_words": {}},
            "ignore_http_11_upgrade": [{"safe_regex": {"regex": _any_but("websocket")}}],
        },
        # The script refuses WebSockets to Lambda targets; other actions answer them.
        upgrade_configs=[{"upgrade_type": "websocket"}],
    )
    return manager


@cache
def _filters(library: Path | None) -> tuple[dict[str, object], ...]:
    rewrite, transform = transform_filters()
    return (
        _for_some(response_headers_filter()),  # first, so that it is the last to see a response
        *shortcut.script_filters(library),
        _for_some(rewrite),
        _for_some(transform),
        extension(names.BODY_LIMIT_FILTER, _body_size_limit()),
        _for_some(_script_of_some(names.STICKINESS_FILTER, "stickiness.lua")),
        _for_some(_script_of_some(names.GRPC_FILTER, "grpc.lua")),
        _for_some(extension(names.ERROR_FILTER, HeaderToMetadata())),
        extension("envoy.filters.http.router", _ROUTER),
    )


def _for_some(filter_: dict[str, object]) -> dict[str, object]:
    """Return a filter that costs nothing but where `route.py` has enabled it for a table."""
    return {**filter_, "disabled": True}


def _script_of_some(name: str, file: str) -> dict[str, object]:
    """Return a script that runs on routes that ask for it by the filter's name."""
    source = (_SCRIPTS / file).read_text()
    script = Lua(source_codes={name: {"inline_string": source}}, clear_route_cache={"value": False})
    return extension(name, script)


# differs from AWS: a body of more than 1 MB for a server is refused with 413 where the path as it
# was sent, not yet normalised, would lead to a function.
def _body_size_limit() -> Message:
    """Return the limit for Lambda targets. Routes to servers turn it off."""
    limits = Struct()
    limits.update({"max_request_bytes": BODY_BYTES_MAX})
    url = "type.googleapis.com/envoy.extensions.filters.http.body_size_limit.v3.BodySizeLimit"
    limit: Message = TypedStruct(type_url=url, value=limits)
    return limit


def note_client_address() -> dict[str, object]:
    """Return the filter that notes the connection's other end for source-ip conditions."""
    value = {
        "object_key": names.CLIENT_ADDRESS_STATE,
        "factory_key": "envoy.network.ip",
        "read_only": True,
        "format_string": {
            "text_format_source": {
                "inline_string": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"
            }
        },
    }
    return extension("client-address", SetFilterState(on_new_connection=[value]))


def _early_mutations() -> dict[str, object]:
    """Before anything else: what a client sends under our names goes, what Envoy drops is kept."""
    ours = {"key_matcher": {"prefix": names.INTERNAL_HEADER_PREFIX}}
    connection = header(names.CONNECTION_HEADER, "%REQ(CONNECTION)%", OVERWRITE)
    proto = header(names.FORWARDED_PROTO_HEADER, "%REQ(X-FORWARDED-PROTO)%", OVERWRITE)
    referer = header(names.REFERER_HEADER, "%REQ(REFERER)%", OVERWRITE)
    imitation = "%REQ(TRANSFER_ENCODING?CONTENT_LENGTH)%"
    framing = f"%DOWNSTREAM_HEADER_BYTES_RECEIVED% %REQ(TRANSFER-ENCODING)% {imitation}"
    size = header(names.SIZE_HEADER, framing, OVERWRITE)
    mutations = [
        Mutation(remove_on_match=ours),
        client_certificates.removal(),
        Mutation(append=proto),
        # AWS is silent: a client's X-Forwarded-Proto is replaced.
        Mutation(remove="x-forwarded-proto"),  # Envoy writes it where there is none
        Mutation(append=connection),
        Mutation(append=referer),
        Mutation(append=size),
    ]
    return extension("before-routing", HeaderMutation(mutations=mutations))


def _any_but(word: str) -> str:
    """Return an expression for everything but `word`, any case. RE2 has no negative lookahead."""
    prefixes = [f"{word[:n]}[^{word[n]}].*|{word[:n]}" for n in range(len(word))]
    return f"(?is){'|'.join(prefixes)}|{word}.+"
