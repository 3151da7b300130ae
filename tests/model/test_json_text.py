"""What is JSON by RFC 8259, also where faster parsers stop."""

import pytest

from albatross.model.json_text import is_json


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b' [1, "a", null] ',
        b'"\\ud800"',
        b"1e999",
        b"9" * 5000,
        b'{"a":1,"a":2}',
        b"[" * 500 + b"]" * 500,
    ],
)
def test_it_is(text):
    assert is_json(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"NaN",
        b"-Infinity",
        b"01",
        b"[1,]",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'"\n"',
        b"[" * 10**6,
    ],
)
def test_it_is_not(text):
    assert not is_json(text)
