"""Results in pages. Source: elbv2 API, `Marker`, `NextMarker`, `PageSize`.

A marker says after which key to go on, not at which index, so resources that come and go between
two calls neither repeat nor hide others.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from albatross.model.errors import ValidationError

T = TypeVar("T")
PAGE_SIZE_MAX = 400  # botocore elbv2 shape `PageSize`


def page(
    items: Iterable[T], params: Mapping[str, Any], key: Callable[[T], str]
) -> tuple[list[T], dict[str, str]]:
    """Return one page of `items`, ordered by the unique `key`, and its `NextMarker` if any.

    Raises ValidationError for a marker that no answer contained.
    """
    # AWS is silent: a call without PageSize answers with up to 400 results.
    size = params.get("PageSize", PAGE_SIZE_MAX)
    ordered = sorted(items, key=key)
    if marker := params.get("Marker"):
        after = _decode(marker)
        ordered = [item for item in ordered if key(item) > after]
    if len(ordered) <= size:
        return ordered, {}
    return ordered[:size], {"NextMarker": _encode(key(ordered[size - 1]))}


def _encode(key: str) -> str:
    return urlsafe_b64encode(key.encode()).decode()


def _decode(marker: str) -> str:
    try:
        return urlsafe_b64decode(marker.encode()).decode()
    except ValueError:
        raise ValidationError(f"'{marker}' is not a valid marker") from None
