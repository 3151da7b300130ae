"""Certificates, imported or issued. Source: ACM API, `RequestCertificate` and its relatives."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from albatross.acm import lookup, tags, wire
from albatross.model import arn as arns
from albatross.model.certificate import Certificate, Facts
from albatross.model.errors import (
    InvalidDomainValidationOptionsException,
    InvalidParameterException,
    InvalidStateException,
    LimitExceededException,
    NotImplementedHere,
    ResourceInUseException,
    ValidationException,
)

if TYPE_CHECKING:
    from albatross.acm.bundle import Bundle
    from albatross.store.transaction import Transaction

CERTIFICATES_MAX = 2_500  # per account and Region
NAMES_MAX = 10  # in one request
COMMON_NAME_MAX = 64  # characters; RFC 5280
TOKEN_VALIDITY = timedelta(hours=1)
# AWS is silent: a request without ValidationMethod is one for validation by email.
DEFAULT_VALIDATION = "EMAIL"
_REQUESTABLE = ("RSA_2048", "EC_prime256v1", "EC_secp384r1")


def import_certificate(tx: "Transaction", params: Mapping[str, Any]) -> dict[str, Any]:
    """ImportCertificate: a new one, or in place of the imported one with `CertificateArn`.

    Raises ValidationException, InvalidArnException, ResourceNotFoundException,
    LimitExceededException, TooManyTagsException.
    """
    from albatross.acm import bundle  # memory: only who has certificates needs cryptography

    replaced = None
    if arn := params.get("CertificateArn"):
        replaced = lookup.by_arn(tx, arn)
        if replaced.type != "IMPORTED":
            raise ValidationException(f"The certificate {arn} was not imported.")
        if params.get("Tags"):
            raise ValidationException("Tags cannot be applied when a certificate is reimported.")
    new_tags = tags.merged({}, params)
    chain = params.get("CertificateChain")
    read = bundle.read(params["Certificate"], params["PrivateKey"], chain, tx.now)
    if replaced is not None:
        _check_reimport(replaced.facts, read.facts)
        return {"CertificateArn": _exchange(tx, replaced, read, imported_at=tx.now).arn}
    certificate = _add(tx, read, type="IMPORTED", imported_at=tx.now)
    tx.put_tags(certificate.arn, new_tags)
    return {"CertificateArn": certificate.arn}


def request_certificate(tx: "Transaction", params: Mapping[str, Any]) -> dict[str, Any]:
    """RequestCertificate: the local authority issues it at once.

    Raises InvalidParameterException, InvalidDomainValidationOptionsException,
    LimitExceededException, TooManyTagsException, NotImplementedHere.
    """
    from albatross.acm import authority

    names = tuple(dict.fromkeys([params["DomainName"], *params.get("SubjectAlternativeNames", ())]))
    _check_request(names, params)
    new_tags = tags.merged({}, params)
    token, key_algorithm = params.get("IdempotencyToken"), params.get("KeyAlgorithm", "RSA_2048")
    if token is not None and (same := _requested_before(tx, token, names, key_algorithm)):
        return {"CertificateArn": same.arn}
    options = params.get("Options", {})
    # differs from AWS: a requested certificate is issued at once, without validation of its names.
    certificate = _add(
        tx,
        authority.issue(tx.keys, names, key_algorithm, tx.now),
        type="AMAZON_ISSUED",
        validation_method=params.get("ValidationMethod", DEFAULT_VALIDATION),
        validation_domains=_validation_domains(params),
        idempotency_token=token,
        transparency_logging=options.get("CertificateTransparencyLoggingPreference", "ENABLED"),
        export=options.get("Export", "DISABLED"),
    )
    tx.put_tags(certificate.arn, new_tags)
    return {"CertificateArn": certificate.arn}


def describe_certificate(tx: "Transaction", params: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeCertificate. Raises InvalidArnException, ResourceNotFoundException."""
    certificate = lookup.by_arn(tx, params["CertificateArn"])
    in_use_by = lookup.users(tx).get(certificate.arn, [])
    return {"Certificate": wire.detail(certificate, in_use_by, tx.now)}


def get_certificate(tx: "Transaction", params: Mapping[str, Any]) -> dict[str, Any]:
    """GetCertificate: certificate and chain in PEM. Raises as describe_certificate."""
    certificate = lookup.by_arn(tx, params["CertificateArn"])
    return {"Certificate": certificate.pem, "CertificateChain": certificate.chain or None}


def delete_certificate(tx: "Transaction", params: Mapping[str, Any]) -> dict[str, Any]:
    """DeleteCertificate, with its private key. Raises ResourceInUseException too."""
    certificate = lookup.by_arn(tx, params["CertificateArn"])
    if certificate.arn in lookup.users(tx):
        raise ResourceInUseException(
            f"Certificate {certificate.arn} in account {tx.scope.account} is in use."
        )
    tx.drop_key(certificate.key_id)
    tx.delete(certificate.arn)
    return {}


def renew_certificate(tx: "Transaction", params: Mapping[str, Any]) -> dict[str, Any]:
    """RenewCertificate: a requested one is issued anew, with a new key, under its ARN.

    Raises ValidationException for an imported one, and as describe_certificate.
    """
    from albatross.acm import authority

    certificate = lookup.by_arn(tx, params["CertificateArn"])
    if certificate.type != "AMAZON_ISSUED":
        raise ValidationException(f"The certificate {certificate.arn} is not eligible for renewal.")
    facts = certificate.facts
    # differs from AWS: a requested certificate is not renewed by itself; RenewCertificate does it,
    # which in AWS takes exported ones only.
    issued = authority.issue(tx.keys, facts.names, facts.key_algorithm, tx.now)
    _exchange(tx, certificate, issued, renewed_at=tx.now)
    return {}


def update_certificate_options(tx: "Transaction", params: Mapping[str, Any]) -> dict[str, Any]:
    """UpdateCertificateOptions of a requested certificate.

    Raises InvalidStateException for an imported one, ValidationException, and as
    describe_certificate.
    """
    certificate = lookup.by_arn(tx, params["CertificateArn"])
    options = params["Options"]
    if certificate.type != "AMAZON_ISSUED":
        raise InvalidStateException(f"The certificate {certificate.arn} has no options to update.")
    if options.get("Export", certificate.export) != certificate.export:
        raise ValidationException("The value of Export cannot be updated.")
    if options.get("ValidationMethod") not in (None, "DNS", certificate.validation_method):
        raise ValidationException("The validation method can only be changed to DNS.")
    logging = options.get(
        "CertificateTransparencyLoggingPreference", certificate.transparency_logging
    )
    method = options.get("ValidationMethod", certificate.validation_method)
    tx.put(replace(certificate, transparency_logging=logging, validation_method=method))
    return {}


def _add(tx: "Transaction", bundle: "Bundle", **fields: Any) -> Certificate:
    if len(tx.list(Certificate)) >= CERTIFICATES_MAX:
        raise LimitExceededException(
            "You have reached the maximum number of certificates. Delete certificates that are not "
            "in use, or contact AWS Support to request an increase."
        )
    certificate = Certificate(
        arn=arns.certificate(tx.scope, str(uuid.uuid4())),
        facts=bundle.facts,
        pem=bundle.pem,
        chain=bundle.chain,
        key_id=tx.add_key(bundle.key),
        created_at=tx.now,
        **fields,
    )
    tx.put(certificate)
    return certificate


def _exchange(
    tx: "Transaction", certificate: Certificate, bundle: "Bundle", **fields: Any
) -> Certificate:
    """Put what is in `bundle` in the place of what `certificate` was."""
    tx.drop_key(certificate.key_id)
    changed = replace(
        certificate,
        facts=bundle.facts,
        pem=bundle.pem,
        chain=bundle.chain,
        key_id=tx.add_key(bundle.key),
        **fields,
    )
    tx.put(changed)
    return changed


def _check_reimport(old: Facts, new: Facts) -> None:
    """Source: ACM user guide, "Reimport a certificate"."""
    if new.key_algorithm != old.key_algorithm:
        raise ValidationException("The key type and size of a certificate cannot be changed.")
    if not set(old.key_usages) <= set(new.key_usages):
        raise ValidationException("Values of the Key Usage extension cannot be removed.")
    if not old.extended_key_usages.keys() <= new.extended_key_usages.keys():
        raise ValidationException("Values of the Extended Key Usage extension cannot be removed.")


def _check_request(names: tuple[str, ...], params: Mapping[str, Any]) -> None:
    for member in ("CertificateAuthorityArn", "ManagedBy"):
        if params.get(member):
            raise NotImplementedHere(
                f"The parameter '{member}' is not implemented in this version of Albatross; "
                "docs/coverage.md says what is"
            )
    if len(names[0]) > COMMON_NAME_MAX:
        raise InvalidParameterException(
            f"The first domain name can be no longer than {COMMON_NAME_MAX} characters."
        )
    if any(len(label) > 63 for name in names for label in name.split(".")):
        raise InvalidParameterException("A label of a domain name has at most 63 characters.")
    if len(names) > NAMES_MAX:
        raise LimitExceededException(
            f"A certificate can have at most {NAMES_MAX} domain names, but {len(names)} were given."
        )
    if params.get("KeyAlgorithm", "RSA_2048") not in _REQUESTABLE:
        raise InvalidParameterException(
            f"A certificate with a key of {params['KeyAlgorithm']} cannot be requested: "
            f"only {', '.join(_REQUESTABLE)}."
        )
    if params.get("ValidationMethod") == "HTTP":
        raise InvalidParameterException("HTTP validation is for certificates of CloudFront only.")
    for name, domain in _validation_domains(params).items():
        if name not in names or not _is_within(name.removeprefix("*."), domain):
            raise InvalidDomainValidationOptionsException(
                f"'{domain}' is not '{name}' or a domain above it, or that was not requested."
            )


def _validation_domains(params: Mapping[str, Any]) -> dict[str, str]:
    given: Iterable[Mapping[str, str]] = params.get("DomainValidationOptions", ())
    return {option["DomainName"]: option["ValidationDomain"] for option in given}


def _is_within(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


def _requested_before(
    tx: "Transaction", token: str, names: tuple[str, ...], key_algorithm: str
) -> Certificate | None:
    """Return what the same request with this token has made within the hour."""
    # AWS is silent: a known IdempotencyToken with other names or another key is a new request.
    for certificate in tx.list(Certificate):
        facts = certificate.facts
        if (
            certificate.idempotency_token == token
            and tx.now - certificate.created_at < TOKEN_VALIDITY
            and (facts.names, facts.key_algorithm) == (names, key_algorithm)
        ):
            return certificate
    return None
