"""A certificate as a user uploads it, with key and chain, checked as ACM checks it.

Source: ACM user guide, "Prerequisites for importing ACM certificates", "Certificate and key
format", "Certificate import problems". A message never repeats anything of the key.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import AuthorityInformationAccessOID

from albatross.acm.x509 import facts, key_algorithm, to_pem
from albatross.model.certificate import Facts, PrivateBytes
from albatross.model.errors import ValidationException

KEY_BYTES_MAX = 5_120
OCSP_URL_MAX = 1_000  # characters
_BEGIN = b"-----BEGIN CERTIFICATE-----"
_KEY = re.compile(rb"-----BEGIN (?:(?:RSA|EC) )?PRIVATE KEY-----")

_NO_PEM = (
    "The certificate body/chain provided is not in a valid PEM format, InternalFailure, or Unable "
    "to parse certificate. Please ensure the certificate is in PEM format."
)
_SEVERAL = (
    "The certificate field contains more than one certificate. "
    "You can specify only one certificate in this field."
)
_NOT_SELF_SIGNED = (
    "Provided certificate is not a valid self signed. "
    "Please provide either a valid self-signed certificate or certificate chain."
)
_NO_CHAIN = "Could not validate the certificate with the certificate chain."


_DAMAGED = (
    *(ValueError, UnsupportedAlgorithm, x509.InvalidVersion),
    *(x509.DuplicateExtension, x509.UnsupportedGeneralNameType),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A certificate that may be served: it and its chain in PEM, its key in PKCS #8 PEM."""

    facts: Facts
    pem: str
    chain: str
    key: PrivateBytes


def read(certificate: bytes, private_key: bytes, chain: bytes | None, now: datetime) -> Bundle:
    """Return the checked bundle. Raises ValidationException, also for what cannot be read."""
    if certificate.count(_BEGIN) > 1:
        raise ValidationException(_SEVERAL)
    leaf = _certificates(certificate)[0]
    key = _private_key(private_key)
    try:
        _check(leaf, key, now)
        above = _certificates(chain) if chain else []
        _check_chain(leaf, above, now)
        found = facts(leaf)
    except _DAMAGED as error:  # an extension that cannot be read
        raise ValidationException(_NO_PEM) from error
    if not found.domain_name:
        raise ValidationException("The certificate must contain a fully qualified domain name.")
    return Bundle(
        facts=found,
        pem=to_pem(leaf),
        chain="".join(map(to_pem, above)),
        key=_to_pem(key),
    )


def _certificates(pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except _DAMAGED as error:
        raise ValidationException(_NO_PEM) from error


def _private_key(pem: bytes) -> PrivateKeyTypes:
    if len(pem) > KEY_BYTES_MAX:
        raise ValidationException(f"The private key must be no larger than {KEY_BYTES_MAX} bytes.")
    if b"ENCRYPTED" in pem:
        raise ValidationException("The private key is encrypted. It must not have a passphrase.")
    try:
        if not _KEY.search(pem):
            raise ValueError("no PEM of a private key")
        key = serialization.load_pem_private_key(pem, password=None)
    except UnsupportedAlgorithm:
        raise ValidationException("The private key is not supported.") from None
    except (ValueError, TypeError):  # whose texts may hold parts of the key
        raise ValidationException("The private key is not PEM-encoded or is not valid.") from None
    if isinstance(key, rsa.RSAPrivateKey) and key_algorithm(key.public_key()) is None:
        raise ValidationException(
            f"The private key length {key.key_size} is not supported for key algorithm RSA."
        )
    if not isinstance(key, rsa.RSAPrivateKey) and key_algorithm(key.public_key()) is None:
        raise ValidationException("The private key is not supported.")
    return key


def _to_pem(key: PrivateKeyTypes) -> PrivateBytes:
    return PrivateBytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _check(leaf: x509.Certificate, key: PrivateKeyTypes, now: datetime) -> None:
    if leaf.version is not x509.Version.v3:
        raise ValidationException("The certificate must be an X.509 version 3 certificate.")
    if leaf.public_key() != key.public_key():
        raise ValidationException("The private key does not match the certificate.")
    if now > leaf.not_valid_after_utc:
        raise ValidationException("The certificate has expired, is not valid.")
    if now < leaf.not_valid_before_utc:
        raise ValidationException("The certificate is not in effect yet, is not valid.")
    if not leaf.issuer.rdns:
        raise ValidationException("The issuer of the certificate must not be empty.")
    if any(len(url) > OCSP_URL_MAX for url in _ocsp_urls(leaf)):
        raise ValidationException(
            f"The OCSP authority URL must not exceed {OCSP_URL_MAX} characters."
        )


def _ocsp_urls(leaf: x509.Certificate) -> list[str]:
    try:
        access = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return []
    return [
        str(description.access_location.value)
        for description in access
        if description.access_method == AuthorityInformationAccessOID.OCSP
    ]


def _check_chain(leaf: x509.Certificate, above: list[x509.Certificate], now: datetime) -> None:
    """Raise ValidationException unless each certificate is certified by the one after it."""
    if not above:
        if not _certifies(leaf, leaf):
            raise ValidationException(_NOT_SELF_SIGNED)
        return
    if above == [leaf] and _certifies(leaf, leaf):
        return
    if leaf in above:
        raise ValidationException(_NO_CHAIN)
    for subject, signer in pairwise([leaf, *above]):
        is_valid = signer.not_valid_before_utc <= now <= signer.not_valid_after_utc
        if not (is_valid and _is_authority(signer) and _certifies(signer, subject)):
            raise ValidationException(_NO_CHAIN)
    if _is_rsa(leaf) != _is_rsa(above[0]):
        raise ValidationException(
            "The cryptographic algorithm of the certificate must match that of the signing CA."
        )


def _certifies(signer: x509.Certificate, subject: x509.Certificate) -> bool:
    try:
        subject.verify_directly_issued_by(signer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _is_rsa(certificate: x509.Certificate) -> bool:
    return isinstance(certificate.public_key(), rsa.RSAPublicKey)
