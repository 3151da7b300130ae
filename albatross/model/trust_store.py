"""A trust store: who may have issued clients' certificates. Source: elbv2 API, `CreateTrustStore`.

Certificates and revocation lists are files of the store, named by the SHA-256 of their content.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationList:
    """One list of revoked certificates, as it was uploaded."""

    id: int  # counts up in its trust store, is never used again
    type: str = "CRL"
    content: str  # SHA-256 of the PEM
    entries: int
    issuers: tuple[str, ...]  # those that it speaks for: SHA-256 of their subjects


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustStore:
    """Certificate authorities, and what they have revoked."""

    kind: ClassVar[str] = "trust-store"

    arn: str
    name: str
    bundle: str  # SHA-256 of the PEM of the authorities' certificates
    subjects: tuple[str, ...]  # of the authorities' certificates: SHA-256 of each
    revocations: tuple[RevocationList, ...] = ()  # in the order of their ids
    last_revocation_id: int = 0

    @property
    def parent(self) -> None:
        return None

    @property
    def covers_all(self) -> bool:
        """Whether there is a revocation list of every authority."""
        listed = {issuer for one in self.revocations for issuer in one.issuers}
        return listed.issuperset(self.subjects)
