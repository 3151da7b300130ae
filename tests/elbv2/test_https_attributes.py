"""The attributes that only HTTPS listeners have: names of headers that they write into requests.

Source: elbv2 API, `ListenerAttribute`; ALB user guide, "HTTP header modification".
"""

import pytest

NAMES = {
    "x_amzn_mtls_clientcert_serial_number": "X-Amzn-Mtls-Clientcert-Serial-Number",
    "x_amzn_mtls_clientcert_issuer": "X-Amzn-Mtls-Clientcert-Issuer",
    "x_amzn_mtls_clientcert_subject": "X-Amzn-Mtls-Clientcert-Subject",
    "x_amzn_mtls_clientcert_validity": "X-Amzn-Mtls-Clientcert-Validity",
    "x_amzn_mtls_clientcert_leaf": "X-Amzn-Mtls-Clientcert-Leaf",
    "x_amzn_mtls_clientcert": "X-Amzn-Mtls-Clientcert",
    "x_amzn_tls_version": "X-Amzn-Tls-Version",
    "x_amzn_tls_cipher_suite": "X-Amzn-Tls-Cipher-Suite",
}


def key(name):
    return f"routing.http.request.{name}.header_name"


def values(answer):
    return {each["Key"]: each["Value"] for each in answer["Attributes"]}


@pytest.mark.parametrize(
    ("name", "default"), [pytest.param(*row, id=row[0]) for row in NAMES.items()]
)
def test_a_header_has_its_standard_name_until_another_is_set_and_after_an_empty_one(
    elb, refused, make_balancer, make_https, make_listener, name, default
):
    balancer = make_balancer()
    listener = make_https(balancer)["ListenerArn"]

    def modify(value, of=listener):
        return elb.modify_listener_attributes(
            ListenerArn=of, Attributes=[{"Key": key(name), "Value": value}]
        )

    assert values(elb.describe_listener_attributes(ListenerArn=listener))[key(name)] == default
    assert values(modify("X-Mine"))[key(name)] == "X-Mine"
    for bad in ("X Mine", "X:Mine", "X-Ä", "Host", "x" * 1025):
        assert refused(modify, value=bad)[0] == "ValidationError"
    assert values(modify(""))[key(name)] == default
    plain = make_listener(balancer)
    assert refused(modify, value="X-Mine", of=plain)[0] == "InvalidConfigurationRequest"
