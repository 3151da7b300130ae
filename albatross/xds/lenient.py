"""Messages of Envoy's in which text need not be UTF-8, as what clients send is not.

Protocol buffers take such text for broken, and with it the whole message.
"""

from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet

_DELIMITED = 2  # the wire type of texts and messages

M = TypeVar("M", bound=Message)


def parse(kind: type[M], data: bytes) -> M:
    """Return `data` as a message of `kind`. A text that is not UTF-8 has escapes (`\\xff`).

    Beside such a text, numbers are left out. Raises DecodeError where it is no message at all.
    """
    try:
        return kind.FromString(data)
    except DecodeError:
        found = kind()
    parts: Any = UnknownFieldSet(Empty.FromString(data))  # nothing is known of an empty message
    for part in parts:
        known = kind.DESCRIPTOR.fields_by_number.get(part.field_number)
        if known is not None and part.wire_type == _DELIMITED:
            _add(found, known, part.data)
    return found


def _add(to: Message, field: Any, data: bytes) -> None:
    if field.type == FieldDescriptor.TYPE_STRING and not field.is_repeated:
        setattr(to, field.name, data.decode(errors="backslashreplace"))
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        value: Any = parse(GetMessageClass(field.message_type), data)
        if field.message_type.GetOptions().map_entry:
            getattr(to, field.name)[value.key] = value.value
        elif field.is_repeated:
            getattr(to, field.name).append(value)
        else:
            getattr(to, field.name).CopyFrom(value)
