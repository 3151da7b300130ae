"""Attributes, states and names of load balancers, row by row. Sources: elbv2 API,
`LoadBalancerAttribute`, `LoadBalancerState`; ALB user guide, "Edit attributes for your Application
Load Balancer".

That a connection ends `client_keep_alive.seconds` after its start, which is at least a minute, is
tested without the API's limit: tests/xds/test_listener.py, tests/xds/test_https.py.
"""

import re
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.backends import Backends
from tests.support.groups import make_group, until_healthy, values
from tests.support.rules import refused
from tests.support.stack import Front, Stack, event, fixed, forward, request
from tests.support.tls import TlsClient, client_context, handshake

SUBNETS = ["subnet-0000000a", "subnet-0000000b"]
SWITCH = ("true", "false")
NO_SWITCH = ("", "True", "on", "1")
NO_NUMBERS = ("", "-1", "1.5", "x", " 60", "1e2")


class Balancer:
    """A load balancer whose attributes are changed."""

    def __init__(self, front: Front, elb: Any) -> None:
        self.front, self.elb, self.arn = front, elb, front.balancer

    def described(self) -> dict[str, str]:
        return values(self.elb.describe_load_balancer_attributes(LoadBalancerArn=self.arn))

    def set(self, *pairs: tuple[str, str]) -> dict[str, str]:
        return values(
            self.elb.modify_load_balancer_attributes(
                LoadBalancerArn=self.arn,
                Attributes=[{"Key": key, "Value": value} for key, value in pairs],
            )
        )

    def refusal(self, *pairs: tuple[str, str]) -> tuple[str, str]:
        """Return code and message of a call that changes nothing."""
        before = self.described()
        found = refused(lambda: self.set(*pairs))
        assert self.described() == before
        return found

    def check(self, key: str, default: str, good: Sequence[str], bad: Sequence[str]) -> None:
        """Check default and values of an attribute, and leave it at its default."""
        assert self.described()[key] == default
        for value in (*good, default):
            assert self.set((key, value))[key] == value
        before = self.described()
        assert before[key] == default
        for value in bad:
            code, message = refused(partial(self.set, (key, value)))
            assert code == "ValidationError"
            assert message.startswith(f"'{key}' value '{value}' must be ")
        assert self.described() == before


@pytest.fixture(scope="module")
def balancer(traffic: Stack, elb: Any) -> Balancer:
    """In front of the function, on port 80."""
    return Balancer(traffic.front(), elb)


@pytest.fixture(scope="module")
def secure(traffic: Stack, elb: Any) -> Balancer:
    """In front of the function, on port 443."""
    certificate = traffic.server.client("acm").request_certificate(
        DomainName="a.example.com", KeyAlgorithm="EC_prime256v1"
    )["CertificateArn"]
    front = traffic.front(forward(traffic.group()), port=443, certificate=certificate)
    return Balancer(front, elb)


def headers(front: Front, *lines: str, host: str = "example.com") -> dict[str, str]:
    """Return the headers that the function gets."""
    found: dict[str, str] = event(front.get("/", *lines, host=host))["headers"]
    return found


def is_without_effect(key: str) -> bool:
    page = (Path(__file__).parents[2] / "docs" / "deviations.md").read_text()
    (line,) = [one for one in page.splitlines() if one.startswith("- Load balancers keep and show")]
    return f"`{key}`" in line and "have no effect" in line


def test_idle_timeout_timeout_seconds_default_60_1_to_4000(balancer: Balancer) -> None:
    good, bad = ("1", "4000"), (*NO_NUMBERS, "0", "4001")
    balancer.check("idle_timeout.timeout_seconds", "60", good, bad)


def test_idle_timeout_client_and_target_connections_without_data(
    traffic: Stack, servers: Backends
) -> None:
    group = make_group(traffic, servers.start("silent"))
    front = traffic.front(forward(group), idle_timeout__timeout_seconds="1")
    until_healthy(traffic, group)
    with front.rule(forward(traffic.group()), path_pattern=["/-/*"]):
        for target in ("/silent", "/-/sleep/idle/6"):
            began = time.monotonic()
            assert front.get(target).status == 504
            assert 0.9 < time.monotonic() - began < 4.5
        with front.connect() as client:
            client.write(request("POST /-/reply", body='{"statusCode": 200}'))
            assert not client.read().closed
            began = time.monotonic()
            assert client.ends()
            assert 0.5 < time.monotonic() - began < 4.5


def test_client_keep_alive_seconds_default_3600_60_to_604800(balancer: Balancer) -> None:
    good, bad = ("60", "604800"), (*NO_NUMBERS, "59", "604801")
    balancer.check("client_keep_alive.seconds", "3600", good, bad)
    page = (Path(__file__).parents[2] / "docs" / "deviations.md").read_text()
    assert "where `client_keep_alive.seconds` or the idle timeout is changed" in page


def test_routing_http2_enabled_default_true_alpn_h2(secure: Balancer) -> None:
    secure.check("routing.http2.enabled", "true", SWITCH, NO_SWITCH)
    front = secure.front
    both = client_context(alpn=("h2", "http/1.1"))

    def chosen() -> str | None:
        return handshake(front.real_port, address=front.address, context=both).protocol

    assert chosen() == "h2"
    secure.set(("routing.http2.enabled", "false"))
    assert chosen() == "http/1.1"
    secure.set(("routing.http2.enabled", "true"))
    assert chosen() == "h2"


def test_routing_http_drop_invalid_header_fields_enabled_default_false_valid_is_alnum_and_hyphen(
    balancer: Balancer,
) -> None:
    key = "routing.http.drop_invalid_header_fields.enabled"
    balancer.check(key, "false", SWITCH, NO_SWITCH)
    valid, invalid = ("a-b", "0", "-", "x-y-9"), ("a_b", "a.b", "a!b", "a~", "x#y")
    lines = [f"{name}: 1" for name in (*valid, *invalid)]
    assert {*valid, *invalid} < headers(balancer.front, *lines).keys()
    balancer.set((key, "true"))
    try:
        found = headers(balancer.front, *lines).keys()
    finally:
        balancer.set((key, "false"))
    assert set(valid) < found
    assert not found & set(invalid)


def test_routing_http_desync_mitigation_mode_default_defensive_monitor_defensive_strictest(
    balancer: Balancer,
) -> None:
    good, bad = ("monitor", "strictest", "defensive"), ("", "Monitor", "strict", "off")
    balancer.check("routing.http.desync_mitigation_mode", "defensive", good, bad)


def test_routing_http_preserve_host_header_enabled_default_false(
    traffic: Stack, balancer: Balancer, elb: Any
) -> None:
    key = "routing.http.preserve_host_header.enabled"
    balancer.check(key, "false", SWITCH, NO_SWITCH)
    other = Balancer(traffic.front(port=8080), elb)
    sent = ("example.com", "example.com:80", "example.com:1234")
    for one, expected in (
        (balancer, ["example.com"] * 3),
        (other, ["example.com:8080", "example.com:80", "example.com:1234"]),
    ):
        assert [headers(one.front, host=host)["host"] for host in sent] == expected
        one.set((key, "true"))
        assert [headers(one.front, host=host)["host"] for host in sent] == list(sent)
        one.set((key, "false"))


def test_routing_http_x_amzn_tls_version_and_cipher_suite_enabled_default_false_adds_two_headers(
    secure: Balancer,
) -> None:
    key = "routing.http.x_amzn_tls_version_and_cipher_suite.enabled"
    secure.check(key, "false", SWITCH, NO_SWITCH)
    names = ("x-amzn-tls-version", "x-amzn-tls-cipher-suite")

    def seen() -> list[str | None]:
        with TlsClient(secure.front.real_port, address=secure.front.address) as client:
            client.write(request("GET /"))
            found = event(client.read())["headers"]
            assert client.handshake.version == "TLSv1.2"
        return [found.get(name) for name in names]

    assert seen() == [None, None]
    secure.set((key, "true"))
    version, cipher = seen()
    secure.set((key, "false"))
    assert version == "TLSv1.2"
    assert cipher is not None
    assert re.fullmatch("(TLS|ECDHE)[A-Z0-9_-]+", cipher)


def test_routing_http_xff_client_port_enabled_default_false_ip_port_in_xff_append_mode_only(
    balancer: Balancer,
) -> None:
    key, mode = "routing.http.xff_client_port.enabled", "routing.http.xff_header_processing.mode"
    balancer.check(key, "false", SWITCH, NO_SWITCH)
    line = "X-Forwarded-For: 203.0.113.7"
    assert headers(balancer.front, line)["x-forwarded-for"] == "203.0.113.7, 127.0.0.1"
    balancer.set((key, "true"))
    with balancer.front.connect() as client:
        client.write(request("GET /", line))
        found = event(client.read())["headers"]["x-forwarded-for"]
        assert found == f"203.0.113.7, 127.0.0.1:{client.local_port}"
    for other, expected in (("preserve", "203.0.113.7"), ("remove", None)):
        balancer.set((mode, other))
        assert headers(balancer.front, line).get("x-forwarded-for") == expected
    balancer.set((key, "false"), (mode, "append"))


def test_routing_http_xff_header_processing_mode_default_append_append_preserve_remove(
    balancer: Balancer,
) -> None:
    key = "routing.http.xff_header_processing.mode"
    good, bad = ("preserve", "remove", "append"), ("", "Append", "replace")
    balancer.check(key, "append", good, bad)
    for mode, without, with_one in (
        ("append", "127.0.0.1", "203.0.113.7, 127.0.0.1"),
        ("preserve", None, "203.0.113.7"),
        ("remove", None, None),
        ("append", "127.0.0.1", "203.0.113.7, 127.0.0.1"),
    ):
        balancer.set((key, mode))
        assert headers(balancer.front).get("x-forwarded-for") == without
        line = "X-Forwarded-For: 203.0.113.7"
        assert headers(balancer.front, line).get("x-forwarded-for") == with_one


@pytest.mark.parametrize(
    ("kind", "noun"),
    [
        ("access_logs", "access logs"),
        ("connection_logs", "connection logs"),
        ("health_check_logs", "health check logs"),
    ],
)
def test_logs_s3_enabled_bucket_prefix_default_false_empty_empty(
    balancer: Balancer, kind: str, noun: str
) -> None:
    """The bucket is required if the log is enabled; the prefix must not contain AWSLogs."""
    enabled, bucket, prefix = (f"{kind}.s3.{part}" for part in ("enabled", "bucket", "prefix"))
    shown = balancer.described()
    assert (shown[enabled], shown[bucket], shown[prefix]) == ("false", "", "")
    required = (
        "InvalidConfigurationRequest",
        f"The key '{bucket}' must set in order to enable {noun}",
    )
    assert balancer.refusal((enabled, "true")) == required
    assert balancer.refusal((enabled, "true"), (bucket, "")) == required
    for bad in ("AWSLogs", "a/AWSLogs", "xAWSLogsx"):
        assert balancer.refusal((prefix, bad)) == (
            "InvalidConfigurationRequest",
            f"The value for '{prefix}' must not contain 'AWSLogs'",
        )
    for bad in NO_SWITCH:
        assert balancer.refusal((enabled, bad))[0] == "ValidationError"
    shown = balancer.set((enabled, "true"), (bucket, "my-bucket"), (prefix, "awslogs"))
    assert (shown[enabled], shown[bucket], shown[prefix]) == ("true", "my-bucket", "awslogs")
    assert balancer.refusal((bucket, "")) == required
    balancer.set((enabled, "false"), (bucket, ""), (prefix, ""))


def test_deletion_protection_enabled_default_false_delete_load_balancer_operation_not_permitted(
    traffic: Stack, elb: Any
) -> None:
    balancer = Balancer(traffic.front(fixed(200), port=8002), elb)
    balancer.check("deletion_protection.enabled", "false", SWITCH, NO_SWITCH)
    balancer.set(("deletion_protection.enabled", "true"))
    assert refused(elb.delete_load_balancer, LoadBalancerArn=balancer.arn) == (
        "OperationNotPermitted",
        f"Load balancer '{balancer.arn}' cannot be deleted because deletion protection is enabled",
    )
    assert balancer.front.get().status == 200
    balancer.set(("deletion_protection.enabled", "false"))
    elb.delete_load_balancer(LoadBalancerArn=balancer.arn)
    elb.delete_load_balancer(LoadBalancerArn=balancer.arn)
    with pytest.raises(OSError, match="refused"):
        balancer.front.get()


def test_ipv6_deny_all_igw_traffic_default_false_internet_facing_true_internal(
    traffic: Stack, balancer: Balancer, elb: Any
) -> None:
    key = "ipv6.deny_all_igw_traffic"
    balancer.check(key, "false", SWITCH, NO_SWITCH)
    internal = elb.create_load_balancer(Name=traffic.name(), Subnets=SUBNETS, Scheme="internal")
    arn = internal["LoadBalancers"][0]["LoadBalancerArn"]
    assert values(elb.describe_load_balancer_attributes(LoadBalancerArn=arn))[key] == "true"
    assert is_without_effect(key)


def test_load_balancing_cross_zone_enabled_true_fixed(balancer: Balancer) -> None:
    key = "load_balancing.cross_zone.enabled"
    balancer.check(key, "true", ("true",), NO_SWITCH)
    assert balancer.refusal((key, "false")) == (
        "InvalidConfigurationRequest",
        f"The value for '{key}' must always be 'true' for an Application Load Balancer",
    )
    assert is_without_effect(key)


@pytest.mark.parametrize("key", ["waf.fail_open.enabled", "zonal_shift.config.enabled"])
def test_waf_fail_open_and_zonal_shift_default_false(balancer: Balancer, key: str) -> None:
    balancer.check(key, "false", SWITCH, NO_SWITCH)
    assert is_without_effect(key)


def test_all_attributes_are_described_with_their_defaults(traffic: Stack, elb: Any) -> None:
    made = elb.create_load_balancer(Name=traffic.name(), Subnets=SUBNETS)["LoadBalancers"][0]
    shown = elb.describe_load_balancer_attributes(LoadBalancerArn=made["LoadBalancerArn"])
    logs = {
        f"{kind}.s3.{part}": default
        for kind in ("access_logs", "connection_logs", "health_check_logs")
        for part, default in (("enabled", "false"), ("bucket", ""), ("prefix", ""))
    }
    assert values(shown) == {
        **logs,
        "idle_timeout.timeout_seconds": "60",
        "client_keep_alive.seconds": "3600",
        "routing.http2.enabled": "true",
        "routing.http.drop_invalid_header_fields.enabled": "false",
        "routing.http.desync_mitigation_mode": "defensive",
        "routing.http.preserve_host_header.enabled": "false",
        "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
        "routing.http.xff_client_port.enabled": "false",
        "routing.http.xff_header_processing.mode": "append",
        "waf.fail_open.enabled": "false",
        "deletion_protection.enabled": "false",
        "ipv6.deny_all_igw_traffic": "false",
        "load_balancing.cross_zone.enabled": "true",
        "zonal_shift.config.enabled": "false",
    }


def test_max_20_attributes_per_call_key_256_value_1024(balancer: Balancer) -> None:
    pairs = list(balancer.described().items())
    assert len(pairs) > 20
    code, message = balancer.refusal(*pairs[:21])
    assert code == "ValidationError"
    assert message.endswith("Member must have length less than or equal to 20")
    balancer.set(*pairs[:20])
    prefix = "access_logs.s3.prefix"
    assert balancer.set((prefix, "x" * 1024))[prefix] == "x" * 1024
    balancer.set((prefix, ""))
    for pair, constraint in (
        ((prefix, "x" * 1025), "Member must have length less than or equal to 1024"),
        (("x" * 257, ""), "Member must have length less than or equal to 256"),
        (("a b", ""), "Member must satisfy regular expression pattern: ^[a-zA-Z0-9._]+$"),
        (("", ""), "Member must satisfy regular expression pattern: ^[a-zA-Z0-9._]+$"),
    ):
        code, message = balancer.refusal(pair)
        assert code == "ValidationError"
        assert message.endswith(constraint)
    assert balancer.refusal(("x" * 256, "")) == (
        "ValidationError",
        f"Load balancer attribute key '{'x' * 256}' is not recognized",
    )


def test_one_bad_attribute_fails_the_whole_call(balancer: Balancer) -> None:
    good = ("idle_timeout.timeout_seconds", "61")
    for bad, code in (
        (("idle_timeout.seconds", "60"), "ValidationError"),
        (("routing.http2.enabled", "yes"), "ValidationError"),
        (good, "ValidationError"),
        (("load_balancing.cross_zone.enabled", "false"), "InvalidConfigurationRequest"),
        (("dns_record.client_routing_policy", "x"), "InvalidConfigurationRequest"),
    ):
        assert balancer.refusal(good, bad)[0] == code
    assert balancer.refusal() == ("ValidationError", "An attribute must be specified")


def test_lb_states_provisioning_then_active(traffic: Stack, elb: Any) -> None:
    made = elb.create_load_balancer(Name=traffic.name(), Subnets=SUBNETS)["LoadBalancers"][0]
    assert made["State"] == {"Code": "provisioning"}
    arn = made["LoadBalancerArn"]
    (shown,) = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    assert shown["State"] == {"Code": "active"}
    page = (Path(__file__).parents[2] / "docs" / "deviations.md").read_text()
    assert "never `active_impaired` or `failed`" in page


@pytest.mark.parametrize(("scheme", "prefix"), [("internet-facing", ""), ("internal", "internal-")])
def test_dns_name_is_name_id_region_elb_internal_ones_start_internal(
    traffic: Stack, elb: Any, scheme: str, prefix: str
) -> None:
    name = traffic.name()
    made = elb.create_load_balancer(Name=name, Subnets=SUBNETS, Scheme=scheme)["LoadBalancers"][0]
    assert re.fullmatch(rf"{prefix}{name}-\d+\.us-east-1\.elb\.localhost", made["DNSName"])
    page = (Path(__file__).parents[2] / "docs" / "deviations.md").read_text()
    assert "there is no DNS server, so no names of single zones" in page
