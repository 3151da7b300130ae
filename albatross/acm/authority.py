"""The local certificate authority: a root of this installation, and certificates signed by it.

Nothing trusts the root until a user says so; `albatross ca` shows how. Its key never leaves the
data directory.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from albatross.acm.bundle import Bundle
from albatross.acm.x509 import facts, to_pem
from albatross.model.certificate import PrivateBytes
from albatross.store.keys import Keys

ROOT_VALIDITY = timedelta(days=3652)
# AWS is silent: a requested certificate is valid for 395 days.
LEAF_VALIDITY = timedelta(days=395)
CLOCK_SKEW = timedelta(hours=1)  # a client's clock may be behind by that much

_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def root_pem(keys: Keys, now: datetime) -> str:
    """Return the root's certificate in PEM, making the root at first. Raises OSError."""
    _, pem = keys.root(lambda: _make_root(now))
    return pem.decode()


def issue(keys: Keys, names: Sequence[str], key_algorithm: str, now: datetime) -> Bundle:
    """Return a new certificate for `names`, the first of which becomes the common name.

    Raises OSError where the root cannot be read or written.
    """
    root_key_pem, root_certificate_pem = keys.root(lambda: _make_root(now))
    root_key = serialization.load_pem_private_key(root_key_pem, password=None)
    assert isinstance(root_key, ec.EllipticCurvePrivateKey)
    root = x509.load_pem_x509_certificate(root_certificate_pem)
    key = _new_key(key_algorithm)
    leaf = _leaf(root, names, key, now).sign(root_key, hashes.SHA256())
    return Bundle(
        facts=facts(leaf),
        pem=to_pem(leaf),
        chain=to_pem(root),
        key=PrivateBytes(_to_pem(key)),
    )


def _new_key(key_algorithm: str) -> _Key:
    match key_algorithm:
        case "EC_prime256v1":
            return ec.generate_private_key(ec.SECP256R1())
        case "EC_secp384r1":
            return ec.generate_private_key(ec.SECP384R1())
        case _:
            assert key_algorithm == "RSA_2048", key_algorithm
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _to_pem(key: _Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _make_root(now: datetime) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Albatross"),
            # Two installations' roots must not be taken for one another.
            x509.NameAttribute(NameOID.COMMON_NAME, f"Albatross local root {serial % 2**32:08x}"),
        ]
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + ROOT_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    return _to_pem(key), to_pem(certificate).encode()


def _leaf(
    root: x509.Certificate, names: Sequence[str], key: _Key, now: datetime
) -> x509.CertificateBuilder:
    issuer_id = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    is_rsa = isinstance(key, rsa.RSAPrivateKey)
    return (
        x509.CertificateBuilder(
            issuer_name=root.subject,
            subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]),
        )
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(now - CLOCK_SKEW, root.not_valid_before_utc))
        .not_valid_after(min(now + LEAF_VALIDITY, root.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True, key_encipherment=is_rsa), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(map(x509.DNSName, names)), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id),
            critical=False,
        )
    )


def _usage(
    *,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )
