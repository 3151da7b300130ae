"""One check of a server: connect, ask, judge. Of a function: what the Lambda host answers.

Source: ALB user guide, "Health checks for your target groups", "Target groups" (protocol versions).
"""

import asyncio
import errno
import ssl
from collections.abc import Awaitable, Callable
from functools import cache
from typing import TypeVar

from albatross.health import http1, http2, outcome
from albatross.health.http1 import Http1Check, Malformed
from albatross.health.http2 import Http2Check
from albatross.health.outcome import Fault, Outcome
from albatross.model.target_group import Target, TargetGroup

USER_AGENT = "ELB-HealthChecker/2.0"
TRAFFIC_PORT = "traffic-port"
GRPC_CODES = "12"  # unless a matcher says otherwise: UNIMPLEMENTED, so any gRPC server will do
_TLS_SHUTDOWN_S = 1.0  # a target that does not say goodbye is not waited for

Probe = Callable[[TargetGroup, Target], Awaitable[Outcome]]
P = TypeVar("P", Http1Check, Http2Check)

# The host has no room for one more connection: not the target's fault.
_OUT_OF_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EADDRNOTAVAIL})


async def check_server(group: TargetGroup, target: Target) -> Outcome:
    """Check a target that is an address. The caller limits the time."""
    try:
        match group.protocol_version:
            case "GRPC":
                return await _grpc(group, target)
            case "HTTP2":
                return await _http2(group, target)
            case _:
                return await _http1(group, target)
    except Malformed:
        return Outcome(fault=Fault.BAD_ANSWER)
    except TimeoutError:
        return Outcome(fault=Fault.TIMEOUT)
    except OSError as error:
        internal = error.errno in _OUT_OF_ROOM
        return Outcome(fault=Fault.INTERNAL if internal else Fault.CONNECTION)


def port(group: TargetGroup, target: Target) -> int:
    """Return the port on which `target` is checked."""
    wanted = group.health_check.port or TRAFFIC_PORT
    found = (target.port or group.port) if wanted == TRAFFIC_PORT else int(wanted)
    assert found is not None  # RegisterTargets has seen to it
    return found


def address(group: TargetGroup, target: Target) -> str:
    """Return `target`'s address and port as Host and a health check log have them."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{host}:{port(group, target)}"


def kind(group: TargetGroup) -> str:
    """Return the type of check that a health check log names."""
    if group.target_type == "lambda":
        return "lambda"
    match group.protocol_version:
        case "GRPC":
            return "grpc"
        case "HTTP2":
            return "h2"
        case _:
            return _scheme(group)


def _scheme(group: TargetGroup) -> str:
    return "https" if group.health_check.protocol == "HTTPS" else "http"


async def _http1(group: TargetGroup, target: Target) -> Outcome:
    check = group.health_check
    request = http1.request(check.path, address(group, target), USER_AGENT)
    transport, protocol = await _connect(Http1Check(request), group, target)
    try:
        return outcome.of_http(await protocol.answer, check.http_codes)
    finally:
        transport.close()


# Checks speak the version that the group's requests have: over TLS by ALPN, else with prior
# knowledge. Seen in public reports of HTTP2 groups in front of servers without HTTP/2.
async def _http2(group: TargetGroup, target: Target) -> Outcome:
    check = group.health_check
    headers = http2.get(check.path, address(group, target), _scheme(group), USER_AGENT)
    transport, protocol = await _connect(Http2Check(headers), group, target)
    try:
        found = await protocol.answer
        status = http2.number(found, b":status")
        assert status is not None  # without it the answer is Malformed
        return outcome.of_http(status, check.http_codes)
    finally:
        transport.close()


async def _grpc(group: TargetGroup, target: Target) -> Outcome:
    check = group.health_check
    headers = http2.grpc_call(check.path, address(group, target), _scheme(group), USER_AGENT)
    call = Http2Check(headers, http2.EMPTY_MESSAGE)
    transport, protocol = await _connect(call, group, target)
    try:
        found = await protocol.answer
        status = http2.number(found, b"grpc-status")
        return outcome.of_grpc(status, check.grpc_codes or GRPC_CODES)
    finally:
        transport.close()


async def _connect(
    protocol: P, group: TargetGroup, target: Target
) -> tuple[asyncio.WriteTransport, P]:
    """Connect `protocol` to `target`. Raises OSError."""
    tls = group.health_check.protocol == "HTTPS"
    alpn = "h2" if isinstance(protocol, Http2Check) else "http/1.1"
    try:
        return await asyncio.get_running_loop().create_connection(
            lambda: protocol,
            target.host,
            port(group, target),
            ssl=_tls_context(alpn) if tls else None,
            ssl_shutdown_timeout=_TLS_SHUTDOWN_S if tls else None,
        )
    except BaseException:
        protocol.answer.cancel()  # nobody will ask for it
        raise


@cache
def _tls_context(alpn: str) -> ssl.SSLContext:
    """Return what checks over TLS use: certificates of targets are not validated."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    return context
