"""HTTPS as a user sets it up: certificates of ACM, listeners, trust stores, and real clients."""

import ssl
import subprocess
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest

from tests.support.command import Server
from tests.support.objects import Objects
from tests.support.stack import Front, Stack, event, fixed, forward, sha256
from tests.support.tls import (
    Made,
    TlsClient,
    authority,
    client_context,
    handshake,
    is_refused,
    make,
)

HTTP2 = client_context(alpn=("h2",))
KEY_ALGORITHM = "EC_prime256v1"


class Secure:
    """A load balancer with one HTTPS listener on port 443, which forwards to the function."""

    def __init__(self, stack: Stack, *names: str, **params: Any) -> None:
        self.stack = stack
        self.acm = stack.server.client("acm")
        self.front: Front = stack.front()
        self.certificate = self.issue(*names)
        listener = stack.elb.create_listener(
            **{
                "LoadBalancerArn": self.front.balancer,
                "Protocol": "HTTPS",
                "Port": 443,
                "Certificates": [{"CertificateArn": self.certificate}],
                "DefaultActions": [forward(stack.group())],
                **params,
            }
        )
        self.listener = listener["Listeners"][0]["ListenerArn"]
        self.port = self.place(443)["real_port"]
        self.address = self.front.address

    def place(self, port: int) -> dict[str, Any]:
        return self.front.place(port)

    def issue(self, *names: str) -> str:
        others = {"SubjectAlternativeNames": list(names[1:])} if names[1:] else {}
        made = self.acm.request_certificate(
            DomainName=names[0], KeyAlgorithm=KEY_ALGORITHM, **others
        )
        arn: str = made["CertificateArn"]
        return arn

    def serial(self, arn: str) -> int:
        shown = self.acm.describe_certificate(CertificateArn=arn)["Certificate"]
        return int(shown["Serial"].replace(":", ""), 16)

    def connect(self, name: str | None = None, **options: Any) -> TlsClient:
        return TlsClient(self.port, name, address=self.address, **options)

    def get(self, *lines: str, **options: Any) -> Any:
        with self.connect(**options) as client:
            head = "\r\n".join(["GET / HTTP/1.1", "Host: a.example.com", *lines, "", ""])
            client.write(head)
            return event(client.read())


@pytest.fixture(scope="module")
def secure(traffic: Stack) -> Secure:
    return Secure(traffic, "www.example.com", "*.example.org")


def ca_file(server: Server, folder: Path) -> str:
    path = folder / "ca.pem"
    exported = server.place.ask("ca", "--endpoint", server.url, "--export", str(path))
    assert exported.returncode == 0, exported
    return str(path)


def curl(secure: Secure, ca: str, *options: str, name: str = "www.example.com") -> str:
    answered = subprocess.run(
        [
            *("curl", "--silent", "--show-error", "--max-time", "10", "--cacert", ca),
            *("--resolve", f"{name}:{secure.port}:{secure.address}"),
            *options,
            f"https://{name}:{secure.port}/path",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return answered.stdout or answered.stderr


def test_curl_trusts_a_certificate_of_the_local_authority_and_speaks_http2(
    secure: Secure, tmp_path: Path
) -> None:
    ca = ca_file(secure.stack.server, tmp_path)
    code = ("--write-out", "%{http_version} %{http_code}", "--output", "/dev/null")
    assert curl(secure, ca, *code) == "2 200"
    assert curl(secure, ca, "--http1.1", *code) == "1.1 200"
    assert curl(secure, ca, *code, name="a.example.org") == "2 200"
    assert "SSL" in curl(secure, ca, name="a.b.example.org")


def test_events_say_that_the_client_came_by_https(secure: Secure) -> None:
    headers = secure.get("X-Forwarded-Proto: http")["headers"]
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-forwarded-port"] == "443"


class Http2:
    """One HTTP/2 connection, one request after the other."""

    def __init__(self, client: TlsClient) -> None:
        self._client = client
        self._http2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self._http2.initiate_connection()
        self._flush()
        self.settings: dict[int, int] = {}

    def request(
        self, method: str, path: str, body: bytes | None = None, *headers: tuple[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        stream = self._http2.get_next_available_stream_id()
        head = [
            (":method", method),
            (":path", path),
            (":scheme", "https"),
            (":authority", "www.example.com"),
            *headers,
        ]
        self._http2.send_headers(stream, head, end_stream=body is None)
        sent = 0
        self._flush()
        status, answered, content = 0, {}, b""
        while True:
            while body is not None and sent < len(body) + 1:
                window = self._http2.local_flow_control_window(stream)
                size = min(window, self._http2.max_outbound_frame_size, len(body) - sent)
                if size == 0 and sent < len(body):
                    break
                is_last = sent + size == len(body)
                self._http2.send_data(stream, body[sent : sent + size], end_stream=is_last)
                sent += size + is_last
                self._flush()
            for happened in self._http2.receive_data(self._client.tls.recv(65536)):
                match happened:
                    case h2.events.ResponseReceived(headers=found):
                        answered = dict(found)
                        status = int(answered[":status"])
                    case h2.events.DataReceived(data=data):
                        content += data
                        self._http2.acknowledge_received_data(
                            happened.flow_controlled_length, stream
                        )
                    case h2.events.RemoteSettingsChanged():
                        changed = happened.changed_settings
                        self.settings |= {int(key): each.new_value for key, each in changed.items()}
                    case h2.events.StreamEnded():
                        self._flush()
                        return status, answered, content
                    case h2.events.StreamReset() | h2.events.ConnectionTerminated():
                        raise EOFError(happened)
            self._flush()

    def _flush(self) -> None:
        self._client.write(self._http2.data_to_send())


def test_posts_over_http2_reach_the_function_at_once(secure: Secure) -> None:
    with secure.connect(context=HTTP2) as client:
        http2 = Http2(client)
        for size in (0, 1, 5, 65_536, 1_000_000):
            body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
            length = ("content-length", str(size))
            for headers in ((length,), ()):
                status, _, content = http2.request("POST", "/-/digest", body, *headers)
                assert status == 200
                assert content.decode() == f'{{"bytes": {size}, "sha256": "{sha256(body)}"}}'


def test_http2_has_128_streams_and_the_load_balancers_own_answers(secure: Secure) -> None:
    with secure.connect(context=HTTP2) as client:
        http2 = Http2(client)
        status, headers, content = http2.request("POST", "/-/raise", b"{}")
        assert (status, headers["server"]) == (502, "awselb/2.0")
        assert b"502 Bad Gateway" in content
        status, _, _ = http2.request("POST", "/", b"x" * (1024 * 1024 + 1))
        assert status == 413
        assert http2.settings[3] == 128


def test_a_renewed_certificate_is_shown_to_new_clients_and_old_connections_live_on(
    secure: Secure,
) -> None:
    arn = secure.issue("renewed.example.net")
    secure.stack.elb.add_listener_certificates(
        ListenerArn=secure.listener, Certificates=[{"CertificateArn": arn}]
    )
    before = secure.serial(arn)
    with secure.connect("renewed.example.net") as client:
        assert client.handshake.serial == before
        for _ in range(2):
            client.write("GET / HTTP/1.1\r\nHost: renewed.example.net\r\n\r\n")
            assert not client.read().closed
            secure.acm.renew_certificate(CertificateArn=arn)
        client.write("GET / HTTP/1.1\r\nHost: renewed.example.net\r\n\r\n")
        assert not client.read().closed
    after = secure.serial(arn)
    assert after != before
    shown = handshake(secure.port, "renewed.example.net", address=secure.address)
    assert shown.serial == after


def test_an_http_listener_becomes_https_and_http_again(traffic: Stack, secure: Secure) -> None:
    front = traffic.front(fixed(201), port=8443)
    assert front.get().status == 201
    traffic.elb.modify_listener(
        ListenerArn=front.listener,
        Protocol="HTTPS",
        SslPolicy="ELBSecurityPolicy-TLS13-1-3-2021-06",
        Certificates=[{"CertificateArn": secure.certificate}],
    )
    assert front.get().status == 400
    with TlsClient(front.real_port, address=front.address) as client:
        assert client.handshake.version == "TLSv1.3"
        client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.read().status == 201
    traffic.elb.modify_listener(ListenerArn=front.listener, Protocol="HTTP")
    assert front.get().status == 201


def test_the_version_of_tls_is_told_under_a_chosen_name(secure: Secure) -> None:
    secure.front.set(routing__http__x_amzn_tls_version_and_cipher_suite__enabled="true")
    key = "routing.http.request.x_amzn_tls_version.header_name"
    secure.stack.elb.modify_listener_attributes(
        ListenerArn=secure.listener, Attributes=[{"Key": key, "Value": "My-Version"}]
    )
    context = client_context(version=ssl.TLSVersion.TLSv1_2)
    headers = secure.get(context=context)["headers"]
    assert headers["my-version"] == "TLSv1.2"
    assert headers["x-amzn-tls-cipher-suite"].startswith("ECDHE-ECDSA-AES")


@pytest.fixture(scope="module")
def root() -> Made:
    return authority()


@pytest.fixture(scope="module")
def verifying(traffic: Stack, objects: Objects, root: Made) -> Secure:
    objects.put("trust", "ca.pem", root.pem)
    (store,) = traffic.elb.create_trust_store(
        Name="clients", CaCertificatesBundleS3Bucket="trust", CaCertificatesBundleS3Key="ca.pem"
    )["TrustStores"]
    settings = {"Mode": "verify", "TrustStoreArn": store["TrustStoreArn"]}
    secure = Secure(traffic, "mutual.example.com", MutualAuthentication=settings)
    secure.store = store["TrustStoreArn"]  # type: ignore[attr-defined]
    return secure


def is_let_in(secure: Secure, certificate: Made | None) -> bool:
    context = client_context(certificate=certificate)
    return not is_refused(secure.port, context, address=secure.address)


def test_clients_are_verified_and_functions_learn_who_they_are(
    verifying: Secure, root: Made
) -> None:
    known = make("known", signer=root)
    context = client_context(certificate=known)
    headers = verifying.get("X-Amzn-Mtls-Clientcert-Subject: CN=admin", context=context)["headers"]
    assert headers["x-amzn-mtls-clientcert-subject"] == "CN=known"
    assert headers["x-amzn-mtls-clientcert-serial-number"] == f"{known.serial:04X}"
    assert not is_let_in(verifying, None)
    assert not is_let_in(verifying, make("known"))


def test_revocations_and_new_bundles_count_for_new_connections(
    verifying: Secure, objects: Objects, root: Made
) -> None:
    elb, store = verifying.stack.elb, verifying.store  # type: ignore[attr-defined]
    good, bad = make("good", signer=root), make("bad", signer=root)
    objects.put("trust", "crl.pem", root.revoking(bad))
    assert is_let_in(verifying, bad)
    elb.add_trust_store_revocations(
        TrustStoreArn=store,
        RevocationContents=[{"S3Bucket": "trust", "S3Key": "crl.pem"}],
    )
    assert not is_let_in(verifying, bad)
    assert is_let_in(verifying, good)
    elb.remove_trust_store_revocations(TrustStoreArn=store, RevocationIds=[1])
    assert is_let_in(verifying, bad)
    new = authority("New root")
    objects.put("trust", "new.pem", new.pem)
    elb.modify_trust_store(
        TrustStoreArn=store,
        CaCertificatesBundleS3Bucket="trust",
        CaCertificatesBundleS3Key="new.pem",
    )
    assert not is_let_in(verifying, good)
    assert is_let_in(verifying, make("me", signer=new))
    elb.modify_trust_store(
        TrustStoreArn=store,
        CaCertificatesBundleS3Bucket="trust",
        CaCertificatesBundleS3Key="ca.pem",
    )
    assert is_let_in(verifying, good)


def test_the_content_of_a_trust_store_can_be_fetched(verifying: Secure, root: Made) -> None:
    store = verifying.store  # type: ignore[attr-defined]
    shown = verifying.stack.elb.get_trust_store_ca_certificates_bundle(TrustStoreArn=store)
    fetched = subprocess.run(
        ["curl", "--silent", "--fail", shown["Location"]], capture_output=True, check=True
    )
    assert fetched.stdout == root.pem


def test_keys_are_in_no_file_that_others_read_and_not_in_what_the_server_tells(
    secure: Secure,
) -> None:
    server = secure.stack.server
    assert "PRIVATE" not in str(server.status())
    for path in server.place.folder.rglob("*"):
        if path.is_file() and path.suffix != ".key" and "PRIVATE KEY" in path.read_text("latin-1"):
            pytest.fail(f"{path} holds a private key")
