"""What the load balancer answers by itself: statuses, HTML pages and the Server header.

Source: ALB user guide, "Troubleshoot your Application Load Balancers".
"""

from collections.abc import Mapping

from envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.access_loggers.filters.cel.v3.cel_pb2 import ExpressionFilter
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as manager_pb2,
)

from albatross.model import pages
from albatross.model.request_record import ABSENT
from albatross.xds.actions import OVERWRITE, header
from albatross.xds.packing import extension

_SERVER = header("server", pages.SERVER, OVERWRITE)
# Envoy's own statuses that a load balancer does not have: 431 for too large headers, 426 for an old
# version of HTTP, 403 for a protocol to upgrade to, 404 for a request target that is no path.
# differs from AWS: a request target without a path (`OPTIONS *`, `http://host?query`), with a #,
# with a byte above 0x7f, or with an underscore or an escape in the host that it names
# (`http://a_b/`) is refused with 400 instead of being forwarded.
# differs from AWS: to requests with content-type application/grpc on HTTP listeners, and as fixed
# responses on HTTPS listeners, the load balancer's own answers are gRPC statuses in a 200.
# differs from AWS: fixed responses and redirects wait for a request's body of up to 64 KB; they do
# not for a larger one or one in chunks, and the connection is closed after them where it was not
# yet complete.
# differs from AWS: a server's response whose body is shorter than its Content-Length is handed on
# as it comes and then cut off, where AWS waits for the rest and answers 504.
# differs from AWS: HTTP/2 without TLS, from its first line, is refused with 400; AWS names 505.
# differs from AWS: a server's 101 to a request without Upgrade is handed on.
# AWS is silent: a server's status below 100, or of 600 and above, is handed on.
_MALFORMED = (403, 404, 426, 431)
_OWN_CLIENT_ERRORS = (400, 405, 408, 413, 414, 463, 464)
_OWN_SERVER_ERRORS = (500, 501, 502, 503, 504, 505, 507)

_CONNECT_TIMED_OUT = {
    "and_filter": {
        "filters": [
            {"response_flag_filter": {"flags": ["UF"]}},
            {
                "extension_filter": extension(
                    "envoy.access_loggers.extension_filters.cel",
                    ExpressionFilter(expression='response.code_details.contains("timeout")'),
                )
            },
        ]
    }
}
_FIXED_RESPONSE = {
    "extension_filter": extension(
        "envoy.access_loggers.extension_filters.cel",
        ExpressionFilter(expression='response.code_details == "direct_response"'),
    )
}


def to_local_reply() -> manager_pb2.LocalReplyConfig:
    """Return the mappers, of which Envoy takes the first that applies.

    Fixed responses keep status and body; then goes what happened to the target, then the status.
    A redirect has no mapper: the script has written all of it.
    """
    replies = manager_pb2.LocalReplyConfig()
    replies.mappers.add(filter=_FIXED_RESPONSE, headers_to_add=[_SERVER])
    _map(replies, _CONNECT_TIMED_OUT, 504)
    _map(replies, {"response_flag_filter": {"flags": ["UF", "UC", "UR", "LR", "UPE"]}}, 502)
    _map(replies, {"response_flag_filter": {"flags": ["UH", "NC", "UO"]}}, 503)
    _map(replies, {"response_flag_filter": {"flags": ["UT"]}}, 504)
    for status in _MALFORMED:
        _map(replies, _status(status), 400)
    for status in (*_OWN_CLIENT_ERRORS, *_OWN_SERVER_ERRORS):
        _map(replies, _status(status), status)
    return replies


def plain_http_routes() -> RouteConfiguration:
    """Return the routes of an HTTPS listener's port for connections without TLS: a refusal."""
    refusal = Route(
        name=ABSENT,  # no rule is chosen
        match={"prefix": ""},
        direct_response={"status": 400, "body": {"inline_string": pages.PLAIN_HTTP_PAGE}},
        response_headers_to_add=[header("content-type", "text/html", OVERWRITE)],
    )
    host = VirtualHost(name="any", domains=["*"], routes=[refusal])
    return RouteConfiguration(name="plain-http", virtual_hosts=[host])


def _map(
    replies: manager_pb2.LocalReplyConfig, condition: Mapping[str, object], status: int
) -> None:
    replies.mappers.add(
        filter=condition,
        # differs from AWS: the reason phrases of most own answers are the registered ones, such as
        # 405 Method Not Allowed, and the names of their headers are in lower case.
        status_code={"value": status},
        body_format_override={
            "text_format_source": {"inline_string": pages.page(status)},
            "content_type": "text/html",
        },
        headers_to_add=[_SERVER],
    )


def _status(status: int) -> dict[str, object]:
    value = {"default_value": status, "runtime_key": "albatross.unused"}
    return {"status_code_filter": {"comparison": {"op": "EQ", "value": value}}}
