"""Security policies, row by row. Source: ALB user guide, "Security policies for your Application
Load Balancer".
"""

import ssl
from typing import Any

import pytest

from tests.support.backends import backends
from tests.support.rules import refused
from tests.support.stack import Front, Stack, fixed, forward
from tests.support.targets import server_tls
from tests.support.tls import client_context, handshake, make, rsa_key

PREFIX = "ELBSecurityPolicy-"
DEFAULT = f"{PREFIX}2016-08"
V13, V12, V11, V10 = "TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1"
_TWINS = ["TLS13-1-2", "TLS13-1-2-Res", "TLS13-1-2-Ext1", "TLS13-1-2-Ext2"]
VERSIONS = {
    V13: ssl.TLSVersion.TLSv1_3,
    V12: ssl.TLSVersion.TLSv1_2,
    V11: ssl.TLSVersion.TLSv1_1,
    V10: ssl.TLSVersion.TLSv1,
}
ROWS = [
    pytest.param((V13,), ["TLS13-1-3-2021-06", "TLS13-1-3-PQ-2025-09"], id="1.3"),
    pytest.param(
        (V13, V12),
        [f"{name}-{date}" for name in _TWINS for date in ("2021-06", "PQ-2025-09")],
        id="1.3, 1.2",
    ),
    pytest.param((V13, V12, V11), ["TLS13-1-1-2021-06"], id="1.3, 1.2, 1.1"),
    pytest.param((V13, V12, V11, V10), ["TLS13-1-0-2021-06", "TLS13-1-0-PQ-2025-09"], id="1.3-1.0"),
    pytest.param(
        (V12,),
        [
            *("TLS-1-2-Ext-2018-06", "TLS-1-2-2017-01", "FS-1-2-Res-2020-10"),
            *("FS-1-2-Res-2019-08", "FS-1-2-2019-08"),
        ],
        id="1.2",
    ),
    pytest.param((V12, V11), ["TLS-1-1-2017-01", "FS-1-1-2019-08"], id="1.2, 1.1"),
    pytest.param(
        (V12, V11, V10), ["2016-08", "2015-05", "TLS-1-0-2015-04", "FS-2018-06"], id="1.2-1.0"
    ),
    pytest.param(
        (V13,),
        ["TLS13-1-3-FIPS-2023-04", "TLS13-1-3-FIPS-PQ-2025-09", "TLS13-1-3-RFC9151-FIPS-2023-07"],
        id="1.3 FIPS",
    ),
    pytest.param(
        (V13, V12),
        [
            *("TLS13-1-2-FIPS-2023-04", "TLS13-1-2-Res-FIPS-2023-04"),
            *("TLS13-1-2-FIPS-PQ-2025-09", "TLS13-1-2-RFC9151-FIPS-2023-07"),
        ],
        id="1.3, 1.2 FIPS",
    ),
    pytest.param((V13, V12, V11), ["TLS13-1-1-FIPS-2023-04"], id="1.3, 1.2, 1.1 FIPS"),
    pytest.param(
        (V13, V12, V11, V10),
        ["TLS13-1-0-FIPS-2023-04", "TLS13-1-0-FIPS-PQ-2025-09"],
        id="1.3-1.0 FIPS",
    ),
]


@pytest.fixture(scope="module")
def secure(traffic: Stack) -> Front:
    """An HTTPS listener with an RSA key; tests set its policy."""
    made = make("a.example.com", key=rsa_key())
    arn = traffic.server.client("acm").import_certificate(
        Certificate=made.pem, PrivateKey=made.key_pem
    )["CertificateArn"]
    return traffic.front(fixed(200, "tls"), port=443, certificate=arn)


def choose(front: Front, policy: str) -> None:
    front.stack.elb.modify_listener(ListenerArn=front.listener, SslPolicy=PREFIX + policy)


def agreed(front: Front, version: str, ciphers: str = "ALL") -> tuple[str, str] | None:
    """Return version and cipher of a handshake, None where it is refused."""
    context = client_context(version=VERSIONS[version], ciphers=f"{ciphers}:@SECLEVEL=0")
    try:
        shown = handshake(front.real_port, address=front.address, context=context)
    except (ssl.SSLError, ConnectionError):
        return None
    return shown.version, shown.cipher


def described(elb: Any, *policies: str) -> list[dict[str, Any]]:
    answer = elb.describe_ssl_policies(Names=[PREFIX + policy for policy in policies])
    by_name = {found["Name"]: found for found in answer["SslPolicies"]}
    return [by_name[PREFIX + policy] for policy in policies]


def ciphers(elb: Any, policy: str) -> list[str]:
    (found,) = described(elb, policy)
    return [one["Name"] for one in found["Ciphers"]]


@pytest.mark.parametrize(("versions", "policies"), ROWS)
def test_versions_policies_prefix_elbsecuritypolicy(
    secure: Front, versions: tuple[str, ...], policies: list[str]
) -> None:
    for found in described(secure.stack.elb, *policies):
        assert set(found["SslProtocols"]) == set(versions), found["Name"]
    choose(secure, policies[0])
    taken = [version for version in VERSIONS if agreed(secure, version)]
    assert taken == list(versions)


def test_default_when_omitted_by_api_elbsecuritypolicy_2016_08(
    traffic: Stack, secure: Front
) -> None:
    (listener,) = traffic.elb.describe_listeners(ListenerArns=[secure.listener])["Listeners"]
    made = traffic.elb.create_listener(
        LoadBalancerArn=secure.balancer,
        Protocol="HTTPS",
        Port=444,
        Certificates=[{"CertificateArn": listener["Certificates"][0]["CertificateArn"]}],
        DefaultActions=[fixed()],
    )["Listeners"][0]
    assert made["SslPolicy"] == DEFAULT
    traffic.elb.delete_listener(ListenerArn=made["ListenerArn"])


def test_console_default_tls13_1_2_res_pq_2025_09_is_there(secure: Front) -> None:
    choose(secure, "TLS13-1-2-Res-PQ-2025-09")
    (listener,) = secure.stack.elb.describe_listeners(ListenerArns=[secure.listener])["Listeners"]
    assert listener["SslPolicy"] == f"{PREFIX}TLS13-1-2-Res-PQ-2025-09"


def test_2015_05_identical_to_2016_08(traffic: Stack) -> None:
    older, newer = described(traffic.elb, "2015-05", "2016-08")
    assert {**older, "Name": ""} == {**newer, "Name": ""}


def test_a_policy_that_is_not_there_is_sslpolicynotfound(elb: Any, secure: Front) -> None:
    for name in (f"{PREFIX}2016-09", "2016-08", DEFAULT.lower()):
        code, _ = refused(elb.modify_listener, ListenerArn=secure.listener, SslPolicy=name)
        assert code == "SSLPolicyNotFound"


def test_ciphers_of_tls13_1_2_2021_06(traffic: Stack, secure: Front) -> None:
    names = ciphers(traffic.elb, "TLS13-1-2-2021-06")
    assert names == [
        *("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"),
        *("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
        *("ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA256"),
        *("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
        *("ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384"),
    ]
    choose(secure, "TLS13-1-2-2021-06")
    taken = ["AES128-GCM-SHA256", "AES128-SHA256", "AES256-GCM-SHA384"]
    for cipher in (f"ECDHE-RSA-{name}" for name in taken):
        assert agreed(secure, V12, cipher) == (V12, cipher)
    assert agreed(secure, V12, "ECDHE-RSA-AES128-SHA") is None
    assert agreed(secure, V12, "AES128-GCM-SHA256") is None


def test_the_res_variant_only_the_gcm_ones(traffic: Stack, secure: Front) -> None:
    assert ciphers(traffic.elb, "TLS13-1-2-Res-2021-06") == [
        *("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"),
        *("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
        *("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
    ]
    choose(secure, "TLS13-1-2-Res-2021-06")
    cipher = "ECDHE-RSA-AES256-GCM-SHA384"
    assert agreed(secure, V12, cipher) == (V12, cipher)
    assert agreed(secure, V12, "ECDHE-RSA-AES128-SHA256") is None


def test_ciphers_of_2016_08(traffic: Stack, secure: Front) -> None:
    assert ciphers(traffic.elb, "2016-08") == [
        *("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
        *("ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA256"),
        *("ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA"),
        *("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
        *("ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384"),
        *("ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA"),
        *("AES128-GCM-SHA256", "AES128-SHA256", "AES128-SHA"),
        *("AES256-GCM-SHA384", "AES256-SHA256", "AES256-SHA"),
    ]
    choose(secure, "2016-08")
    for cipher in ("ECDHE-RSA-AES128-SHA", "AES128-SHA", "AES256-GCM-SHA384"):
        assert agreed(secure, V12, cipher) == (V12, cipher)


def test_target_certs_are_not_validated(
    traffic: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with backends() as servers:
        server = servers.start("tls", tls=server_tls(tmp_path_factory.mktemp("tls")))
        group = traffic.elb.create_target_group(
            Name=traffic.name(), TargetType="ip", Protocol="HTTPS", Port=443, VpcId="vpc-1"
        )["TargetGroups"][0]["TargetGroupArn"]
        target = {"Id": "127.0.0.1", "Port": server.port}
        traffic.elb.register_targets(TargetGroupArn=group, Targets=[target])
        front = traffic.front(forward(group))
        assert front.get("/expired-and-of-nobody").status == 200
        assert server.seen == ["GET /expired-and-of-nobody HTTP/1.1"]
        traffic.elb.delete_load_balancer(LoadBalancerArn=front.balancer)
