"""What browsers are told about a function URL's use from pages of other origins. Pure.

Source: Lambda guide, "Cross-origin resource sharing (CORS)"; Fetch standard, CORS protocol.
"""

from collections.abc import Mapping

from albatross.host.response import Lines, Response
from albatross.model.function_url import Cors

_ANY = "*"
_ASKED_HEADERS = "access-control-request-headers"


def preflight(cors: Cors | None, method: str, headers: Mapping[str, str]) -> Response | None:
    """Return the answer to a browser's question whether it may ask; None for other requests.

    Without CORS settings the function answers it.
    """
    if cors is None or method != "OPTIONS":
        return None
    if "origin" not in headers or "access-control-request-method" not in headers:
        return None
    lines = _origin(cors, headers["origin"])
    if lines:
        wanted = headers["access-control-request-method"]
        lines += _allowed("Methods", cors.allow_methods, wanted)
        lines += _allowed("Headers", cors.allow_headers, headers.get(_ASKED_HEADERS))
        if cors.max_age_s is not None:
            lines.append(("Access-Control-Max-Age", str(cors.max_age_s)))
    # AWS is silent: a preflight request from an origin that is not allowed is answered with 200
    # and without CORS headers.
    return Response(200, "OK", lines, b"")


def with_headers(cors: Cors | None, headers: Mapping[str, str], lines: Lines) -> Lines:
    """Return the `lines` of a response as the browser gets them: the function's and the settings'.

    Where both name an origin the browser gets two, as from AWS, and refuses them.
    """
    if cors is None or "origin" not in headers:
        return lines
    added = _origin(cors, headers["origin"])
    if added and cors.expose_headers:
        added.append(("Access-Control-Expose-Headers", ",".join(cors.expose_headers)))
    return [*lines, *added]


def _origin(cors: Cors, origin: str) -> Lines:
    """Return the lines by which `origin` is allowed; none where it is not."""
    allowed = cors.allow_origins or ()
    is_any = _ANY in allowed
    if not is_any and origin.lower() not in (one.lower() for one in allowed):
        return []
    # AWS is silent: with AllowOrigins * a response names *, or the origin where credentials are
    # allowed, as browsers want it.
    shown = origin if cors.allow_credentials or not is_any else _ANY
    lines = [("Access-Control-Allow-Origin", shown)]
    if shown != _ANY:
        lines.append(("Vary", "Origin"))
    if cors.allow_credentials:
        lines.append(("Access-Control-Allow-Credentials", "true"))
    return lines


def _allowed(what: str, allowed: tuple[str, ...] | None, wanted: str | None) -> Lines:
    """Return the line that names what is allowed; for * what the browser wants, if it says."""
    if not allowed:
        return []
    shown = (wanted or _ANY) if _ANY in allowed else ",".join(allowed)
    return [(f"Access-Control-Allow-{what}", shown)]
