"""One event, one line: how segments are written. Pure.

    1700000000000 1700000000123 4 nhello         event time, ingestion time, number of its stream,
                                                 kind of message, message
    S 4 1700000000000 2026/11/21/[$LATEST]5c..   stream 4 of this segment: creation time and name

Times are milliseconds since 1970, always 13 digits. A message of kind n is the rest of the line and
a newline, of kind r the rest of the line, of kind j a JSON string. A line that is none of these, as
a crash in the middle of one leaves it, is passed over.
"""

import re

import orjson

MS_MIN, MS_MAX = 10**12, 10**13 - 1  # what has 13 digits: the years 2001 to 2286

EVENT = re.compile(rb"^(\d{13}) (\d{13}) (\d+) ([nrj])(.*)$", re.MULTILINE)
HEAD = re.compile(rb"^(?:(\d{13}) (\d{13}) (\d+) [nrj]|S (\d+) (\d{13}) (\S+)$)", re.MULTILINE)
STREAM = re.compile(rb"^S (\d+) (\d{13}) (\S+)$", re.MULTILINE)


# An event on its way into a segment: name and creation time of its stream, its own time, and the
# message, UTF-8 that may be damaged. Or several of one time: then each line, with its end, is one.
Entry = tuple[str, int, int, bytes, bool]


def event_line(ms: int, ingested_ms: int, stream: int, message: bytes) -> bytes:
    """Return the line of an event, with its end."""
    first = message.find(b"\n")
    if first < 0:
        return b"%d %d %d r%b\n" % (ms, ingested_ms, stream, message)
    if first == len(message) - 1:
        return b"%d %d %d n%b" % (ms, ingested_ms, stream, message)
    text = orjson.dumps(message.decode(errors="replace"))
    return b"%d %d %d j%b\n" % (ms, ingested_ms, stream, text)


def event_lines(ms: int, ingested_ms: int, stream: int, lines: bytes) -> bytes:
    """Return the lines of events whose messages are the `lines`, which all have an end."""
    head = b"%d %d %d n" % (ms, ingested_ms, stream)
    return head + lines[:-1].replace(b"\n", b"\n" + head) + b"\n"


def stream_line(number: int, created_ms: int, name: str) -> bytes:
    """Return the line that says which stream has a number."""
    text = orjson.dumps(name)[1:-1].replace(b" ", b"\\u0020")
    return b"S %d %d %b\n" % (number, created_ms, text)


def stream_name(text: bytes) -> str:
    """Return the name in a stream's line."""
    name: str = orjson.loads(b'"' + text + b'"')
    return name


def message(kind: bytes, text: bytes) -> str:
    """Return the message of an event's line."""
    if kind == b"j":
        try:
            decoded: str = orjson.loads(text)
        except orjson.JSONDecodeError:  # cut off
            return text.decode(errors="replace")
        return decoded
    return text.decode(errors="replace") + ("\n" if kind == b"n" else "")
