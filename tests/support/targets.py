"""Servers to be health-checked, and target groups that hold them. In the test's own event loop."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.rule import Forward, Rule
from albatross.model.snapshot import ListenerRules, Snapshot
from albatross.model.target_group import HealthCheck, Target, TargetGroup

PREFIX = "arn:aws:elasticloadbalancing:us-east-1:123456789012"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def make_group(
    *ports: int, check: dict[str, Any] | None = None, name: str = "web", **fields: Any
) -> TargetGroup:
    """Return a target group of addresses, one target of the loopback address a port."""
    settings = {"interval_s": 5, "timeout_s": 1, "protocol": "HTTP", "port": "traffic-port"}
    values: dict[str, Any] = {
        "arn": f"{PREFIX}:targetgroup/{name}/0123456789abcdef",
        "name": name,
        "target_type": "ip",
        "protocol": "HTTP",
        "protocol_version": "HTTP1",
        "port": 80,
        "targets": tuple(Target(id="127.0.0.1", port=port) for port in ports),
        "health_check": HealthCheck(enabled=True, **{**settings, **(check or {})}),
    }
    return TargetGroup(**{**values, **fields})


def with_check(group: TargetGroup, **changes: Any) -> TargetGroup:
    return replace(group, health_check=replace(group.health_check, **changes))


def make_snapshot(*groups: TargetGroup, used: bool = True, **fields: Any) -> Snapshot:
    """Return a snapshot in which a load balancer forwards to each of `groups` if `used`."""
    balancer_arn = f"{PREFIX}:loadbalancer/app/lb/0123456789abcdef"
    listener_arn = f"{PREFIX}:listener/app/lb/0123456789abcdef/0123456789abcdef"
    balancer = LoadBalancer(
        arn=balancer_arn,
        name="lb",
        dns_name="lb-1.us-east-1.elb.localhost",
        scheme="internet-facing",
        ip_address_type="ipv4",
        zones=(),
        security_groups=(),
        vpc_id="vpc-1",
        created_at=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        slot=0,
    )
    rules = tuple(
        Rule(
            arn=f"{listener_arn}/{position}".replace("listener/", "listener-rule/"),
            listener_arn=listener_arn,
            priority=None,
            conditions=(),
            action=Forward.to(group.arn),
        )
        for position, group in enumerate(groups)
    )
    listener = Listener(arn=listener_arn, load_balancer_arn=balancer_arn, port=80, protocol="HTTP")
    return Snapshot(
        revision=1,
        load_balancers=(balancer,),
        listeners=(listener,),
        by_listener={listener_arn: ListenerRules.of(rules)} if used and rules else {},
        target_groups=groups,
        **fields,
    )


@asynccontextmanager
async def listening(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve each connection with `handler` and yield the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def answering(answer: bytes, requests: list[bytes] | None = None) -> Handler:
    """Return a handler that reads a request's head and writes `answer`."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if requests is not None:
            requests.append(request)
        writer.write(answer)
        await writer.drain()

    return handle


def answering_http2(
    status: str, requests: list[dict[str, str]] | None = None, body: bytes = b"ok"
) -> Handler:
    """Return a handler that speaks HTTP/2 and answers each request once it is complete."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        connection = h2.connection.H2Connection(config)
        connection.initiate_connection()
        while True:
            writer.write(connection.data_to_send())
            if not (data := await reader.read(65536)):
                return
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived) and requests is not None:
                    requests.append({str(k): str(v) for k, v in event.headers})
                if isinstance(event, h2.events.StreamEnded):
                    connection.send_headers(event.stream_id, [(":status", status)])
                    for start in range(0, len(body), 16_384):
                        connection.send_data(event.stream_id, body[start : start + 16_384])
                    connection.end_stream(event.stream_id)

    return handle


def server_tls(directory: Path, *alpn: str) -> ssl.SSLContext:
    """Return the TLS settings of a server with a certificate that nobody trusts and has expired."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "elsewhere")])
    long_ago = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(long_ago)
        .not_valid_after(long_ago + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    path = directory / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context
