"""X.509 certificates in PEM, and what the ACM API says of them.

Imported only when a certificate is made or read: `cryptography` takes memory.
Source: ACM API, shapes `CertificateDetail`, `KeyAlgorithm`, `KeyUsageName`, `ExtendedKeyUsageName`.
"""

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import Certificate
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, SignatureAlgorithmOID

from albatross.model.certificate import Facts

_CURVES = {"secp256r1": "prime256v1", "secp384r1": "secp384r1", "secp521r1": "secp521r1"}
_RSA_BITS = frozenset({1024, 2048, 3072, 4096})
_SIGNATURES = {
    SignatureAlgorithmOID.RSASSA_PSS: "RSASSA-PSS",
    SignatureAlgorithmOID.ED25519: "ED25519",
    SignatureAlgorithmOID.ED448: "ED448",
}
_USAGES = {  # in the order of the extension's bits
    "digital_signature": "DIGITAL_SIGNATURE",
    "content_commitment": "NON_REPUDIATION",
    "key_encipherment": "KEY_ENCIPHERMENT",
    "data_encipherment": "DATA_ENCIPHERMENT",
    "key_agreement": "KEY_AGREEMENT",
    "key_cert_sign": "CERTIFICATE_SIGNING",
    "crl_sign": "CRL_SIGNING",
}
_AGREEMENT_USAGES = {"encipher_only": "ENCIPHER_ONLY", "decipher_only": "DECIPHER_ONLY"}
_EXTENDED_USAGES = {
    ExtendedKeyUsageOID.SERVER_AUTH: "TLS_WEB_SERVER_AUTHENTICATION",
    ExtendedKeyUsageOID.CLIENT_AUTH: "TLS_WEB_CLIENT_AUTHENTICATION",
    ExtendedKeyUsageOID.CODE_SIGNING: "CODE_SIGNING",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "EMAIL_PROTECTION",
    ExtendedKeyUsageOID.TIME_STAMPING: "TIME_STAMPING",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSP_SIGNING",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "ANY",
    x509.ObjectIdentifier("1.3.6.1.5.5.7.3.5"): "IPSEC_END_SYSTEM",
    x509.ObjectIdentifier("1.3.6.1.5.5.7.3.6"): "IPSEC_TUNNEL",
    x509.ObjectIdentifier("1.3.6.1.5.5.7.3.7"): "IPSEC_USER",
}


def to_pem(certificate: Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def facts(certificate: Certificate) -> Facts:
    """Return what `certificate` says. Raises ValueError where that cannot be read."""
    common_name = _attribute(certificate.subject, NameOID.COMMON_NAME)
    names = dns_names(certificate) or ((common_name,) if common_name else ())
    return Facts(
        domain_name=common_name or (names[0] if names else ""),
        names=names,
        key_algorithm=key_algorithm(certificate.public_key()) or "",
        signature_algorithm=_signature_algorithm(certificate),
        serial=_serial(certificate.serial_number),
        subject=_name(certificate.subject),
        issuer=issuer(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key_usages=_key_usages(certificate),
        extended_key_usages=_extended_key_usages(certificate),
    )


def dns_names(certificate: Certificate) -> tuple[str, ...]:
    """Return the DNS names among the alternative names, each once."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(dict.fromkeys(extension.value.get_values_for_type(x509.DNSName)))


def key_algorithm(key: object) -> str | None:
    """Return ACM's name of a public key's algorithm, or None where ACM does not take it."""
    match key:
        case rsa.RSAPublicKey() if key.key_size in _RSA_BITS:
            return f"RSA_{key.key_size}"
        case ec.EllipticCurvePublicKey() if key.curve.name in _CURVES:
            return f"EC_{_CURVES[key.curve.name]}"
        case _:
            return None


def issuer(certificate: Certificate) -> str:
    """Return the organization of the issuer, else its common name; empty where it has neither."""
    name = certificate.issuer
    return _attribute(name, NameOID.ORGANIZATION_NAME) or _attribute(name, NameOID.COMMON_NAME)


def _attribute(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    found = name.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""


def _name(name: x509.Name) -> str:
    """Return `name` in the certificate's order: `C=US,O=Example,CN=example.com`."""
    return ",".join(part.rfc4514_string() for part in name.rdns)


def _serial(number: int) -> str:
    digits = f"{number:x}"
    return bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2)).hex(":")


def _signature_algorithm(certificate: Certificate) -> str:
    oid = certificate.signature_algorithm_oid
    if oid in _SIGNATURES:
        return _SIGNATURES[oid]
    digest = certificate.signature_hash_algorithm
    kind = "ECDSA" if oid.dotted_string.startswith("1.2.840.10045.") else "RSA"
    return f"{digest.name.upper().replace('-', '_') if digest else 'NONE'}WITH{kind}"


def _key_usages(certificate: Certificate) -> tuple[str, ...]:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return ()
    known = _USAGES | (_AGREEMENT_USAGES if usage.key_agreement else {})
    return tuple(name for attribute, name in known.items() if getattr(usage, attribute))


def _extended_key_usages(certificate: Certificate) -> dict[str, str]:
    try:
        usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return {}
    return {oid.dotted_string: _EXTENDED_USAGES.get(oid, "CUSTOM") for oid in usages}
