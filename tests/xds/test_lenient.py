"""Messages with text that is not UTF-8."""

import pytest
from envoy.service.accesslog.v3.als_pb2 import StreamAccessLogsMessage
from google.protobuf.message import DecodeError

from albatross.xds import lenient


def message(path: str) -> StreamAccessLogsMessage:
    found = StreamAccessLogsMessage()
    for one in ("/before", path, "/after"):
        entry = found.http_logs.log_entry.add()
        entry.common_properties.duration.seconds = 2
        entry.common_properties.metadata.filter_metadata["albatross"]["refusal"] = "Code"
        entry.request.path = one
        entry.request.request_headers[":method"] = "GET"
        entry.response.response_code.value = 400
    return found


def test_text_that_is_not_utf_8_has_escapes_and_all_else_is_there() -> None:
    sent = message("/xx").SerializeToString().replace(b"/xx", b"/\xff\xfe")
    with pytest.raises(DecodeError):
        StreamAccessLogsMessage.FromString(sent)
    assert lenient.parse(StreamAccessLogsMessage, sent) == message("/\\xff\\xfe")


def test_a_map_may_have_such_text() -> None:
    sent = message("/").SerializeToString().replace(b"GET", b"G\xffT")
    for entry in lenient.parse(StreamAccessLogsMessage, sent).http_logs.log_entry:
        assert entry.request.request_headers[":method"] == "G\\xffT"


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(DecodeError):
        lenient.parse(StreamAccessLogsMessage, b"\xff")
