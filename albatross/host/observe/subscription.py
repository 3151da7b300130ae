"""Subscriptions of the Telemetry API, and of the older Logs API: what an extension may ask for.

Pure. Sources: Lambda guide, "Lambda Telemetry API reference" and "Using the Lambda Logs API".
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TYPES = ("platform", "function", "extension")
_HOSTS = frozenset({"sandbox.localdomain", "sandbox", "localhost", "127.0.0.1"})
_RESERVED_PORT = 9001  # [guide] "Lambda reserves port 9001"
# Name -> least, greatest and usual value.
_BUFFERING = {
    # AWS is silent: telemetry is buffered up to 10,000 events unless a subscription says less; one
    # page of AWS says 1,000.
    "maxItems": (1_000, 10_000, 10_000),
    "maxBytes": (262_144, 1_048_576, 262_144),
    "timeoutMs": (25, 30_000, 1_000),
}


class Invalid(Exception):
    """A subscription that is answered 400. The message names every fault."""


@dataclass(frozen=True, slots=True)
class Api:
    """One of the two APIs, and how it names things."""

    name: str  # before its error types, empty for none
    subscribed: str  # type of the event that tells of a subscription
    schemas: tuple[str, ...]
    default_schema: str | None  # None: it must be given


TELEMETRY = Api(
    "", "platform.telemetrySubscription", ("2025-01-29", "2022-12-13", "2022-07-01"), None
)
LOGS = Api("Logs.", "platform.logsSubscription", ("2021-03-18", "2020-08-15"), "2020-08-15")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What an extension wants to be told, and where. A TCP destination has no `target`."""

    api: Api
    schema: str
    types: tuple[str, ...]
    port: int
    authority: str = ""  # of the URI
    target: str | None = None
    method: str = "POST"
    items_max: int
    bytes_max: int
    timeout_s: float

    @property
    def has_structure(self) -> bool:
        """Log lines in JSON are objects, not text."""
        return self.api is TELEMETRY and self.schema >= "2022-12-13"


def parse(body: bytes, api: Api) -> Subscription:
    """Return the subscription in `body`. Raises Invalid."""
    try:
        document = json.loads(body)
    except ValueError as error:
        raise Invalid(f"body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Invalid("body should be a JSON object")
    faults: list[str] = []
    destination = _destination(document.get("destination"), api, faults)
    types = _types(document.get("types"), faults)
    schema = _schema(document.get("schemaVersion", api.default_schema), api, faults)
    buffering = _buffering(document.get("buffering", {}), faults)
    if faults:
        raise Invalid("; ".join(faults))
    return Subscription(
        api=api,
        schema=schema,
        types=types,
        items_max=buffering["maxItems"],
        bytes_max=buffering["maxBytes"],
        timeout_s=buffering["timeoutMs"] / 1000,
        **destination,
    )


def _destination(given: object, api: Api, faults: list[str]) -> dict[str, Any]:
    if not isinstance(given, dict):
        faults.append("destination should be an object")
        return {}
    match given.get("protocol"):
        case "HTTP":
            found = _uri(given.get("URI"), faults)
        case "TCP":
            found = {"port": given.get("port")}
        case _:
            faults.append("destination protocol should be HTTP or TCP")
            return {}
    port = found.get("port")
    if port is None:
        if not faults:
            faults.append("destination port is not provided")
    elif type(port) is not int or not 1 <= port <= 65_535:
        faults.append("destination port should be 1 to 65535")
    elif port == _RESERVED_PORT:
        faults.append(f"destination port {_RESERVED_PORT} is reserved")
    method = given.get("method", "POST")
    if api is LOGS and method in ("POST", "PUT"):
        found["method"] = method
    return found


def _uri(given: object, faults: list[str]) -> dict[str, Any]:
    if not isinstance(given, str) or not given.isascii() or not given.isprintable():
        faults.append("URI is not provided")
        return {}
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError:
        faults.append("URI is malformed")
        return {}
    if parts.scheme != "http":
        faults.append("URI scheme should be http")
    elif parts.hostname not in _HOSTS:
        faults.append("URI host should be sandbox.localdomain")
    elif port is None:
        faults.append("URI port is not provided")
    else:
        query = f"?{parts.query}" if parts.query else ""
        return {
            "port": port,
            "authority": parts.netloc.rpartition("@")[2],
            "target": (parts.path or "/").replace(" ", "%20") + query.replace(" ", "%20"),
        }
    return {}


def _types(given: object, faults: list[str]) -> tuple[str, ...]:
    if not isinstance(given, list) or not given:
        faults.append("types should not be empty")
        return ()
    strange = [str(each)[:40] for each in given if each not in TYPES]
    faults += [f"types should be of {', '.join(TYPES)}, not {each}" for each in strange]
    return tuple(dict.fromkeys(map(str, given)))


def _schema(given: object, api: Api, faults: list[str]) -> str:
    if given not in api.schemas:
        faults.append(f"schemaVersion should be one of {', '.join(api.schemas)}")
    return str(given)


def _buffering(given: object, faults: list[str]) -> dict[str, int]:
    found = {name: usual for name, (_, _, usual) in _BUFFERING.items()}
    if not isinstance(given, dict):
        faults.append("buffering should be an object")
        return found
    for name, (least, greatest, _) in _BUFFERING.items():
        value = given.get(name, found[name])
        if type(value) is not int or not least <= value <= greatest:
            faults.append(f"{name} should be {least} to {greatest}")
        found[name] = value
    return found
