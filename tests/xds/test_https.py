"""Real handshakes with a real Envoy: names, versions, ciphers, certificates, clients'."""

import ssl
import subprocess
from collections.abc import Callable
from dataclasses import replace

import h2.connection
import h2.events
import pytest

from albatross.model.rule import FixedResponse, HostHeader
from albatross.model.ssl_policy import POLICIES
from albatross.xds.translate import Binding, translate
from tests.support.envoy import Balancer, Client, Proxy
from tests.support.tls import (
    Made,
    Secure,
    TlsClient,
    client_context,
    handshake,
    make,
    rsa_key,
    snapshot,
)
from tests.support.tools import needs

GET = "GET {} HTTP/1.1\r\nHost: {}\r\n{}\r\n"
RSA_ONLY = "ECDHE-RSA-AES128-GCM-SHA256"


@pytest.fixture(scope="module")
def proxy(make_proxy: Callable[[], tuple[Proxy, subprocess.Popen[bytes]]]) -> Proxy:
    return make_proxy()[0]


def get(client: Client, target: str = "/", host: str = "a.example.com", *lines: str) -> None:
    client.write(GET.format(target, host, "".join(f"{line}\r\n" for line in lines)))


class TestServerName:
    @pytest.fixture
    def made(self) -> dict[str, Made]:
        return {
            "default": make("default.test", key=rsa_key()),
            "wild": make("*.example.com", key=rsa_key()),
            "exact": make("www.example.com", key=rsa_key()),
            "exact-ec": make("www.example.com", "Other.Example.ORG"),
        }

    @pytest.fixture(autouse=True)
    def serve(self, proxy: Proxy, made: dict[str, Made]) -> None:
        proxy.serve_snapshot(snapshot(Secure(Balancer(port=443), list(made.values()))))

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            pytest.param(None, "default", id="no name"),
            pytest.param("elsewhere.test", "default", id="nobody's name"),
            pytest.param("default.test", "default", id="the default one's name"),
            pytest.param("www.example.com", "exact-ec", id="exact, two kinds of key"),
            pytest.param("WWW.Example.Com", "exact-ec", id="upper case"),
            pytest.param("a.example.com", "wild", id="wildcard"),
            pytest.param("A.EXAMPLE.com", "wild", id="wildcard, upper case"),
            pytest.param("a.b.example.com", "default", id="a wildcard is one label"),
            pytest.param("example.com", "default", id="a wildcard is not none"),
            pytest.param("other.example.org", "exact-ec", id="upper case in the certificate"),
        ],
    )
    def test_the_name_chooses_the_certificate(
        self, proxy: Proxy, made: dict[str, Made], name: str | None, expected: str
    ) -> None:
        assert handshake(proxy.port, name).serial == made[expected].serial

    def test_a_client_that_takes_rsa_only_gets_rsa(
        self, proxy: Proxy, made: dict[str, Made]
    ) -> None:
        context = client_context(version=ssl.TLSVersion.TLSv1_2, ciphers=RSA_ONLY)
        shown = handshake(proxy.port, "www.example.com", context=context)
        assert shown.serial == made["exact"].serial

    def test_requests_are_served_with_proto_and_port_of_the_listener(self, proxy: Proxy) -> None:
        with TlsClient(proxy.port, "a.example.com") as client:
            get(client, "/x", "a.example.com", "X-Forwarded-Proto: http")
            received = client.read().received
        assert received.header("x-forwarded-proto") == "https"
        assert received.header("x-forwarded-port") == "443"
        assert received.header("host") == "a.example.com"
        assert received.header("x-amzn-tls-version") is None

    def test_http_without_tls_is_refused_with_a_page(self, proxy: Proxy) -> None:
        answer = proxy.get("/")
        assert (answer.status, answer.reason) == (400, "Bad Request")
        assert answer.header("server") == "awselb/2.0"
        assert answer.header("content-type") == "text/html"
        assert b"The plain HTTP request was sent to HTTPS port" in answer.body
        assert answer.closed

    def test_sessions_are_resumed(self, proxy: Proxy) -> None:
        context = client_context(version=ssl.TLSVersion.TLSv1_2)
        with TlsClient(proxy.port, "a.example.com", context=context) as first:
            session = first.tls.session
        with TlsClient(proxy.port, "a.example.com", context=context, session=session) as second:
            assert second.tls.session_reused


@pytest.mark.parametrize(
    ("policy", "version", "ciphers", "expected"),
    [
        pytest.param("2016-08", "TLSv1", "ALL", "TLSv1", id="2016-08: 1.0"),
        pytest.param("2016-08", "TLSv1_1", "ALL", "TLSv1.1", id="2016-08: 1.1"),
        pytest.param("2016-08", "TLSv1_2", "ALL", "TLSv1.2", id="2016-08: 1.2"),
        pytest.param("2016-08", "TLSv1_3", "ALL", None, id="2016-08: no 1.3"),
        pytest.param("2016-08", "TLSv1_2", "AES128-SHA", "TLSv1.2", id="2016-08: RSA exchange"),
        pytest.param("TLS-1-1-2017-01", "TLSv1", "ALL", None, id="1-1: no 1.0"),
        pytest.param("TLS-1-2-2017-01", "TLSv1_2", "AES128-SHA", None, id="1-2: no SHA-1"),
        pytest.param("FS-1-2-Res-2020-10", "TLSv1_2", "AES128-GCM-SHA256", None, id="FS: no RSA"),
        pytest.param("FS-1-2-Res-2020-10", "TLSv1_2", RSA_ONLY, "TLSv1.2", id="FS: ECDHE"),
        pytest.param("TLS13-1-2-2021-06", "TLSv1_3", "ALL", "TLSv1.3", id="1.3 and 1.2: 1.3"),
        pytest.param("TLS13-1-2-2021-06", "TLSv1_1", "ALL", None, id="1.3 and 1.2: no 1.1"),
        pytest.param(
            "TLS13-1-2-Res-2021-06", "TLSv1_2", "ECDHE-RSA-AES128-SHA256", None, id="Res: no CBC"
        ),
        pytest.param(
            "TLS13-1-2-2021-06",
            "TLSv1_2",
            "ECDHE-RSA-AES128-SHA256",
            "TLSv1.2",
            id="1.3 and 1.2: CBC",
        ),
        pytest.param("TLS13-1-3-2021-06", "TLSv1_2", "ALL", None, id="1.3 only"),
        pytest.param("TLS13-1-0-PQ-2025-09", "TLSv1", "ALL", "TLSv1", id="PQ: 1.0"),
        pytest.param("TLS13-1-2-Res-FIPS-2023-04", "TLSv1_2", RSA_ONLY, "TLSv1.2", id="FIPS"),
    ],
)
def test_the_policy_says_versions_and_ciphers(
    proxy: Proxy, policy: str, version: str, ciphers: str, expected: str | None
) -> None:
    certificate = make("a.example.com", key=rsa_key())
    policy = f"ELBSecurityPolicy-{policy}"
    proxy.serve_snapshot(snapshot(Secure(Balancer(port=443), [certificate], ssl_policy=policy)))
    context = client_context(version=ssl.TLSVersion[version], ciphers=f"{ciphers}:@SECLEVEL=0")
    if expected is None:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            handshake(proxy.port, context=context)
    else:
        assert handshake(proxy.port, context=context).version == expected


def test_every_policy_is_one_that_the_proxy_can_have(proxy: Proxy) -> None:
    certificate = make("a.example.com", key=rsa_key())
    for name, policy in POLICIES.items():
        secure = Secure(Balancer(port=443), [certificate], ssl_policy=name)
        proxy.serve_snapshot(snapshot(secure))  # which asserts that nothing is refused
        version = handshake(proxy.port, context=client_context()).version
        assert version == policy.protocols[0]


@pytest.mark.parametrize(
    ("attribute", "offered", "expected"),
    [
        pytest.param("true", ("h2", "http/1.1"), "h2", id="HTTP/2"),
        pytest.param("true", ("http/1.1",), "http/1.1", id="HTTP/1.1 if the client wants it"),
        pytest.param("false", ("h2", "http/1.1"), "http/1.1", id="HTTP/2 is off"),
    ],
)
def test_the_protocol_is_agreed_upon(
    proxy: Proxy, attribute: str, offered: tuple[str, ...], expected: str
) -> None:
    balancer = Balancer(port=443, attributes={"routing.http2.enabled": attribute})
    proxy.serve_snapshot(snapshot(Secure(balancer, [make("a.example.com")])))
    shown = handshake(proxy.port, context=client_context(alpn=offered))
    assert shown.protocol == expected


@needs("openssl", "openssl")
def test_sessions_of_tls_1_3_take_no_early_data(proxy: Proxy) -> None:
    proxy.serve_snapshot(
        snapshot(
            Secure(
                Balancer(port=443),
                [make("a.example.com")],
                ssl_policy="ELBSecurityPolicy-TLS13-1-3-2021-06",
            )
        )
    )
    shown = subprocess.run(
        ["openssl", "s_client", "-tls1_3", "-ign_eof", "-connect", f"127.0.0.1:{proxy.port}"],
        input="GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    ).stdout
    assert "HTTP/1.1 200" in shown
    limits = [line.strip() for line in shown.splitlines() if "Max Early Data" in line]
    assert limits
    assert set(limits) == {"Max Early Data: 0"}


def test_client_keep_alive_ends_a_connection_of_http2_with_goaway(proxy: Proxy) -> None:
    balancer = Balancer(port=443, attributes={"client_keep_alive.seconds": "1"})
    proxy.serve_snapshot(snapshot(Secure(balancer, [make("a.example.com")])))
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    with TlsClient(proxy.port, context=client_context(alpn=("h2",))) as client:
        ended = False
        while not ended:
            client.write(connection.data_to_send())
            data = client.tls.recv(65536)
            assert data
            ended = any(
                isinstance(event, h2.events.ConnectionTerminated) and event.error_code == 0
                for event in connection.receive_data(data)
            )


def test_version_and_cipher_are_told_where_that_is_on_and_under_the_chosen_name(
    proxy: Proxy,
) -> None:
    attribute = "routing.http.x_amzn_tls_version_and_cipher_suite.enabled"
    renamed = {"routing.http.request.x_amzn_tls_version.header_name": "My-Version"}
    certificate = make("a.example.com", key=rsa_key())
    balancer = Balancer(port=443, attributes={attribute: "true"}, listener_attributes=renamed)
    proxy.serve_snapshot(snapshot(Secure(balancer, [certificate])))
    context = client_context(ciphers=f"{RSA_ONLY}:@SECLEVEL=0")
    with TlsClient(proxy.port, context=context) as client:
        get(client, "/", "a.example.com", "My-Version: mine", "X-Amzn-Tls-Cipher-Suite: mine")
        received = client.read().received
    assert received.all("my-version") == ["TLSv1.2"]
    assert received.all("x-amzn-tls-cipher-suite") == [RSA_ONLY]


class TestChange:
    @pytest.fixture
    def first(self) -> Made:
        return make("first.test")

    @pytest.fixture
    def second(self) -> Made:
        return make("second.test")

    def test_a_new_certificate_leaves_the_connections_of_others_alone(
        self, proxy: Proxy, first: Made, second: Made
    ) -> None:
        proxy.serve_snapshot(snapshot(Secure(Balancer(port=443), [first])))
        with TlsClient(proxy.port) as client:
            get(client)
            client.read()
            proxy.serve_snapshot(snapshot(Secure(Balancer(port=443), [first, second])))
            assert handshake(proxy.port, "second.test").serial == second.serial
            get(client)
            assert not client.read().closed
            proxy.serve_snapshot(snapshot(Secure(Balancer(port=443), [first])))
            assert handshake(proxy.port, "second.test").serial == first.serial
            get(client)
            assert not client.read().closed

    def test_a_certificate_in_the_place_of_another_is_for_new_handshakes(
        self, proxy: Proxy, first: Made, second: Made
    ) -> None:
        before = snapshot(Secure(Balancer(port=443), [first]))
        (old,) = before.certificates
        (new,) = snapshot(Secure(Balancer(port=443), [second])).certificates
        proxy.serve_snapshot(before)
        with TlsClient(proxy.port) as client:
            get(client)
            client.read()
            after = snapshot(Secure(Balancer(port=443), [second]))
            proxy.serve_snapshot(
                replace(before, certificates=(replace(new, arn=old.arn),), keys=after.keys)
            )
            assert handshake(proxy.port).serial == second.serial
            get(client)
            assert not client.read().closed

    def test_a_certificate_whose_key_is_lost_is_not_served_and_the_others_are(
        self, proxy: Proxy, first: Made, second: Made
    ) -> None:
        whole = snapshot(Secure(Balancer(port=443), [first, second]))
        _, kept = whole.certificates
        proxy.serve_snapshot(replace(whole, keys={kept.key_id: whole.keys[kept.key_id]}))
        assert handshake(proxy.port, "second.test").serial == second.serial
        with pytest.raises((ssl.SSLError, ConnectionError)):
            handshake(proxy.port, "first.test")


def test_nothing_of_a_key_is_in_what_the_control_plane_prints(proxy: Proxy) -> None:
    whole = snapshot(Secure(Balancer(port=443), [make("a.example.com")]))
    bindings = {one.arn: Binding("127.0.0.1", 443) for one in whole.listeners}
    resources = translate(whole, bindings, lambda_socket="s", lambda_idle_timeout=True)
    assert resources.secrets
    proxy.serve_snapshot(whole)
    for printed in (repr(resources), repr(whole), repr(proxy.server._published)):
        assert "PRIVATE" not in printed
        assert "BEGIN" not in printed.replace("BEGIN CERTIFICATE", "")


class TestSharedSocket:
    """Three load balancers with HTTPS and one with HTTP, all on one port."""

    @pytest.fixture
    def made(self) -> list[Made]:
        return [make("one.test"), make("two.test"), make("*.three.test")]

    @pytest.fixture(autouse=True)
    def serve(self, proxy: Proxy, made: list[Made]) -> None:
        def named(name: str, host: str) -> Balancer:
            rule = ((HostHeader(values=(host,)),), FixedResponse(status_code=201))
            answer = FixedResponse(status_code=200, message_body=name)
            return Balancer(name=name, port=443, rules=[rule], default=answer)

        secure = [
            Secure(named(name, f"{name}.rules.test"), [one])
            for name, one in zip(("one", "two", "three"), made, strict=True)
        ]
        plain = Balancer(name="plain", port=443, default=FixedResponse(status_code=299))
        proxy.serve_snapshot(snapshot(*secure, plain=(plain,)))

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            pytest.param(None, 0, id="no name: the oldest"),
            pytest.param("nobody.test", 0, id="nobody's name: the oldest"),
            pytest.param("two.test", 1, id="a certificate's name"),
            pytest.param("x.three.test", 2, id="a certificate's wildcard"),
            pytest.param("two-1.us-east-1.elb.localhost", 1, id="a DNS name"),
            pytest.param("three.rules.test", 2, id="a rule's host"),
        ],
    )
    def test_the_name_chooses_the_load_balancer(
        self, proxy: Proxy, made: list[Made], name: str | None, expected: int
    ) -> None:
        assert handshake(proxy.port, name).serial == made[expected].serial

    def test_host_chooses_whose_rules_apply(self, proxy: Proxy) -> None:
        with TlsClient(proxy.port) as client:
            get(client, "/", "two-1.us-east-1.elb.localhost")
            assert client.read().body == b"two"
            get(client, "/", "three.rules.test")
            assert client.read().status == 201
            get(client, "/", "elsewhere.test")
            assert client.read().body == b"one"

    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            pytest.param("one.test", b"one", id="the oldest's own"),
            pytest.param("two.test", b"two", id="another's"),
            pytest.param("TWO.test:443", b"two", id="any case, any port"),
            pytest.param("x.three.test", b"three", id="a wildcard"),
            pytest.param("three.test", b"one", id="not without the wildcard's label"),
        ],
    )
    def test_a_certificate_s_name_chooses_whose_rules_apply(
        self, proxy: Proxy, host: str, expected: bytes
    ) -> None:
        for name in (host.split(":")[0], None):  # asked for in the handshake or not
            with TlsClient(proxy.port, name) as client:
                get(client, "/", host)
                assert client.read().body == expected

    def test_a_rule_s_host_counts_before_a_certificate_s_name(self, proxy: Proxy) -> None:
        answer = FixedResponse(status_code=200, message_body="two")
        rule = (HostHeader(values=("two.test",)),), FixedResponse(status_code=201)
        oldest = Secure(Balancer("one", port=443, rules=[rule]), [make("one.test")])
        other = Secure(
            Balancer("two", port=443, default=answer), [make("two.test", "b.test", "*", "c *")]
        )
        proxy.serve_snapshot(snapshot(oldest, other))
        with TlsClient(proxy.port, "two.test") as client:
            get(client, "/", "two.test")
            assert client.read().status == 201
            get(client, "/", "b.test")
            assert client.read().body == b"two"

    def test_http_goes_to_the_one_with_an_http_listener(self, proxy: Proxy) -> None:
        assert proxy.get("/").status == 299
