"""A function's result -> what the client of its function URL gets. Pure.

Source: Lambda guide, "Invoking Lambda function URLs", response payload format.
"""

import re
from http import HTTPStatus
from typing import Any

import orjson

from albatross.host.response import BODILESS, Lines, Response, from_base64

HTTP_RESPONSE = "application/vnd.awslambda.http-integration-response"
DELIMITER = bytes(8)  # after the metadata of a stream
_JSON = ("Content-Type", "application/json")
# The connection is the proxy's, and so is the length of the body.
_DROPPED = frozenset(
    {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)
_STATUS_MIN, _STATUS_MAX = 100, 599  # [guide] "within the range of 100 to 599"
_STATUS_FINAL_MIN = 200


class _Invalid(Exception):
    """The result is not a response. The message is for the function's author."""


def from_result(result: bytes) -> Response:
    """Return the response that `result` describes; JSON without a statusCode is one as it is."""
    try:
        document = orjson.loads(result)
    except orjson.JSONDecodeError as error:
        return error_response(502, f"result: expected JSON: {error}")
    if not isinstance(document, dict) or "statusCode" not in document:
        return as_it_is(result)
    try:
        status = _status(document["statusCode"])
        lines = _headers(document)
        body = _body(document)
    except _Invalid as error:
        return error_response(502, str(error))
    return Response(status, reason(status), lines, b"" if status in BODILESS else body)


def as_it_is(result: bytes) -> Response:
    """Return the response whose body is the function's result."""
    return Response(200, "OK", [_JSON], result)


def from_prelude(metadata: bytes) -> Response:
    """Return the response without a body that a stream's metadata describes."""
    try:
        document = orjson.loads(metadata)
        if not isinstance(document, dict):
            raise _Invalid("metadata: expected an object")
        status = _status(document.get("statusCode", 200))
        return Response(status, reason(status), _headers(document), b"")
    except (orjson.JSONDecodeError, _Invalid) as error:
        return error_response(502, f"metadata of the stream: {error}")


def error_response(status: int, detail: str) -> Response:
    """Return the answer for a function that failed: AWS says no more. `detail` is for logs."""
    # AWS is silent: a function URL answers 502 with the text Internal Server Error where the
    # function fails or its result is no response.
    body = b"Internal Server Error"
    return Response(status, reason(status), [_JSON], body, "FunctionError", detail)


def refusal(status: int, document: dict[str, Any], detail: str, error_type: str) -> Response:
    """Return an answer that is not the function's, in JSON."""
    lines = [_JSON, ("x-amzn-ErrorType", error_type)]
    return Response(status, reason(status), lines, orjson.dumps(document), error_type, detail)


def reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _status(value: object) -> int:
    # AWS is silent: a function URL takes a statusCode that is a string of digits.
    if isinstance(value, str) and re.fullmatch("[0-9]{3}", value):
        value = int(value)
    if type(value) is not int or not _STATUS_MIN <= value <= _STATUS_MAX:
        raise _Invalid(f"statusCode: expected 100 to 599, found {str(value)[:40]}")
    if value < _STATUS_FINAL_MIN:
        # differs from AWS: a statusCode below 200 is answered with 502, as HTTP has another answer
        # after such a one.
        raise _Invalid(f"statusCode: {value} would not end the response")
    return value


def _headers(document: dict[str, Any]) -> Lines:
    headers = {} if document.get("headers") is None else document["headers"]
    if not isinstance(headers, dict):
        raise _Invalid("headers: expected an object")
    lines = [(name, _text(f"headers[{name}]", value)) for name, value in headers.items()]
    cookies = [] if document.get("cookies") is None else document["cookies"]
    if not isinstance(cookies, list):
        raise _Invalid("cookies: expected an array")
    lines += [("Set-Cookie", _text("cookies", cookie)) for cookie in cookies]
    for name, value in lines:
        if not _is_token(name) or any((c < " " and c != "\t") or c == "\x7f" for c in value):
            raise _Invalid(f"headers[{name[:40]!r}]: not a header")
    lines = [line for line in lines if line[0].lower() not in _DROPPED]
    if "content-type" not in {name.lower() for name, _ in lines}:
        lines.append(_JSON)
    return lines


def _is_token(name: str) -> bool:
    return bool(name) and all(c.isascii() and (c.isalnum() or c in "!#$%&'*+-.^_`|~") for c in name)


def _text(member: str, value: object) -> str:
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case _:
            # AWS is silent: a header of a function URL's response is a string, a number or a
            # boolean; else the answer is 502.
            raise _Invalid(f"{member[:60]}: expected a string")


def _body(document: dict[str, Any]) -> bytes:
    body = document.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        try:
            return orjson.dumps(body)  # AWS is silent: a body that is no string is sent as JSON.
        except TypeError:  # it is read deeper than it is written
            raise _Invalid("body: expected a string, found JSON that is nested too deep") from None
    if not document.get("isBase64Encoded"):
        return body.encode()
    try:
        return from_base64(body)
    except ValueError:
        raise _Invalid("body: expected Base64") from None
