"""Mutual TLS, row by row. Sources: ALB user guide, "Mutual authentication with TLS"; elbv2 API,
`MutualAuthenticationAttributes`.
"""

import re
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from tests.support.objects import Objects
from tests.support.rules import refused
from tests.support.stack import Front, Stack, event, fixed, forward, request
from tests.support.tls import (
    Made,
    TlsClient,
    authority,
    client_context,
    is_refused,
    make,
    rsa_key,
)

PREFIX = "x-amzn-mtls-clientcert"


@pytest.fixture(scope="module")
def root() -> Made:
    return authority("Root of clients")


@pytest.fixture(scope="module")
def trust_store(traffic: Stack, objects: Objects, root: Made) -> str:
    name = traffic.name()
    objects.put("trust", name, root.pem)
    arn: str = traffic.elb.create_trust_store(
        Name=name, CaCertificatesBundleS3Bucket="trust", CaCertificatesBundleS3Key=name
    )["TrustStores"][0]["TrustStoreArn"]
    return arn


@pytest.fixture(scope="module")
def certificate(traffic: Stack) -> str:
    arn: str = traffic.server.client("acm").request_certificate(
        DomainName="mutual.example.com", KeyAlgorithm="EC_prime256v1"
    )["CertificateArn"]
    return arn


@pytest.fixture(scope="module")
def passing(traffic: Stack, certificate: str) -> Front:
    """A listener in passthrough mode, in front of the function."""
    front = traffic.front(forward(traffic.group()), port=443, certificate=certificate)
    set_mode(front, Mode="passthrough")
    return front


@pytest.fixture(scope="module")
def verifying(traffic: Stack, certificate: str, trust_store: str) -> Front:
    """A listener in verify mode, in front of the function."""
    front = traffic.front(forward(traffic.group()), port=443, certificate=certificate)
    set_mode(front, Mode="verify", TrustStoreArn=trust_store)
    return front


def set_mode(front: Front, **settings: Any) -> dict[str, Any]:
    (listener,) = front.stack.elb.modify_listener(
        ListenerArn=front.listener, MutualAuthentication=settings
    )["Listeners"]
    shown: dict[str, Any] = listener["MutualAuthentication"]
    return shown


def seen(front: Front, client: Made | None, *lines: str) -> dict[str, str]:
    """Return the headers about client certificates, and renamed ones, that the function gets."""
    context = client_context(certificate=client)
    with TlsClient(front.real_port, address=front.address, context=context) as connection:
        connection.write(request("GET /", *lines))
        headers: dict[str, str] = event(connection.read())["headers"]
    return {name: value for name, value in headers.items() if "cert" in name}


def is_let_in(front: Front, client: Made | None) -> bool:
    context = client_context(certificate=client)
    return not is_refused(front.real_port, context, address=front.address)


def test_mode_off_default(traffic: Stack, certificate: str) -> None:
    front = traffic.front(forward(traffic.group()), port=443, certificate=certificate)
    (listener,) = traffic.elb.describe_listeners(ListenerArns=[front.listener])["Listeners"]
    assert listener["MutualAuthentication"] == {"Mode": "off"}
    assert seen(front, make("client")) == {}


class TestPassthrough:
    def test_x_amzn_mtls_clientcert_whole_chain_leaf_first_url_encoded_pem_safe_chars(
        self, passing: Front, root: Made
    ) -> None:
        client = make("client", signer=authority("Between", root))
        headers = seen(passing, client)
        assert list(headers) == [PREFIX]
        value = headers[PREFIX]
        assert unquote(value).encode() == client.pem + client.chain
        assert re.fullmatch(r"(?:[A-Za-z0-9._~+=/-]|%[0-9A-F]{2})+", value)
        assert not re.search("%2B|%3D|%2F", value)
        assert value.startswith("-----BEGIN%20CERTIFICATE-----%0A")

    def test_what_the_client_sends_under_these_names_is_not_handed_on(self, passing: Front) -> None:
        forged = [f"{PREFIX}: mine", f"{PREFIX}-Subject: CN=admin"]
        assert seen(passing, None, *forged) == {}
        client = make("client")
        assert unquote(seen(passing, client, *forged)[PREFIX]).encode() == client.pem


class TestVerify:
    def test_serial_number_hex_issuer_subject_rfc_2253_validity_leaf_url_encoded_pem(
        self, verifying: Front, root: Made
    ) -> None:
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "mTLS, Inc."),
                x509.NameAttribute(NameOID.COMMON_NAME, "client"),
            ]
        )
        client = make(signer=root, subject=subject)
        headers = seen(verifying, client)
        leaf = headers.pop(f"{PREFIX}-leaf")
        assert unquote(leaf).encode() == client.pem
        assert headers == {
            f"{PREFIX}-serial-number": f"{client.serial:04X}",
            f"{PREFIX}-issuer": "CN=Root of clients",
            f"{PREFIX}-subject": r"CN=client,O=mTLS\, Inc.,C=US",
            f"{PREFIX}-validity": (
                f"NotBefore={stamp(client.certificate.not_valid_before_utc)};"
                f"NotAfter={stamp(client.certificate.not_valid_after_utc)}"
            ),
        }

    @pytest.mark.parametrize(
        "client",
        [
            pytest.param(lambda root: None, id="no certificate"),
            pytest.param(lambda root: make("me"), id="signed by itself"),
            pytest.param(lambda root: make("me", signer=authority()), id="of another authority"),
            pytest.param(lambda root: make("me", signer=root, age_days=9, days=5), id="expired"),
        ],
    )
    def test_failure_tls_handshake_is_refused_no_http_response(
        self, verifying: Front, root: Made, client: Callable[[Made], Made | None]
    ) -> None:
        assert not is_let_in(verifying, client(root))
        assert is_let_in(verifying, make("me", signer=root))

    def test_ignoreclientcertificateexpiry(
        self, verifying: Front, trust_store: str, root: Made
    ) -> None:
        expired = make("me", signer=root, age_days=9, days=5)
        verify = {"Mode": "verify", "TrustStoreArn": trust_store}
        shown = set_mode(verifying, **verify, IgnoreClientCertificateExpiry=True)
        assert shown["IgnoreClientCertificateExpiry"] is True
        assert is_let_in(verifying, expired)
        shown = set_mode(verifying, **verify)
        assert shown["IgnoreClientCertificateExpiry"] is False
        assert not is_let_in(verifying, expired)

    def test_advertisetruststorecanames_on_off(self, verifying: Front, trust_store: str) -> None:
        verify = {"Mode": "verify", "TrustStoreArn": trust_store}
        for value in ("on", "off"):
            shown = set_mode(verifying, **verify, AdvertiseTrustStoreCaNames=value)
            assert shown["AdvertiseTrustStoreCaNames"] == value
        assert set_mode(verifying, **verify)["AdvertiseTrustStoreCaNames"] == "off"

    def test_truststorearn_required_in_verify(self, elb: Any, verifying: Front) -> None:
        assert refused(
            elb.modify_listener,
            ListenerArn=verifying.listener,
            MutualAuthentication={"Mode": "verify"},
        ) == (
            "ValidationError",
            "A trust store ARN must be specified when the mutual authentication mode is verify",
        )

    def test_a_trust_store_that_is_not_there_is_truststorenotfound(
        self, elb: Any, verifying: Front, trust_store: str
    ) -> None:
        other = trust_store[:-16] + "0" * 16
        code, _ = refused(
            elb.modify_listener,
            ListenerArn=verifying.listener,
            MutualAuthentication={"Mode": "verify", "TrustStoreArn": other},
        )
        assert code == "TrustStoreNotFound"

    @pytest.mark.parametrize(
        ("between", "let_in"),
        [
            pytest.param(0, True, id="2 certificates"),
            pytest.param(2, True, id="4 certificates"),
            pytest.param(3, False, id="5 certificates"),
        ],
    )
    def test_chain_depth_at_most_4(
        self, verifying: Front, root: Made, between: int, let_in: bool
    ) -> None:
        signer = root
        for number in range(between):
            signer = authority(f"Between {number}", signer)
        assert is_let_in(verifying, make("me", signer=signer)) == let_in

    @pytest.mark.parametrize(
        "make_key",
        [
            pytest.param(lambda: rsa_key(0, 2048), id="RSA 2K"),
            pytest.param(lambda: rsa_key(0, 3072), id="RSA 3K"),
            pytest.param(lambda: ec.generate_private_key(ec.SECP256R1()), id="P-256"),
            pytest.param(lambda: ec.generate_private_key(ec.SECP384R1()), id="P-384"),
            pytest.param(lambda: ec.generate_private_key(ec.SECP521R1()), id="P-521"),
        ],
    )
    def test_certs_x_509v3_rsa_2k_8k_or_p_256_384_521(
        self, verifying: Front, root: Made, make_key: Callable[[], Any]
    ) -> None:
        client = make("me", signer=root, key=make_key())
        assert client.certificate.version is x509.Version.v3
        assert seen(verifying, client)[f"{PREFIX}-subject"] == "CN=me"

    @pytest.mark.parametrize(
        "make_key",
        [
            pytest.param(lambda: ec.generate_private_key(ec.SECP224R1()), id="P-224"),
            pytest.param(lambda: ec.generate_private_key(ec.SECP256K1()), id="secp256k1"),
            pytest.param(ed25519.Ed25519PrivateKey.generate, id="Ed25519"),
        ],
    )
    def test_no_other_curves(
        self, verifying: Front, root: Made, make_key: Callable[[], Any]
    ) -> None:
        assert not is_let_in(verifying, make("me", signer=root, key=make_key()))

    def test_header_names_can_be_renamed_by_listener_attributes(
        self, verifying: Front, root: Made
    ) -> None:
        key = "routing.http.request.x_amzn_mtls_clientcert_subject.header_name"

        def name(value: str) -> None:
            verifying.stack.elb.modify_listener_attributes(
                ListenerArn=verifying.listener, Attributes=[{"Key": key, "Value": value}]
            )

        name("My-Cert-Subject")
        headers = seen(verifying, make("me", signer=root), "My-Cert-Subject: CN=admin")
        assert headers["my-cert-subject"] == "CN=me"
        assert f"{PREFIX}-subject" not in headers
        name("X-Amzn-Mtls-Clientcert-Subject")
        assert seen(verifying, make("me", signer=root))[f"{PREFIX}-subject"] == "CN=me"

    def test_two_verify_listeners_per_lb(
        self, elb: Any, traffic: Stack, certificate: str, trust_store: str
    ) -> None:
        front = traffic.front(fixed())
        verify = {"Mode": "verify", "TrustStoreArn": trust_store}
        params = {
            "LoadBalancerArn": front.balancer,
            "Protocol": "HTTPS",
            "Certificates": [{"CertificateArn": certificate}],
            "DefaultActions": [fixed()],
            "MutualAuthentication": verify,
        }
        for port in (441, 442):
            elb.create_listener(Port=port, **params)
        code, _ = refused(elb.create_listener, Port=443, **params)
        assert code == "InvalidConfigurationRequest"
        elb.delete_load_balancer(LoadBalancerArn=front.balancer)


def test_http_listeners_have_no_mutual_authentication(elb: Any, front: Front) -> None:
    code, message = refused(
        elb.modify_listener,
        ListenerArn=front.listener,
        MutualAuthentication={"Mode": "passthrough"},
    )
    assert (code, message) == (
        "ValidationError",
        "Mutual authentication cannot be specified for HTTP listeners",
    )


def test_session_resumption_off_with_mtls(verifying: Front, root: Made) -> None:
    certificate = make("me", signer=root)
    context = client_context(version=ssl.TLSVersion.TLSv1_2, certificate=certificate)
    place: dict[str, Any] = {"address": verifying.address, "context": context}
    with TlsClient(verifying.real_port, **place) as first:
        first.write(request("GET /"))
        assert first.read().status == 200
        session = first.tls.session
    with TlsClient(verifying.real_port, session=session, **place) as second:
        assert not second.tls.session_reused


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
