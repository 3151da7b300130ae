"""HTTPS listeners: certificate, security policy, mutual authentication."""

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.tls import make

OK = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]
NO_STORE = "arn:aws:elasticloadbalancing:us-east-1:{}:truststore/none/0123456789abcdef"


@pytest.fixture
def trust_store(elb, objects):
    objects["s3://bucket/ca.pem"] = make("Root", is_authority=True).pem
    made = elb.create_trust_store(
        Name="clients", CaCertificatesBundleS3Bucket="bucket", CaCertificatesBundleS3Key="ca.pem"
    )
    return made["TrustStores"][0]["TrustStoreArn"]


def test_creating_answers_what_aws_answers(elb, make_balancer, make_https, make_certificate):
    balancer, certificate = make_balancer(), make_certificate()
    created = make_https(balancer, Certificates=[{"CertificateArn": certificate}])
    assert created == {
        "ListenerArn": created["ListenerArn"],
        "LoadBalancerArn": balancer,
        "Port": 443,
        "Protocol": "HTTPS",
        "Certificates": [{"CertificateArn": certificate}],
        "SslPolicy": "ELBSecurityPolicy-2016-08",
        "MutualAuthentication": {"Mode": "off"},
        "DefaultActions": OK,
    }
    assert elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"] == [created]


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        pytest.param(
            {"Certificates": []},
            "ValidationError",
            "You must provide a list containing exactly one certificate "
            "if the listener protocol is HTTPS.",
            id="no certificate",
        ),
        pytest.param(
            {"Certificates": [{"CertificateArn": "a"}, {"CertificateArn": "b"}]},
            "ValidationError",
            "You must provide a list containing exactly one certificate "
            "if the listener protocol is HTTPS.",
            id="two certificates",
        ),
        pytest.param(
            {"Certificates": [{"CertificateArn": "a", "IsDefault": True}]},
            "ValidationError",
            "The parameter 'IsDefault' cannot be specified for a certificate",
            id="IsDefault",
        ),
        pytest.param(
            {"Certificates": [{"CertificateArn": "arn:aws:iam::1:server-certificate/x"}]},
            "CertificateNotFound",
            "Certificate 'arn:aws:iam::1:server-certificate/x' not found",
            id="no such certificate",
        ),
        pytest.param(
            {"SslPolicy": "ELBSecurityPolicy-None"},
            "SSLPolicyNotFound",
            "SSL policy 'ELBSecurityPolicy-None' not found",
            id="no such policy",
        ),
        pytest.param(
            {"AlpnPolicy": ["HTTP2Preferred"]},
            "ValidationError",
            "An ALPN policy cannot be specified for HTTPS listeners",
            id="ALPN policy",
        ),
        pytest.param(
            {"MutualAuthentication": {"Mode": "maybe"}},
            "ValidationError",
            "Mutual authentication mode 'maybe' must be one of 'off, passthrough, verify'",
            id="no such mode",
        ),
        pytest.param(
            {"MutualAuthentication": {"Mode": "verify"}},
            "ValidationError",
            "A trust store ARN must be specified when the mutual authentication mode is verify",
            id="verify without trust store",
        ),
        pytest.param(
            {"MutualAuthentication": {"Mode": "off", "IgnoreClientCertificateExpiry": True}},
            "ValidationError",
            "'IgnoreClientCertificateExpiry' can only be specified when the mutual authentication "
            "mode is verify",
            id="expiry without verify",
        ),
    ],
)
def test_what_is_not_valid_is_refused(
    elb, refused, make_balancer, make_certificate, params, code, message
):
    request = {
        "LoadBalancerArn": make_balancer(),
        "Protocol": "HTTPS",
        "Port": 443,
        "DefaultActions": OK,
        "Certificates": [{"CertificateArn": make_certificate()}],
        **params,
    }
    assert refused(elb.create_listener, **request) == (code, message)


def test_a_certificate_with_a_small_key_is_refused(elb, refused, acm_api, make_balancer):
    small = make("a.example.com", key=rsa.generate_private_key(65537, 1024))
    arn = acm_api.import_certificate(Certificate=small.pem, PrivateKey=small.key_pem)[
        "CertificateArn"
    ]
    code, message = refused(
        elb.create_listener,
        LoadBalancerArn=make_balancer(),
        Protocol="HTTPS",
        Port=443,
        Certificates=[{"CertificateArn": arn}],
        DefaultActions=OK,
    )
    assert code == "UnsupportedCertificate"
    assert message.endswith("a supported signature, and a supported key size.")


def test_the_same_call_again_succeeds_and_another_does_not(
    elb, refused, make_balancer, make_https, make_certificate
):
    balancer, certificates = make_balancer(), [{"CertificateArn": make_certificate()}]
    first = make_https(balancer, Certificates=certificates)
    elb.add_listener_certificates(
        ListenerArn=first["ListenerArn"], Certificates=[{"CertificateArn": make_certificate()}]
    )
    assert make_https(balancer, Certificates=certificates) == first
    code, _ = refused(
        elb.create_listener,
        LoadBalancerArn=balancer,
        Protocol="HTTPS",
        Port=443,
        Certificates=certificates,
        SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        DefaultActions=OK,
    )
    assert code == "DuplicateListener"


def test_https_becomes_http_without_its_security_and_back_with_a_new_one(
    elb, refused, make_balancer, make_https, make_certificate
):
    listener = make_https(make_balancer())["ListenerArn"]
    key = "routing.http.request.x_amzn_tls_version.header_name"
    elb.modify_listener_attributes(
        ListenerArn=listener, Attributes=[{"Key": key, "Value": "My-Version"}]
    )
    (plain,) = elb.modify_listener(ListenerArn=listener, Protocol="HTTP")["Listeners"]
    assert not plain.keys() & {"Certificates", "SslPolicy", "MutualAuthentication"}
    described = elb.describe_listener_certificates(ListenerArn=listener)
    assert described["Certificates"] == []
    modify = elb.modify_listener
    certificates = [{"CertificateArn": make_certificate()}]
    policy = "ELBSecurityPolicy-TLS13-1-2-2021-06"
    assert refused(modify, ListenerArn=listener, Protocol="HTTPS", SslPolicy=policy) == (
        "ValidationError",
        "You must provide a list containing exactly one certificate "
        "if the listener protocol is HTTPS.",
    )
    assert refused(modify, ListenerArn=listener, Protocol="HTTPS", Certificates=certificates) == (
        "ValidationError",
        "An SSL policy must be specified when the protocol of a listener becomes HTTPS",
    )
    (secure,) = modify(
        ListenerArn=listener, Protocol="HTTPS", Certificates=certificates, SslPolicy=policy
    )["Listeners"]
    assert (secure["Certificates"], secure["SslPolicy"]) == (certificates, policy)
    shown = elb.describe_listener_attributes(ListenerArn=listener)["Attributes"]
    assert {"Key": key, "Value": "X-Amzn-Tls-Version"} in shown


def test_modifying_changes_what_is_given_only(elb, make_balancer, make_https, make_certificate):
    before = make_https(make_balancer(), SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06")
    listener = before["ListenerArn"]
    (changed,) = elb.modify_listener(ListenerArn=listener, Port=444)["Listeners"]
    assert changed == {**before, "Port": 444}
    certificates = [{"CertificateArn": make_certificate()}]
    (changed,) = elb.modify_listener(ListenerArn=listener, Certificates=certificates)["Listeners"]
    assert changed == {**before, "Port": 444, "Certificates": certificates}


def test_a_certificate_in_use_cannot_be_deleted(acm_api, refused, make_balancer, make_https):
    listener = make_https(make_balancer())
    arn = listener["Certificates"][0]["CertificateArn"]
    assert refused(acm_api.delete_certificate, CertificateArn=arn)[0] == "ResourceInUseException"
    shown = acm_api.describe_certificate(CertificateArn=arn)["Certificate"]
    assert shown["InUseBy"] == [listener["LoadBalancerArn"]]


def test_clients_are_verified_with_a_trust_store(elb, make_balancer, make_https, trust_store):
    settings = {"Mode": "verify", "TrustStoreArn": trust_store}
    listener = make_https(make_balancer(), MutualAuthentication=settings)
    assert listener["MutualAuthentication"] == {
        **settings,
        "IgnoreClientCertificateExpiry": False,
        "TrustStoreAssociationStatus": "active",
        "AdvertiseTrustStoreCaNames": "off",
    }
    (changed,) = elb.modify_listener(
        ListenerArn=listener["ListenerArn"],
        MutualAuthentication={
            **settings,
            "IgnoreClientCertificateExpiry": True,
            "AdvertiseTrustStoreCaNames": "on",
        },
    )["Listeners"]
    assert changed["MutualAuthentication"]["IgnoreClientCertificateExpiry"] is True
    assert changed["MutualAuthentication"]["AdvertiseTrustStoreCaNames"] == "on"
    (changed,) = elb.modify_listener(
        ListenerArn=listener["ListenerArn"], MutualAuthentication={"Mode": "passthrough"}
    )["Listeners"]
    assert changed["MutualAuthentication"] == {"Mode": "passthrough"}


def test_a_trust_store_must_exist(elb, refused, account, make_balancer, make_https):
    listener = make_https(make_balancer())["ListenerArn"]
    settings = {"Mode": "verify", "TrustStoreArn": NO_STORE.format(account)}
    assert refused(elb.modify_listener, ListenerArn=listener, MutualAuthentication=settings) == (
        "TrustStoreNotFound",
        "One or more trust stores not found",
    )


def test_two_listeners_of_a_load_balancer_may_verify(
    elb, refused, make_balancer, make_https, trust_store
):
    balancer = make_balancer()
    settings = {"Mode": "verify", "TrustStoreArn": trust_store}
    for port in (443, 444):
        make_https(balancer, port, MutualAuthentication=settings)
    third = make_https(balancer, 445)["ListenerArn"]
    code, _ = refused(elb.modify_listener, ListenerArn=third, MutualAuthentication=settings)
    assert code == "InvalidConfigurationRequest"


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Transfer-Encoding", "X-Albatross-Size"]
)
def test_headers_that_say_where_a_request_goes_keep_their_meaning(
    elb, refused, make_balancer, make_https, name
):
    key = "routing.http.request.x_amzn_tls_version.header_name"
    attributes = [{"Key": key, "Value": name}]
    listener = make_https(make_balancer())["ListenerArn"]
    modify = elb.modify_listener_attributes
    code, _ = refused(modify, ListenerArn=listener, Attributes=attributes)
    assert code == "ValidationError"
