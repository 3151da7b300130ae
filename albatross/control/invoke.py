"""The Invoke operations: no transaction, but a wait for a function, or for the queue of events.

Source: Lambda API, `Invoke`, `InvokeAsync`, `InvokeWithResponseStream`.
"""

import base64
import binascii
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson

from albatross.aws.http import ANSWER_HEADERS, REQUEST_ID, TRACE_ID
from albatross.aws.service import service
from albatross.control.event_queue import AsyncInvocations
from albatross.host.client import Begun, BrokenOff, Call, HostClient, Invoked
from albatross.lambda_ import lookup
from albatross.model.arn import Scope
from albatross.model.errors import (
    AwsError,
    InvalidParameterValueException,
    InvalidRequestContentException,
    RequestTooLargeException,
    ServiceException,
    TooManyRequestsException,
)
from albatross.model.json_text import is_json
from albatross.model.operation import AsyncOperation
from albatross.store.store import Store

# Lambda guide, "Lambda quotas": by type of invocation.
PAYLOAD_BYTES_MAX = {"RequestResponse": 6 * 1024 * 1024, "Event": 1024 * 1024}
CLIENT_CONTEXT_BYTES_MAX = 3583  # of the Base64 text
# Members for functions with settings that no function has here (docs/coverage.md).
_MEMBERS_OF = {"TenantId": "TenancyConfig", "DurableExecutionName": "DurableConfig"}
_LINE_ENDS = re.compile(r"[\r\n\0]+")  # between values: none is within a string of JSON


def operations(
    store: Store, host: HostClient, events: AsyncInvocations
) -> dict[str, AsyncOperation]:
    """Return the operations that invoke functions in `store`, by `host`."""

    async def run(call: Call) -> Invoked:
        """Have the host invoke a function. Raises AwsError where there is no result of its code."""
        try:
            invoked = await host.invoke(call)
        except OSError as error:
            raise _absent(error) from error
        ANSWER_HEADERS.get()["X-Amzn-Trace-Id"] = invoked.trace_id
        if invoked.api_error:
            raise _api_error(invoked.api_error, invoked.payload.decode(), call.function_arn)
        return invoked

    async def invoke(scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        called, is_here = await store.read(scope, lambda tx: lookup.called(tx, params))
        kind = params.get("InvocationType", "RequestResponse")
        _check_members(params)
        payload = _payload(params.get("Payload"), "Event" if kind == "Event" else "RequestResponse")
        context = _client_context(params.get("ClientContext"))
        match kind:
            case "DryRun" | "Event" if not is_here:
                await run(_call(called, payload, context, elsewhere_as=kind))
                return {"StatusCode": 202 if kind == "Event" else 204}
            case "DryRun":
                return {"StatusCode": 204}
            case "Event":
                await events.accept(REQUEST_ID.get(), called, payload, context)
                return {"StatusCode": 202}
        invoked = await run(_call(called, payload, context))
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

    async def invoke_async(scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        called, is_here = await store.read(scope, lambda tx: lookup.called(tx, params))
        payload = _payload(params["InvokeArgs"], "Event")
        if is_here:
            await events.accept(REQUEST_ID.get(), called, payload, None)
        else:
            await run(_call(called, payload, None, elsewhere_as="Event"))
        return {"Status": 202}

    return {
        "Invoke": AsyncOperation(invoke),
        "InvokeAsync": AsyncOperation(invoke_async),
        "InvokeWithResponseStream": AsyncOperation(_streaming(store, host)),
    }


def _streaming(
    store: Store, host: HostClient
) -> Callable[[Scope, dict[str, Any]], Awaitable[dict[str, Any]]]:
    """Return InvokeWithResponseStream."""

    async def invoke_stream(scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        called, _ = await store.read(scope, lambda tx: lookup.called(tx, params))
        _check_members(params)
        payload = _payload(params.get("Payload"), "RequestResponse")
        context = _client_context(params.get("ClientContext"))
        if params.get("InvocationType") == "DryRun":
            return {"StatusCode": 204}
        stream = host.invoke_stream(_call(called, payload, context))
        try:
            first = await anext(stream)
        except OSError as error:
            raise _absent(error) from error
        if isinstance(first, Invoked):
            raise _api_error(first.api_error or "", first.payload.decode(), called)
        assert isinstance(first, Begun)
        ANSWER_HEADERS.get()["X-Amzn-Trace-Id"] = first.trace_id
        return {
            "StatusCode": 200,
            "ExecutedVersion": first.version,
            "EventStream": _events(stream, wants_log=params.get("LogType") == "Tail"),
        }

    return invoke_stream


def _absent(error: OSError) -> ServiceException:
    """Return what the caller is told where there is no host, or none any more."""
    if isinstance(error, BrokenOff):
        text = "The Lambda host has gone, and is replaced; the function may have run"
        return ServiceException(f"{text}: {error}")
    return ServiceException(f"The Lambda host is being started: {error}")


async def _events(
    stream: AsyncIterator[Begun | bytes | Invoked], *, wants_log: bool
) -> AsyncIterator[dict[str, Any]]:
    """Yield a streamed result as events of the operation InvokeWithResponseStream."""
    try:
        async for each in stream:
            if isinstance(each, bytes):
                yield {"PayloadChunk": {"Payload": each}}
            elif isinstance(each, Invoked):
                yield {"InvokeComplete": _complete(each, wants_log=wants_log)}
    except OSError as error:
        details = f"The Lambda host has gone: {error}"
        yield {"InvokeComplete": {"ErrorCode": "ServiceException", "ErrorDetails": details}}


def _complete(invoked: Invoked, *, wants_log: bool) -> dict[str, str]:
    complete = {}
    if invoked.function_error:
        # AWS is silent: the ErrorCode of a stream that has failed is that of Invoke's
        # FunctionError, its ErrorDetails are the error as Invoke shows it.
        complete["ErrorCode"] = invoked.function_error
        complete["ErrorDetails"] = invoked.payload.decode()
    if wants_log:
        complete["LogResult"] = base64.b64encode(invoked.log_tail).decode()
    return complete


def _call(called: str, payload: bytes, context: str | None, *, elsewhere_as: str = "") -> Call:
    """Return the call that goes by the ids of the request that is answered."""
    return Call(
        function_arn=called,
        payload=payload,
        client_context=context,
        request_id=REQUEST_ID.get(),
        trace_id=_trace_id(),
        elsewhere_as=elsewhere_as,
    )


def _check_members(params: dict[str, Any]) -> None:
    """Refuse members that are for other functions: InvalidParameterValueException."""
    for member, setting in _MEMBERS_OF.items():
        if member in params:
            # AWS is silent: how it says that the invoked function has no such setting.
            raise InvalidParameterValueException(
                f"{member} is for functions that have a {setting}. The invoked function has none."
            )


def _payload(given: bytes | None, kind: str) -> bytes:
    """Return the event, `{}` where none is given.

    Raises RequestTooLargeException, InvalidRequestContentException.
    """
    payload = given or b"{}"
    limit = PAYLOAD_BYTES_MAX[kind]
    if len(payload) > limit:
        raise RequestTooLargeException(
            f"{len(payload)} byte payload is too large for the {kind} invocation type "
            f"(limit {limit} bytes)"
        )
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        if not is_json(payload):
            raise InvalidRequestContentException(
                "Could not parse request body into json: Could not parse payload into json: "
                f"{error}"
            ) from None
    return payload


def _trace_id() -> str:
    """Return the caller's tracing header, empty where it could not be handed on as a header."""
    given = TRACE_ID.get()
    return given if given.isascii() and given.isprintable() else ""


def _client_context(text: str | None) -> str | None:
    """Return the JSON text in the Base64 `text`, as one line: it becomes a header.

    Raises InvalidRequestContentException.
    """
    if not text:
        return None
    if len(text) > CLIENT_CONTEXT_BYTES_MAX:
        raise InvalidRequestContentException(
            f"Client context must be less than {CLIENT_CONTEXT_BYTES_MAX + 1} bytes"
        )
    try:
        context = base64.b64decode(text, validate=True).decode()
        is_object = isinstance(orjson.loads(context), dict)
    except (binascii.Error, UnicodeDecodeError, orjson.JSONDecodeError):
        is_object = False
    if not is_object:
        raise InvalidRequestContentException(
            "Client context must be a valid Base64-encoded JSON object"
        )
    return _LINE_ENDS.sub(" ", context)


def _api_error(code: str, reason: str, arn: str) -> AwsError:
    match code:
        case "TooManyRequestsException":
            known = service("lambda").model.shape_for("ThrottleReason").metadata["enum"]
            if reason not in known:  # a server elsewhere may say it in words of its own
                reason = "CallerRateLimitExceeded"
            return TooManyRequestsException(reason)
        case "ResourceNotFoundException":
            return lookup.not_found(arn)
        case _:
            return ServiceException(f"{code}: {reason}")
