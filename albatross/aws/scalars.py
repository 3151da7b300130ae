"""Values that travel as text: in forms, headers, paths and XML."""

import base64
import binascii
import math
import re
from datetime import UTC, datetime
from typing import Any

from botocore.model import Shape

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_INTEGER_BITS = {"integer": 31, "long": 63}
# What XML reserves, and what XML 1.0 has no way to write: the latter is U+FFFD.
_NOT_TEXT = re.compile('[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')
# Nearly all text is of these bytes alone: to see that takes a tenth of the time.
_PLAIN = bytes(byte for byte in range(128) if not _NOT_TEXT.match(chr(byte)))
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}


def from_text(shape: Shape, text: str) -> Any:
    """Return the value of `shape` that `text` says. Raises ValueError with the reason."""
    match shape.type_name:
        case "string":
            return text
        case "integer" | "long":
            return _integer(shape.type_name, text)
        case "boolean":
            if text.lower() not in ("true", "false"):
                raise ValueError("is neither true nor false")
            return text.lower() == "true"
        case "float" | "double":
            return _number(text)
        case "timestamp":
            return _timestamp(text)
        case "blob":
            return from_base64(text)
        case other:
            raise ValueError(f"must be a {other}, not text")


def from_base64(text: str) -> bytes:
    """Return the bytes that `text` encodes. Raises ValueError."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not Base64") from None


def iso8601(value: datetime) -> str:
    """Return `value` in UTC with milliseconds, as the Query APIs write it."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def xml_text(text: str) -> str:
    """Return `text` with what XML reserves escaped, and what XML cannot hold replaced by U+FFFD."""
    if text.isascii() and not text.encode().translate(None, _PLAIN):
        return text
    return _NOT_TEXT.sub(lambda found: _ESCAPES.get(found[0], "\ufffd"), text)


def in_range(type_name: str, value: int) -> bool:
    """Tell whether `value` fits an integer or long of the model."""
    limit: int = 1 << _INTEGER_BITS[type_name]
    return -limit <= value < limit


def _integer(type_name: str, text: str) -> int:
    if not _INTEGER.fullmatch(text) or not in_range(type_name, int(text)):
        raise ValueError("is not an integer")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("is not a number") from None
    if not math.isfinite(value):
        raise ValueError("is not a number")
    return value


def _timestamp(text: str) -> datetime:
    """Read seconds since 1970 or ISO 8601; a time without an offset is UTC."""
    try:
        if re.fullmatch(r"[0-9]{1,11}(\.[0-9]+)?", text):
            return datetime.fromtimestamp(float(text), UTC)
        value = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise ValueError("is not a timestamp") from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)
