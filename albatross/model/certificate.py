"""A server certificate and its private key. Source: ACM API, shape `CertificateDetail`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar


class PrivateBytes(bytes):
    """Key material: bytes that no message, log line or `repr` shows."""

    def __repr__(self) -> str:
        return "[redacted]"

    def __str__(self) -> str:
        return "[redacted]"

    def __format__(self, _: str) -> str:
        return "[redacted]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a certificate says of itself, in the words of the ACM API."""

    domain_name: str  # the common name, else the first of `names`
    names: tuple[str, ...]  # DNS names for which it is valid: example.com, *.example.com
    key_algorithm: str  # RSA_1024 | RSA_2048 | ... | EC_prime256v1 | EC_secp384r1 | EC_secp521r1
    signature_algorithm: str  # SHA256WITHRSA, SHA256WITHECDSA, ...
    serial: str  # bytes in hex, between colons
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    key_usages: tuple[str, ...] = ()
    extended_key_usages: Mapping[str, str] = field(default_factory=dict)  # OID -> name


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate of ACM. Its private key is a file of the store, named by `key_id`."""

    kind: ClassVar[str] = "certificate"

    arn: str
    type: str  # IMPORTED | AMAZON_ISSUED (here: issued by the local authority)
    facts: Facts
    pem: str  # the certificate alone
    chain: str  # those that certify it, in PEM; empty for a self-signed one
    key_id: str
    created_at: datetime
    imported_at: datetime | None = None  # the last time
    renewed_at: datetime | None = None
    validation_method: str | None = None  # DNS | EMAIL, of a requested one
    validation_domains: Mapping[str, str] = field(default_factory=dict)  # by name, where given
    idempotency_token: str | None = None
    transparency_logging: str = "ENABLED"
    export: str = "DISABLED"

    @property
    def name(self) -> str:
        return self.facts.domain_name

    @property
    def parent(self) -> str | None:
        return None

    def status(self, now: datetime) -> str:
        """Return ISSUED, or EXPIRED from the end of its validity on."""
        return "ISSUED" if now < self.facts.not_after else "EXPIRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificate:
    """What a TLS server needs: names in lower case, the chain from the leaf up, the key."""

    arn: str
    names: tuple[str, ...]
    key_type: str  # RSA | EC
    key_bits: int  # of the modulus or of the curve
    signature_algorithm: str  # as in Facts
    not_before: datetime
    not_after: datetime
    chain_pem: str
    key_pem: PrivateBytes


_CURVE_BITS = {"prime256v1": 256, "secp384r1": 384, "secp521r1": 521}


def for_server(certificate: Certificate, key_pem: PrivateBytes) -> ServerCertificate:
    """Return `certificate` with its key, ready to serve."""
    facts = certificate.facts
    key_type, _, size = facts.key_algorithm.partition("_")
    return ServerCertificate(
        arn=certificate.arn,
        names=tuple(name.lower() for name in facts.names),
        key_type=key_type,
        key_bits=_CURVE_BITS[size] if key_type == "EC" else int(size),
        signature_algorithm=facts.signature_algorithm,
        not_before=facts.not_before,
        not_after=facts.not_after,
        chain_pem=certificate.pem + certificate.chain,
        key_pem=key_pem,
    )
