"""Bodies in signed chunks: `x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD`.

Each chunk carries a signature over itself and the signature before it, the first one over that of
the request. Source: S3 API, "Transferring payload in multiple chunks"; other services take it too.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator

SIGNED_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_HEAD = re.compile(rb"([0-9a-fA-F]{1,8});chunk-signature=([0-9a-f]{64})\r\n")
_HEAD_BYTES_MAX = 8 + len(";chunk-signature=") + 64 + 2
_EMPTY = hashlib.sha256(b"").hexdigest()


class BadChunks(Exception):
    """A body that is not in chunks, ends too early, or has a chunk with another signature."""


def decode(body: bytes, seed: str, sign: Callable[[str], str], timestamp: str, scope: str) -> bytes:
    """Return what the chunks of `body` hold, all of them verified. Raises BadChunks.

    `seed` is the request's signature, `sign` returns that of a string, in hexadecimal digits.
    """
    parts = []
    previous = seed
    for chunk, signature in _chunks(body):
        digest = hashlib.sha256(chunk).hexdigest()
        to_sign = "\n".join(
            ("AWS4-HMAC-SHA256-PAYLOAD", timestamp, scope, previous, _EMPTY, digest)
        )
        if not hmac.compare_digest(sign(to_sign), signature):
            raise BadChunks
        previous = signature
        parts.append(chunk)
    return b"".join(parts)


def _chunks(body: bytes) -> Iterator[tuple[bytes, str]]:
    """Yield each chunk with its signature, the empty one at the end too. Raises BadChunks."""
    place = 0
    while True:
        head = _HEAD.match(body, place, place + _HEAD_BYTES_MAX)
        if head is None:
            raise BadChunks
        end = head.end() + int(head[1], 16)
        if body[end : end + 2] != b"\r\n":
            raise BadChunks
        yield body[head.end() : end], head[2].decode()
        place = end + 2
        if end == head.end():
            break
    if place != len(body):
        raise BadChunks
