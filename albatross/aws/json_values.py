"""Values of a service model as JSON, which the REST-JSON and the JSON protocol share."""

import base64
from datetime import datetime
from typing import Any

import orjson
from botocore.model import ListShape, MapShape, Shape, StructureShape

from albatross.aws import scalars
from albatross.aws.errors import SerializationException
from albatross.aws.http import Request

_JSON_NAMES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    type(None): "null",
}


def load(request: Request) -> Any:
    """Return the document in the body of `request`. Raises SerializationException."""
    try:
        return orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        sent_as = request.headers.get("content-type", "application/json")
        hint = "" if "json" in sent_as else f" It was sent as {sent_as[:128]}."
        where = f"line {error.lineno}, column {error.colno}"
        raise SerializationException(
            f"Could not parse request body into json: {error.msg} ({where}).{hint}"
        ) from None


def read(shape: Shape, value: Any, path: str) -> Any:
    """Return `value` of a document as the value of `shape` it stands for.

    Members the shape does not know and those that are null are left out. `path` says in the message
    of the SerializationException where the value is.
    """
    match shape:
        case StructureShape():
            _expect(dict, value, path)
            return {
                name: read(member, value[sent_as], f"{path}.{sent_as}" if path else sent_as)
                for name, member in shape.members.items()
                if "location" not in member.serialization
                and value.get(sent_as := member.serialization.get("name", name)) is not None
            }
        case ListShape():
            _expect(list, value, path)
            return [
                read(shape.member, item, f"{path}.{number}.member")
                for number, item in enumerate(value, 1)
            ]
        case MapShape():
            _expect(dict, value, path)
            return {key: read(shape.value, item, f"{path}.{key}") for key, item in value.items()}
        case _:
            return _scalar(shape, value, path)


def _scalar(shape: Shape, value: Any, path: str) -> Any:
    match shape.type_name:
        case "string":
            return _expect(str, value, path)
        case "boolean":
            return _expect(bool, value, path)
        case "integer" | "long":
            if not scalars.in_range(shape.type_name, _expect(int, value, path)):
                raise SerializationException(f"The number at '{path}' is too large")
            return value
        case "float" | "double" if type(value) in (int, float):
            return value
        case "timestamp" if type(value) in (int, float):
            return from_text(shape, repr(value), path)
        case "blob":
            _expect(str, value, path)
            try:
                return scalars.from_base64(value)
            except ValueError as error:
                raise SerializationException(f"The value at '{path}' {error}") from None
        case _:
            return from_text(shape, _expect(str, value, path), path)


def _expect(kind: type, value: Any, path: str) -> Any:
    """Return `value` where it is of `kind` itself: JSON's true is no number."""
    if type(value) is not kind:
        found = _JSON_NAMES[type(value)]
        raise SerializationException(
            f"Expected {_JSON_NAMES[kind]} at '{path or '/'}', found {found}"
        )
    return value


def from_text(shape: Shape, text: str, name: str) -> Any:
    """Return what `text`, called `name`, says of `shape`. Raises SerializationException."""
    try:
        return scalars.from_text(shape, text)
    except ValueError as error:
        raise SerializationException(f"Value '{text[:256]}' at '{name}' {error}") from None


def write(shape: Shape, value: Any) -> Any:
    """Return `value` as a document has it: times in seconds since 1970, bytes in Base64."""
    match shape:
        case StructureShape():
            assert value.keys() <= shape.members.keys(), (shape.name, value.keys())
            return {
                member.serialization.get("name", name): write(member, value[name])
                for name, member in shape.members.items()
                if value.get(name) is not None
            }
        case ListShape():
            return [write(shape.member, item) for item in value]
        case MapShape():
            return {key: write(shape.value, item) for key, item in value.items()}
        case _ if isinstance(value, datetime):
            return value.timestamp()
        case _ if isinstance(value, bytes):
            return base64.b64encode(value).decode()
        case _:
            return value
