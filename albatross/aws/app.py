"""The API's ASGI application: takes a request, runs the operation, answers."""

import asyncio
import logging
import time
import uuid
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Mapping,
)
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from albatross.aws import browser, protocol, query
from albatross.aws.errors import STATUS, InternalFailure, MissingAction, Refused
from albatross.aws.http import ANSWER_HEADERS, HOST, REQUEST_ID, TRACE_ID, Request, Response
from albatross.aws.protocol import Call
from albatross.aws.service import Service, service
from albatross.aws.signature import Caller, caller, service_of
from albatross.model.arn import Scope
from albatross.model.errors import AccessDenied, AwsError, NotImplementedHere, ServiceUnavailable
from albatross.model.leniency import Leniency
from albatross.model.operation import AsyncOperation, Operation
from albatross.store.engine import is_full

if TYPE_CHECKING:
    from albatross.aws.verify import Verifier
    from albatross.store.store import Store

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Handler = Callable[[Request], Awaitable[Response]]
Operations = Mapping[str, Mapping[str, Operation | AsyncOperation]]

INLINE_BYTES_MAX = 64 * 1024  # a larger body is parsed in a thread, not in the event loop
DISCARDED_BYTES_MAX = 128 * 1024 * 1024  # of a body that is too large
OWN_PREFIX = "/_albatross/"  # of the paths that AWS does not have

log = logging.getLogger(__name__)


class _Disconnected(Exception):
    """The client has gone before its request was complete: there is nobody to answer."""


class _NotAccepted(Exception):
    """The signature of a call is refused; `service` is the one it is for, if that is known."""

    def __init__(self, refused: Refused, service: Service | None) -> None:
        super().__init__()
        self.refused = refused
        self.service = service


class App:
    """Serves the AWS APIs in `operations` (by signing name, then by operation) and `extra_routes`.

    `lenient`: what is taken though AWS refuses it.
    `after_write` is awaited between a committed write and its answer. With a `verifier`, a call
    must be signed with a key it knows, one of an extra route too unless its path is in
    `open_paths`.
    """

    def __init__(
        self,
        operations: Operations,
        store: "Store",
        *,
        region: str,
        account: str,
        after_write: Callable[[], Awaitable[None]],
        extra_routes: Mapping[tuple[str, str], Handler],
        is_loopback: bool = True,
        lenient: Collection[Leniency] = frozenset(Leniency),
        verifier: "Verifier | None" = None,
        open_paths: frozenset[str] = frozenset(),
    ) -> None:
        # Who must sign may come by any name: a page that rebinds a name has no key.
        self._is_loopback = is_loopback and verifier is None
        self._verifier = verifier
        self._open_paths = open_paths
        self._operations = operations
        self._lenient = lenient
        self._store = store
        self._default_scope = Scope(account, region)
        self._after_write = after_write
        self._extra_routes = extra_routes

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        assert scope["type"] == "http", "the API speaks HTTP only"
        request = _request(scope)
        HOST.set(request.headers.get("host", ""))
        request_id = str(uuid.uuid4())
        REQUEST_ID.set(request_id)
        TRACE_ID.set(request.headers.get("x-amzn-trace-id", ""))
        ANSWER_HEADERS.set({})
        started = time.perf_counter()
        try:
            response, what = await self._respond(request, receive, request_id)
        except _Disconnected:
            return
        log.info(
            "%s: %d in %.1f ms, request %s",
            what,
            response.status,
            (time.perf_counter() - started) * 1000,
            request_id,
        )
        await _send(send, receive, request, response, request_id)

    async def _respond(
        self, request: Request, receive: Receive, request_id: str
    ) -> tuple[Response, str]:
        """Return the answer and what it answers, for the log. Raises nothing but _Disconnected."""
        if fault := browser.refusal(request.headers, is_loopback=self._is_loopback):
            return _stray(request, AccessDenied(fault), request_id), "a call from a web page"
        if request.path.startswith(OWN_PREFIX):
            what = f"{request.method} {request.path[:256]}"
            return await self._extra(request, receive, request_id), what
        try:
            by, request = await self._identify(request, receive)
        except _NotAccepted as error:
            return _not_accepted(request, error, request_id), "call that is not accepted"
        except AwsError as error:
            return _stray(request, error, request_id), "unidentified call"
        if not protocol.is_known(by.service):
            return _stray(request, _unknown_service(by.service), request_id), "unknown service"
        assert by.service is not None
        target = service(by.service)
        what = f"{target.name} call"
        try:
            call = await self._parse(target, request)
            what = f"{target.name} {call.operation.name}"
            return await self._perform(target, by.scope, call, request_id), what
        except AwsError as error:
            return protocol.answer_error(target, error, request_id), what
        except Exception as error:
            failure = _failure(what, error, request_id)
            return protocol.answer_error(target, failure, request_id), what

    async def _identify(self, request: Request, receive: Receive) -> tuple[Caller, Request]:
        """Return who calls which service, and the request with its body.

        Raises AwsError, _NotAccepted.
        """
        if self._verifier is not None:
            return await self._authenticate(self._verifier, request, receive)
        by = caller(request.headers, query.form(request.query), self._default_scope)
        limit = protocol.body_bytes_max(by.service, request)
        request = replace(request, body=await _body(request, receive, limit))
        if by.service is None:
            by = replace(by, service=protocol.guess_service(request, protocol.fields_of(request)))
        return by, request

    async def _authenticate(
        self, verifier: "Verifier", request: Request, receive: Receive
    ) -> tuple[Caller, Request]:
        """Return as _identify, once the signature is verified. Raises AwsError, _NotAccepted."""
        named = service_of(request)
        expected = protocol.guess_service(request, query.form(request.query))
        try:
            await _recognised(verifier, request, expected, receive)
            limit = protocol.body_bytes_max(named, request)
            request = replace(request, body=await _body(request, receive, limit))
            expected = protocol.guess_service(request, protocol.fields_of(request))
            return await self._verified(verifier, request, expected)
        except Refused as refused:
            name = expected or named
            target = service(name) if name is not None and protocol.is_known(name) else None
            raise _NotAccepted(refused, target) from None

    async def _verified(
        self, verifier: "Verifier", request: Request, expected: str | None
    ) -> tuple[Caller, Request]:
        if len(request.body) > INLINE_BYTES_MAX:
            return await asyncio.to_thread(verifier.verify, request, self._default_scope, expected)
        return verifier.verify(request, self._default_scope, expected)

    async def _parse(self, target: Service, request: Request) -> Call:
        if len(request.body) > INLINE_BYTES_MAX:
            return await asyncio.to_thread(protocol.parse, target, request, self._lenient)
        return protocol.parse(target, request, self._lenient)

    async def _perform(
        self, target: Service, scope: Scope, call: Call, request_id: str
    ) -> Response:
        # differs from AWS: calls of the API are not throttled.
        operation = self._operations.get(target.name, {}).get(call.operation.name)
        match operation:
            case None:
                raise NotImplementedHere(
                    f"{call.operation.name} is not implemented in this version of Albatross; "
                    "docs/coverage.md says what is"
                )
            case AsyncOperation():
                status, result = None, await operation.run(scope, call.params)
            case Operation():
                status, result = operation.status, await self._transact(operation, scope, call)
        answer = protocol.answer(target, call, result, status, request_id)
        return replace(answer, headers={**answer.headers, **ANSWER_HEADERS.get()})

    async def _transact(self, operation: Operation, scope: Scope, call: Call) -> dict[str, Any]:
        if not operation.writes:
            return await self._store.read(scope, lambda tx: operation.run(tx, call.params))
        result = await self._store.write(scope, lambda tx: operation.run(tx, call.params))
        try:
            await self._after_write()
        except Exception:  # it is committed, so the answer must say so
            log.exception("%s is stored but may not be in effect", call.operation.name)
        return result

    async def _extra(self, request: Request, receive: Receive, request_id: str) -> Response:
        handler = self._extra_routes.get((request.method, request.path))
        if handler is None:
            return self._no_route(request)
        try:
            verifier = None if request.path in self._open_paths else self._verifier
            if verifier is not None:
                await _recognised(verifier, request, None, receive)
            body = await _body(request, receive, protocol.BODY_BYTES_MAX)
            request = replace(request, body=body)
            if verifier is not None:
                _, request = await self._verified(verifier, request, None)
            return await handler(request)
        except Refused as refused:
            error = refused.error("query")
            return Response(STATUS[error.code], {}, f"{error.code}: {error.message}".encode())
        except AwsError as error:
            return Response(STATUS.get(error.code, 400), {}, error.message.encode())
        except _Disconnected:
            raise
        except Exception:
            log.exception("%s %s failed, request %s", request.method, request.path, request_id)
            return Response(500, {}, b"internal error; the server's log says more")

    def _no_route(self, request: Request) -> Response:
        """Return 405 for a path that is there with other methods, else 404 and what is there."""
        if allowed := [method for method, path in self._extra_routes if path == request.path]:
            return Response(405, {"Allow": ", ".join(sorted(allowed))})
        there = sorted(f"{method} {path}" for method, path in self._extra_routes)
        text = f"There is no {request.path[:256]}. There are: {', '.join(there) or 'none'}.\n"
        return Response(404, {"Content-Type": "text/plain; charset=utf-8"}, text.encode())


async def _recognised(
    verifier: "Verifier", request: Request, expected: str | None, receive: Receive
) -> None:
    """Check the head of a request before its body takes memory. Raises Refused."""
    try:
        verifier.recognise(request, expected)
    except Refused:
        with suppress(AwsError):
            await _body(request, receive, 0)  # which most clients send before they read
        raise


def _request(scope: dict[str, Any]) -> Request:
    headers: dict[str, str] = {}
    lines = tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in scope["headers"]
    )
    for name, value in lines:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Request(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        lines=lines,
    )


async def _body(request: Request, receive: Receive, limit: int) -> bytes:
    """Return the body. Raises RequestEntityTooLargeException where it is over `limit` bytes.

    What is too large is read all the same, within reason: most clients read no answer before they
    have sent everything. Those that ask first (Expect) are told at once.
    """
    declared = request.headers.get("content-length", "")
    if "expect" in request.headers and declared.isdigit() and int(declared) > limit:
        raise protocol.too_large(limit, request)
    chunks: list[bytes] = []
    size, more = 0, True
    while more and size <= limit + DISCARDED_BYTES_MAX:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Disconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        more = message.get("more_body", False)
    if size > limit:
        raise protocol.too_large(limit, request)
    return b"".join(chunks)


async def _send(
    send: Send, receive: Receive, request: Request, response: Response, request_id: str
) -> None:
    headers = {**response.headers, "x-amzn-RequestId": request_id}
    if response.status != 204 and response.chunks is None and response.stream is None:
        headers["Content-Length"] = str(len(response.body))
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": raw})
    if response.chunks is not None:
        try:
            while chunk := await asyncio.to_thread(next, response.chunks, b""):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        finally:
            await asyncio.to_thread(response.chunks.close)
    if response.stream is not None:
        await _send_stream(send, receive, response.stream)
    body = b"" if request.method == "HEAD" else response.body
    await send({"type": "http.response.body", "body": body})


async def _send_stream(send: Send, receive: Receive, stream: AsyncIterator[bytes]) -> None:
    """Send `stream` until it ends, or the client is gone. Raises what `stream` raises."""

    async def all_of_it() -> None:
        async for chunk in stream:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    tasks = [asyncio.ensure_future(all_of_it()), asyncio.ensure_future(gone())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # what breaks off must not look like an end
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()


async def _lifespan(receive: Receive, send: Send) -> None:
    """Answer the server's start and stop. What runs is owned by whoever made the App."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _failure(what: str, error: Exception, request_id: str) -> AwsError:
    """Log why a call has failed, and return what its client is told."""
    if is_full(error):
        log.error("%s failed, request %s: no room is left on the disk", what, request_id)
        return ServiceUnavailable(
            "No room is left on the disk of the data directory or the database. Nothing has been "
            "changed; make room, and call again."
        )
    log.exception("%s failed unexpectedly, request %s", what, request_id)  # a mistake of ours
    return InternalFailure(f"The server's log says what failed, at request {request_id}")


def _unknown_service(name: str | None) -> AwsError:
    if name is None:
        return MissingAction(
            "The request names no service: it is not signed, its path is not one of Lambda's and "
            "it has no Action of Elastic Load Balancing or STS"
        )
    return NotImplementedHere(
        f"The service '{name[:64]}' is not implemented in this version of Albatross; "
        "docs/coverage.md says what is"
    )


def _not_accepted(request: Request, error: _NotAccepted, request_id: str) -> Response:
    target = error.service
    if target is None:
        return _stray(request, error.refused.error("query"), request_id)
    return protocol.answer_error(target, error.refused.error(target.protocol), request_id)


def _stray(request: Request, error: AwsError, request_id: str) -> Response:
    """Return the answer to a request for none of our APIs, as its client most likely reads it."""
    status = STATUS[error.code]
    is_json = "json" in request.headers.get("content-type", "") or protocol.is_rest(request)
    if is_json or "x-amz-target" in request.headers:
        body = orjson.dumps({"__type": error.code, "message": error.message})
        headers = {"Content-Type": "application/json", "x-amzn-ErrorType": error.code}
        return Response(status, headers, body)
    namespace = "https://iam.amazonaws.com/doc/2010-05-08/"
    body = query.serialize_error(namespace, error.code, error.message, status, request_id)
    return Response(status, {"Content-Type": "text/xml"}, body)
