"""What the client of a function URL gets for a function's result."""

import json

import pytest

from albatross.host.urls.response import from_result

JSON = ("Content-Type", "application/json")


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(b'{"message": "Hello, world!"}', id="an object"),
        pytest.param(b'"Hello, world!"', id="a string"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[1, 2.50]", id="an array"),
        pytest.param(b'{"status": 5, "body": "x"}', id="no statusCode"),
    ],
)
def test_json_without_a_status_code_is_the_body_as_it_is(result):
    found = from_result(result)
    assert (found.status, found.headers, found.body) == (200, [JSON], result)


@pytest.mark.parametrize(
    "document, status, headers, body",
    [
        pytest.param({"statusCode": 204}, 204, [JSON], b"", id="status alone"),
        pytest.param({"statusCode": "201", "body": "x"}, 201, [JSON], b"x", id="digits"),
        pytest.param(
            {"statusCode": 200, "headers": {"content-type": "text/html", "X-N": 5, "X-B": True}},
            200,
            [("content-type", "text/html"), ("X-N", "5"), ("X-B", "true")],
            b"",
            id="headers",
        ),
        pytest.param(
            {"statusCode": 200, "cookies": ["a=1", "b=2; Path=/"]},
            200,
            [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2; Path=/"), JSON],
            b"",
            id="cookies",
        ),
        pytest.param(
            {"statusCode": 200, "body": "aGk=", "isBase64Encoded": True},
            200,
            [JSON],
            b"hi",
            id="Base64",
        ),
        pytest.param({"statusCode": 599, "body": {"a": 1}}, 599, [JSON], b'{"a":1}', id="object"),
        pytest.param(
            {"statusCode": 200, "headers": {"Content-Length": "99", "Connection": "close"}},
            200,
            [JSON],
            b"",
            id="framing is the proxy's",
        ),
        pytest.param(
            {"statusCode": 200, "headers": None, "cookies": None, "body": None},
            200,
            [JSON],
            b"",
            id="nulls",
        ),
    ],
)
def test_a_result_with_a_status_code_is_a_response(document, status, headers, body):
    found = from_result(json.dumps(document).encode())
    assert (found.status, found.headers, found.body) == (status, headers, body)


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(b"{no", id="no JSON"),
        pytest.param(b"", id="nothing"),
        pytest.param({"statusCode": 99}, id="status too low"),
        pytest.param({"statusCode": 600}, id="status too high"),
        pytest.param({"statusCode": 101}, id="status that ends nothing"),
        pytest.param({"statusCode": True}, id="status a boolean"),
        pytest.param({"statusCode": None}, id="status null"),
        pytest.param({"statusCode": 200.5}, id="status a fraction"),
        pytest.param({"statusCode": 200, "headers": []}, id="headers an array"),
        pytest.param({"statusCode": 200, "headers": {"a": []}}, id="header an array"),
        pytest.param({"statusCode": 200, "headers": {"a": "b\r\nc: d"}}, id="header injection"),
        pytest.param({"statusCode": 200, "headers": {"a b": "c"}}, id="name no token"),
        pytest.param({"statusCode": 200, "cookies": "a=1"}, id="cookies a string"),
        pytest.param({"statusCode": 200, "cookies": ["a\n"]}, id="cookie injection"),
        pytest.param({"statusCode": 200, "body": "a", "isBase64Encoded": True}, id="bad Base64"),
        pytest.param({"statusCode": 200, "body": "aGkh=", "isBase64Encoded": True}, id="padding"),
        pytest.param({"statusCode": "2" * 5000}, id="more digits than a number may have"),
        pytest.param(b'{"statusCode": 200, "body": %b%b}' % (b"[" * 500, b"]" * 500), id="depth"),
    ],
)
def test_what_is_no_response_is_502(result):
    data = result if isinstance(result, bytes) else json.dumps(result).encode()
    found = from_result(data)
    assert (found.status, found.body) == (502, b"Internal Server Error")
    assert found.detail
