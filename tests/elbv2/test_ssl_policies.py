"""The policies, against what AWS's pages and the examples of its command line say."""

import pytest

NEWEST = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]


@pytest.fixture
def described(elb):
    def described(**params):
        return {one["Name"]: one for one in elb.describe_ssl_policies(**params)["SslPolicies"]}

    return described


def test_a_policy_is_described_as_in_the_example_of_the_command_line(described):
    name = "ELBSecurityPolicy-TLS13-1-2-2021-06"
    (policy,) = described(Names=[name]).values()
    ciphers = [
        *NEWEST,
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES128-SHA256",
        "ECDHE-RSA-AES128-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-AES256-SHA384",
        "ECDHE-RSA-AES256-SHA384",
    ]
    assert policy == {
        "Name": name,
        "SslProtocols": ["TLSv1.2", "TLSv1.3"],
        "Ciphers": [{"Name": each, "Priority": n} for n, each in enumerate(ciphers, start=1)],
        "SupportedLoadBalancerTypes": ["application", "network"],
    }


@pytest.mark.parametrize(
    ("name", "protocols", "count", "last"),
    [
        pytest.param("2016-08", "1 1.1 1.2", 18, "AES256-SHA", id="default"),
        pytest.param("2015-05", "1 1.1 1.2", 18, "AES256-SHA", id="the same by another name"),
        pytest.param("TLS-1-0-2015-04", "1 1.1 1.2", 19, "DES-CBC3-SHA", id="oldest"),
        pytest.param("TLS-1-2-2017-01", "1.2", 12, "AES256-SHA256", id="1.2"),
        pytest.param("TLS-1-2-Ext-2018-06", "1.2", 18, "AES256-SHA", id="1.2, wide"),
        pytest.param("FS-2018-06", "1 1.1 1.2", 12, "ECDHE-ECDSA-AES256-SHA", id="FS"),
        pytest.param("FS-1-2-Res-2020-10", "1.2", 4, "ECDHE-RSA-AES256-GCM-SHA384", id="FS, Res"),
        pytest.param("TLS13-1-3-2021-06", "1.3", 3, NEWEST[-1], id="1.3"),
        pytest.param("TLS13-1-3-PQ-2025-09", "1.3", 3, NEWEST[-1], id="1.3, PQ"),
        pytest.param("TLS13-1-1-2021-06", "1.1 1.2 1.3", 21, "AES256-SHA", id="1.1 to 1.3"),
        pytest.param("TLS13-1-0-FIPS-PQ-2025-09", "1 1.1 1.2 1.3", 20, "AES256-SHA", id="FIPS"),
        pytest.param(
            "TLS13-1-2-Ext0-FIPS-2023-04", "1.2 1.3", 14, "ECDHE-ECDSA-AES256-SHA", id="FIPS, Ext0"
        ),
        pytest.param(
            "TLS13-1-3-RFC9151-FIPS-2023-07", "1.3", 1, "TLS_AES_256_GCM_SHA384", id="RFC 9151"
        ),
        pytest.param(
            "TLS13-1-2-RFC9151-INTEROP4-FIPS-2023-07", "1.2 1.3", 20, "AES128-SHA", id="INTEROP4"
        ),
    ],
)
def test_protocols_and_ciphers(described, name, protocols, count, last):
    (policy,) = described(Names=[f"ELBSecurityPolicy-{name}"]).values()
    assert [each.removeprefix("TLSv") for each in policy["SslProtocols"]] == protocols.split()
    ciphers = [each["Name"] for each in policy["Ciphers"]]
    assert (len(ciphers), ciphers[-1]) == (count, last)
    assert len(set(ciphers)) == count


def test_all_families_are_there_and_come_in_pages(elb, described):
    every = described()
    assert len(every) == 46
    for text, count in {"PQ": 13, "FIPS": 22, "RFC9151": 7, "FS-": 5}.items():
        assert sum(text in name for name in every) == count, text
    pages = elb.get_paginator("describe_ssl_policies").paginate(PaginationConfig={"PageSize": 20})
    paged = [one["Name"] for page in pages for one in page["SslPolicies"]]
    assert paged == list(every)
    assert described(LoadBalancerType="application") == every
    assert described(LoadBalancerType="gateway") == {}


def test_a_policy_that_does_not_exist_is_refused(elb, refused):
    assert refused(elb.describe_ssl_policies, Names=["ELBSecurityPolicy-2016-08", "x"]) == (
        "SSLPolicyNotFound",
        "SSL policy 'x' not found",
    )
