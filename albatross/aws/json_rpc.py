"""The JSON protocol (AWS JSON 1.1): the operation in X-Amz-Target, one document in, one out."""

from typing import Any

import orjson
from botocore.model import OperationModel

from albatross.aws import event_stream, json_values
from albatross.aws.http import Request, Response
from albatross.aws.service import Service


def target(request: Request) -> tuple[str, str]:
    """Return prefix and operation that X-Amz-Target names, empty where it names none."""
    prefix, _, operation = request.headers.get("x-amz-target", "").rpartition(".")
    return prefix, operation


def parse(operation: OperationModel, request: Request) -> dict[str, Any]:
    """Return the parameters in the body; no body is none. Raises SerializationException."""
    shape = operation.input_shape
    if shape is None or not request.body:
        return {}
    parsed: dict[str, Any] = json_values.read(shape, json_values.load(request), "")
    return parsed


def serialize(service: Service, operation: OperationModel, result: dict[str, Any]) -> Response:
    """Return the answer, without a request id. An operation without output answers with {}."""
    shape = operation.output_shape
    if streamed := event_stream.member(operation):
        return event_stream.serialize(operation, result[streamed])
    body = {} if shape is None else json_values.write(shape, result)
    return Response(200, _headers(service), orjson.dumps(body))


def serialize_error(service: Service, code: str, message: str, status: int) -> Response:
    """Return the answer for an error."""
    shape = service.error_shapes.get(code)
    named = "Message" if shape is not None and "Message" in shape.members else "message"
    return Response(status, _headers(service), orjson.dumps({"__type": code, named: message}))


def _headers(service: Service) -> dict[str, str]:
    return {"Content-Type": f"application/x-amz-json-{service.model.metadata['jsonVersion']}"}
