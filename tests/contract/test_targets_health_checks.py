"""Health checks: settings row by row, and what a target gets. Sources: ALB user guide, "Health
checks for your target groups", "Lambda functions as targets"; elbv2 API, `CreateTargetGroup`.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.backends import Backend, Backends
from tests.support.command import until
from tests.support.groups import at, make_group, states, until_healthy
from tests.support.rules import refused
from tests.support.stack import INSTANCE, Stack, forward
from tests.support.targets import OK, answering, answering_http2, server_tls

SERVERS = {"TargetType": "ip", "Protocol": "HTTP", "Port": 80, "VpcId": "vpc-1"}
FUNCTIONS = {"TargetType": "lambda"}
CHECKED = {
    "HealthCheckEnabled": True,
    "HealthCheckIntervalSeconds": 5,
    "HealthCheckTimeoutSeconds": 2,
}


class Settings:
    """Creates target groups, and says what became of the settings of their checks."""

    def __init__(self, traffic: Stack, elb: Any) -> None:
        self.traffic, self.elb = traffic, elb
        self._groups: dict[tuple[str, str], str] = {}

    def create(self, of: dict[str, Any], **params: Any) -> dict[str, Any]:
        made = self.elb.create_target_group(Name=self.traffic.name(), **of | params)
        found: dict[str, Any] = made["TargetGroups"][0]
        return found

    def _group(self, of: dict[str, Any], purpose: str) -> str:
        key = (str(of), purpose)
        if key not in self._groups:
            self._groups[key] = self.create(of)["TargetGroupArn"]
        return self._groups[key]

    def refusal(self, of: dict[str, Any], **params: Any) -> str:
        """Return why a group is not made with these settings, nor changed to have them."""
        code, message = refused(
            self.elb.create_target_group, Name=self.traffic.name(), **of | params
        )
        arn = self._group(of, "unchanged")
        assert refused(self.elb.modify_target_group, TargetGroupArn=arn, **params) == (
            code,
            message,
        )
        assert code == "ValidationError"
        return message

    def takes(self, of: dict[str, Any], member: str, value: Any, **more: Any) -> None:
        """Check that a new group and one that is there can have a setting."""
        assert self.create(of, **more, **{member: value})[member] == value
        arn = self._group(of, "changed")
        self.elb.modify_target_group(TargetGroupArn=arn, **more, **{member: value})
        (shown,) = self.elb.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
        assert shown[member] == value

    def has_range(
        self, member: str, low: int, high: int, *, servers: int, functions: int, **more: Any
    ) -> None:
        for of, default in ((SERVERS, servers), (FUNCTIONS, functions)):
            assert self.create(of)[member] == default
            for good in (low, high):
                self.takes(of, member, good, **more)
            for bad, limit in ((low - 1, f"greater than or equal to {low}"), (high + 1, "")):
                message = self.refusal(of, **more, **{member: bad})
                assert message.startswith(f"1 validation error detected: Value '{bad}' at ")
                assert message.endswith(
                    f"Member must have value {limit or f'less than or equal to {high}'}"
                )


@pytest.fixture
def settings(traffic: Stack, elb: Any) -> Settings:
    return Settings(traffic, elb)


def test_health_check_enabled_instance_ip_true_cannot_be_false_lambda_false(
    settings: Settings,
) -> None:
    assert settings.create(SERVERS)["HealthCheckEnabled"] is True
    assert settings.create(FUNCTIONS)["HealthCheckEnabled"] is False
    for of in (SERVERS, SERVERS | {"TargetType": "instance"}):
        assert settings.refusal(of, HealthCheckEnabled=False) == (
            "Health check enabled must be true for target groups with target type "
            "'instance' or 'ip'"
        )
    settings.takes(FUNCTIONS, "HealthCheckEnabled", True)
    settings.takes(FUNCTIONS, "HealthCheckEnabled", False)


def test_health_check_protocol_http_https_default_http_lambda_not_applicable(
    settings: Settings,
) -> None:
    for protocol in ("HTTP", "HTTPS"):
        assert settings.create(SERVERS | {"Protocol": protocol})["HealthCheckProtocol"] == "HTTP"
    for good in ("HTTPS", "HTTP"):
        settings.takes(SERVERS, "HealthCheckProtocol", good)
    assert settings.refusal(SERVERS, HealthCheckProtocol="TCP") == (
        "Health check protocol 'TCP' must be one of [HTTP, HTTPS]"
    )
    for bad in ("", "http"):
        assert "Member must satisfy enum value set" in settings.refusal(
            SERVERS, HealthCheckProtocol=bad
        )
    assert "HealthCheckProtocol" not in settings.create(FUNCTIONS)
    assert settings.refusal(FUNCTIONS, HealthCheckProtocol="HTTP") == (
        "Health check protocol cannot be specified for target groups with target type 'lambda'"
    )


def test_health_check_port_port_or_traffic_port_default_traffic_port_lambda_not_applicable(
    settings: Settings,
) -> None:
    assert settings.create(SERVERS)["HealthCheckPort"] == "traffic-port"
    for good in ("1", "65535", "traffic-port"):
        settings.takes(SERVERS, "HealthCheckPort", good)
    for bad in ("", "0", "65536", "-1", "080", " 80", "http", "Traffic-Port", "traffic_port"):
        assert settings.refusal(SERVERS, HealthCheckPort=bad) == (
            f"Health check port '{bad}' must be 'traffic-port' or a port number "
            "between '1-65535' inclusive"
        )
    assert "HealthCheckPort" not in settings.create(FUNCTIONS)
    assert settings.refusal(FUNCTIONS, HealthCheckPort="traffic-port") == (
        "Health check port cannot be specified for target groups with target type 'lambda'"
    )


def test_health_check_path_1_to_1024_chars_default_slash_grpc_aws_alb_healthcheck(
    settings: Settings,
) -> None:
    grpc = SERVERS | {"ProtocolVersion": "GRPC"}
    for of, default in ((SERVERS, "/"), (FUNCTIONS, "/"), (grpc, "/AWS.ALB/healthcheck")):
        assert settings.create(of)["HealthCheckPath"] == default
        for good in ("/", "/health?deep=1", "/" + 1023 * "a"):
            settings.takes(of, "HealthCheckPath", good)
        for bad, constraint in (
            ("", "greater than or equal to 1"),
            ("/" + 1024 * "a", "less than or equal to 1024"),
        ):
            assert settings.refusal(of, HealthCheckPath=bad).endswith(
                f"Member must have length {constraint}"
            )
        for bad in ("x", "/a b", "/é", "http://a/"):
            assert settings.refusal(of, HealthCheckPath=bad) == (
                f"Health check path '{bad}' must begin with a '/' character "
                "and contain visible ASCII characters only"
            )


def test_health_check_interval_seconds_5_to_300_default_30_lambda_35(settings: Settings) -> None:
    settings.has_range(
        *("HealthCheckIntervalSeconds", 5, 300),
        servers=30,
        functions=35,
        HealthCheckTimeoutSeconds=2,
    )


def test_health_check_timeout_seconds_2_to_120_default_5_lambda_30(settings: Settings) -> None:
    settings.has_range(
        *("HealthCheckTimeoutSeconds", 2, 120),
        servers=5,
        functions=30,
        HealthCheckIntervalSeconds=300,
    )


def test_healthy_threshold_count_2_to_10_default_5_lambda_5(settings: Settings) -> None:
    settings.has_range("HealthyThresholdCount", 2, 10, servers=5, functions=5)


def test_unhealthy_threshold_count_2_to_10_default_2_lambda_2(settings: Settings) -> None:
    settings.has_range("UnhealthyThresholdCount", 2, 10, servers=2, functions=2)


def has_codes(
    settings: Settings, of: dict[str, Any], kind: str, good: Sequence[str], bad: Sequence[str]
) -> None:
    for text in good:
        settings.takes(of, "Matcher", {kind: text})
    for text in bad:
        message = settings.refusal(of, Matcher={kind: text})
        assert message.startswith(f"Health check matcher {kind[:4].upper()} code '{text}' ")


def test_matcher_http_code_200_to_499_lists_ranges_default_200(settings: Settings) -> None:
    good = ("200", "499", "200,202", "200-299", "200-499", "200-299,301,400-404")
    outside = ("199", "500", "200-500", "100-200", "299-200", "200,500")
    malformed = ("", "200,", ",200", "200, 202", "200-", "-200", "20", "2000", "2xx", "200-299-300")
    for of in (SERVERS, FUNCTIONS, SERVERS | {"ProtocolVersion": "HTTP2"}):
        assert settings.create(of)["Matcher"] == {"HttpCode": "200"}
        has_codes(settings, of, "HttpCode", good, (*outside, *malformed))


def test_matcher_grpc_code_0_to_99_default_12_lambda_not_applicable(settings: Settings) -> None:
    grpc = SERVERS | {"ProtocolVersion": "GRPC"}
    assert settings.create(grpc)["Matcher"] == {"GrpcCode": "12"}
    bad = ("", "100", "5-3", "0-100", "-1", "1,", "x", "0 1")
    has_codes(settings, grpc, "GrpcCode", ("0", "99", "0-99", "0,12", "0-5,12"), bad)
    assert settings.refusal(FUNCTIONS, Matcher={"GrpcCode": "0"}) == (
        "GRPC code cannot be specified for target groups with target type 'lambda'"
    )
    assert settings.refusal(SERVERS, Matcher={"GrpcCode": "0"}) == (
        "GRPC code cannot be specified unless the protocol version is GRPC"
    )
    assert settings.refusal(grpc, Matcher={"HttpCode": "200"}) == (
        "HTTP code cannot be specified if the protocol version is GRPC"
    )


def test_timeout_must_be_smaller_than_the_interval(settings: Settings) -> None:
    for of, interval_s in ((SERVERS, 30), (FUNCTIONS, 35)):
        for timeout_s in (interval_s, interval_s + 1):
            assert settings.refusal(of, HealthCheckTimeoutSeconds=timeout_s) == (
                f"Health check timeout '{timeout_s}' must be smaller than "
                f"the interval '{interval_s}'"
            )
        settings.takes(of, "HealthCheckTimeoutSeconds", interval_s - 1)
    assert settings.refusal(SERVERS, HealthCheckIntervalSeconds=5) == (
        "Health check timeout '5' must be smaller than the interval '5'"
    )


def test_a_change_keeps_the_settings_that_it_does_not_name(settings: Settings) -> None:
    made = settings.create(SERVERS, HealthCheckPath="/p", Matcher={"HttpCode": "200-299"})
    arn = made["TargetGroupArn"]
    for change in ({"HealthyThresholdCount": 3}, {"Matcher": {}}, {}):
        (changed,) = settings.elb.modify_target_group(TargetGroupArn=arn, **change)["TargetGroups"]
        made |= change if "Matcher" not in change else {}
        assert changed == {**made, "LoadBalancerArns": []}


# What a target gets, and when it passes.


def recording(servers: Backends, answer: bytes = OK, **options: Any) -> tuple[Backend, list[bytes]]:
    """Start a server that answers everything, and return what it is asked."""
    requests: list[bytes] = []
    return servers.start("recording", handler=answering(answer, requests), **options), requests


def front_of(traffic: Stack, *groups: str) -> None:
    """Have a load balancer use the groups: others are not checked."""
    config = [{"TargetGroupArn": arn, "Weight": 1} for arn in groups]
    traffic.front({"Type": "forward", "ForwardConfig": {"TargetGroups": config}})


@pytest.mark.parametrize("target_type", ["ip", "instance"])
def test_get_always_user_agent_elb_healthchecker_host_target_ip_port(
    traffic: Stack, servers: Backends, target_type: str
) -> None:
    backend, requests = recording(servers)
    group = make_group(
        traffic, TargetType=target_type, Port=backend.port, HealthCheckPath="/health?deep=1"
    )
    id_ = "127.0.0.1" if target_type == "ip" else INSTANCE
    traffic.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": id_}])
    front_of(traffic, group)
    until_healthy(traffic, group)
    line, *lines = requests[0].decode().split("\r\n")[:-2]
    assert line == "GET /health?deep=1 HTTP/1.1"
    assert {
        f"Host: 127.0.0.1:{backend.port}",
        "User-Agent: ELB-HealthChecker/2.0",
        "Connection: close",
    } < set(lines)


def test_connection_closed_after_each_check(traffic: Stack, servers: Backends) -> None:
    closed: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        closed.append(await reader.read())  # until the other side closes

    group = make_group(traffic, servers.start("patient", handler=handle))
    front_of(traffic, group)
    until_healthy(traffic, group)
    until(lambda: closed)
    assert closed == [b""]


def test_first_success_makes_a_new_target_healthy_whatever_healthy_threshold_count_says(
    traffic: Stack, servers: Backends
) -> None:
    backend, requests = recording(servers)
    group = make_group(traffic, backend, HealthyThresholdCount=10)
    front_of(traffic, group)
    until_healthy(traffic, group)
    assert len(requests) == 1


def test_checks_go_where_protocol_and_port_say_and_describe_names_the_port(
    traffic: Stack, servers: Backends, tmp_path: Any
) -> None:
    secure, requests = recording(servers, tls=server_tls(tmp_path))
    gone = servers.start("gone")
    servers.stop(gone)
    group = make_group(traffic, gone, HealthCheckProtocol="HTTPS", HealthCheckPort=str(secure.port))
    front_of(traffic, group)
    until_healthy(traffic, group)
    assert f"Host: 127.0.0.1:{secure.port}".encode() in requests[0]
    (shown,) = traffic.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert shown == {
        "Target": at(gone),
        "HealthCheckPort": str(secure.port),
        "TargetHealth": {"State": "healthy"},
    }
    traffic.elb.modify_target_group(TargetGroupArn=group, HealthCheckPort="traffic-port")
    (shown,) = traffic.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert shown["HealthCheckPort"] == str(gone.port)


@pytest.mark.parametrize(
    ("status", "matcher"), [(204, "200,204"), (299, "200-299"), (404, "200-399,404"), (499, "499")]
)
def test_matcher_lists_and_ranges_pass(
    traffic: Stack, servers: Backends, status: int, matcher: str
) -> None:
    answer = f"HTTP/1.1 {status} Any\r\nContent-Length: 0\r\n\r\n".encode()
    group = make_group(traffic, recording(servers, answer)[0], Matcher={"HttpCode": matcher})
    front_of(traffic, group)
    until_healthy(traffic, group)


def test_grpc_checks_call_aws_alb_healthcheck_and_http2_checks_the_path(
    traffic: Stack, servers: Backends, elb: Any
) -> None:
    certificate = traffic.server.client("acm").request_certificate(DomainName="h2.example.com")
    seen: dict[str, list[dict[str, str]]] = {"HTTP2": [], "GRPC": []}
    for version, requests in seen.items():
        backend = servers.start(version, handler=answering_http2("200", requests))
        group = make_group(traffic, backend, ProtocolVersion=version)
        traffic.front(forward(group), port=443, certificate=certificate["CertificateArn"])
        until(lambda requests=requests: requests)
        sent = requests[0]
        assert sent["user-agent"] == "ELB-HealthChecker/2.0"
        assert sent[":authority"] == f"127.0.0.1:{backend.port}"
    assert (seen["HTTP2"][0][":method"], seen["HTTP2"][0][":path"]) == ("GET", "/")
    assert (seen["GRPC"][0][":method"], seen["GRPC"][0][":path"]) == (
        "POST",
        "/AWS.ALB/healthcheck",
    )


def test_lambda_result_judged_status_code_in_matcher(traffic: Stack) -> None:
    function = traffic.make('def handler(event, context): return {"statusCode": 404}')
    group = traffic.group(function=function)
    matcher = {"HttpCode": "200-299,404"}
    traffic.elb.modify_target_group(TargetGroupArn=group, Matcher=matcher, **CHECKED)
    traffic.front(forward(group))
    until(lambda: states(traffic, group) == {None: "healthy"})
    traffic.elb.modify_target_group(TargetGroupArn=group, HealthCheckEnabled=False)
    assert states(traffic, group) == {None: "unavailable"}
