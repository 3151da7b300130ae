"""Headers of results: by mode, what is dropped, added and refused."""

import pytest

from albatross.host.response import (
    HEADERS_BYTES_MAX,
)
from tests.host.test_response import OCTETS, SERVER, refusal, response_to, sent_headers


@pytest.mark.parametrize(
    ("multi_value", "fields", "lines"),
    [
        pytest.param(
            False, {"headers": {"X": "1", "y": ""}}, [("X", "1"), ("y", "")], id="single: headers"
        ),
        pytest.param(
            False, {"multiValueHeaders": {"X": ["1"]}}, [], id="single: multiValueHeaders missing"
        ),
        pytest.param(
            True,
            {"multiValueHeaders": {"Set-cookie": ["a=1;Secure", "b=2"], "X": ["1"], "z": []}},
            [("Set-cookie", "a=1;Secure"), ("Set-cookie", "b=2"), ("X", "1")],
            id="multi: one header line per array element",
        ),
        pytest.param(True, {"headers": {"X": "1"}}, [], id="multi: headers missing"),
        pytest.param(
            False,
            {"headers": {"X": "1"}, "multiValueHeaders": {"X": ["2"]}},
            [("X", "1")],
            id="single: both well typed",
        ),
        pytest.param(
            True,
            {"headers": {"X": "1"}, "multiValueHeaders": {"X": ["2"]}},
            [("X", "2")],
            id="multi: both well typed",
        ),
        pytest.param(
            False,
            {"headers": {}, "multiValueHeaders": None},
            [],
            id="single: the other family, even null, is ignored",
        ),
        pytest.param(
            True,
            {"headers": {"X": None, "bad name": 1}, "multiValueHeaders": {}},
            [],
            id="multi: the other family is not looked at",
        ),
        pytest.param(
            False,
            {"headers": {"Set-Cookie": "a=1", "set-cookie": "b=2", "sEt-cookie": "c=3"}},
            [("Set-Cookie", "a=1"), ("set-cookie", "b=2"), ("sEt-cookie", "c=3")],
            id="names differing only in case",
        ),
        pytest.param(
            False, {"headers": {"X": "a, b"}}, [("X", "a, b")], id="a comma list stays one line"
        ),
        pytest.param(
            False, {"headers": {"X": "\ta\u00a0é"}}, [("X", "\ta\u00a0é")], id="tab and UTF-8"
        ),
        pytest.param(
            False,
            {"headers": {"X!#$%&'*+-.^_`|~09": "v"}},
            [("X!#$%&'*+-.^_`|~09", "v")],
            id="every character of a token",
        ),
    ],
)
def test_headers_are_sent_by_mode(multi_value, fields, lines):
    assert sent_headers({"statusCode": 200, **fields}, multi_value=multi_value) == lines


@pytest.mark.parametrize(
    ("multi_value", "fields", "detail"),
    [
        pytest.param(
            False,
            {"headers": None},
            "headers: expected an object of strings, found null",
            id="null",
        ),
        pytest.param(
            False,
            {"headers": []},
            "headers: expected an object of strings, found an array",
            id="[]",
        ),
        pytest.param(
            False,
            {"headers": {"x": True}},
            'headers["x"]: expected a string, found the boolean true; make it text',
            id="boolean value",
        ),
        pytest.param(
            False,
            {"headers": {"x": 1}},
            'headers["x"]: expected a string, found the number 1; make it text',
            id="number value",
        ),
        pytest.param(
            False,
            {"headers": {"x": None}},
            'headers["x"]: expected a string, found null',
            id="null value",
        ),
        pytest.param(
            False,
            {"headers": {"x": ["a"]}},
            'headers["x"]: expected a string, found an array; for several values turn on '
            "lambda.multi_value_headers.enabled of the target group, and return multiValueHeaders",
            id="array in single mode",
        ),
        pytest.param(
            False,
            {"headers": {"Connection": 1}},
            'headers["Connection"]: expected a string, found the number 1; make it text',
            id="also where it would be dropped",
        ),
        pytest.param(
            True,
            {"headers": {}, "multiValueHeaders": None},
            "multiValueHeaders: expected an object of arrays of strings, found null",
            id="multi: null",
        ),
        pytest.param(
            True,
            {"multiValueHeaders": {"x": "a"}},
            'multiValueHeaders["x"]: expected an array of strings, found the string "a"; '
            "put it into an array",
            id="multi: string value",
        ),
        pytest.param(
            True,
            {"multiValueHeaders": {"x": ["a", None]}},
            'multiValueHeaders["x"]: expected strings in the array, found null',
            id="multi: null element",
        ),
    ],
)
def test_headers_of_another_type_are_an_invalid_response(multi_value, fields, detail):
    assert refusal({"statusCode": 200, **fields}, multi_value=multi_value) == detail


@pytest.mark.parametrize("multi_value", [False, True])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("a b", "v", id="name with space"),
        pytest.param("a:", "v", id="name with colon"),
        pytest.param("", "v", id="empty name"),
        pytest.param("a\r\nb", "v", id="name with line break"),
        pytest.param("é", "v", id="name not ASCII"),
        pytest.param("x", "a\r\nSet-Cookie: b=1", id="value with CR LF"),
        pytest.param("x", "a\rb", id="value with CR"),
        pytest.param("x", "a\n", id="value with LF"),
        pytest.param("x", "a\0", id="value with NUL"),
        pytest.param("x", "\x1b[0m", id="value with ESC"),
        pytest.param("x", "\x7f", id="value with DEL"),
        pytest.param("Content-Length", "1\r\n", id="also where it would be dropped"),
    ],
)
def test_headers_that_are_not_valid_http_are_an_invalid_response(name, value, multi_value):
    family = {"multiValueHeaders": {name: [value]}} if multi_value else {"headers": {name: value}}
    detail = refusal({"statusCode": 200, **family}, multi_value=multi_value)
    assert detail.startswith("headers")
    assert detail.splitlines() == [detail]


@pytest.mark.parametrize(
    "name",
    [
        "Connection",
        "Transfer-Encoding",
        "Keep-Alive",
        "Proxy-Authenticate",
        "proxy-connection",
        "X-Envoy-Upstream-Canary",
        "x-albatross-error",
        "TE",
        "Trailer",
        "upgrade",
        "Content-Length",
        "content-length",
    ],
)
def test_hop_by_hop_headers_and_content_length_are_not_honoured(name):
    assert sent_headers({"statusCode": 200, "headers": {name: "7", "X": "y"}}) == [("X", "y")]


@pytest.mark.parametrize(
    ("headers", "added"),
    [
        pytest.param({}, [OCTETS, SERVER], id="none given"),
        pytest.param({"content-TYPE": "a/b"}, [SERVER], id="Content-Type given"),
        pytest.param({"server": "mine"}, [OCTETS], id="the function's Server wins"),
        pytest.param({"Server": "mine", "Content-Type": ""}, [], id="both given"),
    ],
)
def test_server_and_content_type_are_added_where_absent(headers, added):
    response = response_to({"statusCode": 200, "headers": headers})
    assert response.headers == [*headers.items(), *added]


def headers_of(bytes_total: int) -> dict[str, str]:
    """Return headers that are `bytes_total` bytes of lines, not all of them ASCII."""
    first, second = {"a": "é" * 1000}, "b"
    used = len("a: ") + 2000 + len("\r\n") + len("b: \r\n")
    return {**first, second: "x" * (bytes_total - used)}


def test_headers_of_32_k_are_sent():
    assert HEADERS_BYTES_MAX == 32_768
    headers = headers_of(HEADERS_BYTES_MAX)
    assert sent_headers({"statusCode": 200, "headers": headers}) == list(headers.items())
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    assert len(lines.encode()) == HEADERS_BYTES_MAX


def test_headers_over_32_k_together_are_an_invalid_response():
    detail = refusal({"statusCode": 200, "headers": headers_of(HEADERS_BYTES_MAX + 1)})
    assert detail == "headers: expected at most 32,768 bytes, found 32,769"


def test_a_status_description_of_32_k_is_sent_and_a_longer_one_refused():
    longest = "200 ".ljust(HEADERS_BYTES_MAX - 2, "x") + "é"
    assert response_to({"statusCode": 200, "statusDescription": longest}).reason == longest[4:]
    detail = refusal({"statusCode": 200, "statusDescription": longest + "x"})
    assert detail == "statusDescription: expected at most 32,768 bytes"


@pytest.mark.parametrize(
    ("multi_value", "detail"),
    [
        pytest.param(
            False,
            "multiValueHeaders: ignored, the target group has multi-value headers off; "
            "return headers",
            id="single mode",
        ),
        pytest.param(
            True,
            "headers: ignored, the target group has multi-value headers on; "
            "return multiValueHeaders",
            id="multi mode",
        ),
    ],
)
def test_a_good_response_warns_of_headers_that_go_missing(multi_value, detail):
    family = {"headers": {"X": "1"}} if multi_value else {"multiValueHeaders": {"X": ["1"]}}
    response = response_to({"statusCode": 200, **family}, multi_value=multi_value)
    assert (response.status, response.error_reason, response.detail) == (200, None, detail)
