"""The engine for functions that run elsewhere: AWS Lambda, or whatever speaks its Invoke API.

Imported only where the table `remote_functions` has entries: the HTTP client and the signer take
memory. Nothing is tried twice: an invocation whose answer is lost may have had its effect.
"""

import asyncio
import base64
import logging
import os
import socket
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import botocore
from yarl import URL

from albatross.host.invocation import Invocation, Outcome
from albatross.host.remote_answer import PAYLOAD_BYTES_MAX, outcome
from albatross.host.signer import NoCredentials, Signer
from albatross.model.remote import AWS, Remote, RemoteFunctions

log = logging.getLogger(__name__)

# AWS is silent: Lambda has 10 s to accept a connection, else the answer is 504.
CONNECT_S = 10.0
READ_S = 930.0  # the longest timeout of a function, and what its start may add
KEEP_S = 15.0  # for which an idle connection is kept: less than the other side keeps it
CONNECTIONS_MAX = 1000  # the concurrency of an AWS account, unless it has been raised
_KNOWN_MAX = 10_000
_LOG_TAIL_BYTES = 4096
_KEEPALIVE_S = 60


class RemoteEngine:
    """Invokes functions over HTTP, on pooled connections. Make it in the event loop."""

    def __init__(self, remotes: RemoteFunctions, *, connect_s: float = CONNECT_S) -> None:
        self._remotes = remotes
        self._known: dict[str, RemoteFunction | None] = {}
        self._signers: dict[tuple[Remote, str, str], Signer] = {}
        connector = aiohttp.TCPConnector(
            limit=CONNECTIONS_MAX,
            keepalive_timeout=KEEP_S,
            ssl=_trust(),
            socket_factory=_socket,
        )
        self.session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_s, sock_read=READ_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=True,  # proxies
            max_line_size=64 * 1024,
            max_field_size=64 * 1024,  # X-Amz-Log-Result
        )
        self._tasks: set[asyncio.Task[None]] = set()

    def find(self, arn: str) -> "RemoteFunction | None":
        if arn not in self._known:
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            remote = self._remotes.find(arn)
            self._known[arn] = self._function(remote, arn) if remote else None
        return self._known[arn]

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await self.session.close()

    def start(self, function: "RemoteFunction", invocation: Invocation) -> None:
        task = asyncio.get_running_loop().create_task(function.run(invocation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _function(self, remote: Remote, arn: str) -> "RemoteFunction":
        _, _, _, region, account, *_ = arn.split(":")
        key = (remote, remote.region or region, account)
        if key not in self._signers:
            self._signers[key] = Signer(*key)
        return RemoteFunction(self, arn, _url(remote, arn), self._signers[key])


class RemoteFunction:
    """One function elsewhere."""

    def __init__(self, engine: RemoteEngine, arn: str, url: str, signer: Signer) -> None:
        self.arn = arn
        self.url = url
        self._engine = engine
        self._signer = signer

    # differs from AWS: concurrency of functions that run elsewhere is limited there, not here.
    def submit(self, invocation: Invocation) -> None:
        invocation.started_s = invocation.queued_s = time.monotonic()
        self._engine.start(self, invocation)

    async def run(self, invocation: Invocation) -> None:
        """Invoke the function and tell how that ended."""
        try:
            found = await self._invoke(invocation)
        except NoCredentials as error:
            found = _failed("AccessDeniedException", error)
        except (aiohttp.ServerTimeoutError, TimeoutError) as error:
            found = _failed("ConnectionTimeout", error)
        except (aiohttp.ClientError, OSError) as error:
            found = _failed("ConnectionError", error)
        except Exception as error:
            log.exception("%s could not be invoked", self.arn)
            found = _failed("UnhandledException", error)
        if found.api_error is not None:
            log.info("%s: %s: %s", self.arn, found.api_error, found.payload.decode())
        invocation.done(invocation, found)

    async def _invoke(self, invocation: Invocation) -> Outcome:
        kind = invocation.invocation_type
        headers = {"Content-Type": "application/json", "X-Amz-Invocation-Type": kind}
        if invocation.wants_log:
            headers["X-Amz-Log-Type"] = "Tail"
        if invocation.trace_id:
            headers["X-Amzn-Trace-Id"] = invocation.trace_id
        if invocation.client_context:
            context = base64.b64encode(invocation.client_context.encode())
            headers["X-Amz-Client-Context"] = context.decode()
        signed = await self._signer.sign(self.url, invocation.event, headers)
        async with self._engine.session.post(
            URL(self.url, encoded=True),
            data=invocation.event,
            headers=signed,
            allow_redirects=False,
        ) as answer:
            _note(invocation, answer.headers)
            payload = await _read(answer)
            if payload is None:
                return _failed("ResponseTooLarge", f"more than {PAYLOAD_BYTES_MAX:,} bytes")
            found = outcome(kind, answer.status, answer.headers, payload)
        if found.api_error == "AccessDeniedException":
            self._signer.forget()  # they may have expired: the next call reads them again
        return found


def _url(remote: Remote, arn: str) -> str:
    """Return the URL that invokes the function `arn`.

    AWS is told the whole ARN; other servers know functions by their names.
    """
    *_, region, _, _, name = (parts := arn.split(":"))[:7]
    called = remote.name or (":".join(parts[:7]) if remote.endpoint == AWS else name)
    qualifier = f"?Qualifier={quote(parts[7], safe='')}" if len(parts) > 7 else ""
    base = remote.url(region).rstrip("/")
    return f"{base}/2015-03-31/functions/{quote(called, safe='')}/invocations{qualifier}"


def _note(invocation: Invocation, headers: Mapping[str, str]) -> None:
    """Let `invocation` be known by what the other side says of it."""
    invocation.id = headers.get("x-amzn-RequestId") or invocation.id
    invocation.version = headers.get("X-Amz-Executed-Version", "")
    if tail := headers.get("X-Amz-Log-Result"):
        invocation.log.append(base64.b64decode(tail)[-_LOG_TAIL_BYTES:])


async def _read(answer: aiohttp.ClientResponse) -> bytes | None:
    """Return the body; None where it is larger than any result may be."""
    chunks, size = [], 0
    async for chunk in answer.content.iter_any():
        size += len(chunk)
        if size > PAYLOAD_BYTES_MAX:
            answer.close()
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _failed(code: str, why: object) -> Outcome:
    text = str(why) or type(why).__name__
    return Outcome(text.encode(), api_error=code)


def _trust() -> ssl.SSLContext:
    """Return what certificates are checked by: as botocore does it, and by what the system has."""
    bundle = os.environ.get("AWS_CA_BUNDLE") or Path(botocore.__file__).parent / "cacert.pem"
    context = ssl.create_default_context()
    context.load_verify_locations(bundle)
    return context


def _socket(address: Any) -> socket.socket:
    """Return a socket that notices, while a function works for minutes, that the way is lost."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_S)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_S // 4)
    return made
