"""HTTP request -> Lambda event. Pure: no I/O, no clock.

The proxy has already rewritten what a load balancer rewrites (Host, X-Forwarded-*, the trace id);
this module gives the request the shape in which functions see it.
Source: ALB user guide, "Use Lambda functions as targets of an Application Load Balancer".
"""

import re
from binascii import b2a_base64
from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter

# AWS is silent: a request body may have 1,048,576 bytes (AWS: 1 MB), before any Base64.
BODY_BYTES_MAX = 1024 * 1024

# The names under which the proxy tells the host what a request's own headers cannot.
TARGET_GROUP_HEADER = "x-albatross-target-group"
CONNECTION_HEADER = "x-albatross-connection"
METHOD_HEADER = "x-albatross-method"  # with the method below: the one that the client sent
STAND_IN_METHOD = "DELETE"

# What the event calls a header, where that is not its own name. None: the event does not have it.
_SHOWN_AS: dict[str, str | None] = {
    # AWS is silent: a chunked request shows no `transfer-encoding` and no made-up `content-length`.
    "transfer-encoding": None,
    "expect": None,  # the load balancer has answered it
    "connection": None,  # the proxy's own hop; the client's value comes in CONNECTION_HEADER
    CONNECTION_HEADER: "connection",
    TARGET_GROUP_HEADER: None,
    METHOD_HEADER: None,
}

# The names that have come, as sent, and what the event calls them: most come again and again.
_NAMES: dict[bytes, str | None] = {}
_UNKNOWN = ""
_NOTED_MAX, _NOTED_BYTES_MAX = 1000, 40

# AWS is silent: `;` does not separate query parameters.
_PARAMETER_SEPARATOR = "&"
# AWS is silent: a query parameter is split at its first `=`; without one its value is "".
_VALUE_SEPARATOR = "="

# Media types whose body is text, besides text/*. The list is closed: no +json, no +xml.
_TEXT_TYPES = frozenset({"application/json", "application/javascript", "application/xml"})

# AWS is silent: whether a request is gRPC is told by its content-type, also in HTTP/1.1.
_GRPC = re.compile(r"application/grpc(?![\w-])", re.IGNORECASE)

_HEALTH_CHECKER = (b"user-agent", b"ELB-HealthChecker/2.0")


class BadRequest(Exception):
    """The request cannot be an event: `LambdaBadRequest`. The message says why, for the log."""


class IncompatibleProtocol(Exception):
    """The request is gRPC, which functions do not speak: HTTP 464."""


@dataclass(slots=True)
class Request:
    """An HTTP request as the host received it from the proxy.

    `target` is the request target, path and query, byte for byte (it is ASCII). `headers` are all
    lines, order and case kept; the proxy's internal headers may be among them.
    """

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    body: bytes


def to_event(request: Request, target_group_arn: str, *, multi_value: bool) -> dict[str, object]:
    """Return the event with which the target group's function is invoked for `request`.

    Exactly one family of fields is present: with `multi_value` every value of a repeated header or
    query parameter, else the last one. Raises BadRequest where text is not UTF-8, and
    IncompatibleProtocol.
    """
    assert len(request.body) <= BODY_BYTES_MAX  # the caller has answered 413 before this
    path, _, query = request.target.partition("?")
    parameters = _parameters(query)
    lines = _header_lines(request.headers)
    headers = dict(lines)
    if "content-type" in headers and _GRPC.match(headers["content-type"]):
        raise IncompatibleProtocol
    body, is_base64 = _body(request.body, headers)
    event: dict[str, object] = {
        "requestContext": {"elb": {"targetGroupArn": target_group_arn}},
        "httpMethod": request.method,
        "path": _path(path),
    }
    if multi_value:
        event["multiValueQueryStringParameters"] = _values_by_name(parameters)
        event["multiValueHeaders"] = _values_by_name(sorted(lines, key=itemgetter(0)))
    else:
        event["queryStringParameters"] = dict(parameters)
        event["headers"] = dict(sorted(headers.items()))
    event["body"] = body
    event["isBase64Encoded"] = is_base64
    return event


def health_check_event(path: str, target_group_arn: str, *, multi_value: bool) -> dict[str, object]:
    """Return the event of a health check: no host, no x-forwarded-*, no trace id.

    `path` is the target group's health check path.
    """
    # AWS is silent: a query in the health check path goes into the event's query map.
    # AWS is silent: with multi-value headers on, a health check has the multi-value fields.
    request = Request("GET", path, [_HEALTH_CHECKER], b"")
    return to_event(request, target_group_arn, multi_value=multi_value)


def _path(path: str) -> str:
    """Return the path as the client sent it, without the authority of an absolute-form target.

    Sources: ALB user guide, host header of absolute-form requests; live events for the encoding.
    """
    # AWS is silent: the path is the one the client sent, not the normalised one that rules look at.
    if path.startswith("/") or "://" not in path:
        return path
    return "/" + path.partition("://")[2].partition("/")[2]


def _parameters(query: str) -> list[tuple[str, str]]:
    """Return the query's names and values in order, still percent-encoded, without empty pairs."""
    # AWS is silent: no character of a query is encoded or decoded, parentheses included.
    parameters: list[tuple[str, str]] = []
    if not query:
        return parameters
    for pair in query.split(_PARAMETER_SEPARATOR):
        if pair:
            name, _, value = pair.partition(_VALUE_SEPARATOR)
            parameters.append((name, value))
    return parameters


def _header_lines(headers: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Return the header lines that the event shows, in order, names in lower case."""
    # AWS is silent: a header without a value is in the event, with the value "".
    lines = []
    names = _NAMES
    try:
        for raw_name, raw_value in headers:
            shown_as = names.get(raw_name, _UNKNOWN)
            if shown_as is _UNKNOWN:
                shown_as = _shown_as(raw_name)
            if shown_as is not None:
                lines.append((shown_as, raw_value.decode()))
    except UnicodeDecodeError as error:
        name = raw_name[:40].decode(errors="backslashreplace")
        raise BadRequest(f"headers[{name}]: expected UTF-8, found {error}") from error
    return lines


def _shown_as(raw_name: bytes) -> str | None:
    """Return what the event calls a header, None where it does not have it; note usual names."""
    name = raw_name.lower().decode()
    shown_as = _SHOWN_AS.get(name, name)
    if len(raw_name) <= _NOTED_BYTES_MAX and len(_NAMES) < _NOTED_MAX:
        _NAMES[raw_name] = shown_as
    return shown_as


def _values_by_name(lines: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in lines:
        values.setdefault(name, []).append(value)
    return values


def _body(body: bytes, headers: dict[str, str]) -> tuple[str, bool]:
    """Return the event's `body` and `isBase64Encoded`."""
    if not body:
        # AWS is silent: an empty body is not Base64 even under a content-encoding.
        return "", False
    # AWS is silent: any content-encoding makes the body Base64, even `identity`.
    if "content-encoding" in headers or not _is_text(headers.get("content-type", "")):
        return b2a_base64(body, newline=False).decode("ascii"), True
    try:
        return body.decode(), False
    except UnicodeDecodeError as error:
        raise BadRequest(f"body: expected UTF-8, as it is text, found {error}") from error


def _is_text(content_type: str) -> bool:
    # AWS is silent: media types are compared without their parameters and in any letter case.
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type.startswith("text/") or media_type in _TEXT_TYPES
