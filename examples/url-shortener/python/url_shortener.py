"""A URL shortener behind a load balancer: POST /shorten makes a code, GET /CODE redirects.

The codes live in this process's memory: they last as long as its execution environment, and another
environment does not know them. Keep them in a database if you mean it.
"""

import base64
import hashlib
import json
import logging
from http import HTTPStatus

log = logging.getLogger(__name__)

CODE_LENGTH = 7

urls = {}


def handler(event, context):
    """Return the response for one request, in the target group's header mode."""
    try:
        status, document, headers = route(event)
    except Exception:
        log.exception("cannot answer")
        status, document, headers = HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "see the log"}, {}
    return respond(event, status, document, headers)


def route(event):
    method, path = event["httpMethod"], event["path"]
    if method == "POST" and path == "/shorten":
        return shorten(event)
    if method == "GET":
        return redirect(path.removeprefix("/"))
    document = {"error": "use POST /shorten or GET /CODE"}
    return HTTPStatus.METHOD_NOT_ALLOWED, document, {"Allow": "GET, POST"}


def shorten(event):
    try:
        long_url = json.loads(body_of(event))["longUrl"]
    except (ValueError, KeyError, TypeError):
        return HTTPStatus.BAD_REQUEST, {"error": 'send JSON: {"longUrl": "https://..."}'}, {}
    if not is_url(long_url):
        return HTTPStatus.BAD_REQUEST, {"error": "longUrl must be a URL"}, {}
    code = code_for(long_url)
    urls[code] = long_url
    return HTTPStatus.CREATED, {"shortCode": code, "longUrl": long_url}, {}


def redirect(code):
    if code not in urls:
        return HTTPStatus.NOT_FOUND, {"error": "unknown code"}, {}
    return HTTPStatus.MOVED_PERMANENTLY, {"longUrl": urls[code]}, {"Location": urls[code]}


def is_url(value):
    """Tell whether `value` can stand in a Location header: a string without spaces and controls."""
    return isinstance(value, str) and value.isprintable() and value != "" and " " not in value


def code_for(long_url):
    """Return the code for a URL; the same URL has the same code."""
    digest = hashlib.sha256(long_url.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode()[:CODE_LENGTH]


def body_of(event):
    body = event.get("body") or ""
    return base64.b64decode(body).decode() if event.get("isBase64Encoded") else body


def respond(event, status, document, headers):
    response = {
        "statusCode": status.value,
        "statusDescription": f"{status.value} {status.phrase}",
        "isBase64Encoded": False,
        "body": json.dumps(document),
    }
    headers = {"Content-Type": "application/json", **headers}
    if "multiValueHeaders" in event:
        response["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
    else:
        response["headers"] = headers
    return response
