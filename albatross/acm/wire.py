"""Certificates as the API's documents. Source: ACM API, `CertificateDetail`, `CertificateSummary`,
`DomainValidation`; ACM user guide, "DNS validation", "Email validation"."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from albatross.model.certificate import Certificate

Document = dict[str, Any]

SUMMARY_NAMES_MAX = 100  # names of one certificate that ListCertificates shows
_MAILBOXES = ("administrator", "hostmaster", "postmaster", "webmaster", "admin")


def detail(certificate: Certificate, in_use_by: Sequence[str], now: datetime) -> Document:
    facts = certificate.facts
    document = {
        "CertificateArn": certificate.arn,
        "DomainName": facts.domain_name,
        "SubjectAlternativeNames": list(facts.names),
        "Serial": facts.serial,
        "Subject": facts.subject,
        "Issuer": facts.issuer,
        **_times(certificate),
        "Status": certificate.status(now),
        "KeyAlgorithm": facts.key_algorithm,
        "SignatureAlgorithm": facts.signature_algorithm,
        "InUseBy": list(in_use_by),
        "Type": certificate.type,
        "KeyUsages": [{"Name": name} for name in facts.key_usages],
        "ExtendedKeyUsages": [
            {"Name": name, "OID": oid} for oid, name in facts.extended_key_usages.items()
        ],
        "RenewalEligibility": _renewal_eligibility(certificate, bool(in_use_by)),
        "Options": {
            "CertificateTransparencyLoggingPreference": certificate.transparency_logging,
            "Export": certificate.export,
        },
        "CertificateKeyPairOrigin": key_pair_origin(certificate),
    }
    if certificate.type == "AMAZON_ISSUED":
        document["DomainValidationOptions"] = _validations(certificate)
    if certificate.renewed_at is not None:
        document["RenewalSummary"] = {
            "RenewalStatus": "SUCCESS",
            "DomainValidationOptions": _validations(certificate),
            "UpdatedAt": certificate.renewed_at,
        }
    return document


def summary(certificate: Certificate, in_use: bool, now: datetime) -> Document:
    facts = certificate.facts
    return {
        "CertificateArn": certificate.arn,
        "DomainName": facts.domain_name,
        "SubjectAlternativeNameSummaries": list(facts.names[:SUMMARY_NAMES_MAX]),
        "HasAdditionalSubjectAlternativeNames": len(facts.names) > SUMMARY_NAMES_MAX,
        "Status": certificate.status(now),
        "Type": certificate.type,
        "KeyAlgorithm": facts.key_algorithm,
        "KeyUsages": list(facts.key_usages),
        "ExtendedKeyUsages": list(facts.extended_key_usages.values()),
        "ExportOption": certificate.export,
        "InUse": in_use,
        "Exported": False,
        "RenewalEligibility": _renewal_eligibility(certificate, in_use),
        **_times(certificate),
        "CertificateKeyPairOrigin": key_pair_origin(certificate),
    }


def _times(certificate: Certificate) -> Document:
    times = {
        "NotBefore": certificate.facts.not_before,
        "NotAfter": certificate.facts.not_after,
        "CreatedAt": certificate.created_at,
    }
    if certificate.type == "IMPORTED":
        return times | {"ImportedAt": certificate.imported_at}
    return times | {"IssuedAt": certificate.renewed_at or certificate.created_at}


def _renewal_eligibility(certificate: Certificate, in_use: bool) -> str:
    return "ELIGIBLE" if certificate.type == "AMAZON_ISSUED" and in_use else "INELIGIBLE"


def key_pair_origin(certificate: Certificate) -> str:
    return "CUSTOMER_PROVIDED" if certificate.type == "IMPORTED" else "AWS_MANAGED"


def _validations(certificate: Certificate) -> list[Document]:
    return [_validation(certificate, name) for name in certificate.facts.names]


def _validation(certificate: Certificate, name: str) -> Document:
    domain = certificate.validation_domains.get(name, name.removeprefix("*."))
    document = {
        "DomainName": name,
        "ValidationDomain": domain if certificate.validation_method == "EMAIL" else name,
        "ValidationStatus": "SUCCESS",
        "ValidationMethod": certificate.validation_method,
    }
    if certificate.validation_method == "EMAIL":
        return document | {"ValidationEmails": [f"{box}@{domain}" for box in _MAILBOXES]}
    return document | {"ResourceRecord": _record(certificate, name)}


def _record(certificate: Certificate, name: str) -> Document:
    """Return the DNS record. It is the same for a domain and its wildcard, and at every renewal."""
    account = certificate.arn.split(":")[4]
    bare = name.removeprefix("*.")
    digits = hashlib.sha256(f"{account} {bare}".encode()).hexdigest()
    return {
        "Name": f"_{digits[:32]}.{bare}.",
        "Type": "CNAME",
        "Value": f"_{digits[32:]}.albatross.acm-validations.aws.",
    }
