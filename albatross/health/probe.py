"""One check of a server: connect, ask, judge. Of a function: what the Lambda host answers.

Source: ALB user guide, "Health checks for your target groups", "Target groups" (protocol versions).
"""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import TypeVar

from albatross.health import http1, outcome
from albatross.health.check import Check, Malformed
from albatross.health.http1 import Http1Check
from albatross.health.outcome import Fault, Outcome
from albatross.health.resumption import Resumption
from albatross.model.target_group import Target, TargetGroup

USER_AGENT = "ELB-HealthChecker/2.0"
TRAFFIC_PORT = "traffic-port"
GRPC_CODES = "12"  # unless a matcher says otherwise: UNIMPLEMENTED, so any gRPC server will do

Probe = Callable[[TargetGroup, Target], Awaitable[Outcome]]  # of a function
ServerProbe = Callable[[TargetGroup, Target, Resumption], Awaitable[Outcome]]
T = TypeVar("T")

# The host has no room for one more connection: not the target's fault.
_OUT_OF_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EADDRNOTAVAIL})


async def check_server(group: TargetGroup, target: Target, known: Resumption) -> Outcome:
    """Check a target that is an address, of which checks before have left `known`.

    The caller limits the time.
    """
    try:
        match group.protocol_version:
            case "GRPC":
                return await _grpc(group, target, known)
            case "HTTP2":
                return await _http2(group, target, known)
            case _:
                return await _http1(group, target, known)
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


async def _http1(group: TargetGroup, target: Target, known: Resumption) -> Outcome:
    check = group.health_check
    request = http1.request(check.path, address(group, target), USER_AGENT)
    status = await _ask(lambda: Http1Check(request), "http/1.1", group, target, known)
    return outcome.of_http(status, check.http_codes)


# Checks speak the version that the group's requests have: over TLS by ALPN, else with prior
# knowledge. Seen in public reports of HTTP2 groups in front of servers without HTTP/2.
async def _http2(group: TargetGroup, target: Target, known: Resumption) -> Outcome:
    from albatross.health import http2  # memory: only who checks over HTTP/2 needs hpack

    check = group.health_check
    headers = http2.get(check.path, address(group, target), _scheme(group), USER_AGENT)
    found = await _ask(lambda: http2.Http2Check(headers), "h2", group, target, known)
    status = http2.number(found, b":status")
    assert status is not None  # without it the answer is Malformed
    return outcome.of_http(status, check.http_codes)


async def _grpc(group: TargetGroup, target: Target, known: Resumption) -> Outcome:
    from albatross.health import http2

    check = group.health_check
    headers = http2.grpc_call(check.path, address(group, target), _scheme(group), USER_AGENT)
    found = await _ask(
        lambda: http2.Http2Check(headers, http2.EMPTY_MESSAGE), "h2", group, target, known
    )
    status = http2.number(found, b"grpc-status")
    return outcome.of_grpc(status, check.grpc_codes or GRPC_CODES)


async def _ask(
    new: Callable[[], Check[T]], alpn: str, group: TargetGroup, target: Target, known: Resumption
) -> T:
    """Return what `target` answers to the check that `new` makes. Raises Malformed, OSError."""

    async def exchange(protocol: asyncio.Protocol, check: Check[T]) -> T:
        connect = asyncio.get_running_loop().create_connection
        try:
            transport, _ = await connect(lambda: protocol, target.host, port(group, target))
        except BaseException:
            check.answer.cancel()  # nobody will ask for it
            raise
        try:
            return await check.answer
        finally:
            transport.close()

    if group.health_check.protocol != "HTTPS":
        check = new()
        return await exchange(check, check)
    from albatross.health import tls  # memory: only who checks over TLS needs pyOpenSSL

    return await tls.ask(new, alpn, known, exchange)
