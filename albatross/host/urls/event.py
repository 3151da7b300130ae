"""A request to a function URL -> the event with which its function is invoked. Pure.

Source: Lambda guide, "Invoking Lambda function URLs" (payload format 2.0), and live events.
"""

import re
from binascii import b2a_base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, unquote_plus

BODY_BYTES_MAX = 6 * 1024 * 1024  # Lambda guide, "Lambda quotas": synchronous invocations
CLIENT_HEADER = b"x-albatross-client"  # the proxy's: the address of the other end
INTERNAL_PREFIX = "x-albatross-"
_DROPPED = frozenset({"connection", "expect", "transfer-encoding"})  # of the proxy's own hop
# AWS is silent: the body of a function URL's event is text for the content types text/*,
# application/json, application/javascript, application/xml and those that end in +json or +xml,
# unless there is a content-encoding; else Base64.
_TEXT = re.compile(r"text/.*|application/(json|javascript|xml)|application/.*\+(json|xml)")
_ANYONE = "anonymous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who has signed a request. `access_key` is "" where that is not known."""

    account: str
    access_key: str = ""

    @property
    def identity(self) -> dict[str, object]:
        """The member `authorizer.iam` of the event."""
        # differs from AWS: whoever signs a request to a function URL is shown as its account's
        # root user.
        return {
            "accessKey": self.access_key,
            "accountId": self.account,
            "callerId": self.account,
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": f"arn:aws:iam::{self.account}:root",
            "userId": self.account,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlRequest:
    """`target` and `headers` are as the client sent them but for what the proxy has added."""

    method: str
    target: str
    headers: list[tuple[str, str]] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    source_ip: str = ""


def joined(lines: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Return headers with names in lower case and each once, its lines joined by commas."""
    found: dict[str, str] = {}
    for raw_name, raw_value in lines:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode(errors="replace")
        separator = "; " if name == "cookie" else ","
        found[name] = f"{found[name]}{separator}{value}" if name in found else value
    return sorted(
        (name, value)
        for name, value in found.items()
        if name not in _DROPPED and not name.startswith(INTERNAL_PREFIX)
    )


def to_event(
    request: UrlRequest, *, url_id: str, invocation_id: str, now_s: float, caller: Caller | None
) -> dict[str, Any]:
    """Return the event. `caller`: who has signed the request, None where nobody must."""
    path, _, query = request.target.partition("?")
    headers = dict(request.headers)
    host = headers.get("host", "").partition(":")[0]
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": caller.account if caller else _ANYONE,
            "apiId": url_id,
            "domainName": host,
            "domainPrefix": url_id,
            "http": {
                "method": request.method,
                "path": unquote(path),
                "protocol": "HTTP/1.1",
                "sourceIp": request.source_ip,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": invocation_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": datetime.fromtimestamp(now_s, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now_s * 1000),
        },
        "isBase64Encoded": False,
    }
    if caller is not None:
        event["requestContext"]["authorizer"] = {"iam": caller.identity}
    if cookies := [one.strip() for one in headers.get("cookie", "").split(";") if one.strip()]:
        event["cookies"] = cookies
    if parameters := _parameters(query):
        event["queryStringParameters"] = parameters
    if request.body:
        event["body"], event["isBase64Encoded"] = _body(request.body, headers)
    return event


def _parameters(query: str) -> dict[str, str]:
    """Return names and values, decoded; the values of a repeated name joined by commas."""
    found: dict[str, str] = {}
    for pair in query.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            name, value = unquote_plus(name), unquote_plus(value)
            found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _body(body: bytes, headers: dict[str, str]) -> tuple[str, bool]:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if _TEXT.fullmatch(media_type) and "content-encoding" not in headers:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass  # AWS is silent: a text body of a function URL that is not UTF-8 becomes Base64.
    return b2a_base64(body, newline=False).decode("ascii"), True
