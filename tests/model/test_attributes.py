from datetime import UTC, datetime

import pytest

from albatross.model import attributes
from albatross.model.attributes import Between, OneOf, Text
from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.target_group import TargetGroup


def load_balancer(scheme="internet-facing", **values):
    return LoadBalancer(
        arn="arn",
        name="lb",
        dns_name="lb-1.elb.localhost",
        scheme=scheme,
        ip_address_type="ipv4",
        zones=(),
        security_groups=(),
        vpc_id="vpc-1",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        slot=0,
        attributes=values,
    )


def test_a_value_is_what_was_set_else_the_default():
    key = "idle_timeout.timeout_seconds"
    assert attributes.get(load_balancer(), key) == "60"
    assert attributes.get(load_balancer(**{key: "5"}), key) == "5"


def test_igw_traffic_is_denied_for_internal_load_balancers_unless_set():
    key = "ipv6.deny_all_igw_traffic"
    assert attributes.get(load_balancer(), key) == "false"
    assert attributes.get(load_balancer("internal"), key) == "true"
    assert attributes.get(load_balancer("internal", **{key: "false"}), key) == "false"


def test_a_target_group_has_the_attributes_of_its_type():
    functions = TargetGroup(arn="arn", name="tg", target_type="lambda")
    servers = TargetGroup(arn="arn", name="tg", target_type="ip")
    assert list(attributes.supported(functions)) == ["lambda.multi_value_headers.enabled"]
    assert "lambda.multi_value_headers.enabled" not in attributes.supported(servers)
    assert attributes.get(servers, "stickiness.type") == "lb_cookie"


def test_an_empty_header_name_means_the_standard_name():
    key = "routing.http.request.x_amzn_tls_version.header_name"
    listener = Listener(
        arn="arn", load_balancer_arn="lb", port=443, protocol="HTTPS", attributes={key: ""}
    )
    assert attributes.get(listener, key) == "X-Amzn-Tls-Version"


def test_http_listeners_have_no_attributes_of_tls():
    listener = Listener(arn="arn", load_balancer_arn="lb", port=80, protocol="HTTP")
    assert not any(".request." in key for key in attributes.supported(listener))


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(attributes.LOAD_BALANCER, id="load balancer"),
        pytest.param(attributes.TARGET_GROUP, id="target group"),
        pytest.param(attributes.LISTENER, id="listener"),
    ],
)
def test_every_default_is_allowed(table):
    for key, attribute in table.items():
        assert attribute.check.complaint(key, attribute.default) is None


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        pytest.param(OneOf(("a", "b")), ["a", "b"], ["", "A", "c"], id="one of"),
        pytest.param(
            Between(30, 900, "0"),
            ["0", "30", "900"],
            ["", "29", "901", "-1", "3e1", "٣٠"],
            id="range",
        ),
        pytest.param(Text(), ["", "ü", "a" * 1024], ["a\n", "a" * 1025], id="text"),
        pytest.param(Text(reserved_prefix="AWSALB"), ["", "app"], ["AWSALBAPP"], id="reserved"),
    ],
)
def test_checks_complain_of_what_is_not_allowed(check, good, bad):
    assert [value for value in good if check.complaint("key", value)] == []
    for value in bad:
        assert check.complaint("key", value).startswith("'key' value ")
