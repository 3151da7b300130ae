"""Pages of a list. Source: Lambda API, `Marker`, `MaxItems`, `NextMarker`.

A marker says after which item to go on, so what comes and goes between pages is neither shown twice
nor hides others.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from albatross.model.errors import InvalidParameterValueException

T = TypeVar("T")

PAGE_SIZE = 50  # of functions and versions, also where MaxItems asks for more


def page(
    params: Mapping[str, Any],
    items: Iterable[T],
    key: Callable[[T], str],
    *,
    size_max: int = PAGE_SIZE,
) -> tuple[list[T], dict[str, str]]:
    """Return the items to show, in order of `key`, and NextMarker if there are more.

    Raises InvalidParameterValueException for a marker that is none.
    """
    after = _key(params.get("Marker"))
    size = min(params.get("MaxItems", size_max), size_max)
    rest = sorted((item for item in items if key(item) > after), key=key)
    if len(rest) <= size:
        return rest, {}
    marker = base64.urlsafe_b64encode(key(rest[size - 1]).encode()).decode()
    return rest[:size], {"NextMarker": marker}


def _key(marker: str | None) -> str:
    if not marker:
        return ""
    try:
        return base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        # AWS is silent: a Marker that no answer contained is refused.
        raise InvalidParameterValueException(f"Invalid Marker: {marker}") from None
