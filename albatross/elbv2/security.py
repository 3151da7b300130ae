"""What an HTTPS listener has and an HTTP listener has not: certificate, security policy, mutual
authentication. Source: elbv2 API, `CreateListener`, `ModifyListener`; ALB user guide, "Create an
HTTPS listener", "Configuring mutual TLS".
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from albatross.elbv2 import lookup
from albatross.model import attributes, ssl_policy
from albatross.model.certificate import Certificate
from albatross.model.errors import (
    CertificateNotFound,
    InvalidConfigurationRequest,
    SSLPolicyNotFound,
    UnsupportedCertificate,
    ValidationError,
)
from albatross.model.listener import Listener, MutualAuthentication
from albatross.model.trust_store import TrustStore

if TYPE_CHECKING:
    from albatross.store.transaction import Transaction

VERIFYING_LISTENERS_MAX = 2  # per load balancer
_HTTPS_ONLY = {
    "SslPolicy": "An SSL policy",
    "Certificates": "A certificate",
    "AlpnPolicy": "An ALPN policy",
}
_ADVERTISE = "AdvertiseTrustStoreCaNames"
_MODES = ("off", "passthrough", "verify")
_UNSUPPORTED_KEYS = frozenset({"RSA_1024", ""})


def secured(tx: "Transaction", listener: Listener, params: Mapping[str, Any]) -> Listener:
    """Return `listener`, whose protocol may have changed, with what `params` say of its security.

    Raises CertificateNotFound, UnsupportedCertificate, SSLPolicyNotFound, TrustStoreNotFound,
    InvalidConfigurationRequest, ValidationError.
    """
    match listener.protocol:
        case "HTTP":
            _refuse_security(params)
            return _open(listener)
        case "HTTPS":
            if params.get("AlpnPolicy"):
                raise ValidationError("An ALPN policy cannot be specified for HTTPS listeners")
            listener = _with_certificate(tx, listener, params)
            listener = _with_policy(listener, params.get("SslPolicy"))
            return _with_mutual_authentication(tx, listener, params.get("MutualAuthentication"))
        case other:
            raise ValidationError(f"Listener protocol '{other}' must be one of 'HTTPS, HTTP'")


def certificate(tx: "Transaction", given: Sequence[Mapping[str, Any]]) -> str:
    """Return the ARN of the only certificate in `given`, which is there and can be served.

    Raises CertificateNotFound, UnsupportedCertificate, ValidationError.
    """
    arn = only_certificate(given)
    found = tx.get(Certificate, arn)
    if found is None:
        raise CertificateNotFound(f"Certificate '{arn}' not found")
    if found.facts.key_algorithm in _UNSUPPORTED_KEYS:
        raise UnsupportedCertificate(
            f"The certificate '{arn}' must have a fully-qualified domain name, a supported "
            "signature, and a supported key size."
        )
    return arn


def only_certificate(given: Sequence[Mapping[str, Any]]) -> str:
    """Return the ARN in `given`, which must be one, whether or not there is such a certificate.

    Raises ValidationError.
    """
    if len(given) != 1:
        raise ValidationError(
            "You must provide a list containing exactly one certificate "
            "if the listener protocol is HTTPS."
        )
    if given[0].get("IsDefault") is not None:
        raise ValidationError("The parameter 'IsDefault' cannot be specified for a certificate")
    arn: str = given[0].get("CertificateArn", "")
    return arn


def _refuse_security(params: Mapping[str, Any]) -> None:
    for member, noun in _HTTPS_ONLY.items():
        if params.get(member):
            raise ValidationError(f"{noun} cannot be specified for HTTP listeners")
    if (params.get("MutualAuthentication") or {}).get("Mode", "off") != "off":
        raise ValidationError("Mutual authentication cannot be specified for HTTP listeners")


def _open(listener: Listener) -> Listener:
    """Return `listener` without anything that only HTTPS listeners have."""
    kept = {
        key: value
        for key, value in listener.attributes.items()
        if key in attributes.supported(listener)
    }
    return replace(
        listener,
        certificates=(),
        ssl_policy=None,
        mutual_authentication=MutualAuthentication(),
        attributes=kept,
    )


def _with_certificate(tx: "Transaction", listener: Listener, params: Mapping[str, Any]) -> Listener:
    given = params.get("Certificates") or ()
    if listener.certificates and not given:
        return listener
    default = certificate(tx, given)
    # AWS is silent: a new default certificate leaves the list for SNI as it is.
    return replace(listener, certificates=(default, *listener.certificates[1:]))


def _with_policy(listener: Listener, name: str | None) -> Listener:
    if name is None:
        return replace(listener, ssl_policy=listener.ssl_policy or ssl_policy.DEFAULT)
    if name not in ssl_policy.POLICIES:
        raise SSLPolicyNotFound(f"SSL policy '{name}' not found")
    return replace(listener, ssl_policy=name)


def _with_mutual_authentication(
    tx: "Transaction", listener: Listener, given: Mapping[str, Any] | None
) -> Listener:
    if given is None:
        return listener
    settings = _mutual_authentication(given)
    if settings.mode == "verify":
        assert settings.trust_store_arn is not None
        lookup.by_arn(tx, TrustStore, settings.trust_store_arn)
        verifying = sum(
            other.mutual_authentication.mode == "verify" and other.arn != listener.arn
            for other in tx.list(Listener, parent=listener.load_balancer_arn)
        )
        if verifying >= VERIFYING_LISTENERS_MAX:
            raise InvalidConfigurationRequest(
                f"A load balancer can have up to '{VERIFYING_LISTENERS_MAX}' listeners that verify "
                "client certificates"
            )
    return replace(listener, mutual_authentication=settings)


def _mutual_authentication(given: Mapping[str, Any]) -> MutualAuthentication:
    """Return the member `MutualAuthentication`. What is not given has its default."""
    mode, arn = given.get("Mode", "off"), given.get("TrustStoreArn")
    if mode not in _MODES:
        raise ValidationError(
            f"Mutual authentication mode '{mode}' must be one of '{', '.join(_MODES)}'"
        )
    if mode == "verify" and not arn:
        raise ValidationError(
            "A trust store ARN must be specified when the mutual authentication mode is verify"
        )
    if mode != "verify":
        for member in ("TrustStoreArn", "IgnoreClientCertificateExpiry", _ADVERTISE):
            if given.get(member) not in (None, "", False, "off"):
                raise ValidationError(
                    f"'{member}' can only be specified when the mutual authentication mode is "
                    "verify"
                )
    return MutualAuthentication(
        mode=mode,
        trust_store_arn=arn or None,
        ignore_expiry=given.get("IgnoreClientCertificateExpiry", False),
        advertise_ca_names=mode == "verify" and given.get(_ADVERTISE) == "on",
    )
