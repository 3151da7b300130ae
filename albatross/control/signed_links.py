"""URLs of this server that are good for ten minutes, as S3's pre-signed ones are.

A link names a content by its SHA-256 and a time; the signature is of both. The key lives as long
as the server, so a restart ends all links.
"""

import hmac
import secrets
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode

LIFETIME_S = 600  # source: elbv2 API, `GetTrustStoreCaCertificatesBundle`


class Links:
    """Makes and checks links that begin with what `url` returns, the server's, and a path.

    `clock` tells seconds since 1970.
    """

    def __init__(self, url: Callable[[], str], *, clock: Callable[[], float] = time.time) -> None:
        self._url = url
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def to(self, path: str, digest: str) -> str:
        """Return a link to the content with that SHA-256."""
        expires = str(int(self._clock()) + LIFETIME_S)
        fields = {"sha256": digest, "expires": expires}
        signature = self._sign(path, digest, expires)
        return f"{self._url()}{path}?{urlencode(fields)}&signature={signature}"

    def digest(self, path: str, query: str) -> str | None:
        """Return the SHA-256 that a link to `path` names; None where it is none or expired."""
        fields = parse_qs(query)
        digest, expires, given = (
            fields.get(name, [""])[-1] for name in ("sha256", "expires", "signature")
        )
        # Checked first: only what this server has written is looked at.
        if not hmac.compare_digest(self._sign(path, digest, expires).encode(), given.encode()):
            return None
        return digest if int(expires) > self._clock() else None

    def _sign(self, path: str, digest: str, expires: str) -> str:
        return hmac.new(self._key, f"{path}\n{digest}\n{expires}".encode(), "sha256").hexdigest()
