"""Requests and the events that they become. Source: ALB user guide, Lambda functions as targets."""

import orjson
import pytest

from albatross.host.event import (
    BODY_BYTES_MAX,
    BadRequest,
    IncompatibleProtocol,
    Request,
    health_check_event,
    to_event,
)

ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/tg/73e2d6bc24d8a067"
TEXT = (b"Content-Type", b"text/plain")


def event_of(
    method="GET", target="/", headers=(), body=b"", *, multi_value=False
) -> dict[str, object]:
    return to_event(Request(method, target, list(headers), body), ARN, multi_value=multi_value)


# The document


def test_an_event_is_the_document_that_the_guide_shows():
    event = event_of(
        target="/lambda?query=1234ABCD",
        headers=[
            (b"Host", b"lambda-alb-123578498.us-east-1.elb.amazonaws.com"),
            (b"User-Agent", b"curl/7.88.1"),
            (b"Accept", b"*/*"),
            (b"X-Forwarded-For", b"72.12.164.125"),
            (b"X-Forwarded-Port", b"80"),
            (b"X-Forwarded-Proto", b"http"),
            (b"X-Amzn-Trace-Id", b"Root=1-5c536348-3d683b8b04734faae651f476"),
        ],
    )
    assert event == {
        "requestContext": {"elb": {"targetGroupArn": ARN}},
        "httpMethod": "GET",
        "path": "/lambda",
        "queryStringParameters": {"query": "1234ABCD"},
        "headers": {
            "accept": "*/*",
            "host": "lambda-alb-123578498.us-east-1.elb.amazonaws.com",
            "user-agent": "curl/7.88.1",
            "x-amzn-trace-id": "Root=1-5c536348-3d683b8b04734faae651f476",
            "x-forwarded-for": "72.12.164.125",
            "x-forwarded-port": "80",
            "x-forwarded-proto": "http",
        },
        "body": "",
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize(
    ("multi_value", "query", "headers"),
    [
        pytest.param(False, "queryStringParameters", "headers", id="single mode"),
        pytest.param(True, "multiValueQueryStringParameters", "multiValueHeaders", id="multi mode"),
    ],
)
def test_exactly_one_family_of_fields_is_present_in_the_order_aws_prints(
    multi_value, query, headers
):
    event = event_of(multi_value=multi_value)
    assert list(event) == [
        "requestContext",
        "httpMethod",
        "path",
        query,
        headers,
        "body",
        "isBase64Encoded",
    ]
    assert event[query] == {}
    assert event["requestContext"] == {"elb": {"targetGroupArn": ARN}}


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PURGE", "X-CUSTOM"]
)
def test_the_method_is_passed_as_sent(method):
    assert event_of(method)["httpMethod"] == method


# Path


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        pytest.param("/", "/", {}, id="root"),
        pytest.param(
            "/capture/space%20value", "/capture/space%20value", {}, id="still percent-encoded"
        ),
        pytest.param("/a/b/", "/a/b/", {}, id="trailing slash kept"),
        pytest.param("//a/../b%2Fc/.", "//a/../b%2Fc/.", {}, id="original, not normalised"),
        pytest.param("/%E4%BD%A0", "/%E4%BD%A0", {}, id="encoded UTF-8 stays"),
        pytest.param("/a+b;v=1,2", "/a+b;v=1,2", {}, id="punctuation stays"),
        pytest.param("/go/http://a/b", "/go/http://a/b", {}, id="a URL inside a path stays"),
        pytest.param("*", "*", {}, id="OPTIONS *"),
        pytest.param(
            "https://dns_name/index.html", "/index.html", {}, id="absolute-form: path only"
        ),
        pytest.param("HTTP://a:8080//x/y?k=v", "//x/y", {"k": "v"}, id="absolute-form with query"),
        pytest.param("http://a", "/", {}, id="absolute-form without path"),
        pytest.param(
            "http://a?u=http://b/c", "/", {"u": "http://b/c"}, id="absolute-form with query only"
        ),
    ],
)
def test_the_path_is_the_one_the_client_sent(target, path, query):
    event = event_of(target=target)
    assert (event["path"], event["queryStringParameters"]) == (path, query)


# Query string


@pytest.mark.parametrize(
    ("query", "single", "multi"),
    [
        pytest.param(
            "?myKey=val1&myKey=val2",
            {"myKey": "val2"},
            {"myKey": ["val1", "val2"]},
            id="single: last value wins; multi: all values in request order",
        ),
        pytest.param(
            "?a=2&b=x&a=1",
            {"a": "1", "b": "x"},
            {"a": ["2", "1"], "b": ["x"]},
            id="values of one key apart",
        ),
        pytest.param("?a=1&A=2", {"a": "1", "A": "2"}, {"a": ["1"], "A": ["2"]}, id="key case"),
        pytest.param(
            "?foo%5Ba%5D=foo%5B",
            {"foo%5Ba%5D": "foo%5B"},
            {"foo%5Ba%5D": ["foo%5B"]},
            id="keys too are raw",
        ),
        pytest.param("?q=a+b", {"q": "a+b"}, {"q": ["a+b"]}, id="plus untouched"),
        pytest.param("?q=a%2Bb", {"q": "a%2Bb"}, {"q": ["a%2Bb"]}, id="encoded plus untouched"),
        pytest.param(
            "?redirect=https%3A%2F%2Fe.com",
            {"redirect": "https%3A%2F%2Fe.com"},
            {"redirect": ["https%3A%2F%2Fe.com"]},
            id="not decoded",
        ),
        pytest.param(
            "?query=(countryCode%3DUS)",
            {"query": "(countryCode%3DUS)"},
            {"query": ["(countryCode%3DUS)"]},
            id="parentheses as sent",
        ),
        pytest.param("?q=%zz%", {"q": "%zz%"}, {"q": ["%zz%"]}, id="broken encoding untouched"),
        pytest.param("?empty=", {"empty": ""}, {"empty": [""]}, id="empty value"),
        pytest.param(
            "?colors[]=blue&colors[]=red",
            {"colors[]": "red"},
            {"colors[]": ["blue", "red"]},
            id="brackets are part of the key",
        ),
        pytest.param("?&myKey=v", {"myKey": "v"}, {"myKey": ["v"]}, id="empty pair ignored"),
        pytest.param("?a=1&&b=2&", {"a": "1", "b": "2"}, {"a": ["1"], "b": ["2"]}, id="more empty"),
        pytest.param("?flag", {"flag": ""}, {"flag": [""]}, id="no ="),
        pytest.param("?a=b=c", {"a": "b=c"}, {"a": ["b=c"]}, id="split at the first ="),
        pytest.param("?=v", {"": "v"}, {"": ["v"]}, id="empty key"),
        pytest.param("", {}, {}, id="no ?"),
        pytest.param("?", {}, {}, id="bare ?"),
        pytest.param("?a=1;b=2", {"a": "1;b=2"}, {"a": ["1;b=2"]}, id="; is not a separator"),
        pytest.param("?a=b?c=d", {"a": "b?c=d"}, {"a": ["b?c=d"]}, id="a second ? is data"),
    ],
)
def test_a_query_string_is_split_and_not_decoded(query, single, multi):
    event = event_of(target=f"/x{query}")
    assert event["path"] == "/x"
    assert event["queryStringParameters"] == single
    event = event_of(target=f"/x{query}", multi_value=True)
    assert event["multiValueQueryStringParameters"] == multi


# Headers


@pytest.mark.parametrize(
    ("headers", "single", "multi"),
    [
        pytest.param(
            [(b"X-Custom-NAME", b"MiXed")],
            {"x-custom-name": "MiXed"},
            {"x-custom-name": ["MiXed"]},
            id="names lower case, values as received",
        ),
        pytest.param(
            [(b"Cookie", b"a=1"), (b"X", b"y"), (b"cookie", b"b=2")],
            {"cookie": "b=2", "x": "y"},
            {"cookie": ["a=1", "b=2"], "x": ["y"]},
            id="last line wins; one element per line",
        ),
        pytest.param(
            [(b"Accept", b"a, b"), (b"Accept", b"c")],
            {"accept": "c"},
            {"accept": ["a, b", "c"]},
            id="a comma list inside one line is not split",
        ),
        pytest.param(
            [(b"no-value-header", b"")],
            {"no-value-header": ""},
            {"no-value-header": [""]},
            id="empty header value",
        ),
        pytest.param(
            [(b"Host", b"Voker-ALB-4XF8.us-west-2.elb.amazonaws.com:8080")],
            {"host": "Voker-ALB-4XF8.us-west-2.elb.amazonaws.com:8080"},
            {"host": ["Voker-ALB-4XF8.us-west-2.elb.amazonaws.com:8080"]},
            id="host as given",
        ),
        pytest.param(
            [(b"x_y.z", b"1")], {"x_y.z": "1"}, {"x_y.z": ["1"]}, id="unusual names are kept"
        ),
        pytest.param([(b"x", "é 你".encode())], {"x": "é 你"}, {"x": ["é 你"]}, id="UTF-8 value"),
        pytest.param(
            [(b"Via", b"1.1 a"), (b"Forwarded", b"for=b"), (b"X-Forwarded-Host", b"c")],
            {"via": "1.1 a", "forwarded": "for=b", "x-forwarded-host": "c"},
            {"via": ["1.1 a"], "forwarded": ["for=b"], "x-forwarded-host": ["c"]},
            id="passed through if the client sent them",
        ),
        pytest.param(
            [(b"Content-Length", b"66"), (b"Content-Type", b"a/b")],
            {"content-length": "66", "content-type": "a/b"},
            {"content-length": ["66"], "content-type": ["a/b"]},
            id="content-length and content-type of the client appear",
        ),
        pytest.param(
            [(b"Transfer-Encoding", b"chunked")], {}, {}, id="chunked: transfer-encoding dropped"
        ),
        pytest.param([(b"Expect", b"100-continue")], {}, {}, id="expect is not forwarded"),
        pytest.param(
            [(b"x-albatross-connection", b"keep-alive")],
            {"connection": "keep-alive"},
            {"connection": ["keep-alive"]},
            id="connection when the client sent it",
        ),
        pytest.param(
            [(b"connection", b"close")], {}, {}, id="connection absent when the client did not"
        ),
        pytest.param(
            [(b"connection", b"close"), (b"x-albatross-connection", b"keep-alive")],
            {"connection": "keep-alive"},
            {"connection": ["keep-alive"]},
            id="the proxy's own connection header is not the client's",
        ),
        pytest.param(
            [(b"x-albatross-target-group", ARN.encode()), (b"x-albatross-method", b"FOO")],
            {},
            {},
            id="nothing of the internals",
        ),
    ],
)
def test_headers_appear_in_the_event(headers, single, multi):
    assert event_of(headers=headers)["headers"] == single
    assert event_of(headers=headers, multi_value=True)["multiValueHeaders"] == multi


@pytest.mark.parametrize(
    ("multi_value", "field"),
    [
        pytest.param(False, "headers", id="single mode"),
        pytest.param(True, "multiValueHeaders", id="multi mode"),
    ],
)
def test_header_names_are_sorted_and_values_of_one_name_are_not(multi_value, field):
    headers = [
        (b"X-B", b"2"),
        (b"x-albatross-connection", b"close"),
        (b"x-b", b"1"),
        (b"Accept", b"*/*"),
    ]
    event = event_of(headers=headers, multi_value=multi_value)
    assert list(event[field]) == ["accept", "connection", "x-b"]
    assert event[field]["x-b"] == (["2", "1"] if multi_value else "1")


@pytest.mark.parametrize("multi_value", [False, True])
@pytest.mark.parametrize(
    "header",
    [
        pytest.param((b"X-Name", b"caf\xe9"), id="value in Latin-1"),
        pytest.param((b"x-\xff", b"v"), id="name"),
    ],
)
def test_a_header_that_is_not_utf8_is_a_bad_request(header, multi_value):
    with pytest.raises(BadRequest, match=r"^headers\[[xX]-.*\]: expected UTF-8"):
        event_of(headers=[header], multi_value=multi_value)


# Body


@pytest.mark.parametrize("multi_value", [False, True])
@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        pytest.param([], b"", ("", False), id="no body (GET)"),
        pytest.param([(b"content-type", b"image/png")], b"", ("", False), id="no body of a type"),
        pytest.param(
            [(b"content-encoding", b"gzip")], b"", ("", False), id="no body of an encoding"
        ),
        pytest.param([(b"Content-Type", b"text/plain")], b"hi", ("hi", False), id="text/*"),
        pytest.param([(b"content-type", b"text/css")], b"a{}", ("a{}", False), id="text/css"),
        pytest.param([(b"content-type", b"application/json")], b"{}", ("{}", False), id="json"),
        pytest.param(
            [(b"content-type", b"application/javascript")], b"0", ("0", False), id="javascript"
        ),
        pytest.param([(b"content-type", b"application/xml")], b"<a/>", ("<a/>", False), id="xml"),
        pytest.param(
            [(b"content-type", b"application/json; charset=utf-8")],
            "é".encode(),
            ("é", False),
            id="content-type with parameters",
        ),
        pytest.param(
            [(b"content-type", b"application/json;charset=utf-8")],
            b"{}",
            ("{}", False),
            id="parameters without space",
        ),
        pytest.param(
            [(b"content-type", b"  text/html \t; q=1")], b"x", ("x", False), id="spacing around"
        ),
        pytest.param(
            [(b"content-type", b"text / html")], b"hi", ("aGk=", True), id="spacing inside"
        ),
        pytest.param([(b"content-type", b"TEXT/HTML")], b"x", ("x", False), id="text letter case"),
        pytest.param(
            [(b"content-type", b"Application/JSON")], b"1", ("1", False), id="json letter case"
        ),
        pytest.param(
            [(b"content-type", b"application/x-www-form-urlencoded")],
            b"a=1&b=2",
            ("YT0xJmI9Mg==", True),
            id="application/x-www-form-urlencoded",
        ),
        pytest.param(
            [(b"content-type", b"multipart/form-data; boundary=b")],
            b"--b",
            ("LS1i", True),
            id="multipart/form-data",
        ),
        pytest.param(
            [(b"content-type", b"image/png")], b"\x89P", ("iVA=", True), id="image is Base64"
        ),
        pytest.param(
            [(b"content-type", b"application/octet-stream")],
            b"hi",
            ("aGk=", True),
            id="application/octet-stream",
        ),
        pytest.param(
            [(b"content-type", b"application/graphql")], b"hi", ("aGk=", True), id="graphql"
        ),
        pytest.param(
            [(b"content-type", b"application/problem+json")],
            b"{}",
            ("e30=", True),
            id="closed list: +json",
        ),
        pytest.param(
            [(b"content-type", b"application/atom+xml")], b"hi", ("aGk=", True), id="+xml"
        ),
        pytest.param(
            [(b"content-type", b"application/json5")], b"hi", ("aGk=", True), id="whole names only"
        ),
        pytest.param(
            [(b"content-type", b"x/y; a=text/plain")], b"hi", ("aGk=", True), id="parameter only"
        ),
        pytest.param([], b"hi", ("aGk=", True), id="no content-type, non-empty body"),
        pytest.param([(b"content-type", b"")], b"hi", ("aGk=", True), id="empty content-type"),
        pytest.param(
            [TEXT, (b"Content-Encoding", b"gzip")],
            b"hi",
            ("aGk=", True),
            id="any content-encoding header present",
        ),
        pytest.param(
            [TEXT, (b"content-encoding", b"identity")], b"hi", ("aGk=", True), id="identity"
        ),
        pytest.param(
            [TEXT, (b"content-encoding", b"")], b"hi", ("aGk=", True), id="present, though empty"
        ),
        pytest.param(
            [(b"transfer-encoding", b"chunked"), TEXT], b"hi", ("hi", False), id="chunked"
        ),
        pytest.param([], b"\xfb\xff" * 60, ("+//7//v/" * 20, True), id="standard, no line breaks"),
        pytest.param([TEXT], b"a\x00\r\nb", ("a\x00\r\nb", False), id="controls are text too"),
    ],
)
def test_a_body_is_base64_unless_it_is_plain_text(headers, body, expected, multi_value):
    event = event_of("POST", "/", headers, body, multi_value=multi_value)
    assert (event["body"], event["isBase64Encoded"]) == expected


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"caf\xe9", id="Latin-1"),
        pytest.param(b"\xff\xfe", id="never UTF-8"),
        pytest.param(b"\xed\xa0\x80", id="a surrogate"),
        pytest.param("é".encode()[:1], id="cut short"),
    ],
)
def test_a_text_body_that_is_not_utf8_is_a_bad_request(body):
    with pytest.raises(BadRequest, match=r"^body: expected UTF-8"):
        event_of("POST", "/", [TEXT], body)


def test_a_body_of_the_largest_size_is_accepted():
    assert BODY_BYTES_MAX == 1_048_576
    assert len(event_of("POST", "/", [TEXT], b"x" * BODY_BYTES_MAX)["body"]) == BODY_BYTES_MAX


def test_every_event_is_json():
    event = event_of("POST", "/é?a=1", [TEXT, (b"x", "你".encode())], b"\x01", multi_value=True)
    assert orjson.loads(orjson.dumps(event)) == event


# Health checks


def test_a_health_check_event_has_neither_host_nor_forwarded_headers():
    assert health_check_event("/", ARN, multi_value=False) == {
        "requestContext": {"elb": {"targetGroupArn": ARN}},
        "httpMethod": "GET",
        "path": "/",
        "queryStringParameters": {},
        "headers": {"user-agent": "ELB-HealthChecker/2.0"},
        "body": "",
        "isBase64Encoded": False,
    }


def test_a_health_check_event_in_multi_mode_splits_the_query_of_its_path():
    event = health_check_event("/up?deep=1", ARN, multi_value=True)
    assert event["path"] == "/up"
    assert event["multiValueQueryStringParameters"] == {"deep": ["1"]}
    assert event["multiValueHeaders"] == {"user-agent": ["ELB-HealthChecker/2.0"]}


@pytest.mark.parametrize(
    ("content_type", "refused"),
    [
        pytest.param(b"application/grpc", True, id="gRPC"),
        pytest.param(b"Application/gRPC+json; a=b", True, id="with a format"),
        pytest.param(b"application/grpc-web", False, id="gRPC-Web is plain HTTP"),
        pytest.param(b"application/grpcx", False, id="another type"),
    ],
)
def test_grpc_is_no_event(content_type, refused):
    headers = [(b"content-type", content_type)]
    if not refused:
        assert event_of(headers=headers)["httpMethod"] == "GET"
        return
    with pytest.raises(IncompatibleProtocol):
        event_of(headers=headers)
