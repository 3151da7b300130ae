"""Calls of the API that are no calls: what each is refused with."""

import http.client
import json
from urllib.parse import urlsplit

import pytest

from tests.aws.test_app import EXTRA, FORM, OPERATIONS, SIGNED
from tests.support.server import serve


@pytest.fixture(scope="module")
def url():
    with serve(OPERATIONS, extra_routes=EXTRA) as url:
        yield url


@pytest.fixture
def call(url):
    """`call(method, target, body, headers)` returns status, headers and body of the answer."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=15)

    def call(method, target, body=b"", headers=None, *, service=None):
        signed = {"authorization": SIGNED.format(service)} if service else {}
        connection.request(method, target, body, {**signed, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()

    yield call
    connection.close()


MALFORMED = [
    pytest.param("GET", "/", b"", {}, None, 400, "MissingAction", id="nothing at all"),
    pytest.param("POST", "/", b"", FORM, "sts", 400, "MissingAction", id="no action"),
    pytest.param("POST", "/", b"Action=Nope", FORM, "sts", 400, "InvalidAction", id="no such"),
    pytest.param(
        "POST",
        "/",
        b"Action=DescribeLoadBalancers&Version=2012-06-01",
        FORM,
        "elasticloadbalancing",
        400,
        "InvalidAction",
        id="version of classic load balancers",
    ),
    pytest.param(
        "POST", "/", b"Action=\xff", FORM, "sts", 400, "MalformedQueryString", id="no UTF-8"
    ),
    pytest.param(
        "POST", "/", b"Action=%ff", FORM, "sts", 400, "MalformedQueryString", id="no UTF-8 in %"
    ),
    pytest.param("GET", "/?a=%ff", b"", {}, None, 400, "MalformedQueryString", id="query string"),
    pytest.param(
        "POST", "/", b"&a=1" * 30000, FORM, "sts", 400, "MalformedQueryString", id="many fields"
    ),
    pytest.param(
        "POST",
        "/",
        b"Action=CreateRule&Priority=abc",
        FORM,
        "elasticloadbalancing",
        400,
        "MalformedInput",
        id="a word for a number",
    ),
    pytest.param(
        "POST",
        "/",
        b"Action=CreateRule&Priority.member.1=abc",
        FORM,
        "elasticloadbalancing",
        400,
        "MalformedInput",
        id="a list for a number",
    ),
    pytest.param(
        "POST",
        "/",
        b"Action=CreateRule&Actions.member.x.Type=forward",
        FORM,
        "elasticloadbalancing",
        400,
        "MalformedInput",
        id="no list index",
    ),
    pytest.param(
        "POST",
        "/",
        b"Action=CreateRule&Actions=forward",
        FORM,
        "elasticloadbalancing",
        400,
        "MalformedInput",
        id="a value for a list",
    ),
    pytest.param(
        "POST",
        "/",
        b"Action=CreateRule" + b"&" + b"a." * 100000 + b"b=1",
        FORM,
        "elasticloadbalancing",
        400,
        "ValidationError",
        id="a very deep name",
    ),
    pytest.param(
        "POST",
        "/",
        b'{"Action": "GetCallerIdentity"}',
        {"content-type": "application/json"},
        "sts",
        415,
        "UnsupportedMediaTypeException",
        id="JSON for a Query API",
    ),
    pytest.param(
        "POST",
        "/",
        b"Action=GetCallerIdentity",
        {**FORM, "authorization": "AWS4-HMAC-SHA256 nothing"},
        None,
        400,
        "IncompleteSignature",
        id="damaged signature",
    ),
    pytest.param(
        "POST",
        "/2015-03-31/functions",
        b"{",
        {},
        None,
        400,
        "SerializationException",
        id="half a document",
    ),
    pytest.param(
        "POST",
        "/2015-03-31/functions",
        b"[" * 100000,
        {},
        None,
        400,
        "SerializationException",
        id="a very deep document",
    ),
    pytest.param(
        "POST",
        "/2015-03-31/functions",
        b'{"FunctionName": "\xff"}',
        {},
        None,
        400,
        "SerializationException",
        id="JSON that is no UTF-8",
    ),
    pytest.param(
        "POST",
        "/2015-03-31/functions",
        b"[]",
        {},
        None,
        400,
        "SerializationException",
        id="a list for a document",
    ),
    pytest.param(
        "POST",
        "/2015-03-31/functions",
        b'{"Timeout": "3"}',
        {},
        None,
        400,
        "SerializationException",
        id="text for a number",
    ),
    pytest.param(
        "POST",
        "/2015-03-31/functions",
        b'{"Timeout": true}',
        {},
        None,
        400,
        "SerializationException",
        id="true for a number",
    ),
    pytest.param(
        "POST",
        "/2015-03-31/functions",
        b'{"Timeout": 99999999999999999999}',
        {},
        None,
        400,
        "SerializationException",
        id="a huge number",
    ),
    pytest.param(
        "POST",
        "/2015-03-31/functions",
        b'{"Layers": [null]}',
        {},
        None,
        400,
        "SerializationException",
        id="null in a list",
    ),
    pytest.param(
        "POST",
        "/2015-03-31/functions",
        b'{"Code": {"ZipFile": "no base64!"}}',
        {},
        None,
        400,
        "SerializationException",
        id="no Base64",
    ),
    pytest.param(
        "GET",
        "/2015-03-31/functions?MaxItems=many",
        b"",
        {},
        None,
        400,
        "SerializationException",
        id="a word for a number in the query",
    ),
    pytest.param(
        "GET",
        "/2015-03-31/functions/%ff",
        b"",
        {},
        None,
        400,
        "SerializationException",
        id="a path that is no UTF-8",
    ),
    pytest.param(
        "GET",
        "/2015-03-31/functions/f?Qualifier=%ff",
        b"",
        {},
        "lambda",
        400,
        "MalformedQueryString",
        id="a query of a REST API that is no UTF-8",
    ),
    pytest.param(
        "GET",
        "/2015-03-31/nothing",
        b"",
        {},
        None,
        404,
        "UnknownOperationException",
        id="no such path",
    ),
    pytest.param(
        "PATCH",
        "/2015-03-31/functions",
        b"",
        {},
        None,
        404,
        "UnknownOperationException",
        id="no such method",
    ),
    pytest.param(
        "GET", "/", b"", {}, "lambda", 404, "UnknownOperationException", id="signed for Lambda"
    ),
]


@pytest.mark.parametrize(
    ("method", "target", "body", "headers", "service", "status", "code"), MALFORMED
)
def test_malformed_input_is_refused(call, method, target, body, headers, service, status, code):
    found, answer_headers, answer = call(method, target, body, headers, service=service)
    assert found == status
    assert f"<Code>{code}</Code>" in answer or answer_headers["x-amzn-errortype"] == code
    assert answer_headers["x-amzn-requestid"]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ("1.5", "Expected an integer at 'Timeout', found a number"),
        ("true", "Expected an integer at 'Timeout', found a boolean"),
        ("{}", "Expected an integer at 'Timeout', found an object"),
    ],
)
def test_a_value_of_another_type_is_named(call, found: str, message: str) -> None:
    body = b'{"Timeout": %s}' % found.encode()
    path = "/2015-03-31/functions/f/configuration"
    status, _, answer = call("PUT", path, body, {}, service="lambda")
    assert status == 400
    assert json.loads(answer)["message"] == message
