"""The paths of the Runtime API that extensions call.

Source: Lambda guide, "Extensions API reference" and "Telemetry API"; bodies of errors as AWS's
runtime interface emulator has them.
"""

import json
import uuid

from albatross.host.environment import Environment
from albatross.host.extensions import Refused
from albatross.host.http import HttpConnection
from albatross.host.observe import subscription
from albatross.host.observe.telemetry import Closed
from albatross.log_store.append import now_ms

REASONS = {
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
}
PREFIX = b"/2020-01-01/extension/"
_REGISTER = b"/2020-01-01/extension/register"
_NEXT = b"/2020-01-01/extension/event/next"
_ERRORS = {
    b"/2020-01-01/extension/init/error": "Extension.InitError",
    b"/2020-01-01/extension/exit/error": "Extension.ExitError",
}
SUBSCRIPTIONS = {
    b"/2022-07-01/telemetry": subscription.TELEMETRY,
    b"/2022-07-01/telemetry/": subscription.TELEMETRY,
    b"/2020-08-15/logs": subscription.LOGS,
}


class ExtensionConnection(HttpConnection):
    """A connection on which an extension may wait for its next event."""

    def send_extension_event(self, event: bytes) -> None:
        self.reply(200, event, {"Lambda-Extension-Event-Identifier": str(uuid.uuid4())})

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self.send(
            f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\n{lines}"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )


def subscribe(connection: ExtensionConnection, environment: Environment) -> None:
    """Do what an extension asks of the Telemetry or Logs API, and answer."""
    api = SUBSCRIPTIONS[connection.target]
    named = api.name or "Telemetry."
    try:
        extension = environment.need_extensions().find(
            _header(connection, b"lambda-extension-identifier")
        )
        wanted = subscription.parse(connection.body(), api)
        telemetry = environment.journal.telemetry
        if telemetry is None:
            raise Closed
        telemetry.subscribe(extension.name, wanted, now_ms())
    except Refused as error:
        connection.reply(403, document(error.error_type, str(error)))
    except subscription.Invalid as error:
        connection.reply(400, document(f"{api.name}ValidationError", str(error)))
    except Closed:
        # AWS is silent: a subscription after the init phase, or by the other API, is answered 403.
        message = f"{named[:-1]} API subscription is closed"
        connection.reply(403, document(f"{named}SubscriptionClosed", message))
    else:
        connection.reply(200, b'"OK"')


def document(error_type: str, message: str) -> bytes:
    body = {"errorMessage": message, "errorType": error_type}
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"


def answer(connection: ExtensionConnection, environment: Environment) -> None:
    """Do what an extension asks, and answer; a question for its next event is answered later."""
    try:
        match connection.method, connection.target:
            case "POST", target if target == _REGISTER:
                _register(connection, environment)
            case "GET", target if target == _NEXT:
                _next(connection, environment)
            case "POST", target if target in _ERRORS:
                _error(connection, environment, _ERRORS[target])
            case _, target if target in {_REGISTER, _NEXT, *_ERRORS}:
                message = "this path takes another method"
                connection.reply(405, document("MethodNotAllowed", message))
            case _:
                message = "no such path in the Extensions API"
                connection.reply(404, document("ResourceNotFound", message))
    except Refused as error:
        connection.reply(403, document(error.error_type, str(error)))


def _register(connection: ExtensionConnection, environment: Environment) -> None:
    name = _header(connection, b"lambda-extension-name")
    if not name:
        raise Refused("Extension.InvalidExtensionName", "Empty extension name")
    try:
        request = json.loads(connection.body())
    except ValueError as error:
        raise Refused("InvalidRequestFormat", str(error)) from error
    if not isinstance(request, dict):
        raise Refused("InvalidRequestFormat", "the body must be a JSON object")
    if request.get("configurationKeys"):
        raise Refused(
            "InvalidRequestFormat",
            "configurationKeys are deprecated; use environment variables instead",
        )
    extension = environment.need_extensions().register(name, request.get("events") or [])
    function = environment.function
    body = {
        "functionName": function.name,
        "functionVersion": function.version,
        "handler": function.handler,
    }
    features = _header(connection, b"lambda-extension-accept-feature").split(",")
    if "accountId" in map(str.strip, features):
        body["accountId"] = function.arn.split(":")[4]
    headers = {"Lambda-Extension-Identifier": extension.id}
    connection.reply(200, json.dumps(body, separators=(",", ":")).encode() + b"\n", headers)


def _next(connection: ExtensionConnection, environment: Environment) -> None:
    extensions = environment.need_extensions()
    extension = extensions.find(_header(connection, b"lambda-extension-identifier"))
    extensions.next(extension, connection)


def _error(connection: ExtensionConnection, environment: Environment, error_type: str) -> None:
    extensions = environment.need_extensions()
    extension = extensions.find(_header(connection, b"lambda-extension-identifier"))
    told = _header(connection, b"lambda-extension-function-error-type")
    if not told:
        message = "Lambda-Extension-Function-Error-Type not found"
        raise Refused("Extension.MissingHeader", message)
    extension.error_type = extension.error_type or error_type
    environment.extension_failed(extension, told)
    connection.reply(202, b'{"status":"OK"}\n')


def _header(connection: HttpConnection, name: bytes) -> str:
    return (connection.header(name) or b"").decode("latin-1")
