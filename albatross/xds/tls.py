"""Security policy, certificates and mutual authentication -> Envoy's TLS context and secrets.

Source: ALB user guide, "Security policies", "Mutual authentication with TLS".
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from envoy.extensions.transport_sockets.tls.v3.common_pb2 import (
    CertificateValidationContext,
    TlsParameters,
)
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import SdsSecretConfig, Secret
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import (
    CommonTlsContext,
    DownstreamTlsContext,
)

from albatross.model import attributes
from albatross.model.certificate import ServerCertificate
from albatross.model.ssl_policy import POLICIES
from albatross.model.trust_store import TrustStore
from albatross.xds.cluster import ADS
from albatross.xds.packing import extension
from albatross.xds.tenant import Door

# AWS is silent: a chain of depth 4 has four certificates, those of the client and the root
# included.
AUTHORITIES_MAX = 3
_VERSIONS = {"TLSv1": "TLSv1_0", "TLSv1.1": "TLSv1_1", "TLSv1.2": "TLSv1_2", "TLSv1.3": "TLSv1_3"}
# differs from AWS: the ciphers ECDHE-*-AES256-SHA384, AES128-SHA256 and AES256-SHA256, which some
# policies name, are never chosen.
_UNKNOWN_CIPHERS = frozenset(
    {
        *("ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384"),
        *("AES128-SHA256", "AES256-SHA256"),
    }
)
# differs from AWS: every policy that has TLS 1.3 offers all three of its ciphers, also where it
# names fewer, as the FIPS and RFC 9151 ones do.
_CIPHERS_OF_TLS13 = "TLS_"
# differs from AWS: of the hybrid post-quantum key exchanges there is X25519MLKEM768 only.
_CLASSICAL_GROUPS = ("X25519", "P-256", "P-384", "P-521")
_HYBRID_GROUPS = ("X25519MLKEM768", *_CLASSICAL_GROUPS)


@dataclass(frozen=True, slots=True)
class TrustFiles:
    """Where the content of a trust store lies, as Envoy reads it."""

    authorities: str
    revocations: str | None  # all lists in one file


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret of which no `repr` and no log line shows anything."""

    secret: Secret = field(repr=False)


def transport_socket(
    tenant: Door, certificate_arns: Sequence[str], trust_store: TrustStore | None
) -> dict[str, object]:
    """Return the TLS side of a filter chain of `tenant` that serves these certificates.

    `trust_store`: that of a listener in verify mode.
    """
    mode = tenant.listener.mutual_authentication.mode
    common = CommonTlsContext(
        tls_params=_parameters(tenant.listener.ssl_policy),
        tls_certificate_sds_secret_configs=[
            {"name": arn, "sds_config": ADS} for arn in certificate_arns
        ],
        alpn_protocols=["h2", "http/1.1"] if has_http2(tenant) else ["http/1.1"],
    )
    context = DownstreamTlsContext(common_tls_context=common)
    match mode:
        case "passthrough":
            # AWS is silent: a client without a certificate is served, without the header.
            accepted = context.common_tls_context.validation_context
            accepted.trust_chain_verification = CertificateValidationContext.ACCEPT_UNTRUSTED
        case "verify":
            assert trust_store is not None
            context.require_client_certificate.value = True
            _verify(context.common_tls_context, tenant, trust_store)
    if mode != "off":
        context.disable_stateless_session_resumption = True
        context.disable_stateful_session_resumption = True
    return extension("envoy.transport_sockets.tls", context)


# AWS is silent: `routing.http2.enabled` leaves the names of headers as they are; the user guide
# also says that they may then have letters, digits and hyphens only.
def has_http2(tenant: Door) -> bool:
    return attributes.get(tenant.balancer, "routing.http2.enabled") == "true"


def of_certificate(certificate: ServerCertificate) -> Sealed:
    """Return the secret that clients' handshakes use. Its name is the certificate's ARN."""
    secret = Secret(name=certificate.arn)
    secret.tls_certificate.certificate_chain.inline_bytes = certificate.chain_pem.encode()
    secret.tls_certificate.private_key.inline_bytes = bytes(certificate.key_pem)
    return Sealed(secret)


def of_trust_store(trust_store: TrustStore, files: TrustFiles) -> Sealed:
    """Return the authorities and what they have revoked. Its name is the trust store's ARN."""
    secret = Secret(name=trust_store.arn)
    context = secret.validation_context
    context.trusted_ca.filename = files.authorities
    if files.revocations is not None:
        context.crl.filename = files.revocations
        context.only_verify_leaf_cert_crl = not trust_store.covers_all
    return Sealed(secret)


def _verify(common: CommonTlsContext, tenant: Door, trust_store: TrustStore) -> None:
    # differs from AWS: the names of a trust store's authorities are always sent to clients, also
    # without AdvertiseTrustStoreCaNames.
    # differs from AWS: once a trust store has a revocation list, clients are refused whose
    # certificate comes from an authority without one, or with one that is past its next update.
    # differs from AWS: clients whose RSA keys have less than 2,048 bits are verified like others.
    combined = common.combined_validation_context
    combined.default_validation_context.max_verify_depth.value = AUTHORITIES_MAX
    combined.default_validation_context.allow_expired_certificate = (
        tenant.listener.mutual_authentication.ignore_expiry
    )
    combined.validation_context_sds_secret_config.MergeFrom(
        SdsSecretConfig(name=trust_store.arn, sds_config=ADS)
    )


def _parameters(name: str | None) -> TlsParameters:
    assert name is not None, "an HTTPS listener has a security policy"
    policy = POLICIES[name]
    return TlsParameters(
        tls_minimum_protocol_version=_VERSIONS[policy.protocols[-1]],
        tls_maximum_protocol_version=_VERSIONS[policy.protocols[0]],
        cipher_suites=[
            cipher
            for cipher in policy.ciphers
            if cipher not in _UNKNOWN_CIPHERS and not cipher.startswith(_CIPHERS_OF_TLS13)
        ],
        ecdh_curves=_HYBRID_GROUPS if policy.is_post_quantum else _CLASSICAL_GROUPS,
    )
