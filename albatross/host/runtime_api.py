"""The Lambda Runtime API, one server an environment, on a loopback port of its own.

Source: Lambda guide, "Using the Lambda runtime API"; the bodies are those of AWS's runtime
interface emulator. The port is the environment's identity: no other name of it is in the API.
"""

import base64
import binascii
from contextlib import suppress
from typing import Any

from albatross.host import extension_api, metadata_api
from albatross.host.environment import Environment
from albatross.host.failures import TOO_LARGE, TRUNCATED, error_document, said, too_large
from albatross.host.invocation import RESULT_BYTES_MAX, Invocation, Outcome, request_id
from albatross.host.states import InvalidTransition

_NEXT = b"/2018-06-01/runtime/invocation/next"
_INVOCATION = b"/2018-06-01/runtime/invocation/"  # and the request's id, and what of it
_INIT_ERROR = b"/2018-06-01/runtime/init/error"
_PING = b"/2018-06-01/ping"
_ACCEPTED = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n"
    b'{"status":"OK"}\n'
)
_INVOCATION_ID = b"lambda-runtime-invocation-id"
_MODE, _STREAMING = b"lambda-runtime-function-response-mode", b"streaming"
_ERROR_TYPE = b"lambda-runtime-function-error-type"  # the trailers of a result in parts
_ERROR_BODY = b"lambda-runtime-function-error-body"


class RuntimeConnection(extension_api.ExtensionConnection):
    """A connection of the runtime (the process in the environment) to its Runtime API."""

    body_bytes_max = RESULT_BYTES_MAX
    outlives_too_large = True  # a runtime goes on, on this connection

    def __init__(self, environment: Environment) -> None:
        super().__init__()
        self._environment = environment
        self._streamed: str | None = None  # the request whose result comes in parts

    def send_event(self, invocation: Invocation, function_arn: str, deadline_ms: int) -> None:
        """Answer `next`: hand the runtime its event."""
        event = invocation.event
        attempt = self._environment.attempt = request_id()
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {invocation.id}\r\n"
            f"Lambda-Runtime-Invocation-Id: {attempt}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {deadline_ms}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {function_arn}\r\n"
        )
        if invocation.trace_id:
            head += f"Lambda-Runtime-Trace-Id: {invocation.trace_id}\r\n"
        if invocation.client_context:
            head += f"Lambda-Runtime-Client-Context: {invocation.client_context}\r\n"
        self.send(f"{head}Content-Length: {len(event)}\r\n\r\n".encode() + event)

    # httptools

    def on_headers_complete(self) -> None:
        """Let the body come, if it waits for that; a result in parts is taken from here on."""
        if (self.header(b"expect") or b"").lower() == b"100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")  # curl waits a second for it
        self._streamed = None
        if self.header(_MODE) != _STREAMING or not self.target.startswith(_INVOCATION):
            return
        invocation_id, what = self._invocation()
        attempt = self.header(_INVOCATION_ID)
        if what != "response" or self.method != "POST" or not self._is_attempt(attempt):
            return
        content_type = self.header(b"content-type") or b"application/octet-stream"
        with suppress(InvalidTransition):
            if self._environment.begin_stream(
                invocation_id, content_type.decode("latin-1"), self.transport
            ):
                self._streamed = invocation_id

    def on_body(self, chunk: bytes) -> None:
        if self._streamed is not None:
            self.head_bytes = 0
            self._environment.stream(self._streamed, chunk)
        else:
            super().on_body(chunk)

    # HttpConnection

    def received(self) -> None:
        target = self.target
        try:
            if target == _NEXT:
                self._only("GET", self._next)
            elif target.startswith(_INVOCATION):
                self._only("POST", self._answer)
            elif target == _INIT_ERROR:
                self._only("POST", self._init_error)
            elif target == _PING:
                self.send(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\npong"
                )
            elif target == metadata_api.PATH:
                metadata_api.answer(self, self._environment)
            elif target.startswith(extension_api.PREFIX):
                extension_api.answer(self, self._environment)
            elif target in extension_api.SUBSCRIPTIONS:
                self._only("PUT", lambda: extension_api.subscribe(self, self._environment))
            else:
                self._unknown()
        except InvalidTransition as error:
            self._error(403, "InvalidStateTransition", str(error))

    def too_large(self) -> None:
        invocation_id, what = self._invocation()
        if what in ("response", "error"):
            with suppress(InvalidTransition):
                self._environment.answer(invocation_id, too_large())
        self._error(413, "RequestEntityTooLarge", TOO_LARGE)

    def eof_received(self) -> None:
        """The runtime sends no more. Within a result, that is the result's end."""
        if not self.is_within or not self.target.startswith(_INVOCATION):
            return
        invocation_id, what = self._invocation()
        if what == "response":
            document = error_document(TRUNCATED, said("Response truncated", invocation_id))
            with suppress(InvalidTransition):
                self._environment.answer(
                    invocation_id, Outcome(document, function_error="Unhandled")
                )
            self._error(400, "TruncatedHTTPRequest", "HTTP request detected as truncated")

    def lost(self) -> None:
        self._environment.disconnected(self)
        self._environment.extension_disconnected(self)

    # Within

    def _only(self, method: str, handle: Any) -> None:
        if self.method == method:
            handle()
        else:
            self._error(405, "MethodNotAllowed", f"this path takes {method} only")

    def _next(self) -> None:
        if not self._environment.hand_again(self):
            self._environment.park(self)

    def _answer(self) -> None:
        invocation_id, what = self._invocation()
        if what == "response":
            if self.header(_MODE) not in (None, _STREAMING):
                self._error(400, "InvalidFunctionResponseMode", "Invalid function response mode")
                return
            outcome = self._streamed_outcome() if self._streamed else Outcome(self.body())
        elif what == "error":
            # AWS is silent: an error that a runtime reports is always shown as Unhandled.
            outcome = Outcome(self.body(), function_error="Unhandled")
        else:
            self._unknown()
            return
        attempt = self.header(_INVOCATION_ID)
        if not self._is_attempt(attempt):
            self._error(400, "InvalidInvocationId", "Invalid invocation ID")
        elif self._environment.answer(invocation_id, outcome):
            self.send(_ACCEPTED)
        else:
            self._error(400, "InvalidRequestID", "Invalid request ID")

    def _streamed_outcome(self) -> Outcome:
        """Return how a result that came in parts has ended: its trailers may hold an error."""
        error_type = self.header(_ERROR_TYPE)
        if error_type is None:
            return Outcome(b"")
        try:
            document = base64.b64decode(self.header(_ERROR_BODY) or b"", validate=True)
        except binascii.Error:
            document = b""
        if not document:
            document = error_document(error_type.decode("latin-1"), "")
        return Outcome(document, function_error="Unhandled")

    def _invocation(self) -> tuple[str, str]:
        """Return the id that the path names, and what follows it."""
        id_, _, what = self.target[len(_INVOCATION) :].decode("latin-1").partition("/")
        return id_, what

    def _is_attempt(self, attempt: bytes | None) -> bool:
        return attempt is None or attempt.decode("latin-1") == self._environment.attempt

    def _unknown(self) -> None:
        path = self.target.decode("latin-1")
        self._error(404, "ResourceNotFound", f"no such path in the Runtime API: {path}")

    def _init_error(self) -> None:
        told = self.header(b"lambda-runtime-function-error-type") or b""
        self._environment.init_failed(self.body(), told.decode("latin-1"))
        self.send(_ACCEPTED)

    def _error(self, status: int, error_type: str, message: str) -> None:
        self.reply(status, extension_api.document(error_type, message))
