"""Bodies in events, row by row. Source: ALB user guide, "Use Lambda functions as targets of an
Application Load Balancer", "Troubleshoot your Application Load Balancers".

What is too large is in test_routing_limits.py, clients that do not send all in
test_routing_statuses.py.
"""

import base64
from collections.abc import Callable

import pytest

from tests.support.http2 import ask
from tests.support.stack import Front, chunked, client_headers, event, request, sha256

MIB = 1024 * 1024
TEXT = "Plain text, é"
Check = Callable[..., None]


@pytest.fixture
def check(single: Front, single_h2: Front) -> Check:
    """Holds whether a body with these headers comes as Base64: whole, in chunks, and in HTTP/2."""

    def check(*lines: str, is_base64: bool) -> None:
        data = TEXT.encode()
        body = base64.b64encode(data).decode() if is_base64 else TEXT
        pairs = [
            (one.lower(), of.strip()) for one, _, of in (line.partition(":") for line in lines)
        ]
        pieces = request(
            "PUT /", *lines, "Transfer-Encoding: chunked", body=chunked(b"P", data[1:])
        )
        for seen in (
            event(single.post("/", *lines, body=data)),
            event(single.send(pieces)),
            event(ask(single_h2, "POST", "/", *pairs, body=TEXT)),
        ):
            assert (seen["isBase64Encoded"], seen["body"]) == (is_base64, body)

    return check


@pytest.mark.parametrize("encoding", ["gzip", "br", "GZIP", "", "x"])
def test_any_content_encoding_header_present_base64(check: Check, encoding: str) -> None:
    check("Content-Type: text/plain", f"Content-Encoding: {encoding}", is_base64=True)
    check(f"content-encoding: {encoding}", "Content-Type: application/json", is_base64=True)


def test_content_encoding_identity_base64(check: Check) -> None:
    check("Content-Type: text/plain", "Content-Encoding: identity", is_base64=True)


@pytest.mark.parametrize(
    "content_type",
    [
        *("text/plain", "text/html", "text/css", "text/csv", "text/xml", "text/x-anything"),
        *("application/json", "application/javascript", "application/xml"),
    ],
)
def test_text_application_json_javascript_xml_as_is(check: Check, content_type: str) -> None:
    check(f"Content-Type: {content_type}", is_base64=False)


@pytest.mark.parametrize(
    "content_type",
    [
        *("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "image/png"),
        *("application/octet-stream", "application/graphql", "application/problem+json"),
        *("application/vnd.api+json", "application/xhtml+xml", "image/svg+xml", "audio/mpeg"),
        *("application/x-javascript", "application/ecmascript", "application/jsonp"),
        *("application/json5", "application/xml-dtd", "text", "x/text/plain", "json", "a/b;text/c"),
    ],
)
def test_any_other_content_type_base64(check: Check, content_type: str) -> None:
    check(f"Content-Type: {content_type}", is_base64=True)


def test_no_content_type_non_empty_body_base64(check: Check) -> None:
    check(is_base64=True)
    check("Content-Type:", is_base64=True)


def test_no_content_type_get_with_a_body_base64(single: Front) -> None:
    seen = event(single.post("/", body="x" * 242, method="GET"))
    assert seen["headers"]["content-length"] == "242"
    assert seen["isBase64Encoded"] is True


def test_no_body_with_an_empty_body_the_content_type_rule_does_not_apply(single: Front) -> None:
    for lines in ([], ["Content-Type: image/png"], ["Content-Encoding: gzip"]):
        for data in (
            request("GET /", *lines),
            request("POST /", *lines, body=""),
            request("POST /", *lines, "Transfer-Encoding: chunked", body=chunked()),
        ):
            seen = event(single.send(data))
            assert (seen["body"], seen["isBase64Encoded"]) == ("", False)


@pytest.mark.parametrize(
    "content_type",
    [
        *("application/json; charset=utf-8", "application/json;charset=utf-16", "application/xml;"),
        *("text/plain ; format=flowed", 'application/javascript; a="b;c"'),
    ],
)
def test_content_type_with_parameters_the_media_type_alone_is_compared(
    check: Check, content_type: str
) -> None:
    check(f"Content-Type: {content_type}", is_base64=False)


def test_content_type_letter_case_compared_case_insensitively(check: Check) -> None:
    check("CONTENT-TYPE: Application/JSON; Charset=UTF-8", is_base64=False)
    check("content-type: TEXT/html", is_base64=False)
    check("Content-Type: Image/PNG", is_base64=True)


BAD_UTF_8 = [b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"ok \x80"]


def test_text_type_but_bytes_are_not_valid_utf_8_invocation_fails_400_and_the_connection_stays(
    traffic: object, single: Front, node: Front
) -> None:
    with single.connect() as client:
        for body in BAD_UTF_8:
            client.write(request("POST /", "Content-Type: text/plain", body=body))
            answer = client.read()
            assert (answer.status, answer.closed) == (400, False)
            client.write(request("POST /", "Content-Type: image/png", body=body))
            assert event(client.read())["body"] == base64.b64encode(body).decode()
    assert node.post("/", "Content-Type: application/json", body=b"\xff").status == 400


def test_headers_that_are_not_valid_utf_8_invocation_fails_400(single: Front) -> None:
    for line in ("X: \xe9", "Cookie: a=\xff", "Content-Type: text/plain\x80"):
        assert single.get("/", line).status == 400
    assert event(single.get("/", "X: \xc3\xa9"))["headers"]["x"] == "é"


def test_text_of_any_character_as_is(single: Front) -> None:
    text = '\0\x01\x1f\x7f\t\r\n\ufeff\u2028\ud7ff\ue000\uffff\U0010ffff"\\</script>'
    for character in ("", "\ufeff"):
        sent = (character + text).encode()
        seen = event(single.post("/", "Content-Type: text/plain", body=sent))
        assert seen["body"] == character + text


def test_chunked_request_body_is_assembled_first_one_event(multi: Front) -> None:
    lines = ("Content-Type: text/plain", "Transfer-Encoding: Chunked", "Trailer: X-T")
    body = b'1;a=b\r\na\r\n1; c="d"\r\nb\r\n0\r\nX-T: 1\r\nx-albatross-target-group: evil\r\n\r\n'
    seen = event(multi.send(request("POST /", *lines, body=body)))
    assert seen["body"] == "ab"
    assert client_headers(seen) == {"content-type": ["text/plain"], "trailer": ["X-T"]}


def test_chunked_request_drop_transfer_encoding_do_not_invent_content_length(multi: Front) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "PURGE"):
        data = request(f"{method} /", "Transfer-Encoding: chunked", body=chunked(b"h", b"i"))
        assert client_headers(event(multi.send(data))) == {}


def test_base64_alphabet_standard_with_padding_no_line_breaks(single: Front) -> None:
    for data in (b"\xfb\xff\xbf", b"\xff", b"ab", bytes(range(256)) * 4):
        assert event(single.post(body=data))["body"] == base64.b64encode(data).decode()


def test_every_byte_of_a_binary_body_arrives(single: Front) -> None:
    data = bytes(range(256)) * 100
    answer = single.post("/-/digest", body=data)
    assert answer.body.decode() == f'{{"bytes": {len(data)}, "sha256": "{sha256(data)}"}}'


def test_request_body_limit_is_of_the_raw_http_body_not_of_its_base64_or_json(
    single: Front,
) -> None:
    text = "\0é" * (MIB // 3)
    for content_type in ("text/plain", "image/png"):
        answer = single.post("/-/digest", f"Content-Type: {content_type}", body=text)
        assert f'"sha256": "{sha256(text.encode())}"' in answer.body.decode()
