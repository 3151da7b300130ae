"""Files kept by their content: the certificate bundles and revocation lists of trust stores.

    trust/SHA256        one file as it was checked
    trust/SHA256.all    several of them in one, named by the hash of their names

A file appears whole and is durable before the commit that refers to it, and never changes.
"""

from collections.abc import Collection, Sequence
from hashlib import sha256
from pathlib import Path

from albatross.store import durable

_JOINED = ".all"


class Contents:
    """The files below `directory`. Safe to use from several threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "trust"
        self._directory.mkdir(parents=True, exist_ok=True)

    def add(self, content: bytes) -> str:
        """Keep `content` and return its SHA-256. The same content again changes nothing."""
        digest = sha256(content).hexdigest()
        if not self.path(digest).exists():
            durable.replace(self.path(digest), content)
        return digest

    def path(self, digest: str) -> Path:
        """Return where the content with that hash is, if it is there."""
        assert len(digest) == 64 and digest.isalnum(), "no SHA-256"
        return self._directory / digest

    def joined(self, digests: Sequence[str]) -> Path:
        """Return a file of all these contents, one after the other. Raises OSError."""
        if len(digests) == 1:
            return self.path(digests[0])
        name = sha256(" ".join(digests).encode()).hexdigest()
        path = self._directory / f"{name}{_JOINED}"
        if not path.exists():
            durable.replace(path, b"".join(self.path(digest).read_bytes() for digest in digests))
        return path

    def collect(self, in_use: Collection[str]) -> None:
        """Remove what is not `in_use`. Call it while nothing has been added that nobody knows."""
        for path in self._directory.iterdir():
            if path.name not in in_use:
                path.unlink(missing_ok=True)
