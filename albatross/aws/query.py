"""The Query protocol: forms in, XML out. Source: botocore's models and serialisers."""

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from albatross.aws.errors import MalformedInput, MalformedQueryString
from albatross.aws.scalars import from_text, iso8601, xml_text

FIELDS_MAX = 20_000  # of a form
DEPTH_MAX = 16  # dots in a parameter's name; the models need 9


@dataclass(slots=True)
class _Node:
    """What a form says under one prefix: `a.b=1` is a node `a` with a member `b` of value 1."""

    value: str | None = None
    members: dict[str, "_Node"] = field(default_factory=dict)


def form(text: bytes | str) -> dict[str, str]:
    """Return the fields of a form or query string, the last of a name winning. Raises as pairs."""
    return dict(pairs(text))


def pairs(text: bytes | str) -> list[tuple[str, str]]:
    """Return the fields of a form or query string in order. Raises MalformedQueryString."""
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        return parse_qsl(
            decoded, keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX
        )
    except UnicodeDecodeError:
        raise MalformedQueryString("The parameters of the request are not valid UTF-8") from None
    except ValueError as error:
        raise MalformedQueryString(f"The parameters cannot be read: {error}") from None


def parse(operation: OperationModel, fields: dict[str, str]) -> dict[str, Any]:
    """Return the parameters of `operation`. Fields it does not know are ignored, as AWS does.

    Raises MalformedInput.
    """
    if operation.input_shape is None:
        return {}
    return _structure(operation.input_shape, _tree(fields.items()), "")


def _tree(fields: Iterable[tuple[str, str]]) -> _Node:
    root = _Node()
    for name, value in fields:
        node = root
        for part in name.split(".", DEPTH_MAX):
            node = node.members.setdefault(part, _Node())
        node.value = value
    return root


def _value(shape: Shape, node: _Node, path: str) -> Any:
    match shape:
        case StructureShape():
            return _structure(shape, node, path)
        case ListShape():
            return _list(shape, node, path)
        case MapShape():
            return _map(shape, node, path)
        case _:
            if node.value is None:
                raise MalformedInput(f"'{path}' must be a {shape.type_name}")
            try:
                return from_text(shape, node.value)
            except ValueError as error:
                raise MalformedInput(f"Value '{node.value[:256]}' at '{path}' {error}") from None


def _structure(shape: StructureShape, node: _Node, path: str) -> dict[str, Any]:
    _require_no_value(shape, node, path)
    parsed = {}
    for name, member in shape.members.items():
        sent_as = _name(member, name)
        if sent_as in node.members:
            parsed[name] = _value(member, node.members[sent_as], _join(path, sent_as))
    return parsed


def _list(shape: ListShape, node: _Node, path: str) -> list[Any]:
    """Items are `NAME.member.1`, `NAME.member.2` ...; an empty list is an empty `NAME`."""
    _require_no_value(shape, node, path)
    item_name = _name(shape.member, "member")
    items = node.members.get(item_name, _Node())
    where = _join(path, item_name)
    return [
        _value(shape.member, item, f"{where}.{number}") for number, item in _numbered(items, where)
    ]


def _map(shape: MapShape, node: _Node, path: str) -> dict[str, Any]:
    """Entries are `NAME.entry.1.key` with `NAME.entry.1.value`."""
    _require_no_value(shape, node, path)
    key_name = _name(shape.key, "key")
    value_name = _name(shape.value, "value")
    where = _join(path, "entry")
    parsed = {}
    for number, entry in _numbered(node.members.get("entry", _Node()), where):
        key = _value(shape.key, entry.members.get(key_name, _Node()), f"{where}.{number}.key")
        value = entry.members.get(value_name, _Node())
        parsed[key] = _value(shape.value, value, f"{where}.{number}.value")
    return parsed


def _numbered(items: _Node, path: str) -> list[tuple[int, _Node]]:
    for number in items.members:
        if not (number.isascii() and number.isdigit() and len(number) <= 6):
            raise MalformedInput(f"'{path}.{number[:64]}' is not a list item: a number must follow")
    return sorted(((int(number), item) for number, item in items.members.items()), key=_first)


def _first(pair: tuple[int, _Node]) -> int:
    return pair[0]


def _require_no_value(shape: Shape, node: _Node, path: str) -> None:
    if node.value:
        raise MalformedInput(f"'{path}' must be a {shape.type_name}, not a simple value")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def serialize(operation: OperationModel, result: dict[str, Any], request_id: str) -> bytes:
    """Return the XML document of an answer."""
    namespace = operation.service_model.metadata["xmlNamespace"]
    shape, content = operation.output_shape, ""
    if shape is not None:
        wrapper = shape.serialization.get("resultWrapper", f"{operation.name}Result")
        content = _writer(shape, wrapper)(result)
    return (
        f'<{operation.name}Response xmlns="{namespace}">{content}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
        f"</{operation.name}Response>"
    ).encode()


def serialize_error(namespace: str, code: str, message: str, status: int, request_id: str) -> bytes:
    """Return the XML document of an error."""
    culprit = "Sender" if status < 500 else "Receiver"
    return (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{culprit}</Type><Code>{code}</Code>'
        f"<Message>{xml_text(message)}</Message></Error><RequestId>{request_id}</RequestId>"
        "</ErrorResponse>"
    ).encode()


@cache
def _writer(shape: Shape, tag: str) -> Callable[[Any], str]:
    """Return what writes a value of `shape` as an element. Made once: models are slow to ask."""
    begin, end = f"<{tag}>", f"</{tag}>"
    match shape:
        case StructureShape():
            return _structure_writer(shape, begin, end)
        case ListShape():
            assert not shape.serialization.get("flattened"), "no API of ours has flattened lists"
            item = _writer(shape.member, _name(shape.member, "member"))
            return lambda value: f"{begin}{''.join(map(item, value))}{end}"
        case MapShape():
            return _map_writer(shape, begin, end)
    match shape.type_name:
        case "boolean":
            return lambda value: f"{begin}{'true' if value else 'false'}{end}"
        case "timestamp":
            return lambda value: f"{begin}{iso8601(value)}{end}"
        case "blob":
            return lambda value: f"{begin}{base64.b64encode(value).decode()}{end}"
    return lambda value: f"{begin}{xml_text(str(value))}{end}"


def _structure_writer(shape: StructureShape, begin: str, end: str) -> Callable[[Any], str]:
    members = {name: _writer(member, _name(member, name)) for name, member in shape.members.items()}

    def write(value: Mapping[str, Any]) -> str:
        written = [members[name](item) for name, item in value.items() if item is not None]
        return f"{begin}{''.join(written)}{end}"

    return write


def _map_writer(shape: MapShape, begin: str, end: str) -> Callable[[Any], str]:
    key = _writer(shape.key, _name(shape.key, "key"))
    item = _writer(shape.value, _name(shape.value, "value"))

    def write(value: Mapping[Any, Any]) -> str:
        entries = (f"<entry>{key(name)}{item(each)}</entry>" for name, each in value.items())
        return f"{begin}{''.join(entries)}{end}"

    return write


def _name(shape: Shape, default: str) -> str:
    """Return by which name a member, or what a list or map consists of, is sent."""
    name: str = shape.serialization.get("name", default)
    return name
