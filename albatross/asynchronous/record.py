"""The invocation record that destinations get. Pure.

Source: Lambda guide, "Capturing records of Lambda asynchronous invocations".
"""

from datetime import UTC, datetime
from typing import Any

import orjson

from albatross.asynchronous.event import Condition, Event, Result
from albatross.model.json_text import is_json

_FUNCTION_ARN_PARTS = 7


def record(event: Event, condition: Condition, result: Result | None, now_s: float) -> bytes:
    """Return the record, in JSON, of an event that is done with.

    `result`: of the last attempt, None where there was none.
    """
    ran = result is not None and result.refusal is None
    attempts = event.failures + event.throttles
    document: dict[str, Any] = {
        "version": "1.0",
        "timestamp": timestamp(now_s),
        "requestContext": {
            "requestId": event.id,
            "functionArn": qualified(event.arn),
            "condition": condition.value,
            "approximateInvokeCount": attempts + 1 if ran else attempts,
        },
        "requestPayload": _embedded(event.payload),
    }
    # AWS is silent: the record of an event for which the function did not run in the last attempt
    # has neither responseContext nor responsePayload.
    if ran and result is not None:
        context: dict[str, Any] = {"statusCode": 200, "executedVersion": result.version}
        if result.function_error is not None:
            context["functionError"] = result.function_error
        document["responseContext"] = context
        document["responsePayload"] = _embedded(result.payload)
    return orjson.dumps(document)


def qualified(arn: str) -> str:
    """Return the ARN with its qualifier, $LATEST where it has none."""
    return arn if len(arn.split(":")) > _FUNCTION_ARN_PARTS else f"{arn}:$LATEST"


def timestamp(now_s: float) -> str:
    moment = datetime.fromtimestamp(now_s, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def _embedded(payload: bytes) -> object:
    """Return what JSON says, as it stands; what is none as text."""
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError:
        if not is_json(payload):
            # AWS is silent: a result that is no JSON is in the record as a string.
            return payload.decode(errors="replace") if payload else None
    return orjson.Fragment(payload)
