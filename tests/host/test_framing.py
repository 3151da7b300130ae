"""What is printed becomes events: lines, and records with bounds, however they are cut in reads."""

import re
import struct

import pytest

from albatross.host.observe.framing import EVENT_BYTES_MAX, Event, Source


def frame(text: bytes, ms: int = 7) -> bytes:
    return struct.pack(">4sIQ", b"\xa5\x5a\x00\x0f", len(text), ms * 1000) + text


def events(*reads: bytes) -> list[bytes]:
    source = Source()
    found = []
    for ms, data in enumerate(reads):
        for piece in source.split(ms, data):
            found += source.lines(piece)
    return flat([*found, *source.rest()])


def flat(found: list[Event]) -> list[bytes]:
    return [
        line
        for _, text, is_lines in found
        for line in (re.findall(rb"[^\n]*\n", text) if is_lines else [text])
    ]


@pytest.mark.parametrize(
    ("reads", "expected"),
    [
        pytest.param([b"a\nb\n"], [b"a\n", b"b\n"], id="lines"),
        pytest.param([b"a", b"b\nc"], [b"ab\n", b"c"], id="a line in two reads"),
        pytest.param([b"\n\n"], [b"\n", b"\n"], id="empty lines"),
        pytest.param([frame(b"a\nb\n")], [b"a\nb\n"], id="a record of two lines"),
        pytest.param([b"x" + frame(b"a") + b"y\n"], [b"x", b"a", b"y\n"], id="in between"),
        pytest.param([frame(b"a\n") + frame(b"b\n")], [b"a\n", b"b\n"], id="two records"),
        pytest.param(["å\n".encode(), "\xa5\n".encode()], ["å\n".encode(), "\xa5\n".encode()],
                     id="text with bytes of the mark"),
        pytest.param([b"x\xa5"], [b"x"], id="begun like a mark, and never ended"),
    ],
)  # fmt: skip
def test_output_is_split_into_events(reads: list[bytes], expected: list[bytes]) -> None:
    assert events(*reads) == expected


def test_it_makes_no_difference_where_reads_are_cut() -> None:
    data = b"one\n" + frame(b"two\nlines") + "å".encode() + b"\n" + frame(b"three\n") + b"four\n"
    whole = events(data)
    assert whole == [b"one\n", b"two\nlines", "å\n".encode(), b"three\n", b"four\n"]
    for at in range(1, len(data)):
        assert events(data[:at], data[at:]) == whole, at
    assert events(*(data[at : at + 1] for at in range(len(data)))) == whole


def test_a_record_has_its_own_time_and_a_line_that_of_its_beginning() -> None:
    source = Source()
    pieces = [*source.split(1, b"be"), *source.split(2, b"gun\n" + frame(b"r", ms=9))]
    found = [each for piece in pieces for each in source.lines(piece)]
    assert found == [(1, b"begun\n", False), (9, b"r", False)]


@pytest.mark.parametrize("mark", [lambda text: text, frame], ids=["a line", "a record"])
def test_what_is_too_long_becomes_several_events(mark) -> None:
    text = b"x" * (2 * EVENT_BYTES_MAX + 10)
    data = mark(text)
    found = events(*(data[at : at + 65536] for at in range(0, len(data), 65536)))
    assert b"".join(found) == text
    assert max(map(len, found)) <= EVENT_BYTES_MAX + 65536


def test_a_record_is_never_older_than_what_was_printed_before_it() -> None:
    source = Source()
    pieces = [*source.split(9, b"printed\n"), *source.split(9, frame(b"late", ms=7))]
    assert [(ms, text) for ms, text, _ in pieces] == [(9, b"printed\n"), (9, b"late")]
