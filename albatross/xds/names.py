"""The names by which Envoy's resources and our internal headers go. No other module makes one."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import quote, urlencode

from albatross.model.listener import Listener
from albatross.model.request_record import ABSENT, Choice

LAMBDA_CLUSTER = "lambda"
FUNCTION_URL_CLUSTER = "function-urls"
NO_CLUSTER = "none"  # there is none of this name: Envoy answers 503
LUA_FILTER = "envoy.filters.http.lua"  # also the key of a route's parameters for the script
TARGET_GROUP_HEADER = "x-albatross-target-group"
CONNECTION_HEADER = "x-albatross-connection"
SIZE_HEADER = "x-albatross-size"  # of the headers, and how the body is framed; for the script alone
METHOD_HEADER = "x-albatross-method"  # the client's, where another stands in for it
ERROR_HEADER = "x-albatross-error"  # the Lambda host's, of answers that are no function's
# Of responses, with the setting `debug_headers` only: why the load balancer answered by itself.
REASON_HEADER, DETAIL_HEADER = "x-albatross-error-reason", "x-albatross-error-detail"
PROXY_HEADER = "x-albatross-proxy-details"  # in Envoy's words
TARGET_HEADER = "x-albatross-target"  # of responses: the target's address, for stickiness
FORWARDED_PROTO_HEADER = "x-albatross-x-forwarded-proto"  # the client's X-Forwarded-Proto
REFERER_HEADER = "x-albatross-referer"  # the client's Referer, which Envoy drops where it is no URL
GROUP_HEADER = "x-albatross-group"  # the target group chosen among several
PATH_HEADER = "x-albatross-path"  # the client's, while the route for that group is looked for
# What transforms look at, and where it is noted what they find there.
HOST_HEADER, URL_HEADER = "x-albatross-host", "x-albatross-url"
TRANSFORM_METADATA = "albatross-transform"
INTERNAL_HEADER_PREFIX = "x-albatross-"
NO_HEADER = "x-albatross-none"  # no request has it
# What neither targets nor the Lambda host are to see.
ENVOYS_OWN_HEADERS = (
    SIZE_HEADER,
    FORWARDED_PROTO_HEADER,
    REFERER_HEADER,
    GROUP_HEADER,
    PATH_HEADER,
    HOST_HEADER,
    URL_HEADER,
)
# The last word of routes' names is a letter where a request may be ordinary (native/ordinary.c), by
# the kind of target and what becomes of Host's port; else a hyphen.
_PLAIN = "-"
# Behind it: where rules that name a host are apart from others, which may come first; the same, but
# of those others; where rules see Host without its port.
_APART, _OTHERS, _BARE_HOST = "+", "=", "*"
_ORDINARY = {
    ("lambda", "append"): "a",
    ("lambda", "preserve"): "p",
    ("lambda", "strip"): "s",
    ("server", "append"): "A",
    ("server", "preserve"): "P",
    ("server", "strip"): "S",
}
# What the script's parameters are on such a route; it has no others than these and those below.
_OF_ORDINARY = {
    "action": "forward",
    "version": "HTTP1",
    "xff_port": "false",
    "drop_invalid": "false",
}
_OF_ANY = {"kind", "host", "xff", "desync"}
NO_HOST = "-"  # no host that a rule names
ALL_RULES = ","  # behind a host: its rules and those for no host, in one list
CLIENT_ADDRESS_STATE = "albatross.client-address"

ERROR_FILTER = "error-reason"
BODY_LIMIT_FILTER = "body_size_limit"
STICKINESS_FILTER = "stickiness"
GRPC_FILTER = "grpc"
RESPONSE_HEADERS_FILTER = "response-headers"
REWRITE_FILTER = "rewrite"
TRANSFORM_FILTER = "transform"
PLAIN_CHAIN = ABSENT  # the filter chain of connections without TLS
RUNTIME = "switches"  # Envoy's runtime, as far as we set it

# What is noted of a request for the access log.
METADATA = "albatross"
ERROR = "error"
ORIGINAL_HOST, ORIGINAL_PATH = "original-host", "original-path"  # before a rule's transforms
TRANSFORM_STATUS = "transform-status"
CLASSIFICATION = "classification"
REFUSAL, REFUSAL_DETAIL = "refusal", "refusal-detail"  # why the script answered; not logged
# Two lines of Set-Cookie for the response, made when the target group is chosen.
STICKY_COOKIE, STICKY_CORS_COOKIE = "sticky-cookie", "sticky-cors-cookie"


def socket(address: str, port: int) -> str:
    """Return the name of the listener on `address` and `port`, and of its route table."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def table(socket_name: str, listener: Listener) -> str:
    """Return the name of the route table with which `listener` is served on a socket.

    Those that do nothing with clients' certificates share one. Another has its own, so that its
    rules are out of reach for connections that did not show it a certificate.
    """
    if listener.mutual_authentication.mode != "off":
        return f"{socket_name}/{listener.arn}"
    return f"{socket_name}/https" if listener.protocol == "HTTPS" else socket_name


def cluster(target_group_arn: str) -> str:
    """Return the name of the cluster of a target group of instances or addresses."""
    return target_group_arn


def route(choice: Choice, parameters: Mapping[str, str], *, bare_host: bool = False) -> str:
    """Return the name of a rule's route: all that the access log and the script know of it.

    Envoy takes its time for each field of each route; a name costs nothing. It is one line of
    words: those of `choice`, the script's `parameters` in URL encoding, starts of paths for which
    other rules may come first, and its kind.
    """
    return f"{choice.text()} {_ending(tuple(parameters.items()), bare_host)}"


@lru_cache(maxsize=1000)  # rules differ little in these
def _ending(parameters: tuple[tuple[str, str], ...], bare_host: bool) -> str:
    texts = urlencode(parameters, quote_via=quote) or ABSENT
    return f"{texts} {ABSENT} {_kind(dict(parameters))}{_BARE_HOST if bare_host else ''}"


def _kind(parameters: Mapping[str, str]) -> str:
    usual = {key: text for key, text in parameters.items() if key not in _OF_ANY}
    if usual != _OF_ORDINARY or parameters["desync"] == "strictest":
        return _PLAIN
    return _ORDINARY[parameters["kind"], parameters["host"]]


def apart_route(name: str, starts: Iterable[str]) -> str:
    """Return the name of a host's route, before which others may come for paths with `starts`."""
    rest, kind = _parts(name)
    joined = ",".join(starts)
    return f"{rest} {joined or ABSENT} {_PLAIN if joined else kind}{_APART}"


def other_route(name: str) -> str:
    """Return the name of a route that is apart from those of hosts."""
    rest, kind = _parts(name)
    return f"{rest} {ABSENT} {kind}{_OTHERS}"


def _parts(name: str) -> tuple[str, str]:
    """Return what stands before the starts of paths, and the word behind them."""
    rest, _, kind = name.rsplit(" ", maxsplit=2)
    return rest, kind
