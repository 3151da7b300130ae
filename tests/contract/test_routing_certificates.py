"""Certificates and SNI, sentence by sentence. Sources: ALB user guide, "SSL certificates for your
Application Load Balancer"; elbv2 API, `AddListenerCertificates`, `DescribeListenerCertificates`.
"""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.support.command import until
from tests.support.rules import refused
from tests.support.stack import Front, Stack, fixed, request
from tests.support.tls import Made, TlsClient, client_context, handshake, make, rsa_key

# Number and length of a key that is made when it is first needed.
RSA, OTHER_RSA, LONG_RSA = (0, 2048), (1, 2048), (0, 3072)

Upload = Callable[[Made], str]


@pytest.fixture(scope="module")
def upload(traffic: Stack) -> Upload:
    acm = traffic.server.client("acm")

    def upload(made: Made) -> str:
        params = {"Certificate": made.pem, "PrivateKey": made.key_pem}
        arn: str = acm.import_certificate(**params)["CertificateArn"]
        return arn

    return upload


@pytest.fixture(scope="module")
def default() -> Made:
    return make("default.example.com", key=rsa_key(*RSA))


@pytest.fixture(scope="module")
def secure(traffic: Stack, upload: Upload, default: Made) -> Front:
    """An HTTPS listener; certificates come and go."""
    return traffic.front(fixed(200, "tls"), port=443, certificate=upload(default))


@contextmanager
def listed(front: Front, *arns: str) -> Iterator[None]:
    elb = front.stack.elb
    for arn in arns:
        certificate = [{"CertificateArn": arn}]
        elb.add_listener_certificates(ListenerArn=front.listener, Certificates=certificate)
    try:
        yield
    finally:
        for arn in arns:
            certificate = [{"CertificateArn": arn}]
            elb.remove_listener_certificates(ListenerArn=front.listener, Certificates=certificate)


def offered(front: Front, name: str | None, **options: Any) -> int:
    """Return the serial number of the certificate that a client is shown."""
    context = client_context(**options)
    return handshake(front.real_port, name, address=front.address, context=context).serial


def described(front: Front) -> list[tuple[str, bool]]:
    answer = front.stack.elb.describe_listener_certificates(ListenerArn=front.listener)
    return [(one["CertificateArn"], one["IsDefault"]) for one in answer["Certificates"]]


class TestDefaultCertificateIsUsed:
    def test_if_the_client_sends_no_sni(self, secure: Front, upload: Upload, default: Made) -> None:
        with listed(secure, upload(make("a.example.com"))):
            assert offered(secure, None) == default.serial

    def test_or_nothing_in_the_list_matches(
        self, secure: Front, upload: Upload, default: Made
    ) -> None:
        other = make("b.example.com")
        with listed(secure, upload(other)):
            assert offered(secure, "c.example.com") == default.serial
            assert offered(secure, "b.example.com") == other.serial
            assert offered(secure, "B.Example.COM") == other.serial


class TestAmongSeveralMatchesChooseBy:
    @pytest.mark.parametrize(
        ("worse", "better"),
        [
            pytest.param(
                {"key": LONG_RSA, "hash_": hashes.SHA512()},
                {},
                id="public key algorithm (ECDSA over RSA)",
            ),
            pytest.param({"key": RSA}, {"key": OTHER_RSA, "hash_": hashes.SHA512()}, id="hash"),
            pytest.param({"key": RSA, "days": 300}, {"key": LONG_RSA}, id="key length (largest)"),
            pytest.param({"key": RSA}, {"key": OTHER_RSA, "days": 300}, id="validity period"),
        ],
    )
    def test_the_better_one_whatever_the_order(
        self, secure: Front, upload: Upload, worse: dict[str, Any], better: dict[str, Any]
    ) -> None:
        one, two = (
            make(
                "d.example.com", **{**each, "key": rsa_key(*each["key"]) if "key" in each else None}
            )
            for each in (worse, better)
        )
        arns = upload(one), upload(two)
        for order in (arns, arns[::-1]):
            with listed(secure, *order):
                assert offered(secure, "d.example.com") == two.serial

    def test_a_client_that_takes_rsa_only_gets_rsa(self, secure: Front, upload: Upload) -> None:
        rsa, curve = make("e.example.com", key=rsa_key(*RSA)), make("e.example.com")
        with listed(secure, upload(rsa), upload(curve)):
            ciphers = "ECDHE-RSA-AES128-GCM-SHA256"
            options = {"version": ssl.TLSVersion.TLSv1_2, "ciphers": ciphers}
            assert offered(secure, "e.example.com", **options) == rsa.serial
            assert offered(secure, "e.example.com") == curve.serial

    def test_not_expired(self, secure: Front, upload: Upload) -> None:
        seconds = 4
        soon = make("f.example.com", key=rsa_key(*LONG_RSA), days=1 + seconds / 86_400)
        later = make("f.example.com", key=rsa_key(*RSA))
        with listed(secure, upload(soon), upload(later)):
            until(lambda: offered(secure, "f.example.com") == later.serial)
            assert datetime.now(UTC) > soon.certificate.not_valid_after_utc


def test_cli_created_listeners_start_with_an_empty_list(
    traffic: Stack, upload: Upload, default: Made
) -> None:
    arn = upload(default)
    front = traffic.front(fixed(), port=443, certificate=arn)
    assert described(front) == [(arn, True)]


def test_describelistenercertificates_shows_a_cert_twice_if_default_and_in_list(
    traffic: Stack, upload: Upload, default: Made
) -> None:
    arn = upload(default)
    front = traffic.front(fixed(), port=443, certificate=arn)
    with listed(front, arn):
        assert sorted(described(front)) == [(arn, False), (arn, True)]
    assert described(front) == [(arn, True)]


def test_adding_a_present_cert_succeeds_silently(secure: Front, upload: Upload) -> None:
    arn = upload(make("g.example.com"))
    with listed(secure, arn, arn):
        assert described(secure).count((arn, False)) == 1


def test_one_certificate_per_call(secure: Front, upload: Upload) -> None:
    two = [{"CertificateArn": upload(make(name))} for name in ("h.example.com", "i.example.com")]
    elb = secure.stack.elb
    for given in (two, []):
        code, _ = refused(
            elb.add_listener_certificates, ListenerArn=secure.listener, Certificates=given
        )
        assert code == "ValidationError"


@pytest.mark.parametrize(
    "make_key",
    [
        pytest.param(lambda: rsa_key(0, 2048), id="RSA 2048"),
        pytest.param(lambda: rsa_key(0, 3072), id="RSA 3072"),
        pytest.param(lambda: rsa_key(0, 4096), id="RSA 4096"),
        pytest.param(lambda: ec.generate_private_key(ec.SECP256R1()), id="P-256"),
        pytest.param(lambda: ec.generate_private_key(ec.SECP384R1()), id="P-384"),
        pytest.param(lambda: ec.generate_private_key(ec.SECP521R1()), id="P-521"),
    ],
)
def test_rsa_2048_3072_4096_and_all_ecdsa(
    secure: Front, upload: Upload, make_key: Callable[[], Any]
) -> None:
    made = make("j.example.com", key=make_key())
    with listed(secure, upload(made)):
        assert offered(secure, "j.example.com") == made.serial


def test_no_ed25519(traffic: Stack) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    acm = traffic.server.client("acm")
    made = make("k.example.com", key=rsa_key())
    other = Made(made.certificate, key)
    code, message = refused(acm.import_certificate, Certificate=made.pem, PrivateKey=other.key_pem)
    assert code == "ValidationException"
    assert "is not supported" in message


def test_wildcard_covers_one_label_only(secure: Front, upload: Upload, default: Made) -> None:
    wild = make("*.example.org")
    with listed(secure, upload(wild)):
        assert offered(secure, "a.example.org") == wild.serial
        assert offered(secure, "A.EXAMPLE.ORG") == wild.serial
        for name in ("example.org", "a.b.example.org", "aexample.org"):
            assert offered(secure, name) == default.serial


def is_resumed(front: Front, name: str, **options: Any) -> bool:
    """Tell whether a client that comes again, with the session of before, resumes it."""
    context = client_context(**options)
    with TlsClient(front.real_port, name, address=front.address, context=context) as first:
        first.write(request("GET /", "Connection: close", host=name))
        assert first.read().body == b"tls"
        session = first.tls.session
    with TlsClient(
        front.real_port, name, address=front.address, context=context, session=session
    ) as second:
        return second.tls.session_reused is True


def test_tls_resumption_psk_and_session_ids_tickets(traffic: Stack, secure: Front) -> None:
    assert is_resumed(secure, "default.example.com", version=ssl.TLSVersion.TLSv1_2)
    change = {"ListenerArn": secure.listener}
    policy = "ELBSecurityPolicy-TLS13-1-3-2021-06"
    traffic.elb.modify_listener(**change, SslPolicy=policy)
    try:
        assert is_resumed(secure, "default.example.com", version=ssl.TLSVersion.TLSv1_3)
    finally:
        traffic.elb.modify_listener(**change, SslPolicy="ELBSecurityPolicy-2016-08")
