"""Certificate bundles and revocation lists of trust stores, checked before they count.

Imported only when one is uploaded: `cryptography` takes memory. Source: ALB user guide, "Mutual
authentication with TLS", "Quotas".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from albatross.model.errors import InvalidCaCertificatesBundle, InvalidRevocationContent

CERTIFICATE_BYTES_MAX = 16 * 1024  # of one, in PEM
RSA_BITS = range(2048, 8192 + 1)
_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_BEGIN_LIST, _END_LIST = b"-----BEGIN X509 CRL-----", b"-----END X509 CRL-----"


@dataclass(frozen=True, slots=True)
class Bundle:
    """The authorities of a trust store: their certificates alone, in PEM."""

    pem: bytes
    subjects: tuple[str, ...]  # SHA-256 of each authority's subject
    subject_characters: int  # of all subjects

    @property
    def content(self) -> str:
        return sha256(self.pem).hexdigest()


@dataclass(frozen=True, slots=True)
class Revocations:
    """One file of revocation lists, in PEM."""

    pem: bytes
    entries: int
    issuers: tuple[str, ...]  # SHA-256 of each issuer's subject

    @property
    def content(self) -> str:
        return sha256(self.pem).hexdigest()


def read_bundle(content: bytes) -> Bundle:
    """Return the bundle in `content`. Raises InvalidCaCertificatesBundle."""
    certificates = _certificates(content)
    for number, certificate in enumerate(certificates, start=1):
        if fault := _fault(certificate):
            raise InvalidCaCertificatesBundle(f"Certificate {number} of the bundle {fault}")
    return Bundle(
        pem=b"".join(map(_pem, certificates)),
        subjects=tuple(_digest(certificate.subject) for certificate in certificates),
        subject_characters=sum(len(each.subject.rfc4514_string()) for each in certificates),
    )


def read_revocations(content: bytes, bundle: bytes) -> Revocations:
    """Return the lists in `content`, each signed by an authority of `bundle` (PEM).

    Raises InvalidRevocationContent.
    """
    authorities = x509.load_pem_x509_certificates(bundle)
    lists = _lists(content)
    # AWS is silent: a revocation list that no authority of the trust store has signed is refused.
    for one in lists:
        if not _is_signed(one, authorities):
            raise InvalidRevocationContent(
                "The revocation list is not signed by a certificate authority of the trust store"
            )
    return Revocations(
        pem=b"".join(one.public_bytes(serialization.Encoding.PEM) for one in lists),
        entries=sum(map(len, lists)),
        issuers=tuple(dict.fromkeys(_digest(one.issuer) for one in lists)),
    )


def _certificates(content: bytes) -> list[x509.Certificate]:
    if b"PRIVATE KEY" in content:
        raise InvalidCaCertificatesBundle("The bundle holds a private key; it must not")
    try:
        return x509.load_pem_x509_certificates(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidCaCertificatesBundle(
            "The bundle must be certificates in PEM, with nothing between them but comments"
        ) from error


def _fault(certificate: x509.Certificate) -> str | None:
    """Return what keeps `certificate` from being an authority's, or None."""
    if certificate.version is not x509.Version.v3:
        return "is not an X.509 version 3 certificate"
    if len(_pem(certificate)) > CERTIFICATE_BYTES_MAX:
        return f"is larger than {CERTIFICATE_BYTES_MAX} bytes"
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        key = certificate.public_key()
    except (x509.ExtensionNotFound, ValueError, UnsupportedAlgorithm):
        return "is not one of a certificate authority"
    if not constraints.value.ca:
        return "is not one of a certificate authority"
    match key:
        case rsa.RSAPublicKey() if key.key_size in RSA_BITS:
            return None
        case ec.EllipticCurvePublicKey() if key.curve.name in _CURVES:
            return None
        case _:
            return "has a key of a type or size that is not supported"


def _lists(content: bytes) -> list[x509.CertificateRevocationList]:
    lists = []
    for part in content.split(_BEGIN_LIST)[1:]:
        body, end, _ = part.partition(_END_LIST)
        try:
            lists.append(x509.load_pem_x509_crl(_BEGIN_LIST + body + end))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise InvalidRevocationContent("The revocation list cannot be read") from error
    if not lists:
        raise InvalidRevocationContent("The content must be a revocation list in PEM")
    return lists


def _is_signed(
    one: x509.CertificateRevocationList, authorities: Sequence[x509.Certificate]
) -> bool:
    for authority in authorities:
        if authority.subject != one.issuer:
            continue
        key = authority.public_key()
        assert isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey)  # see _fault
        try:
            if one.is_signature_valid(key):
                return True
        except (ValueError, UnsupportedAlgorithm):
            continue
    return False


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _digest(name: x509.Name) -> str:
    return sha256(name.public_bytes()).hexdigest()
