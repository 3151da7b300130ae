"""The fields of an access-log line, row by row, for answers of every kind.

Source: ALB user guide, "Access logs for your Application Load Balancer", access log entries.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.access_logs import Logs, turn_on
from tests.support.backends import Backend, Backends
from tests.support.command import free_port, until
from tests.support.groups import make_group, until_healthy
from tests.support.http2 import NAME, ask
from tests.support.rules import path
from tests.support.stack import Front, Stack, event, fixed, forward, redirect, request
from tests.support.tls import TlsClient, client_context

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
GIVEN_TRACE = "Root=1-67891233-abcdef012345678912345678"
LAMBDA, NOT_DISPATCHED = ("function", "created", "failed", "slow"), ("fixed", "redirect")
PLAIN = {
    "function": request("GET /x?a=%20b", "User-Agent: curl/8", host="example.com:81"),
    "silent": request("GET /x"),
    "talkative": request("GET /x", "User-Agent: " + "u" * 8193),
    "created": request("POST /-/reply", body='{"statusCode": 201, "body": "made"}'),
    "failed": request("GET /-/raise"),
    "slow": request("GET /-/sleep/logged/0.3"),
    "fixed": request("GET /fixed"),
    "redirect": request("GET /moved?x"),
    "server": request("GET /server"),
    "away": request("GET /away"),
    "malformed": b"GARBAGE\r\n\r\n",
    "traced": request("GET /x", f"X-Amzn-Trace-Id: {GIVEN_TRACE}"),
    "both lengths": request(
        "POST /x", "Content-Length: 3", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"
    ),
}


@dataclass
class World:
    """HTTP and HTTPS in front of a function, with rules for all else; one that is impatient."""

    plain: Front
    secure: Front
    hasty: Front
    server: Backend
    certificate: str
    function_group: str


@dataclass
class Lines:
    """The line of each request, by kind, and what its client got."""

    world: World
    by_kind: Mapping[str, Mapping[str, str]]
    answers: Mapping[str, Any]
    ports: Mapping[str, int]
    began: datetime

    def __getitem__(self, kind: str) -> Mapping[str, str]:
        return self.by_kind[kind]

    def column(self, name: str, *kinds: str) -> list[str]:
        return [self.by_kind[kind][name] for kind in kinds]


@pytest.fixture(scope="module")
def world(logs: Logs, servers: Backends) -> World:
    stack = logs.stack
    server = servers.start("logged")
    group, secure_group = make_group(stack, server), make_group(stack, server)
    away, function = make_group(stack), stack.group()
    nobody = {"Id": "127.0.0.1", "Port": free_port()}
    stack.elb.register_targets(TargetGroupArn=away, Targets=[nobody])
    certificate = stack.server.client("acm").request_certificate(
        DomainName=NAME, KeyAlgorithm="EC_prime256v1"
    )["CertificateArn"]
    plain = stack.front(forward(function))
    secure = stack.front(port=443, certificate=certificate)
    hasty = stack.front(idle_timeout__timeout_seconds="1")
    _add_rules(stack, plain, group, away)
    stack.elb.create_rule(
        ListenerArn=secure.listener,
        Priority=1,
        Conditions=[path("/server*")],
        Actions=[forward(secure_group)],
    )
    for front in (plain, secure, hasty):
        turn_on(front)
    until_healthy(stack, group)
    until_healthy(stack, secure_group)
    return World(plain, secure, hasty, server, certificate, function)


def _add_rules(stack: Stack, front: Front, group: str, away: str) -> None:
    actions = {
        "/fixed": fixed(418, "no"),
        "/moved": redirect(301, host="elsewhere.example.com", port="8443"),
        "/server*": forward(group),
        "/away": forward(away),
    }
    for priority, (pattern, action) in enumerate(actions.items(), 5):
        stack.elb.create_rule(
            ListenerArn=front.listener,
            Priority=priority,
            Conditions=[path(pattern)],
            Actions=[action],
        )


@pytest.fixture(scope="module")
def lines(logs: Logs, world: World) -> Lines:
    """Send every request, then wait for all lines together."""
    began = datetime.now(UTC)
    answers: dict[str, Any] = {}
    ports: dict[str, int] = {}
    fronts = {"late": world.hasty}
    fronts |= dict.fromkeys(("tls", "unknown name", "no TLS"), world.secure)
    tls = client_context(alpn=("http/1.1",))
    with world.hasty.connect() as late:
        ports["late"] = late.local_port
        late.write(request("GET /-/sleep/late/1.5"))
        for kind, data in PLAIN.items():
            with world.plain.connect() as client:
                ports[kind] = client.local_port
                client.write(data)
                answers[kind] = client.read()
        with world.plain.connect() as client:
            ports["body later"] = client.local_port
            client.write(request("POST /x", "Content-Length: 3"))
            time.sleep(0.3)
            client.write("abc")
            answers["body later"] = client.read()
        secure = world.secure
        for kind, name in {"tls": NAME, "unknown name": "other.example.com"}.items():
            with TlsClient(secure.real_port, name, address=secure.address, context=tls) as client:
                ports[kind] = client.local_port
                client.write(request("GET /x", host=NAME))
                client.read()
                answers[kind] = client.handshake
        with secure.connect() as client:
            ports["no TLS"] = client.local_port
            client.write(request("GET /x"))
            answers["no TLS"] = client.read()
        answers["h2"] = ask(secure, "GET", "/h2")
        answers["grpc"] = ask(secure, "POST", "/g", ("content-type", "application/grpc"), body="x")
        answers["late"] = late.read()
    by_kind: dict[str, Mapping[str, str]] = {}

    def are_all_there() -> bool:
        found = {id(front): logs.of(front) for front in (world.plain, world.hasty, secure)}
        for kind, port in ports.items():
            by_kind[kind] = found[id(fronts.get(kind, world.plain))].get(port, {})
        for kind, target in (("h2", "/h2"), ("grpc", "/g")):
            of_secure = found[id(secure)].values()
            fitting = [each for each in of_secure if each["request_url"].endswith(f"443{target}")]
            by_kind[kind] = fitting[0] if fitting else {}
        return all(by_kind.values())

    until(are_all_there)
    return Lines(world, by_kind, answers, ports, began)


def seconds(text: str) -> float:
    assert re.fullmatch(r"\d+\.\d{3}", text), text
    return float(text)


def moment(text: str) -> datetime:
    assert TIME.fullmatch(text), text
    return datetime.fromisoformat(text)


# Lines and files


def test_space_separated_fields_34_tokens(logs: Logs, lines: Lines) -> None:
    for line in logs.lines():
        assert len(re.findall(r'"[^"]*"|[^ ]+', line)) == 34, line
        assert '"' not in re.sub(r'(?<= )"[^"]*"(?= )', "", line), line


def test_one_line_per_request_written_after_the_response(logs: Logs, lines: Lines) -> None:
    assert len(logs.of(lines.world.plain)) == len(PLAIN) + 1
    with lines.world.plain.connect() as client:
        client.write(request("GET /-/sleep/held/0.3") + request("GET /second"))
        port = client.local_port
        assert client.read().status == client.read().status == 200
    until(lambda: sum(f":{port} - " in line for line in logs.lines()) == 2)


def test_websocket_after_close_type_ws_wss(logs: Logs, world: World) -> None:
    tls = client_context(alpn=("http/1.1",))
    plain, secure = world.plain, world.secure
    upgrade = request("GET /server-chat", "Connection: Upgrade", "Upgrade: websocket")
    with (
        plain.connect() as one,
        TlsClient(secure.real_port, NAME, address=secure.address, context=tls) as other,
    ):
        for client in (one, other):
            client.write(upgrade)
            assert client._file.readline().startswith(b"HTTP/1.1 101")
        plain.get("/before-close")
        until(lambda: any(":80/before-close " in line for line in logs.lines()))
        assert not any("/server-chat" in line for line in logs.lines())
        ports = one.local_port, other.local_port
    found = (
        until(lambda: logs.of(plain).get(ports[0])),
        until(lambda: logs.of(secure).get(ports[1])),
    )
    assert [each["type"] for each in found] == ["ws", "wss"]
    for each in found:
        assert (each["elb_status_code"], each["target_status_code"]) == ("101", "101")
        assert each["target_status_code_list"] == "101"
        assert each["target_port_list"] == f"127.0.0.1:{world.server.port}"


def test_health_checks_are_not_logged_here(logs: Logs, lines: Lines) -> None:
    assert lines.world.server.checks > 0
    assert not any("ELB-HealthChecker" in line for line in logs.lines())


# Fields 1 to 12


def test_1_type_http_https_h2_grpcs(lines: Lines) -> None:
    kinds = ("function", "fixed", "tls", "h2", "grpc")
    assert lines.column("type", *kinds) == ["http", "http", "https", "h2", "grpcs"]


def test_2_time_response_generated_iso_8601_microseconds(lines: Lines) -> None:
    now = datetime.now(UTC)
    for kind, each in lines.by_kind.items():
        assert lines.began <= moment(each["time"]) <= now, kind
    slow = lines["slow"]
    taken = moment(slow["time"]) - moment(slow["request_creation_time"])
    assert 0.3 <= taken.total_seconds() < 10


def test_3_elb_app_name_id(lines: Lines) -> None:
    expected = lines.world.plain.balancer.partition("loadbalancer/")[2]
    assert re.fullmatch(r"app/[a-z0-9]+/[0-9a-f]{16}", expected)
    assert set(lines.column("elb", *PLAIN)) == {expected}


def test_4_client_port_peer_address(lines: Lines) -> None:
    for kind, port in lines.ports.items():
        each = lines[kind]
        assert (each["client_ip"], int(each["client_port"])) == ("127.0.0.1", port)


def test_5_target_port_dash_for_lambda_or_request_not_dispatched(lines: Lines) -> None:
    for kind in (*LAMBDA, *NOT_DISPATCHED, "malformed"):
        assert (lines[kind]["target_ip"], lines[kind]["target_port"]) == ("", "")
    server = lines["server"]
    expected = ("127.0.0.1", str(lines.world.server.port))
    assert (server["target_ip"], server["target_port"]) == expected


def test_6_request_processing_time_seconds_3_decimals(lines: Lines) -> None:
    for kind in (*LAMBDA, "server", "tls", "h2"):
        assert seconds(lines[kind]["request_processing_time"]) < 10


def test_6_request_processing_time_for_lambda_includes_receiving_the_post_body(
    lines: Lines,
) -> None:
    assert seconds(lines["body later"]["request_processing_time"]) >= 0.2


def test_6_7_8_minus_1_if_not_dispatched_or_tcp_connect_failed(lines: Lines) -> None:
    for kind in (*NOT_DISPATCHED, "malformed", "away"):
        for name in ("request", "target", "response"):
            assert lines[kind][f"{name}_processing_time"] == "-1", (kind, name)
    assert lines["away"]["elb_status_code"] == "502"


def test_7_target_processing_time_minus_1_if_no_answer_before_idle_timeout(lines: Lines) -> None:
    assert seconds(lines["slow"]["target_processing_time"]) >= 0.3
    late = lines["late"]
    assert late["target_processing_time"] == late["response_processing_time"] == "-1"
    assert seconds(late["request_processing_time"]) < 1
    assert (late["elb_status_code"], late["target_status_code"]) == ("504", "-")


def test_8_response_processing_time_minus_1_if_no_valid_target_response(lines: Lines) -> None:
    failed = lines["failed"]
    assert failed["response_processing_time"] == "-1"
    assert seconds(failed["target_processing_time"]) < 10
    for kind in ("function", "server", "created"):
        assert seconds(lines[kind]["response_processing_time"]) < 10


def test_9_elb_status_code_status_sent_to_client(lines: Lines) -> None:
    for kind in PLAIN:
        assert lines[kind]["elb_status_code"] == str(lines.answers[kind].status)
    kinds = ("function", "created", "failed", "fixed", "redirect", "server", "away", "malformed")
    expected = ["200", "201", "502", "418", "301", "200", "502", "400"]
    assert lines.column("elb_status_code", *kinds) == expected


def test_9_elb_status_code_460_where_the_client_went_after_100_continue(
    logs: Logs, world: World
) -> None:
    data = request("POST /-/sleep/unheard/2", "Expect: 100-continue", body="abc")
    with world.plain.connect() as client:
        client.write(data)
        assert client.read().status == 100
        until(lambda: logs.stack.noted("unheard"))
        port = client.local_port
    found = until(lambda: logs.of(world.plain).get(port))
    assert (found["elb_status_code"], found["target_status_code"]) == ("460", "-")
    assert found["target_processing_time"] == found["response_processing_time"] == "-1"


def test_10_target_status_code_lambda_success_the_status_code_failure_dash(lines: Lines) -> None:
    kinds = ("function", "created", "failed", "fixed", "redirect", "server", "away", "malformed")
    expected = ["200", "201", "-", "-", "-", "200", "-", "-"]
    assert lines.column("target_status_code", *kinds) == expected


def test_11_received_bytes_request_incl_headers(lines: Lines) -> None:
    for kind in ("function", "silent", "created", "fixed", "redirect", "server"):
        assert int(lines[kind]["received_bytes"]) == len(PLAIN[kind]), kind
    assert lines["malformed"]["received_bytes"] == "0"


def test_12_sent_bytes_response_headers_and_body(lines: Lines) -> None:
    for kind in ("function", "created", "failed", "fixed", "redirect", "server"):
        answer = lines.answers[kind]
        head = f"HTTP/1.1 {answer.status} {answer.reason}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in answer.headers) + "\r\n"
        expected = len(head) + len(answer.body)
        assert int(lines[kind]["sent_bytes"]) == expected, (kind, lines[kind]["sent_bytes"])


# Fields 13 to 20


def test_13_request_line_method_protocol_host_port_uri_port_always_printed(lines: Lines) -> None:
    def shown(kind: str) -> str:
        return " ".join(lines[kind][f"request_{name}"] for name in ("verb", "url", "proto"))

    assert shown("function") == "GET http://example.com:80/x?a=%20b HTTP/1.1"
    assert shown("created") == "POST http://example.com:80/-/reply HTTP/1.1"
    assert shown("tls") == f"GET https://{NAME}:443/x HTTP/1.1"
    assert shown("h2") == f"GET https://{NAME}:443/h2 HTTP/2.0"
    assert shown("malformed") == f"- http://{lines.world.plain.dns_name}:80- -"


def test_14_user_agent_truncated_at_8_kb_dash_if_none(lines: Lines) -> None:
    kinds = ("function", "silent", "talkative")
    assert lines.column("user_agent", *kinds) == ["curl/8", "-", "u" * 8192]


def test_15_ssl_cipher_16_ssl_protocol_dash_unless_https(lines: Lines) -> None:
    seen = lines.answers["tls"]
    assert (lines["tls"]["ssl_cipher"], lines["tls"]["ssl_protocol"]) == (seen.cipher, seen.version)
    assert re.fullmatch(r"TLSv1\.[23]", lines["h2"]["ssl_protocol"])
    for kind in (*LAMBDA, *NOT_DISPATCHED, "server"):
        assert (lines[kind]["ssl_cipher"], lines[kind]["ssl_protocol"]) == ("-", "-")


def test_17_target_group_arn_dash_when_no_tg(lines: Lines) -> None:
    assert set(lines.column("target_group_arn", *LAMBDA)) == {lines.world.function_group}
    assert ":targetgroup/" in lines["server"]["target_group_arn"]
    assert lines["server"]["target_group_arn"] != lines.world.function_group
    assert lines.column("target_group_arn", *NOT_DISPATCHED, "malformed") == ["-"] * 3


def test_18_trace_id_x_amzn_trace_id_contents(lines: Lines) -> None:
    for kind in ("function", "silent"):
        seen = event(lines.answers[kind])["headers"]["x-amzn-trace-id"]
        assert lines[kind]["trace_id"] == seen
    given = event(lines.answers["traced"])["headers"]["x-amzn-trace-id"]
    assert lines["traced"]["trace_id"] == given
    assert given.endswith(GIVEN_TRACE)
    for kind in NOT_DISPATCHED:
        assert re.fullmatch("Root=1-[0-9a-f]{8}-[0-9a-f]{24}", lines[kind]["trace_id"])


def test_19_domain_name_sni_dash_if_none_or_default_cert_for_lack_of_match(lines: Lines) -> None:
    kinds = ("tls", "h2", "unknown name", "function")
    assert lines.column("domain_name", *kinds) == [NAME, NAME, "-", "-"]


def test_20_chosen_cert_arn_or_dash(lines: Lines) -> None:
    arn = lines.world.certificate
    kinds = ("tls", "h2", "unknown name", "function")
    assert lines.column("chosen_cert_arn", *kinds) == [arn, arn, arn, "-"]


# Fields 21 to 34


def test_http_to_the_port_of_https_has_a_line_without_a_rule(lines: Lines) -> None:
    each = lines["no TLS"]
    assert lines.answers["no TLS"].status == 400
    names = ("elb_status_code", "target_status_code", "ssl_protocol", "target_group_arn")
    assert [each[name] for name in names] == ["400", "-", "-", "-"]
    assert (each["matched_rule_priority"], each["actions_executed"]) == ("-", "-")


def test_21_matched_rule_priority_0_default_dash_other_errors(lines: Lines) -> None:
    kinds = ("function", "fixed", "redirect", "server", "away", "malformed")
    assert lines.column("matched_rule_priority", *kinds) == ["0", "5", "6", "7", "8", "-"]


def test_22_request_creation_time_iso_8601_microseconds(lines: Lines) -> None:
    for each in lines.by_kind.values():
        assert moment(each["request_creation_time"]) <= moment(each["time"])
    assert moment(lines["silent"]["request_creation_time"]) <= moment(
        lines["fixed"]["request_creation_time"]
    )


def test_23_actions_executed_fixed_response_forward_redirect_dash_if_none(lines: Lines) -> None:
    kinds = ("function", "failed", "fixed", "redirect", "server", "malformed")
    expected = ["forward", "forward", "fixed-response", "redirect", "forward", "-"]
    assert lines.column("actions_executed", *kinds) == expected


def test_24_redirect_url_location(lines: Lines) -> None:
    location = lines.answers["redirect"].header("Location")
    assert lines["redirect"]["redirect_url"] == location
    assert location == "http://elsewhere.example.com:8443/moved?x"
    assert lines.column("redirect_url", "function", "fixed", "server", "malformed") == ["-"] * 4


def test_25_error_reason_lambda_codes(lines: Lines) -> None:
    kinds = ("failed", "function", "fixed", "server", "away", "late", "malformed")
    expected = ["LambdaUnhandled", "-", "-", "-", "-", "-", "-"]
    assert lines.column("lambda_error_reason", *kinds) == expected


def test_26_target_port_list_same_as_5_dash_for_lambda(lines: Lines) -> None:
    assert lines["server"]["target_port_list"] == f"127.0.0.1:{lines.world.server.port}"
    assert set(lines.column("target_port_list", *LAMBDA, *NOT_DISPATCHED, "malformed")) == {"-"}


def test_27_target_status_code_list_dash_for_a_successful_lambda(lines: Lines) -> None:
    assert lines["server"]["target_status_code_list"] == "200"
    assert set(lines.column("target_status_code_list", *LAMBDA, *NOT_DISPATCHED)) == {"-"}


def test_28_classification_29_classification_reason(lines: Lines) -> None:
    both = lines["both lengths"]
    assert (both["classification"], both["classification_reason"]) == (
        "Ambiguous",
        "BothTeClPresent",
    )
    for name in ("classification", "classification_reason"):
        assert set(lines.column(name, *LAMBDA, *NOT_DISPATCHED, "server")) == {"-"}


def test_30_conn_trace_id_tid_and_hex_one_a_connection(lines: Lines) -> None:
    ids = [each["conn_trace_id"] for each in lines.by_kind.values()]
    assert all(re.fullmatch("TID_[0-9a-f]{32}", each) for each in ids)
    assert len(set(ids)) == len(ids)


def test_31_32_33_transforms_dash_if_no_transform_34_ip_address_of_the_node(lines: Lines) -> None:
    for kind in (*PLAIN, "body later"):
        assert lines[kind]["more"] == f' "-" "-" "-" {lines.world.plain.address}'
    assert lines["h2"]["more"].endswith(f" {lines.world.secure.address}")
