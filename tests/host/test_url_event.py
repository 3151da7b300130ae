"""A request to a function URL as the function sees it."""

import base64

import pytest

from albatross.host.urls.event import Caller, UrlRequest, joined, to_event

ID = "2cxn22odiwguak4feg4jtt7cwm0ziblr"
HOST = f"{ID}.lambda-url.us-west-2.localhost:4567"


def event(target="/", method="GET", body=b"", caller=None, **headers):
    lines = [("host", HOST), *((name.replace("_", "-"), value) for name, value in headers.items())]
    request = UrlRequest(
        method=method, target=target, headers=lines, body=body, source_ip="68.8.83.18"
    )
    return to_event(request, url_id=ID, invocation_id="id-1", now_s=1783711146.671, caller=caller)


def test_the_whole_event_of_a_get_request():
    assert event("/", user_agent="curl/8.7.1") == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": {"host": HOST, "user-agent": "curl/8.7.1"},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": ID,
            "domainName": HOST.partition(":")[0],
            "domainPrefix": ID,
            "http": {
                "method": "GET",
                "path": "/",
                "protocol": "HTTP/1.1",
                "sourceIp": "68.8.83.18",
                "userAgent": "curl/8.7.1",
            },
            "requestId": "id-1",
            "routeKey": "$default",
            "stage": "$default",
            "time": "10/Jul/2026:19:19:06 +0000",
            "timeEpoch": 1783711146671,
        },
        "isBase64Encoded": False,
    }


def test_path_and_query_are_raw_and_beside_them_decoded():
    query = (
        "repeat=one&repeat=two&redirect=https%3A%2F%2Fexample.com%2Fa%2Fb"
        "&literalPlus=a+b&encodedPlus=a%2Bb&empty=&&bare"
    )
    found = event(f"/capture/space%20value?{query}")
    assert found["rawPath"] == "/capture/space%20value"
    assert found["requestContext"]["http"]["path"] == "/capture/space value"
    assert found["rawQueryString"] == query
    assert found["queryStringParameters"] == {
        "repeat": "one,two",
        "redirect": "https://example.com/a/b",
        "literalPlus": "a b",
        "encodedPlus": "a+b",
        "empty": "",
        "bare": "",
    }


def test_cookies_are_in_an_array_and_in_the_header():
    found = event(cookie="session=abc123; theme=dark")
    assert found["cookies"] == ["session=abc123", "theme=dark"]
    assert found["headers"]["cookie"] == "session=abc123; theme=dark"


@pytest.mark.parametrize(
    "content_type, encoding, body, expected",
    [
        pytest.param("application/json", None, b'{"a":1}', ('{"a":1}', False), id="json"),
        pytest.param("text/plain; charset=utf-8", None, "λ".encode(), ("λ", False), id="text"),
        pytest.param("application/problem+json", None, b"{}", ("{}", False), id="+json"),
        pytest.param("image/png", None, b"\x89P", ("iVA=", True), id="image"),
        pytest.param("application/json", "gzip", b"{}", ("e30=", True), id="compressed"),
        pytest.param("text/plain", None, b"\xff", ("/w==", True), id="not utf-8"),
        pytest.param(
            "application/x-www-form-urlencoded", None, b"a=b", ("YT1i", True), id="a form"
        ),
        pytest.param(None, None, b"hi", ("aGk=", True), id="no content type"),
    ],
)
def test_a_body_is_base64_unless_it_is_text(content_type, encoding, body, expected):
    headers = {"content_type": content_type, "content_encoding": encoding}
    given = {name: value for name, value in headers.items() if value}
    found = event(method="POST", body=body, **given)
    assert (found["body"], found["isBase64Encoded"]) == expected
    if found["isBase64Encoded"]:
        assert base64.b64decode(found["body"]) == body


def test_an_empty_body_is_no_member():
    assert "body" not in event(method="POST", content_type="text/plain")


def test_lines_of_a_header_are_joined_and_internal_ones_dropped():
    lines = [
        (b"X-B", b"first"),
        (b"x-b", b"second"),
        (b"Cookie", b"a=1"),
        (b"cookie", b"b=2"),
        (b"Connection", b"close"),
        (b"x-albatross-client", b"1.2.3.4"),
        (b"A", b"\xce\xbb"),
    ]
    assert joined(lines) == [("a", "λ"), ("cookie", "a=1; b=2"), ("x-b", "first,second")]


def test_who_has_signed_is_in_the_request_context():
    found = event(caller=Caller(account="111122223333", access_key="AKIA"))["requestContext"]
    assert found["accountId"] == "111122223333"
    assert found["authorizer"]["iam"] == {
        "accessKey": "AKIA",
        "accountId": "111122223333",
        "callerId": "111122223333",
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": "arn:aws:iam::111122223333:root",
        "userId": "111122223333",
    }
