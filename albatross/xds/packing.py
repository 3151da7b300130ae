"""Protobuf messages inside `Any`: the same message always gives the same bytes."""

from google.protobuf.any_pb2 import Any as PackedMessage
from google.protobuf.message import Message


def packed(message: Message) -> PackedMessage:
    """Return `message` in an `Any`. Map fields are written in the order of their keys."""
    result = PackedMessage()
    result.Pack(message, deterministic=True)
    return result


def extension(name: str, message: Message) -> dict[str, object]:
    """Return the fields of an Envoy extension or filter, in the form message constructors take."""
    return {"name": name, "typed_config": packed(message)}
