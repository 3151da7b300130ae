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
_JSON, _BYTES = "application/json", "application/octet-stream"


def member(operation: OperationModel) -> str | None:
    """Return the name of the output's member that is a stream of events, if it has one."""
    shape = operation.output_shape
    if shape is None or not operation.has_event_stream_output:
        return None
    return next(
        name for name, part in shape.members.items() if part.serialization.get("eventstream")
    )


def serialize(
    operation: OperationModel, events: AsyncIterator[Mapping[str, Any]], *, is_rpc: bool = True
) -> Response:
    """Return the answer. Each event is a mapping of its name to its content."""
    shape = operation.get_event_stream_output()
    assert isinstance(shape, StructureShape)
    headers = {"Content-Type": "application/vnd.amazon.eventstream"}
    return Response(200, headers, stream=_messages(shape, events, is_rpc))


async def _messages(
    shape: StructureShape, events: AsyncIterator[Mapping[str, Any]], is_rpc: bool
) -> AsyncIterator[bytes]:
    if is_rpc:
        yield message({":message-type": "event", ":event-type": "initial-response"}, b"{}", _JSON)
    async for event in events:
        ((name, content),) = event.items()
        part = shape.members[name]
        assert isinstance(part, StructureShape)
        is_error = part.metadata.get("exception", False)
        kind = "exception" if is_error else "event"
        head = {":message-type": kind, f":{kind}-type": name}
        payload = next(
            (each for each, one in part.members.items() if one.serialization.get("eventpayload")),
            None,
        )
        if payload is not None and part.members[payload].type_name == "blob":
            yield message(head, content[payload], _BYTES)
        else:
            yield message(head, orjson.dumps(json_values.write(part, content)), _JSON)


def message(headers: Mapping[str, str], payload: bytes, content_type: str) -> bytes:
    """Return one message."""
    head = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", _STRING, len(value))
        + value.encode()
        for name, value in {**headers, ":content-type": content_type}.items()
    )  # fmt: skip
    prelude = struct.pack(">II", len(head) + len(payload) + 16, len(head))
    prelude += struct.pack(">I", binascii.crc32(prelude))
    body = prelude + head + payload
    return body + struct.pack(">I", binascii.crc32(body))
