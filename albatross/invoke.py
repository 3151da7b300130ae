"""The Invoke operation: no transaction, but a wait for a function. Source: Lambda API, `Invoke`."""

import base64
import binascii
from typing import Any

import orjson

from albatross.host.client import HostClient
from albatross.lambda_ import lookup
from albatross.model.arn import Scope
from albatross.model.errors import (
    AwsError,
    InvalidRequestContentException,
    NotImplementedHere,
    RequestTooLargeException,
    ServiceException,
    TooManyRequestsException,
)
from albatross.model.operation import AsyncOperation
from albatross.store.store import Store

PAYLOAD_BYTES_MAX = 6 * 1024 * 1024  # Lambda guide, "Lambda quotas": synchronous invocations
CLIENT_CONTEXT_BYTES_MAX = 3583  # of the Base64 text


def operation(store: Store, host: HostClient) -> AsyncOperation:
    """Return Invoke, for functions in `store`, run by `host`."""

    async def invoke(scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        function, qualifier = await store.read(scope, lambda tx: lookup.find(tx, params))
        called = f"{function.arn}:{qualifier}" if qualifier else function.arn
        payload = _payload(params)
        context = _client_context(params.get("ClientContext"))
        match params.get("InvocationType", "RequestResponse"):
            case "DryRun":
                return {"StatusCode": 204}
            case "Event":
                raise NotImplementedHere(
                    "Invoke with the invocation type 'Event' is not implemented in this version of "
                    "Albatross; docs/coverage.md says what is"
                )
        try:
            invoked = await host.invoke(called, payload, client_context=context)
        except OSError as error:
            raise ServiceException(f"The Lambda host is being started: {error}") from error
        if invoked.api_error:
            raise _api_error(invoked.api_error, invoked.payload.decode(), called)
        # differs from AWS: the x-amzn-RequestId of an Invoke is not the request id that the
        # function sees.
        answer: dict[str, Any] = {
            "StatusCode": 200,
            "Payload": invoked.payload,
            "ExecutedVersion": invoked.version,
        }
        if invoked.function_error:
            answer["FunctionError"] = invoked.function_error
        if params.get("LogType") == "Tail":
            answer["LogResult"] = base64.b64encode(invoked.log_tail).decode()
        return answer

    return AsyncOperation(invoke)


def _payload(params: dict[str, Any]) -> bytes:
    """Return the event, `{}` where none is given.

    Raises RequestTooLargeException, InvalidRequestContentException.
    """
    payload: bytes = params.get("Payload") or b"{}"
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise RequestTooLargeException(
            f"{len(payload)} byte payload is too large for the RequestResponse invocation type "
            f"(limit {PAYLOAD_BYTES_MAX} bytes)"
        )
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestContentException(
            f"Could not parse request body into json: {error}"
        ) from None
    return payload


def _client_context(text: str | None) -> str | None:
    """Return the JSON text in the Base64 `text`. Raises InvalidRequestContentException."""
    if not text:
        return None
    if len(text) > CLIENT_CONTEXT_BYTES_MAX:
        raise InvalidRequestContentException(
            f"Client context must be less than {CLIENT_CONTEXT_BYTES_MAX + 1} bytes"
        )
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidRequestContentException(
            "Client context must be a valid Base64-encoded JSON object"
        ) from None


def _api_error(code: str, reason: str, arn: str) -> AwsError:
    match code:
        case "TooManyRequestsException":
            return TooManyRequestsException("Rate Exceeded.", Reason=reason, Type="User")
        case "ResourceNotFoundException":
            return lookup.not_found(arn)
        case _:
            return ServiceException(f"{code}: {reason}")
