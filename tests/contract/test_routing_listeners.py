"""Listeners, row by row. Sources: ALB user guide, "Listeners for your Application Load Balancers";
elbv2 API, `CreateListener`, `ModifyListener`.
"""

from typing import Any

import h2.connection
import pytest

from albatross.model import pages
from tests.support.rules import ANY, refused, url_rewrite
from tests.support.stack import Front, Stack, event, fixed, forward, request
from tests.support.tls import TlsClient, client_context, handshake

POLICY_2016 = "ELBSecurityPolicy-2016-08"
POLICY_TLS13 = "ELBSecurityPolicy-TLS13-1-3-2021-06"


@pytest.fixture(scope="module")
def certificates(traffic: Stack) -> list[dict[str, str]]:
    """Two certificates, as listeners take them."""
    acm = traffic.server.client("acm")
    return [
        {
            "CertificateArn": acm.request_certificate(
                DomainName=name, KeyAlgorithm="EC_prime256v1"
            )["CertificateArn"]
        }
        for name in ("one.example.com", "two.example.com")
    ]


@pytest.fixture(scope="module")
def secure(traffic: Stack, certificates: list[dict[str, str]]) -> Front:
    """An HTTPS listener in front of the function."""
    return traffic.front(
        forward(traffic.group()), port=443, certificate=certificates[0]["CertificateArn"]
    )


def create(elb: Any, front: Front, **params: Any) -> dict[str, Any]:
    """Make a further listener of the load balancer."""
    made: dict[str, Any] = elb.create_listener(
        **{
            "LoadBalancerArn": front.balancer,
            "Protocol": "HTTP",
            "DefaultActions": [fixed(200, "more")],
            **params,
        }
    )["Listeners"][0]
    return made


def shown(elb: Any, arn: str) -> dict[str, Any]:
    found: dict[str, Any] = elb.describe_listeners(ListenerArns=[arn])["Listeners"][0]
    return found


class TestProtocolsHttpHttpsPorts1To65535:
    @pytest.mark.parametrize("port", [1, 65_535])
    def test_lowest_and_highest_port_are_served(self, elb: Any, front: Front, port: int) -> None:
        assert create(elb, front, Port=port)["Port"] == port
        with Front.connect(at(front, port)) as client:
            client.write(request("GET /"))
            assert client.read().body == b"more"

    @pytest.mark.parametrize(
        ("port", "constraint"),
        [
            (0, "Member must have value greater than or equal to 1"),
            (-1, "Member must have value greater than or equal to 1"),
            (65_536, "Member must have value less than or equal to 65535"),
        ],
    )
    def test_other_ports_are_refused(
        self, elb: Any, front: Front, port: int, constraint: str
    ) -> None:
        assert refused(lambda: create(elb, front, Port=port)) == (
            "ValidationError",
            f"1 validation error detected: Value '{port}' at 'port' failed to satisfy constraint: "
            f"{constraint}",
        )

    @pytest.mark.parametrize("protocol", ["TCP", "TLS", "UDP", "TCP_UDP", "GENEVE"])
    def test_protocols_of_other_load_balancers_are_refused(
        self, elb: Any, front: Front, protocol: str
    ) -> None:
        assert refused(lambda: create(elb, front, Port=81, Protocol=protocol)) == (
            "ValidationError",
            f"Listener protocol '{protocol}' must be one of 'HTTPS, HTTP'",
        )

    @pytest.mark.parametrize("protocol", ["http", "HTTP2", "Https", " HTTP"])
    def test_what_is_no_protocol_is_refused(self, elb: Any, front: Front, protocol: str) -> None:
        code, message = refused(lambda: create(elb, front, Port=81, Protocol=protocol))
        assert code == "ValidationError"
        assert message.startswith(f"1 validation error detected: Value '{protocol}' at 'protocol'")

    def test_both_must_be_specified(self, elb: Any, front: Front) -> None:
        assert refused(lambda: create(elb, front)) == (
            "ValidationError",
            "A listener port must be specified",
        )
        params = {"LoadBalancerArn": front.balancer, "Port": 81, "DefaultActions": [fixed()]}
        assert refused(elb.create_listener, **params) == (
            "ValidationError",
            "A listener protocol must be specified",
        )


def at(front: Front, port: int) -> Front:
    """Return the load balancer with its listener on `port`."""
    place = front.place(port)
    return Front(
        front.stack,
        front.balancer,
        front.listener,
        front.dns_name,
        front.address,
        port,
        place["real_port"],
    )


class TestUniqueness:
    def test_one_listener_per_port_of_an_lb_else_duplicatelistener(
        self, elb: Any, front: Front, certificates: list[dict[str, str]]
    ) -> None:
        create(elb, front, Port=18_080)
        for other in (
            {"DefaultActions": [fixed(201, "more")]},
            {"Protocol": "HTTPS", "Certificates": certificates[:1]},
            {"Tags": [{"Key": "a", "Value": "b"}]},
        ):
            code, message = refused(lambda other=other: create(elb, front, Port=18_080, **other))
            assert code == "DuplicateListener"
            assert "A listener already exists on this port" in message
        assert [
            one["Port"]
            for one in elb.describe_listeners(LoadBalancerArn=front.balancer)["Listeners"]
        ].count(18_080) == 1

    def test_modify_listener_to_a_taken_port_is_duplicatelistener_too(
        self, elb: Any, front: Front
    ) -> None:
        made = create(elb, front, Port=18_081)
        code, _ = refused(elb.modify_listener, ListenerArn=made["ListenerArn"], Port=80)
        assert code == "DuplicateListener"
        elb.modify_listener(ListenerArn=made["ListenerArn"], Port=18_081)

    def test_the_same_port_of_another_lb_is_free(self, elb: Any, traffic: Stack) -> None:
        assert traffic.front(fixed(200, "other"), port=18_080).get().body == b"other"

    def test_identical_repeat_of_createlistener_succeeds_idempotent(
        self, elb: Any, front: Front, certificates: list[dict[str, str]]
    ) -> None:
        for params in (
            {"Port": 18_082},
            {"Port": 18_443, "Protocol": "HTTPS", "Certificates": certificates[:1]},
        ):
            made = create(elb, front, **params)
            again = create(elb, front, **params)
            assert again == made
            rules = elb.describe_rules(ListenerArn=made["ListenerArn"])["Rules"]
            assert len(rules) == 1


class TestDefaultAction:
    def test_required(self, elb: Any, front: Front) -> None:
        params = {"LoadBalancerArn": front.balancer, "Protocol": "HTTP", "Port": 82}
        code, message = refused(elb.create_listener, **params)
        assert code == "ValidationError"
        assert "'defaultActions' failed to satisfy constraint: Member must not be null" in message
        assert refused(elb.create_listener, **params, DefaultActions=[]) == (
            "ValidationError",
            "An action must be specified",
        )

    def test_default_rule_priority_default_cannot_be_deleted(self, elb: Any, front: Front) -> None:
        (rule,) = elb.describe_rules(ListenerArn=front.listener)["Rules"]
        assert (rule["Priority"], rule["IsDefault"]) == ("default", True)
        assert refused(elb.delete_rule, RuleArn=rule["RuleArn"]) == (
            "OperationNotPermitted",
            f"Default rule '{rule['RuleArn']}' cannot be deleted",
        )

    def test_no_conditions_transforms(self, elb: Any, front: Front) -> None:
        (rule,) = elb.describe_rules(ListenerArn=front.listener)["Rules"]
        assert (rule["Conditions"], rule["Transforms"]) == ([], [])
        for change in (
            {"Conditions": [ANY]},
            {"Transforms": [url_rewrite("a", "b")]},
            {"Actions": [fixed(200)]},
        ):
            assert refused(elb.modify_rule, RuleArn=rule["RuleArn"], **change) == (
                "OperationNotPermitted",
                f"Default rule '{rule['RuleArn']}' cannot be modified",
            )

    def test_evaluated_last(self, front: Front) -> None:
        with front.rule(fixed(200, "rule"), 50_000, path_pattern=["/last"]):
            assert front.get("/last").body == b"rule"
            assert front.get("/").body == b"default"


class TestHttps:
    def test_exactly_one_default_certificate_certificates_list_of_1(
        self, elb: Any, front: Front, certificates: list[dict[str, str]]
    ) -> None:
        for given in ([], certificates):
            assert refused(
                lambda given=given: create(
                    elb, front, Port=444, Protocol="HTTPS", Certificates=given
                )
            ) == (
                "ValidationError",
                "You must provide a list containing exactly one certificate if the listener "
                "protocol is HTTPS.",
            )

    @pytest.mark.parametrize("is_default", [True, False])
    def test_isdefault_not_set(
        self, elb: Any, front: Front, certificates: list[dict[str, str]], is_default: bool
    ) -> None:
        given = [{**certificates[0], "IsDefault": is_default}]
        code, message = refused(
            lambda: create(elb, front, Port=444, Protocol="HTTPS", Certificates=given)
        )
        assert code == "ValidationError"
        assert "IsDefault" in message

    def test_sslpolicy(self, elb: Any, front: Front, certificates: list[dict[str, str]]) -> None:
        params = {"Port": 444, "Protocol": "HTTPS", "Certificates": certificates[:1]}
        made = create(elb, front, **params, SslPolicy=POLICY_TLS13)
        assert made["SslPolicy"] == POLICY_TLS13
        elb.delete_listener(ListenerArn=made["ListenerArn"])
        code, _ = refused(lambda: create(elb, front, **params, SslPolicy="ELBSecurityPolicy-no"))
        assert code == "SSLPolicyNotFound"

    def test_a_certificate_that_is_not_there_is_certificatenotfound(
        self, elb: Any, front: Front
    ) -> None:
        arn = f"arn:aws:acm:us-east-1:123456789012:certificate/{'0' * 8}-0000-0000-0000-{'0' * 12}"
        given = [{"CertificateArn": arn}]
        code, message = refused(
            lambda: create(elb, front, Port=444, Protocol="HTTPS", Certificates=given)
        )
        assert (code, message) == ("CertificateNotFound", f"Certificate '{arn}' not found")


class TestAlpnPolicy:
    @pytest.mark.parametrize(
        "policy", ["HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None"]
    )
    def test_only_tls_listeners_nlb(
        self, elb: Any, front: Front, certificates: list[dict[str, str]], policy: str
    ) -> None:
        for params in ({}, {"Protocol": "HTTPS", "Certificates": certificates[:1]}):
            code, message = refused(
                lambda params=params: create(elb, front, Port=445, AlpnPolicy=[policy], **params)
            )
            assert code == "ValidationError"
            assert message.startswith("An ALPN policy cannot be specified for HTTP")

    def test_on_alb_https_alpn_offers_h2_http_1_1_when_http2_enabled_true_else_http_1_1_only(
        self, secure: Front
    ) -> None:
        def agreed(*offered: str) -> str | None:
            context = client_context(alpn=offered)
            shown = handshake(secure.real_port, address=secure.address, context=context)
            return shown.protocol

        assert agreed("http/1.1", "h2") == "h2"
        assert agreed("http/1.1") == "http/1.1"
        assert agreed() is None
        secure.set(routing__http2__enabled="false")
        assert agreed("h2", "http/1.1") == "http/1.1"
        assert agreed("h2") is None
        secure.set(routing__http2__enabled="true")
        assert agreed("h2", "http/1.1") == "h2"


class TestH2cHttp2WithoutTls:
    def test_not_supported_on_http_listeners(self, single: Front) -> None:
        http2 = h2.connection.H2Connection()
        http2.initiate_connection()
        answer = single.send(http2.data_to_send())
        assert answer.status == 400
        assert answer.closed

    def test_nor_by_upgrade(self, single: Front) -> None:
        lines = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
        assert event(single.get("/h2c", *lines))["path"] == "/h2c"


class TestModifyListener:
    def test_https_to_http_drops_sslpolicy_and_certs(
        self, elb: Any, front: Front, certificates: list[dict[str, str]]
    ) -> None:
        params = {"Port": 446, "Protocol": "HTTPS", "Certificates": certificates[:1]}
        arn = create(elb, front, **params, SslPolicy=POLICY_TLS13)["ListenerArn"]
        elb.add_listener_certificates(ListenerArn=arn, Certificates=certificates[1:])
        elb.modify_listener(ListenerArn=arn, Protocol="HTTP")
        assert not {"SslPolicy", "Certificates", "MutualAuthentication"} & set(shown(elb, arn))
        with at(front, 446).connect() as client:
            client.write(request("GET /"))
            assert client.read().body == b"more"
        elb.modify_listener(
            ListenerArn=arn,
            Protocol="HTTPS",
            SslPolicy=POLICY_2016,
            Certificates=certificates[:1],
        )
        listed = elb.describe_listener_certificates(ListenerArn=arn)["Certificates"]
        assert listed == [{**certificates[0], "IsDefault": True}]
        elb.delete_listener(ListenerArn=arn)

    def test_http_to_https_must_give_both(
        self, elb: Any, front: Front, certificates: list[dict[str, str]]
    ) -> None:
        arn = create(elb, front, Port=447)["ListenerArn"]
        change = {"ListenerArn": arn, "Protocol": "HTTPS"}
        for given in ({}, {"SslPolicy": POLICY_2016}, {"Certificates": certificates[:1]}):
            code, _ = refused(elb.modify_listener, **change, **given)
            assert code == "ValidationError"
        assert shown(elb, arn)["Protocol"] == "HTTP"
        elb.modify_listener(**change, SslPolicy=POLICY_2016, Certificates=certificates[:1])
        assert shown(elb, arn)["Protocol"] == "HTTPS"
        elb.delete_listener(ListenerArn=arn)

    def test_lists_replaced_whole(
        self, elb: Any, front: Front, certificates: list[dict[str, str]]
    ) -> None:
        params = {"Port": 448, "Protocol": "HTTPS", "Certificates": certificates[:1]}
        arn = create(elb, front, **params)["ListenerArn"]
        elb.modify_listener(
            ListenerArn=arn,
            Certificates=certificates[1:],
            DefaultActions=[fixed(403, "instead")],
        )
        found = shown(elb, arn)
        assert found["Certificates"] == certificates[1:]
        (action,) = found["DefaultActions"]
        assert action["FixedResponseConfig"] == {"StatusCode": "403", "MessageBody": "instead"}
        assert (found["Port"], found["Protocol"], found["SslPolicy"]) == (448, "HTTPS", POLICY_2016)
        elb.delete_listener(ListenerArn=arn)


def test_plain_http_to_an_https_port_400_with_the_page(secure: Front) -> None:
    answer = secure.get("/")
    assert (answer.status, answer.body.decode()) == (400, pages.PLAIN_HTTP_PAGE)
    assert b"The plain HTTP request was sent to HTTPS port" in answer.body
    assert answer.header("Server") == "awselb/2.0"
    assert answer.closed
    with TlsClient(secure.real_port, address=secure.address) as client:
        client.write(request("GET /tls"))
        assert event(client.read())["path"] == "/tls"
