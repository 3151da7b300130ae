"""Target groups of HTTP2 and GRPC, and which clients they take."""

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

from tests.e2e.test_servers_through_proxy import make_group, until_healthy
from tests.support.backends import Backend, Backends, backends
from tests.support.stack import Front, Stack, forward

HOST = "www.example.com"
VERSIONS = ("HTTP1", "HTTP2", "GRPC")


@pytest.fixture(scope="module")
def servers() -> Iterator[Backends]:
    with backends() as running:
        yield running


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
) -> dict[str, tuple[Front, Path]]:
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


def curl(front: Front, root: Path, *arguments: str) -> str:
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{http_version}"]
    to = ["--connect-to", f"{HOST}:443:{front.address}:{front.real_port}", "--cacert", str(root)]
    ran = subprocess.run(
        [*command, *to, *arguments, f"https://{HOST}/"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return ran.stdout


@pytest.mark.parametrize(
    ("version", "arguments", "expected"),
    [
        pytest.param("HTTP1", ["--http1.1"], "200 1.1", id="HTTP/1.1 to HTTP1"),
        pytest.param("HTTP1", ["--http2"], "200 2", id="HTTP/2 to HTTP1"),
        pytest.param("HTTP2", ["--http1.1"], "464 1.1", id="HTTP/1.1 to HTTP2"),
        pytest.param("GRPC", ["--http1.1"], "464 1.1", id="HTTP/1.1 to GRPC"),
        pytest.param("GRPC", ["--http2"], "464 2", id="HTTP/2 GET to GRPC"),
    ],
)
def test_a_client_of_another_version_gets_464(
    fronts: dict[str, tuple[Front, Path]], version: str, arguments: list[str], expected: str
) -> None:
    assert curl(*fronts[version], *arguments) == expected


def test_a_grpc_call_to_http1_gets_464_with_a_grpc_status(
    fronts: dict[str, tuple[Front, Path]],
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
def test_grpc_calls_pass_in_one_piece_and_as_streams(
    fronts: dict[str, tuple[Front, Path]], version: str
) -> None:
    front, root = fronts[version]
    with channel(front, root) as to_server:
        assert to_server.unary_unary("/t.Test/Echo")(b"hello", timeout=10) == b"hello"
        answers = to_server.stream_stream("/t.Test/Twice")(iter([b"a", b"b"]), timeout=10)
        assert list(answers) == [b"aa", b"bb"]
        with pytest.raises(grpc.RpcError) as raised:
            to_server.unary_unary("/t.Test/Missing")(b"", timeout=10)
        assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_grpc_call_without_target_is_unavailable_in_a_502_or_503(
    traffic: Stack, fronts: dict[str, tuple[Front, Path]], servers: Backends
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
