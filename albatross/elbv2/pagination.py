"""Results in pages. Source: elbv2 API, `Marker`, `NextMarker`, `PageSize`.

A marker says after which key to go on, not at which index, so resources that come and go between
two calls neither repeat nor hide others. It holds a digest, so that no other text is taken for one.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2s
from typing import Any, TypeVar

from albatross.model.errors import ValidationError

T = TypeVar("T")
PAGE_SIZE_MAX = 400  # botocore elbv2 shape `PageSize`
_DIGEST_BYTES = 8


def page(
    items: Iterable[T], params: Mapping[str, Any], key: Callable[[T], str], *, of: str
) -> tuple[list[T], dict[str, str]]:
    """Return one page of `items`, ordered by the unique `key`, and its `NextMarker` if any.

    `of` says what is listed: a marker of one list is none of another. Raises ValidationError for a
    marker that no answer contained.
    """
    # AWS is silent: a call without PageSize answers with up to 400 results.
    size = params.get("PageSize", PAGE_SIZE_MAX)
    ordered = sorted(items, key=key)
    if marker := params.get("Marker"):  # AWS writes an empty one where there is no more
        after = _decode(marker, of)
        ordered = [item for item in ordered if key(item) > after]
    if len(ordered) <= size:
        return ordered, {}
    return ordered[:size], {"NextMarker": _encode(key(ordered[size - 1]), of)}


def _encode(key: str, of: str) -> str:
    return urlsafe_b64encode(_digest(key, of) + key.encode()).decode()


def _decode(marker: str, of: str) -> str:
    try:
        key = urlsafe_b64decode(marker.encode())[_DIGEST_BYTES:].decode()
    except ValueError:
        key = ""
    if not key or _encode(key, of) != marker:
        raise ValidationError(f"'{marker}' is not a valid marker")
    return key


def _digest(key: str, of: str) -> bytes:
    return blake2s(f"{of} {key}".encode(), digest_size=_DIGEST_BYTES).digest()
