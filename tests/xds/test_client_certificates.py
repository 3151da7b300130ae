"""Certificates of clients, in real handshakes with a real Envoy: verify and passthrough."""

import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from albatross.model.listener import MutualAuthentication
from albatross.model.rule import FixedResponse
from albatross.model.trust_store import RevocationList, TrustStore
from albatross.xds.tls import TrustFiles
from tests.support.envoy import Balancer, Proxy, Received
from tests.support.tls import (
    Made,
    Secure,
    TlsClient,
    authority,
    client_context,
    is_refused,
    make,
    rsa_key,
    snapshot,
)
from tests.xds.test_https import get


@pytest.fixture(scope="module")
def proxy(make_proxy: Callable[[], tuple[Proxy, subprocess.Popen[bytes]]]) -> Proxy:
    return make_proxy()[0]


@pytest.fixture(scope="module")
def root() -> Made:
    return authority()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    shutil.rmtree(tmp_path)


ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:truststore/clients/0000000000000001"
SUBJECT = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
        x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "Washington"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "mTLS, Inc."),
        x509.NameAttribute(NameOID.COMMON_NAME, "client_.com"),
    ]
)


def serve_mutual(
    proxy: Proxy,
    folder: Path,
    *authorities: Made,
    mode: str = "verify",
    revoked: tuple[bytes, ...] = (),
    covers_all: bool = True,
    others: tuple[Secure, ...] = (),
    listener_attributes: dict[str, str] | None = None,
    **settings: bool,
) -> None:
    """Serve one listener that asks for certificates, and `others`."""
    bundle, lists = folder / "bundle.pem", folder / "lists.pem"
    bundle.write_bytes(b"".join(one.pem for one in authorities))
    lists.write_bytes(b"".join(revoked))
    store = TrustStore(
        arn=ARN,
        name="clients",
        bundle="b",
        subjects=("s",),
        revocations=(
            (RevocationList(id=1, content="c", entries=1, issuers=("s",) if covers_all else ()),)
            if revoked
            else ()
        ),
    )
    secure = Secure(
        Balancer(name="mutual", port=443, listener_attributes=listener_attributes or {}),
        [make("a.example.com")],
        mutual_authentication=MutualAuthentication(
            mode=mode, trust_store_arn=ARN if mode == "verify" else None, **settings
        ),
    )
    proxy.serve_snapshot(
        snapshot(secure, *others, trust_stores=(store,)),
        trust_files={ARN: TrustFiles(str(bundle), str(lists) if revoked else None)},
    )


def received_with(proxy: Proxy, certificate: Made | None, *lines: str) -> Received:
    with TlsClient(proxy.port, context=client_context(certificate=certificate)) as client:
        get(client, "/", "a.example.com", *lines)
        return client.read().received


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class TestVerify:
    def test_targets_learn_of_the_certificate(self, proxy: Proxy, folder: Path, root: Made) -> None:
        client = make(signer=root, subject=SUBJECT, key=rsa_key())
        serve_mutual(proxy, folder, root)
        received = received_with(
            proxy,
            client,
            "X-Amzn-Mtls-Clientcert-Subject: CN=admin",
            "x-amzn-mtls-clientcert: mine",
            "X-Amzn-Mtls-Clientcert-Leaf: mine",
        )
        prefix = "x-amzn-mtls-clientcert"
        certificate = client.certificate
        assert received.all(f"{prefix}-serial-number") == [f"{client.serial:04X}"]
        assert received.all(f"{prefix}-issuer") == ["CN=Test root"]
        assert received.all(f"{prefix}-subject") == [
            r"CN=client_.com,O=mTLS\, Inc.,ST=Washington,C=US"
        ]
        assert received.all(f"{prefix}-validity") == [
            f"NotBefore={stamp(certificate.not_valid_before_utc)};"
            f"NotAfter={stamp(certificate.not_valid_after_utc)}"
        ]
        (leaf,) = received.all(f"{prefix}-leaf")
        assert unquote(leaf).encode() == client.pem
        assert leaf.startswith("-----BEGIN%20CERTIFICATE-----%0A")
        assert "+" in leaf or "/" in leaf or "=" in leaf
        assert received.all(prefix) == []

    def test_headers_have_the_names_that_the_listener_gives_them(
        self, proxy: Proxy, folder: Path, root: Made
    ) -> None:
        key = "routing.http.request.x_amzn_mtls_clientcert_subject.header_name"
        serve_mutual(proxy, folder, root, listener_attributes={key: "My-Subject"})
        received = received_with(proxy, make("me", signer=root), "My-Subject: CN=admin")
        assert received.all("my-subject") == ["CN=me"]
        assert received.all("x-amzn-mtls-clientcert-subject") == []
        assert received.header("x-amzn-mtls-clientcert-issuer") == "CN=Test root"

    @pytest.mark.parametrize(
        "client",
        [
            pytest.param(lambda root: None, id="no certificate"),
            pytest.param(lambda root: make("me"), id="signed by itself"),
            pytest.param(lambda root: make("me", signer=authority()), id="of another authority"),
            pytest.param(lambda root: make("me", signer=root, age_days=9, days=5), id="expired"),
            pytest.param(lambda root: make("me", signer=root, age_days=-5), id="not yet valid"),
        ],
    )
    def test_others_are_refused_in_the_handshake(
        self, proxy: Proxy, folder: Path, root: Made, client: Callable[[Made], Made | None]
    ) -> None:
        serve_mutual(proxy, folder, root)
        assert is_refused(proxy.port, client_context(certificate=client(root)))
        assert not is_refused(proxy.port, client_context(certificate=make("me", signer=root)))

    def test_expiry_may_be_ignored_and_nothing_else(
        self, proxy: Proxy, folder: Path, root: Made
    ) -> None:
        serve_mutual(proxy, folder, root, ignore_expiry=True)
        expired = make("me", signer=root, age_days=9, days=5)
        assert received_with(proxy, expired)
        assert is_refused(proxy.port, client_context(certificate=make("me")))
        stranger = make("me", signer=authority(), age_days=9, days=5)
        assert is_refused(proxy.port, client_context(certificate=stranger))

    @pytest.mark.parametrize(
        ("intermediates", "refused"),
        [
            pytest.param(0, False, id="2 certificates"),
            pytest.param(2, False, id="4 certificates"),
            pytest.param(3, True, id="5 certificates"),
        ],
    )
    def test_a_chain_has_up_to_four_certificates(
        self, proxy: Proxy, folder: Path, root: Made, intermediates: int, refused: bool
    ) -> None:
        signer = root
        for number in range(intermediates):
            signer = authority(f"Intermediate {number}", signer)
        serve_mutual(proxy, folder, root)
        context = client_context(certificate=make("me", signer=signer))
        assert is_refused(proxy.port, context) == refused

    def test_what_was_revoked_is_refused(self, proxy: Proxy, folder: Path, root: Made) -> None:
        good, bad = make("good", signer=root), make("bad", signer=root)
        serve_mutual(proxy, folder, root, revoked=(root.revoking(bad),))
        assert is_refused(proxy.port, client_context(certificate=bad))
        assert received_with(proxy, good)

    def test_a_list_of_the_issuer_alone_is_enough(
        self, proxy: Proxy, folder: Path, root: Made
    ) -> None:
        issuer = authority("Issuer", root)
        good, bad = make("good", signer=issuer), make("bad", signer=issuer)
        lists = (issuer.revoking(bad),)
        serve_mutual(proxy, folder, root, issuer, revoked=lists, covers_all=False)
        assert is_refused(proxy.port, client_context(certificate=bad))
        assert received_with(proxy, good)

    def test_sessions_are_not_resumed(self, proxy: Proxy, folder: Path, root: Made) -> None:
        serve_mutual(proxy, folder, root)
        context = client_context(
            version=ssl.TLSVersion.TLSv1_2, certificate=make("me", signer=root)
        )
        with TlsClient(proxy.port, context=context) as first:
            get(first)
            first.read()
            session = first.tls.session
        with TlsClient(proxy.port, context=context, session=session) as second:
            assert not second.tls.session_reused

    def test_a_trust_store_that_cannot_be_read_lets_nobody_in(
        self, proxy: Proxy, root: Made
    ) -> None:
        settings = MutualAuthentication(mode="verify", trust_store_arn=ARN)
        secure = Secure(Balancer(port=443), [make("a.example.com")], mutual_authentication=settings)
        proxy.serve_snapshot(snapshot(secure))
        assert is_refused(proxy.port, client_context(certificate=make("me", signer=root)))
        assert is_refused(proxy.port, client_context())

    def test_its_rules_are_out_of_reach_for_connections_without_a_certificate(
        self, proxy: Proxy, folder: Path, root: Made
    ) -> None:
        other = Secure(
            Balancer(name="open", port=443, default=FixedResponse(status_code=299)),
            [make("open.test")],
        )
        serve_mutual(proxy, folder, root, others=(other,))
        with TlsClient(proxy.port, "open.test") as client:
            for host in ("mutual-1.us-east-1.elb.localhost", "a.example.com", "open.test"):
                get(client, "/", host)
                assert client.read().status == 299


class TestPassthrough:
    def test_the_whole_chain_is_told_leaf_first(
        self, proxy: Proxy, folder: Path, root: Made
    ) -> None:
        client = make("me", signer=authority("Issuer", root))
        serve_mutual(proxy, folder, mode="passthrough")
        received = received_with(proxy, client, "X-Amzn-Mtls-Clientcert: mine")
        (chain,) = received.all("x-amzn-mtls-clientcert")
        assert unquote(chain).encode() == client.pem + client.chain
        assert received.all("x-amzn-mtls-clientcert-leaf") == []

    def test_any_certificate_is_accepted_and_none(self, proxy: Proxy, folder: Path) -> None:
        serve_mutual(proxy, folder, mode="passthrough")
        assert received_with(proxy, make("stranger", age_days=9, days=5))
        received = received_with(proxy, None, "X-Amzn-Mtls-Clientcert: mine")
        assert received.all("x-amzn-mtls-clientcert") == []


def test_headers_of_client_certificates_are_dropped_where_nobody_asked_for_one(
    proxy: Proxy,
) -> None:
    proxy.serve(Balancer())
    received = proxy.get("/", "X-Amzn-Mtls-Clientcert-Subject: CN=admin").received
    assert received.all("x-amzn-mtls-clientcert-subject") == []
