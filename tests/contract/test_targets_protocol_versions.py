"""Protocol versions of target groups, row by row: which clients each takes.

Source: ALB user guide, "Target groups for your Application Load Balancers" (protocol version).
"""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import h2.config
import h2.connection
import h2.events
import pytest

from tests.support.backends import Backend, Backends
from tests.support.groups import make_group, until_healthy
from tests.support.rules import ANY, refused
from tests.support.stack import Front, Stack, fixed, forward
from tests.support.targets import answering_http2

HOST = "www.example.com"
VERSIONS = ("HTTP1", "HTTP2", "GRPC")

Fronts = dict[str, tuple[Front, Path]]


@pytest.fixture(scope="module")
def http2(servers: Backends) -> Backend:
    """A server of HTTP/2 without TLS that does not speak gRPC."""
    return servers.start("h2", handler=answering_http2("200"))


def echo(data: bytes, _: Any) -> bytes:
    return data


def twice(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
    for data in requests:
        yield data * 2


@pytest.fixture(scope="module")
def grpc_port() -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(4))
    methods = {
        "Echo": grpc.unary_unary_rpc_method_handler(echo),
        "Twice": grpc.stream_stream_rpc_method_handler(twice),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.Test", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(0).wait()


@pytest.fixture(scope="module")
def fronts(
    traffic: Stack, servers: Backends, grpc_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Fronts:
    """HTTPS listeners in front of a group of each protocol version."""
    root = tmp_path_factory.mktemp("ca") / "root.pem"
    certificate = traffic.server.client("acm").request_certificate(
        DomainName=HOST, KeyAlgorithm="EC_prime256v1"
    )["CertificateArn"]
    root.write_bytes((traffic.server.place.data / "ca" / "root.pem").read_bytes())
    found = {}
    for version in VERSIONS:
        of_servers = version == "HTTP1"
        target = servers.start("h1") if of_servers else Backend("grpc", port=grpc_port)
        check = {} if of_servers else {"Matcher": matcher(version)}
        group = make_group(traffic, target, ProtocolVersion=version, **check)
        front = traffic.front(forward(group), port=443, certificate=certificate)
        found[version] = (front, root)
        if version != "HTTP2":  # a gRPC server answers GET with an error
            until_healthy(traffic, group)
    return found


def matcher(version: str) -> dict[str, str]:
    return {"GrpcCode": "12"} if version == "GRPC" else {"HttpCode": "200-499"}


def curl(front: Front, root: Path, *arguments: str, path: str = "/") -> str:
    """Return status and HTTP version of the answer."""
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{http_version}"]
    to = ["--connect-to", f"{HOST}:443:{front.address}:{front.real_port}", "--cacert", str(root)]
    ran = subprocess.run(
        [*command, *to, *arguments, f"https://{HOST}{path}"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return ran.stdout


def test_http_1_1_to_http1_ok_to_http2_464_to_grpc_464(fronts: Fronts) -> None:
    assert curl(*fronts["HTTP1"], "--http1.1") == "200 1.1"
    for version in ("HTTP2", "GRPC"):
        assert curl(*fronts[version], "--http1.1") == "464 1.1"
        assert curl(*fronts[version], "--http1.1", "--data", "x") == "464 1.1"


def test_http_2_to_http1_ok_to_http2_ok(fronts: Fronts, http2: Backend, traffic: Stack) -> None:
    assert curl(*fronts["HTTP1"], "--http2") == "200 2"
    front, root = fronts["HTTP2"]
    group = make_group(traffic, http2, ProtocolVersion="HTTP2")
    with front.rule(forward(group), path_pattern=["/h2"]):
        until_healthy(traffic, group)
        assert curl(front, root, "--http2", path="/h2") == "200 2"
        assert curl(front, root, "--http2", "--data", "x", path="/h2") == "200 2"


def test_http_2_to_grpc_ok_if_post_else_464(fronts: Fronts, http2: Backend, traffic: Stack) -> None:
    front, root = fronts["GRPC"]
    group = make_group(traffic, http2, ProtocolVersion="GRPC")
    with front.rule(forward(group), path_pattern=["/h2"]):
        assert curl(front, root, "--http2", "--data", "x", path="/h2") == "200 2"
        for method in ("GET", "PUT", "DELETE", "OPTIONS"):
            assert curl(front, root, "--http2", "--request", method, path="/h2") == "464 2"


def test_grpc_to_http1_464(
    fronts: Fronts,
) -> None:
    front, root = fronts["HTTP1"]
    context = ssl.create_default_context(cafile=str(root))
    context.set_alpn_protocols(["h2"])
    headers = {":method": "POST", ":path": "/", ":scheme": "https", ":authority": HOST}
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    connection.send_headers(1, [*headers.items(), ("content-type", "application/grpc")], True)
    with (
        socket.create_connection((front.address, front.real_port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as stream,
    ):
        stream.sendall(connection.data_to_send())
        answer: dict[str, str] = {}
        while not answer:
            for event in connection.receive_data(stream.recv(65536)):
                if isinstance(event, h2.events.ResponseReceived):
                    answer = {str(name): str(value) for name, value in event.headers}
    assert answer[":status"] == "464"
    assert (answer["grpc-status"], answer["grpc-message"]) == ("14", "unavailable")


@pytest.mark.parametrize("version", ["HTTP2", "GRPC"])
def test_grpc_to_http2_ok_if_target_speaks_grpc_to_grpc_ok(fronts: Fronts, version: str) -> None:
    front, root = fronts[version]
    with channel(front, root) as to_server:
        assert to_server.unary_unary("/t.Test/Echo")(b"hello", timeout=10) == b"hello"
        answers = to_server.stream_stream("/t.Test/Twice")(iter([b"a", b"b"]), timeout=10)
        assert list(answers) == [b"aa", b"bb"]
        with pytest.raises(grpc.RpcError) as raised:
            to_server.unary_unary("/t.Test/Missing")(b"", timeout=10)
        assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_grpc_call_without_target_is_unavailable_in_a_502_or_503(
    traffic: Stack, fronts: Fronts, servers: Backends
) -> None:
    front, root = fronts["GRPC"]
    gone = servers.start("gone")
    servers.stop(gone)
    group = make_group(traffic, gone, ProtocolVersion="GRPC")
    with front.rule(forward(group), path_pattern=["/t.Gone/*"]):
        with channel(front, root) as to_server, pytest.raises(grpc.RpcError) as raised:
            to_server.unary_unary("/t.Gone/Echo")(b"", timeout=10)
        assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
        assert raised.value.details() == "unavailable"


def channel(front: Front, root: Path) -> grpc.Channel:
    credentials = grpc.ssl_channel_credentials(root.read_bytes())
    options = [("grpc.ssl_target_name_override", HOST)]
    return grpc.secure_channel(f"{front.address}:{front.real_port}", credentials, options)


@pytest.mark.parametrize("version", ["HTTP2", "GRPC"])
def test_http2_and_grpc_https_listener_only(traffic: Stack, elb: Any, version: str) -> None:
    group = make_group(traffic, ProtocolVersion=version)
    front = traffic.shared_front(8000)
    expected = (
        "IncompatibleProtocols",
        "Listener protocol 'HTTP' is not supported with a target group with the "
        f"protocol-version '{version}'",
    )
    action = forward(group)
    for call, params in (
        (
            elb.create_listener,
            {"LoadBalancerArn": front.balancer, "Protocol": "HTTP", "Port": 8001},
        ),
        (elb.modify_listener, {"ListenerArn": front.listener}),
    ):
        assert refused(call, DefaultActions=[action], **params) == expected
    rule = {"ListenerArn": front.listener, "Conditions": [ANY], "Priority": 1}
    assert refused(elb.create_rule, Actions=[action], **rule) == expected
    with front.rule(fixed(200), path_pattern=["/x"]) as arn:
        assert refused(elb.modify_rule, RuleArn=arn, Actions=[action]) == expected


def test_there_is_no_other_protocol_version(traffic: Stack, elb: Any) -> None:
    for other in ("", "http1", "HTTP/2", "HTTP3"):
        assert refused(
            elb.create_target_group,
            Name=traffic.name(),
            TargetType="ip",
            Protocol="HTTP",
            ProtocolVersion=other,
            Port=80,
            VpcId="vpc-1",
        ) == (
            "ValidationError",
            f"Protocol version '{other}' must be one of [HTTP1, HTTP2, GRPC]",
        )
