"""Lambda result -> HTTP response, and every way in which that can fail. Pure: no I/O, no clock.

The law of the result document, which fits every published report: only `statusCode` must be there;
a known field that is there has exactly its type, and null has none; the header family of the other
mode is not looked at. The proxy adds `Date`.
Source: ALB user guide, "Use Lambda functions as targets of an Application Load Balancer".
"""

import string
from binascii import a2b_base64
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson

from albatross.host import remedies
from albatross.model import pages
from albatross.model.request_record import NO_REASON

# AWS is silent: a function's result may have 1,048,576 bytes (AWS: 1 MB), as it was returned.
RESULT_BYTES_MAX = 1024 * 1024
# AWS is silent: response headers may have 32,768 bytes (AWS: 32 K), as `name: value` with CR LF.
HEADERS_BYTES_MAX = 32 * 1024
# AWS is silent: a `statusCode` below 200 or above 599 is refused with 502.
STATUS_MIN, STATUS_MAX = 200, 599
# AWS is silent: a response without Content-Type gets `application/octet-stream`, unless it is a 204
# or 304.
DEFAULT_CONTENT_TYPE: str | None = "application/octet-stream"
# AWS is silent: a 204 or 304 loses its body and has no Content-Length.
BODILESS = frozenset({204, 304})

ERROR_HEADER = "x-albatross-error"  # of responses to the proxy
REASON_HEADER, DETAIL_HEADER = "x-albatross-error-reason", "x-albatross-error-detail"  # debug

# Not taken from a function: hop-by-hop headers, and what is computed here.
# AWS is silent: a Content-Length of the function's is replaced by the real one.
# AWS is silent: besides Connection and Transfer-Encoding, a function's Keep-Alive, Proxy-*, TE,
# Trailer and Upgrade are dropped.
_DROPPED = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# differs from AWS: a function's x-envoy-* and x-albatross-* headers are not sent: the proxy would
# take some of them as meant for itself.
_DROPPED_PREFIXES = ("proxy-", "x-envoy-", "x-albatross-")
# The characters of a header name (RFC 9110, `token`).
_TOKEN = ("!#$%&'*+-.^_`|~" + string.digits + string.ascii_letters).encode()
# AWS is silent: besides CR, LF and NUL no control character but tab may be in a header's value.
_CONTROLS = frozenset(map(chr, range(32))) - {"\t"} | {"\x7f"}
_SHOWN_MAX = 60  # characters of a function's text that a detail quotes
# Names that have come: in lower case (None: dropped), and the bytes of a line without its value.
# Most come again and again.
_NAMES: dict[str, tuple[str | None, int]] = {}
_NOTED_MAX, _NOTED_BYTES_MAX = 1000, 40
_REASONS = {status.value: status.phrase for status in HTTPStatus}

# The access log's error reasons, and the status that the client sees.
# AWS is silent: the status of LambdaBadRequest is 400, and 502 wherever the guide names none.
ERROR_STATUS = {
    "LambdaAccessDenied": 502,
    "LambdaBadRequest": 400,
    "LambdaConnectionError": 502,
    "LambdaConnectionTimeout": 504,
    "LambdaEC2AccessDeniedException": 502,
    "LambdaEC2ThrottledException": 502,
    "LambdaEC2UnexpectedException": 502,
    "LambdaENILimitReachedException": 502,
    "LambdaInvalidResponse": 502,
    "LambdaInvalidRuntimeException": 502,
    "LambdaInvalidSecurityGroupIDException": 502,
    "LambdaInvalidSubnetIDException": 502,
    "LambdaInvalidZipFileException": 502,
    "LambdaKMSAccessDeniedException": 502,
    "LambdaKMSDisabledException": 502,
    "LambdaKMSInvalidStateException": 502,
    "LambdaKMSNotFoundException": 502,
    "LambdaRequestTooLarge": 413,
    "LambdaResourceNotFound": 502,
    "LambdaResponseTooLarge": 502,
    "LambdaServiceException": 502,
    "LambdaSubnetIPAddressLimitReachedException": 502,
    "LambdaThrottling": 502,
    "LambdaUnhandled": 502,
    "LambdaUnhandledException": 502,
    "LambdaWebsocketNotSupported": 400,
}
# Lambda's error codes whose reason is not just "Lambda" and the code.
_REASON_BY_ERROR_TYPE = {
    "AccessDeniedException": "LambdaAccessDenied",
    "RequestTooLargeException": "LambdaRequestTooLarge",
    "ResourceNotFoundException": "LambdaResourceNotFound",
    "TooManyRequestsException": "LambdaThrottling",
    # AWS is silent: Lambda's InvalidRequestContentException is logged as LambdaBadRequest.
    "InvalidRequestContentException": "LambdaBadRequest",
}
# AWS is silent: other errors of the Lambda service are logged as LambdaServiceException.
_OTHER_REASON = "LambdaServiceException"

Document = dict[str, Any]
Lines = list[tuple[str, str]]


@dataclass(slots=True)
class Response:
    """An answer to the client. `body` is whole, also for HEAD; `encode` leaves it out.

    `headers` are lines in order, without Content-Length. `error_reason` is the access log's, None
    when the function answered. `detail` is for the function's author: sent only with the setting
    `debug_headers`. `code` names what happened where the access log has no reason for it.
    """

    status: int
    reason: str
    headers: Lines
    body: bytes
    error_reason: str | None = None
    detail: str | None = None
    is_own: bool = False  # the load balancer's, not the function's
    own_code: str | None = None

    @property
    def code(self) -> str | None:
        """A word for what went wrong, if anything did."""
        return self.error_reason or self.own_code


class _Invalid(Exception):
    """The result is not a response. The message is the `detail`."""


def from_result(result: bytes, *, multi_value: bool) -> Response:
    """Return the response that a function's `result` describes, or the 502 page when it is none.

    `multi_value`: the target group has multi-value headers on.
    """
    if len(result) > RESULT_BYTES_MAX:
        found = f"expected at most {RESULT_BYTES_MAX:,} bytes of JSON, found {len(result):,}"
        return failure("LambdaResponseTooLarge", f"result: {found}")
    try:
        document = _document(result)
        status = _status(document)
        reason = _reason(document, status)
        lines = _multi_value_lines(document) if multi_value else _single_value_lines(document)
        headers = _headers(lines, status)
        body = _body(document)
    except _Invalid as invalid:
        return failure("LambdaInvalidResponse", str(invalid))
    if status in BODILESS:
        body = b""
    return Response(status, reason, headers, body, None, _ignored(document, multi_value))


def failure(error_reason: str, detail: str) -> Response:
    """Return the load balancer's own page for one of the access log's error reasons."""
    return error_page(ERROR_STATUS[error_reason], detail, error_reason)


def error_page(
    status: int, detail: str, error_reason: str | None = None, *, code: str | None = None
) -> Response:
    """Return the load balancer's own page, such as 503 when a target group has no target."""
    headers = [("Server", pages.SERVER), ("Content-Type", "text/html")]
    body = pages.page(status).encode()
    return Response(
        *(status, pages.reason(status), headers, body, error_reason, detail),
        is_own=True,
        own_code=code,
    )


def from_error_type(error_type: str) -> str:
    """Return the error reason for a Lambda API error code, such as `TooManyRequestsException`."""
    reason = _REASON_BY_ERROR_TYPE.get(error_type, f"Lambda{error_type}")
    return reason if reason in ERROR_STATUS else _OTHER_REASON


def encode(response: Response, *, head: bool = False, chunked: bool = False) -> bytes:
    """Return `response` as HTTP/1.1 bytes, without the body when it answers a HEAD request.

    `chunked`: its body follows later, and nobody knows how long it will be.
    Header values outside ASCII go out as UTF-8. What is not the function's tells the proxy so, in
    a header that no client gets to see.
    """
    # AWS is silent: the Content-Length of a HEAD response is that of the function's body.
    status, body = response.status, response.body
    lines = "".join([f"{name}: {value}\r\n" for name, value in response.headers])
    if response.is_own:
        lines += f"{ERROR_HEADER}: {response.error_reason or NO_REASON}\r\n"
    length = "Transfer-Encoding: chunked\r\n" if chunked else f"Content-Length: {len(body)}\r\n"
    length = "" if status in BODILESS else length
    start = f"HTTP/1.1 {status} {response.reason}\r\n{lines}{length}\r\n".encode()
    return start if head else start + body


def _document(result: bytes) -> Document:
    # AWS is silent: members of the result that the load balancer does not know are ignored.
    # AWS is silent: a result with half of a surrogate pair ("\ud800"), with a number beyond the
    # range of a double (1e400) or with more than 1,024 brackets inside each other is not taken as
    # JSON.
    # AWS is silent: of a member that is there twice the last one counts.
    try:
        document = orjson.loads(result)
    except orjson.JSONDecodeError as error:
        place = remedies.near(result.decode(errors="replace"), error.pos)
        raise _Invalid(
            f"result: expected a JSON object, found text that is not JSON ({error}) {place}"
        ) from error
    if type(document) is not dict:
        raise _wrong("result", "a JSON object", document)
    return document


def _status(document: Document) -> int:
    status = document.get("statusCode", remedies.ABSENT)
    # AWS is silent: a `statusCode` written as a float is accepted when it is integral (200.0).
    if type(status) is not int and not (type(status) is float and status.is_integer()):
        raise _wrong("statusCode", "an integer", status)
    if not STATUS_MIN <= status <= STATUS_MAX:
        raise _wrong("statusCode", f"an integer from {STATUS_MIN} to {STATUS_MAX}", status)
    return int(status)


def _reason(document: Document, status: int) -> str:
    """Return the reason phrase: that of `statusDescription` ("200 OK"), else the standard one.

    A status that nobody has assigned has the empty reason.
    """
    # AWS is silent: a control character in `statusDescription` is refused with 502.
    # AWS is silent: a `statusDescription` with another code than `statusCode` gives only its text.
    # AWS is silent: a `statusDescription` that is not a code and a text is ignored.
    # AWS is silent: a `statusDescription` of more bytes than response headers may have is refused
    # with 502.
    if "statusDescription" not in document:
        return _REASONS.get(status, "")
    description = document["statusDescription"]
    if type(description) is not str:
        raise _wrong("statusDescription", 'a string such as "200 OK"', description)
    if _has_controls(description):
        raise _wrong("statusDescription", "no control characters", description)
    if len(description.encode()) > HEADERS_BYTES_MAX:
        raise _Invalid(f"statusDescription: expected at most {HEADERS_BYTES_MAX:,} bytes")
    code, _, text = description.partition(" ")
    is_code = len(code) == 3 and code.isdecimal()
    return (text.strip() if is_code else "") or _REASONS.get(status, "")


def _single_value_lines(document: Document) -> Lines:
    headers = document.get("headers", {})
    if type(headers) is not dict:
        raise _wrong("headers", "an object of strings", headers)
    for name, value in headers.items():
        if type(value) is not str:
            raise _wrong(_member("headers", name), "a string", value)
    return list(headers.items())


def _multi_value_lines(document: Document) -> Lines:
    # AWS is silent: with multi-value headers on, `"multiValueHeaders": null` is refused with 502.
    headers = document.get("multiValueHeaders", {})
    if type(headers) is not dict:
        raise _wrong("multiValueHeaders", "an object of arrays of strings", headers)
    lines = []
    for name, values in headers.items():
        if type(values) is not list:
            raise _wrong(_member("multiValueHeaders", name), "an array of strings", values)
        for value in values:
            if type(value) is not str:
                raise _wrong(_member("multiValueHeaders", name), "strings in the array", value)
            lines.append((name, value))
    return lines


def _headers(lines: Iterable[tuple[str, str]], status: int) -> Lines:
    """Return the function's `lines` that are sent, and the load balancer's own after them."""
    headers = []
    names = set()
    bytes_total = 0
    for line in lines:
        name, value = line
        key, name_bytes = _NAMES.get(name) or _checked_name(name)
        is_plain = value.isascii() and value.isprintable()
        bytes_total += name_bytes + (len(value) if is_plain else _checked_bytes(name, value))
        if key is not None:
            names.add(key)
            headers.append(line)
    if bytes_total > HEADERS_BYTES_MAX:
        raise _Invalid(
            f"headers: expected at most {HEADERS_BYTES_MAX:,} bytes, found {bytes_total:,}"
        )
    if DEFAULT_CONTENT_TYPE and "content-type" not in names and status not in BODILESS:
        headers.append(("Content-Type", DEFAULT_CONTENT_TYPE))
    # AWS is silent: a Server or Date header of the function's own is kept; else there is the usual
    # one.
    if "server" not in names:
        headers.append(("Server", pages.SERVER))
    return headers


def _checked_name(name: str) -> tuple[str | None, int]:
    """Return what `_NAMES` has of a header's name, or raise _Invalid when HTTP has none like it."""
    name_bytes = name.encode()
    if not name_bytes or name_bytes.translate(None, _TOKEN):
        raise _wrong("headers", "names of letters, digits and !#$%&'*+-.^_`|~", name)
    key = name.lower()
    is_dropped = key in _DROPPED or key.startswith(_DROPPED_PREFIXES)
    known = (None if is_dropped else key, len(name) + len(": \r\n"))
    if len(name) <= _NOTED_BYTES_MAX and len(_NAMES) < _NOTED_MAX:
        _NAMES[name] = known
    return known


def _checked_bytes(name: str, value: str) -> int:
    """Return the bytes of a header's value, or raise _Invalid when HTTP has no such value."""
    if _has_controls(value):
        raise _wrong(_member("headers", name), "no control characters", value)
    return len(value.encode())


def _has_controls(text: str) -> bool:
    # The first test is the fast one; it also fails for tabs and for some of Unicode's spaces.
    return not text.isprintable() and not _CONTROLS.isdisjoint(text)


def _body(document: Document) -> bytes:
    body = document.get("body", "")
    if type(body) is not str:
        raise _wrong("body", "a string", body)
    is_base64 = document.get("isBase64Encoded", False)
    if type(is_base64) is not bool:
        raise _wrong("isBase64Encoded", "a boolean", is_base64)
    if not is_base64:
        return body.encode()
    try:
        return from_base64(body)
    except ValueError as error:
        expected = "padded Base64 without line breaks, because isBase64Encoded is true"
        raise _Invalid(f"body: expected {expected}, found none ({error})") from error


def from_base64(text: str) -> bytes:
    """Return the bytes of a body in Base64, or raise ValueError when it is not exactly that."""
    # AWS is silent: Base64 of no body is an empty body; missing padding, and more than is needed,
    # is refused with 502.
    if len(text) % 4 or text.endswith("==="):
        raise ValueError("its padding is wrong")  # Python lets more than is needed pass
    return a2b_base64(text, strict_mode=True)


def _ignored(document: Document, multi_value: bool) -> str | None:
    """Return a warning when the only headers are those of the other mode, a common mistake."""
    # AWS is silent: headers in the other mode's member are ignored, even where there are no others.
    own, other, state = "headers", "multiValueHeaders", "off"
    if multi_value:
        own, other, state = other, own, "on"
    if own in document or not document.get(other):
        return None
    return f"{other}: ignored, the target group has multi-value headers {state}; return {own}"


def _wrong(field: str, expected: str, found: object) -> _Invalid:
    remedy = remedies.of(field, found)
    text = f"{field}: expected {expected}, found {_in_words(found)}"
    return _Invalid(f"{text}; {remedy}" if remedy else text)


def _member(field: str, name: str) -> str:
    return f"{field}[{_quoted(name)}]"


def _quoted(text: str) -> str:
    """Return `text` as JSON, so that it is one line, and not much of it."""
    shown = text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "..."
    return orjson.dumps(shown).decode()


def _in_words(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return f"the boolean {str(value).lower()}"
        case str():
            return f"the string {_quoted(value)}"
        case list():
            return "an array"
        case dict():
            return "an object"
        case int() | float():
            return f"the number {value}"
        case _:
            return "nothing"
