"""`albatross event`: the event that a function gets for an HTTP request.

The proxy and the Lambda host that serve requests make it: for one request, on a free port.
"""

import base64
import http.client
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote_plus, unquote, urlsplit

import click

from albatross import __version__
from albatross.commands import private_server

ECHO = Path(__file__).with_name("echo.py")
ANSWER_S = 30.0
_DEFAULT_PORTS = {"http": 80, "https": 443}
_FORM = "application/x-www-form-urlencoded"
_ENCODINGS = "deflate, gzip, br, zstd"  # those of a full curl
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _ignored(*names: str, takes: str | None = None) -> Callable[[_Command], _Command]:
    """Give a command an option of curl's that changes no event; `takes`: what it has as value."""
    kind: dict[str, Any] = {"metavar": takes} if takes else {"is_flag": True}
    return click.option(*names, **kind, expose_value=False, hidden=True)


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[METHOD] URL")
@click.option("-X", "--request", "method", metavar="METHOD", help="Method of the request.")
@click.option("-H", "--header", "headers", multiple=True, metavar="LINE", help="'Name: value'.")
@click.option(
    "-d", "--data", multiple=True, metavar="DATA", help="Body of a POST; @FILE reads one."
)
@click.option("--data-raw", multiple=True, metavar="DATA", help="As -d, also if it begins with @.")
@click.option("--data-binary", multiple=True, metavar="DATA", help="As -d, line ends kept.")
@click.option(
    "--data-urlencode", multiple=True, metavar="DATA", help="As -d, NAME=VALUE with VALUE encoded."
)
@click.option("--json", "json_body", metavar="DATA", help="As --data-binary, of the type JSON.")
@click.option("-G", "--get", "in_query", is_flag=True, help="Put the data into the query.")
@click.option("-I", "--head", is_flag=True, help="Method HEAD.")
@click.option("-b", "--cookie", "cookies", multiple=True, metavar="PAIRS", help="'a=1; b=2'.")
@click.option("-A", "--user-agent", metavar="NAME", help="Header User-Agent.")
@click.option("-e", "--referer", metavar="URL", help="Header Referer.")
@click.option("-u", "--user", metavar="USER:PASSWORD", help="Header Authorization, Basic.")
@click.option("-0", "--http1.0", "is_http10", is_flag=True, help="HTTP/1.0.")
@click.option("--compressed", is_flag=True, help="Header Accept-Encoding, as curl has it.")
@click.option("--path-as-is", is_flag=True, help="Leave /../ and /./ in the path.")
@_ignored("-f", "--fail")
@_ignored("-g", "--globoff")
@_ignored("--http1.1")
@_ignored("-m", "--max-time", takes="SECONDS")
@_ignored("-N", "--no-buffer")
@_ignored("-o", "--output", takes="FILE")
@_ignored("-k", "--insecure")
@_ignored("-L", "--location")
@_ignored("-i", "--include")
@_ignored("-s", "--silent")
@_ignored("-S", "--show-error")
@_ignored("-v", "--verbose")
@click.option("--multi-value", is_flag=True, help="With multi-value headers on.")
@click.option("--target-group-arn", metavar="ARN", help="That of the event.")
@click.option("--client-ip", metavar="IP", help="Address of the client.  [default: 127.0.0.1]")
def event(words: tuple[str, ...], **options: Any) -> None:
    """Print the event that a function behind a load balancer gets for a request.

    The options are curl's; those about connection and answer (-k -L -i -s -S -v -f -o ...) are
    taken and ignored. The request goes through the proxy and the Lambda host that also serve real
    ones; nothing is sent to the host of URL.

    \b
    Examples:
      albatross event GET 'http://shop.example.com/a?b=c' -H 'Accept: text/html'
      albatross event -d name=value http://shop.example.com/orders
      albatross event https://shop.example.com/ | albatross invoke app.handler --event -
    """
    *before, url = words
    if len(before) > 1:
        raise click.UsageError(f"more than METHOD and URL: {' '.join(words)}")
    if before:
        options["method"] = options["method"] or before[0]
    scheme, host, port, target = _parts(url, as_is=options["path_as_is"])
    if options["user"] is None:
        options["user"] = _user(url)
    request, method = _request(target, host, options)
    flags = ["-v", "--forwarded-port", str(port)]
    flags += ["--multi-value-headers"] if options["multi_value"] else []
    with private_server.running(str(ECHO), flags) as server:
        status = _send(server.port, request, method)
        for found in server.events():
            if found.get("type") == "request":
                break
    if not found.get("event"):
        reason = f"{found['error_reason']}: {found['detail']}"
        raise click.ClickException(f"a load balancer answers {status} by itself: {reason}")
    shown = _as_asked(found["event"], scheme, options["target_group_arn"], options["client_ip"])
    click.echo(json.dumps(shown, indent=2, ensure_ascii=False))


def _user(url: str) -> str | None:
    """Return USER:PASSWORD of a URL that has one; it is sent as with -u."""
    user, at, _ = urlsplit(url if "://" in url else f"http://{url}").netloc.rpartition("@")
    return unquote(user if ":" in user else f"{user}:") if at else None


def _parts(url: str, *, as_is: bool) -> tuple[str, str, int, str]:
    """Return scheme, Host, port and request target of `url`, with nothing encoded or decoded.

    Segments of dots go from the path, as curl and browsers take them out, unless it is wanted
    `as_is`.
    """
    if any(character.isspace() for character in url):
        raise click.UsageError(f"the URL has spaces; %20 stands for one: {url!r}")
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise click.UsageError(f"not a URL such as http://shop.example.com/a?b=c: {url!r}")
    try:
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
    except ValueError as error:
        raise click.UsageError(f"{url}: {error}") from error
    target = (parts.path if as_is else _without_dots(parts.path)) or "/"
    if "?" in url.partition("#")[0]:
        target += "?" + parts.query
    return parts.scheme, parts.netloc.rpartition("@")[2], port, target


def _without_dots(path: str) -> str:
    """Return `path` without /./ and /../, which leads up. Source: RFC 3986, 5.2.4."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            del kept[max(1, len(kept) - 1) :]  # but for what is before the first slash
        elif segment != ".":
            kept.append(segment)
    return "/".join([*kept, ""] if segments[-1] in (".", "..") else kept)


def _request(target: str, host: str, options: dict[str, Any]) -> tuple[bytes, str]:
    """Return the request as curl would send it, and its method."""
    body = _body(options)
    if options["in_query"] and body is not None:
        mark = "&" if "?" in target else "?"
        target, body = target + mark + body.decode("latin-1"), None
    method = options["method"] or ("HEAD" if options["head"] else "GET" if body is None else "POST")
    own: dict[str, str | None] = {
        "Host": host,
        "Authorization": _basic(options["user"]),
        "User-Agent": _agent(options["user_agent"]),
        "Accept-Encoding": _ENCODINGS if options["compressed"] else None,
        "Accept": "application/json" if options["json_body"] is not None else "*/*",
        "Referer": options["referer"],
        "Cookie": ";".join(options["cookies"]) or None,
    }
    if body is not None:
        own["Content-Length"] = str(len(body))
        own["Content-Type"] = "application/json" if options["json_body"] is not None else _FORM
    given = [_header(line) for line in options["headers"]]
    named = {name.lower() for name, _ in given}
    lines = [(name, value) for name, value in own.items() if name.lower() not in named]
    version = "1.0" if options["is_http10"] else "1.1"
    text = f"{method} {target} HTTP/{version}\r\n"
    text += "".join(f"{name}: {value}\r\n" for name, value in [*lines, *given] if value is not None)
    return f"{text}\r\n".encode() + (body or b""), method


def _header(line: str) -> tuple[str, str | None]:
    """Return name and value; None: the header is left out, as curl has it for `Name:`."""
    name, colon, value = line.partition(":")
    if not colon and line.endswith(";"):
        return line[:-1], ""
    if not colon or not name.strip():
        raise click.UsageError(f"-H must be 'Name: value', not {line!r}")
    return name, value.strip() or None


def _body(options: dict[str, Any]) -> bytes | None:
    parts = [_data(each, keeps_lines=False) for each in options["data"]]
    parts += [each.encode() for each in options["data_raw"]]
    parts += [_data(each, keeps_lines=True) for each in options["data_binary"]]
    parts += [_urlencoded(each) for each in options["data_urlencode"]]
    if options["json_body"] is not None:
        parts.append(_data(options["json_body"], keeps_lines=True))
    return b"&".join(parts) if parts else None


def _data(text: str, *, keeps_lines: bool) -> bytes:
    if not text.startswith("@"):
        return text.encode()
    try:
        with click.open_file(text[1:], "rb") as file:
            content: bytes = file.read()
    except OSError as error:
        raise click.ClickException(f"{text}: {error.strerror}") from error
    return content if keeps_lines else content.translate(None, b"\r\n\0")


def _urlencoded(text: str) -> bytes:
    """Return CONTENT, =CONTENT, NAME=CONTENT, @FILE or NAME@FILE with the content encoded."""
    at = min((text.index(mark) for mark in "=@" if mark in text), default=None)
    if at is None:
        return quote_plus(text).encode()
    name, content = text[:at], text[at + 1 :].encode()
    if text[at] == "@":
        content = _data(text[at:], keeps_lines=True)
    return (f"{name}=" if name else "").encode() + quote_plus(content).encode()


def _agent(given: str | None) -> str | None:
    return f"albatross/{__version__}" if given is None else given or None


def _basic(user: str | None) -> str | None:
    return None if user is None else "Basic " + base64.b64encode(user.encode()).decode()


def _send(port: int, request: bytes, method: str) -> int:
    """Return the status with which the request is answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S) as connection:
        connection.sendall(request)
        answer = http.client.HTTPResponse(connection, method=method)
        answer.begin()
        return answer.status


def _as_asked(
    found: dict[str, Any], scheme: str, target_group_arn: str | None, client_ip: str | None
) -> dict[str, Any]:
    """Return the event with what this machine cannot make so: scheme, ARN, the client's address."""
    if target_group_arn:
        found["requestContext"]["elb"]["targetGroupArn"] = target_group_arn
    replaced = {"x-forwarded-proto": scheme}
    if client_ip:
        addresses = _get(found, "x-forwarded-for").split(", ")
        replaced["x-forwarded-for"] = ", ".join([*addresses[:-1], client_ip])
    for name, value in replaced.items():
        if "multiValueHeaders" in found:
            found["multiValueHeaders"][name] = [value]
        else:
            found["headers"][name] = value
    return found


def _get(found: dict[str, Any], name: str) -> str:
    if "multiValueHeaders" in found:
        return str(found["multiValueHeaders"][name][-1])
    return str(found["headers"][name])
