"""The REST-JSON protocol: path, query, headers and JSON in; status, headers and JSON out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson
from botocore.model import ListShape, OperationModel, Shape, StructureShape

from albatross.aws import event_stream, json_values
from albatross.aws.errors import SerializationException
from albatross.aws.http import Request, Response
from albatross.aws.service import Service

_FIELDS_MAX = 1_000  # of a query string


@dataclass(frozen=True, slots=True)
class Route:
    """An operation with the values of the variables in its path, decoded."""

    operation: OperationModel
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Template:
    method: str
    path: re.Pattern[str]
    query: Mapping[str, str]  # fields that must have these values
    operation: OperationModel


class Router:
    """Finds the operation of a method and path by the model's `requestUri` templates."""

    def __init__(self, service: Service) -> None:
        operations = map(service.operation, service.model.operation_names)
        self._templates = sorted(map(_template, operations), key=_specificity, reverse=True)

    def find(self, request: Request) -> Route | None:
        """Return the route of `request`, or None. A slash at the end of the path is ignored."""
        path = request.path.rstrip("/")
        for template in self._templates:
            if template.method != request.method:
                continue
            match = template.path.fullmatch(path)
            if match is None or not template.query.items() <= _last(request.query).items():
                continue
            labels = {name: _unquote(text) for name, text in match.groupdict().items()}
            return Route(template.operation, labels)
        return None


def _template(operation: OperationModel) -> _Template:
    path, _, query = operation.http["requestUri"].partition("?")
    pattern = "".join(
        f"(?P<{part[1:-1]}>[^/]+)" if part.startswith("{") else re.escape(part)
        for part in re.split(r"(\{[A-Za-z]+\})", path.rstrip("/"))
    )
    return _Template(operation.http["method"], re.compile(pattern), _last(query), operation)


def _specificity(template: _Template) -> tuple[int, int]:
    return len(template.query), -template.path.groups


def _unquote(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise SerializationException("The path of the request is not valid UTF-8") from None


def _query(text: str) -> dict[str, list[str]]:
    try:
        return parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    except ValueError:  # UnicodeDecodeError is one
        raise SerializationException("The query string of the request cannot be read") from None


def _last(query: str) -> dict[str, str]:
    return {name: values[-1] for name, values in _query(query).items()}


def parse(route: Route, request: Request) -> dict[str, Any]:
    """Return the parameters of the operation that `request` was routed to.

    Members the operation does not know are ignored, as AWS does. Raises SerializationException.
    """
    shape = route.operation.input_shape
    if shape is None:
        return {}
    parsed = _from_body(shape, request)
    query = _query(request.query)
    for name, member in shape.members.items():
        sent_as = member.serialization.get("name", name)
        match member.serialization.get("location"):
            case "uri":
                parsed[name] = json_values.from_text(member, route.labels[sent_as], sent_as)
            case "querystring" if sent_as in query:
                parsed[name] = _from_query(member, query[sent_as], sent_as)
            case "header" if sent_as.lower() in request.headers:
                parsed[name] = json_values.from_text(
                    member, request.headers[sent_as.lower()], sent_as
                )
    return parsed


def _from_query(shape: Shape, values: list[str], name: str) -> Any:
    if isinstance(shape, ListShape):
        return [json_values.from_text(shape.member, value, name) for value in values]
    return json_values.from_text(shape, values[-1], name)


def _from_body(shape: StructureShape, request: Request) -> dict[str, Any]:
    payload = shape.serialization.get("payload")
    if payload is not None and shape.members[payload].type_name == "blob":
        return {payload: request.body} if request.body else {}
    if not request.body:
        return {}
    document = json_values.load(request)
    if payload is not None:
        return {payload: json_values.read(shape.members[payload], document, payload)}
    parsed: dict[str, Any] = json_values.read(shape, document, "")
    return parsed


def serialize(operation: OperationModel, result: dict[str, Any], status: int | None) -> Response:
    """Return the answer, without a request id. `status` is used where `result` does not say one."""
    shape = operation.output_shape
    status = status or int(operation.http.get("responseCode", 200))
    headers: dict[str, str] = {}
    if shape is None:
        return Response(status, headers)
    assert result.keys() <= shape.members.keys(), (shape.name, result.keys())
    body: dict[str, Any] = {}
    for name, member in shape.members.items():
        value = result.get(name)
        if value is None:
            continue
        sent_as = member.serialization.get("name", name)
        match member.serialization.get("location"):
            case "statusCode":
                status = value
            case "header":
                headers[sent_as] = _header(value)
            case _:
                body[name] = value
    if (streamed := event_stream.member(operation)) in body:
        answer = event_stream.serialize(operation, body[streamed], is_rpc=False)
        return Response(status, {**headers, **answer.headers}, stream=answer.stream)
    headers["Content-Type"] = "application/json"
    payload = shape.serialization.get("payload")
    if payload is not None and shape.members[payload].type_name == "blob":
        return Response(status, headers, body.get(payload) or b"")
    if status == 204:
        return Response(status, headers)
    if payload is not None:
        return Response(
            status, headers, orjson.dumps(json_values.write(shape.members[payload], body[payload]))
        )
    return Response(status, headers, orjson.dumps(json_values.write(shape, body)))


def serialize_error(
    service: Service, code: str, message: str, status: int, details: Mapping[str, str]
) -> Response:
    """Return the answer for an error; `details` go where the model has members of their names."""
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code}
    shape = service.error_shapes.get(code)
    if shape is None:
        return Response(status, headers, orjson.dumps({"message": message}))
    body = {"Type": "User" if status < 500 else "Service"} if "Type" in shape.members else {}
    body["message" if "message" in shape.members else "Message"] = message
    for name, value in details.items():
        serialization = shape.members[name].serialization if name in shape.members else {}
        if serialization.get("location") == "header":
            headers[serialization.get("name", name)] = _header(value)
        else:
            body[name] = value
    return Response(status, headers, orjson.dumps(body))


def _header(value: Any) -> str:
    text = str(value).encode("latin-1", "replace").decode("latin-1")
    return re.sub(r"[\r\n\0]+", " ", text)
