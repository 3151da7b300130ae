"""Answers that are streams of events, as AWS frames them. Source: Smithy, "Amazon Event Stream".

A message is its length and that of its headers, their CRC-32, headers, payload, CRC-32 of all. In
the RPC protocols the first message is `initial-response`.
"""

import binascii
import struct
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
from botocore.model import OperationModel, StructureShape

from albatross.aws import json_values
from albatross.aws.http import Response

_STRING = 7  # the type of a header's value


def member(operation: OperationModel) -> str | None:
    """Return the name of the output's member that is a stream of events, if it has one."""
    shape = operation.output_shape
    if shape is None or not operation.has_event_stream_output:
        return None
    return next(
        name for name, part in shape.members.items() if part.serialization.get("eventstream")
    )


def serialize(operation: OperationModel, events: AsyncIterator[Mapping[str, Any]]) -> Response:
    """Return the answer. Each event is a mapping of its name to its content."""
    shape = operation.get_event_stream_output()
    assert isinstance(shape, StructureShape)
    headers = {"Content-Type": "application/vnd.amazon.eventstream"}
    return Response(200, headers, stream=_messages(shape, events))


async def _messages(
    shape: StructureShape, events: AsyncIterator[Mapping[str, Any]]
) -> AsyncIterator[bytes]:
    yield message({":message-type": "event", ":event-type": "initial-response"}, {})
    async for event in events:
        ((name, content),) = event.items()
        part = shape.members[name]
        is_error = part.metadata.get("exception", False)
        kind = "exception" if is_error else "event"
        head = {":message-type": kind, f":{kind}-type": name}
        yield message(head, json_values.write(part, content))


def message(headers: Mapping[str, str], document: object) -> bytes:
    """Return one message whose payload is JSON."""
    payload = orjson.dumps(document)
    head = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", _STRING, len(value))
        + value.encode()
        for name, value in {**headers, ":content-type": "application/json"}.items()
    )  # fmt: skip
    prelude = struct.pack(">II", len(head) + len(payload) + 16, len(head))
    prelude += struct.pack(">I", binascii.crc32(prelude))
    body = prelude + head + payload
    return body + struct.pack(">I", binascii.crc32(body))
