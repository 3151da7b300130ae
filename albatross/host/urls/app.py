"""Requests to function URLs, from the proxy: each becomes an invocation, and a response again."""

import logging
import time
from typing import Protocol

import orjson

from albatross.host import response as responses
from albatross.host import trace
from albatross.host.holding import Holder
from albatross.host.host import Host
from albatross.host.http import HttpConnection
from albatross.host.invocation import Invocation, Outcome
from albatross.host.response import Response
from albatross.host.urls import cors
from albatross.host.urls import response as url_response
from albatross.host.urls.event import (
    BODY_BYTES_MAX,
    CLIENT_HEADER,
    Caller,
    UrlRequest,
    joined,
    to_event,
)
from albatross.host.urls.stream import UrlStream
from albatross.host.view import FunctionUrlView
from albatross.model.function_url import IAM, id_of_host

log = logging.getLogger(__name__)

_FORBIDDEN: dict[str, object] = {
    "Message": "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
}
_TRACE_ID = "x-amzn-trace-id"
_SAID_BYTES_MAX = 500  # of an error document, in the log


class NotAuthenticated(Exception):
    """The signature of a request is missing or wrong. The message is for the client."""


class Authenticate(Protocol):
    """Tells who has signed a request."""

    def __call__(
        self, method: str, target: str, lines: list[tuple[bytes, bytes]], body: bytes
    ) -> Caller:
        """Return the caller. Raises NotAuthenticated."""


class UrlConnection(HttpConnection):
    """A connection of the proxy's. One request at a time; answered by callbacks, without a task.

    Without `authenticate` whoever calls a function URL is believed.
    """

    body_bytes_max = BODY_BYTES_MAX

    def __init__(self, host: Host, authenticate: Authenticate | None) -> None:
        super().__init__()
        self._host = host
        self._authenticate = authenticate
        self._url: FunctionUrlView | None = None
        self._invocation: Invocation | None = None
        self._headers: dict[str, str] = {}
        self._source_ip = ""
        self._stream: UrlStream | None = None  # of a response that comes in parts
        self._has_head = False  # which has been sent
        self._holder = Holder()
        self._closes = False
        self._started_s = 0.0

    # HttpConnection

    def received(self) -> None:
        self._begin()
        url = self._url
        if url is None:
            # AWS is silent: a name of no function URL is answered with 403.
            self._refuse(403, _FORBIDDEN, "there is no such function URL", "AccessDeniedException")
            return
        if (answer := cors.preflight(url.cors, self.method, self._headers)) is not None:
            self._answer(answer)
            return
        try:
            caller = self._caller(url)
        except NotAuthenticated as error:
            said: dict[str, object] = {"Message": str(error)}
            document = said if str(error) else _FORBIDDEN
            self._refuse(403, document, "the request is not signed", "AccessDeniedException")
            return
        if not url.admits(caller.account if caller else None):
            detail = (
                f"the policy of {url.function_arn} does not allow lambda:InvokeFunctionUrl and "
                "lambda:InvokeFunction"
            )
            self._refuse(403, _FORBIDDEN, detail, "AccessDeniedException")
            return
        self._invoke(url, caller)

    def too_large(self) -> None:
        self._begin()
        self._closes = True  # so that the proxy sends no other request on this connection
        self._refuse_size()

    def lost(self) -> None:
        self._holder.release()
        self._invocation = None  # it goes on; its result has nowhere to go

    # asyncio.Protocol: a client that reads slowly makes its function write slowly

    def pause_writing(self) -> None:
        self._holder.hold(self._invocation)

    def resume_writing(self) -> None:
        self._holder.release()

    # Sink

    def begin(self, invocation: Invocation, content_type: str) -> None:
        if invocation is self._invocation:
            self._stream = UrlStream(content_type)

    def part(self, invocation: Invocation, data: bytes) -> None:
        if invocation is not self._invocation or self._stream is None:
            return
        body = self._stream.part(data)
        if self._stream.response is not None:
            self._send_part(self._stream.response, body, invocation)

    # Within

    def _begin(self) -> None:
        self._started_s = time.monotonic()
        self._invocation = None
        self._stream, self._has_head = None, False
        self._headers = headers = dict(joined(self.headers))
        self._source_ip = (self.header(CLIENT_HEADER) or b"").decode("latin-1")
        # AWS is silent: a client's X-Forwarded-For to a function URL is kept; its address is added.
        before = headers.get("x-forwarded-for")
        headers["x-forwarded-for"] = f"{before}, {self._source_ip}" if before else self._source_ip
        self._url = self._host.urls.get(id_of_host(self._headers.get("host", "")))

    def _caller(self, url: FunctionUrlView) -> Caller | None:
        """Return who has signed the request, None where nobody must. Raises NotAuthenticated."""
        if url.auth_type != IAM:
            return None
        if self._authenticate is None:
            # differs from AWS: without the setting `auth`, function URLs with the type AWS_IAM take
            # requests with any signature, and without one.
            return Caller(account=url.function_arn.split(":")[4])
        target = self.target.decode("latin-1")
        return self._authenticate(self.method, target, self.headers, self.body())

    def _invoke(self, url: FunctionUrlView, caller: Caller | None) -> None:
        pool = self._host.find(url.function_arn)
        if pool is None:
            self._answer(url_response.error_response(502, f"{url.function_arn} does not exist"))
            return
        invocation = Invocation(b"", self._done, invoked_arn=url.function_arn)
        self._headers.setdefault(_TRACE_ID, f"Root={trace.new_root(invocation.id)}")
        request = UrlRequest(
            method=self.method,
            target=self.target.decode("latin-1"),
            headers=sorted(self._headers.items()),
            body=self.body(),
            source_ip=self._source_ip,
        )
        event = to_event(
            request,
            url_id=url.id,
            invocation_id=invocation.id,
            now_s=time.time(),
            caller=caller,
        )
        invocation.event = orjson.dumps(event)
        if len(invocation.event) > BODY_BYTES_MAX:
            self._refuse_size()
            return
        invocation.trace_id = trace.handed_on(self._headers[_TRACE_ID], invocation.id)
        self._invocation = invocation
        # differs from AWS: what a function streams has no limit of 200 MB or of 2 MB a second.
        invocation.sink = self if url.streams else None
        pool.submit(invocation)

    def _done(self, invocation: Invocation, outcome: Outcome) -> None:
        if invocation is not self._invocation:
            return
        self._holder.release()  # whatever the client still has to read, it is here
        if self._stream is not None and outcome.function_error is None:
            self._end_stream(self._stream, invocation)
            return
        self._invocation = None
        if self._has_head:
            # AWS is silent: the response of a function URL whose function fails in the middle of
            # its stream is cut off.
            log.info("function URL %s: its stream failed", self._headers.get("host"))
            if self.transport is not None:
                self.transport.abort()
            return
        if outcome.api_error == "TooManyRequestsException":
            reason = outcome.payload.decode()
            document = {"Reason": reason, "Type": "User", "message": "Rate Exceeded."}
            response = url_response.refusal(429, document, reason, outcome.api_error)
        elif outcome.api_error is not None:
            detail = f"{outcome.api_error} {outcome.payload.decode()}"
            response = url_response.error_response(502, detail)
        elif outcome.function_error is not None:
            said = outcome.payload[:_SAID_BYTES_MAX].decode(errors="replace")
            response = url_response.error_response(502, said)
        elif invocation.sink is not None:
            # AWS is silent: with RESPONSE_STREAM, what a function returns instead of streaming it
            # is the body, whatever it describes.
            response = url_response.as_it_is(outcome.payload)
        elif invocation.parts and invocation.parts.content_type == url_response.HTTP_RESPONSE:
            stream = UrlStream(url_response.HTTP_RESPONSE)
            body = stream.part(outcome.payload)
            response = stream.end()
            response.body = response.body or body
        else:
            response = url_response.from_result(outcome.payload)
        self._answer(response, invocation)

    def _send_part(self, response: Response, body: bytes, invocation: Invocation) -> None:
        if response.error_reason is not None:  # its metadata is none
            self._invocation = None
            self._answer(response, invocation)
            return
        is_head = self.method == "HEAD"
        if not self._has_head:
            self._has_head = True
            self._complete(response, invocation)
            self.send(responses.encode(response, head=True, chunked=True))
        if body and not is_head and response.status not in responses.BODILESS:
            self.send(f"{len(body):x}\r\n".encode() + body + b"\r\n")

    def _end_stream(self, stream: UrlStream, invocation: Invocation) -> None:
        response = stream.end()
        self._send_part(response, b"", invocation)
        if self._invocation is None:
            return
        self._invocation = None
        if self.method != "HEAD" and response.status not in responses.BODILESS:
            self.send(b"0\r\n\r\n")
        if self._host.hub.wanted:
            self._tell(response, invocation)

    def _refuse(self, status: int, document: dict[str, object], detail: str, kind: str) -> None:
        self._answer(url_response.refusal(status, document, detail, kind))

    def _refuse_size(self) -> None:
        # AWS is silent: a request to a function URL whose event would have more than 6 MB is
        # answered with 413.
        document: dict[str, object] = {"Message": "Request Entity Too Large"}
        detail = f"the request makes an event of more than {BODY_BYTES_MAX} bytes"
        self._refuse(413, document, detail, "RequestTooLargeException")

    def _complete(self, response: Response, invocation: Invocation | None) -> None:
        """Add the headers that are not the function's."""
        lines = response.headers
        if self._url is not None and self.method != "OPTIONS":
            lines = cors.with_headers(self._url.cors, self._headers, lines)
        if invocation is not None:
            names = {name.lower() for name, _ in lines}
            lines = [
                *lines,
                ("x-amzn-RequestId", invocation.id),
                *([] if _TRACE_ID in names else [("X-Amzn-Trace-Id", self._headers[_TRACE_ID])]),
            ]
        response.headers = [*lines, ("Connection", "close")] if self._closes else lines

    def _answer(self, response: Response, invocation: Invocation | None = None) -> None:
        self._complete(response, invocation)
        self.send(responses.encode(response, head=self.method == "HEAD"))
        if response.detail:
            host = self._headers.get("host")
            log.info("function URL %s: %d, %s", host, response.status, response.detail)
        if self._host.hub.wanted:
            self._tell(response, invocation)

    def _tell(self, response: Response, invocation: Invocation | None) -> None:
        self._host.hub.request(
            *(self.method, self.target, response, invocation),
            function_arn=self._url.function_arn if self._url else None,
            started_s=self._started_s,
            event=orjson.Fragment(invocation.event) if invocation else {},
            response={"statusCode": response.status, "headers": response.headers},
        )
