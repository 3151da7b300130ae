"""What a function returns -> bytes on the client's socket, and every way in which that can fail.

Source: ALB user guide, "Lambda functions as targets", "Troubleshoot your load balancers".
"""

import json
from email.utils import parsedate_to_datetime

import pytest

from albatross.model import pages
from tests.support.command import until
from tests.support.stack import forward, request

MIB = 1024 * 1024
OK = {"statusCode": 200}
BYTES = "application/octet-stream"


def assert_page(answer, status):
    """The load balancer's own page, byte for byte, with the headers of a live one."""
    assert answer.status == status
    assert answer.body.decode() == pages.page(status)
    assert sorted(name for name, _ in answer.headers if name != "Connection") == [
        "Content-Length",
        "Content-Type",
        "Date",
        "Server",
    ]
    assert answer.header("Server") == "awselb/2.0"
    assert answer.header("Content-Type") == "text/html"
    assert answer.header("Content-Length") == str(len(answer.body))


def lines(answer):
    """Return the header lines without those that every answer has."""
    common = [("Server", "awselb/2.0"), ("Content-Type", BYTES)]
    mine = [line for line in answer.headers if line[0] not in ("Date", "Content-Length")]
    return [line for line in mine if line not in common]


@pytest.mark.parametrize(
    ("result", "reason", "expected", "body"),
    [
        pytest.param({}, "OK", [], b"", id="nothing but a status"),
        pytest.param(
            {
                "isBase64Encoded": False,
                "statusDescription": "200 OK",
                "headers": {"Set-cookie": "cookies", "X-CaSe": "1"},
                "body": "Hello from Lambda (optional)",
            },
            "OK",
            [("Set-cookie", "cookies"), ("X-CaSe", "1")],
            b"Hello from Lambda (optional)",
            id="the guide's sample",
        ),
        pytest.param({"body": "é☃"}, "OK", [], "é☃".encode(), id="UTF-8"),
        pytest.param({"body": ""}, "OK", [], b"", id="empty body"),
        pytest.param(
            {"body": "AP/+", "isBase64Encoded": True}, "OK", [], b"\0\xff\xfe", id="Base64"
        ),
        pytest.param({"isBase64Encoded": True}, "OK", [], b"", id="Base64 of nothing"),
        pytest.param({"statusCode": 200.0}, "OK", [], b"", id="integral float"),
        pytest.param({"cookies": ["a"], "foo": None}, "OK", [], b"", id="unknown members"),
        pytest.param({"statusCode": 299}, "Unknown", [], b"", id="unassigned"),
        pytest.param({"statusCode": 422}, "Unprocessable Entity", [], b"", id="422"),
        pytest.param(
            {"statusCode": 404, "statusDescription": "404 Gone fishing: now"},
            "Gone fishing: now",
            [],
            b"",
            id="own reason",
        ),
        pytest.param(
            {"statusCode": 404, "statusDescription": "200 Fine"}, "Fine", [], b"", id="another code"
        ),
        pytest.param({"statusDescription": "Fine"}, "OK", [], b"", id="no code"),
        pytest.param(
            {"headers": {"X-Empty": "", "X-Spaces": " a ", "X-U": "é"}},
            "OK",
            [("X-Empty", ""), ("X-Spaces", "a"), ("X-U", "Ã©")],
            b"",
            id="values",
        ),
        pytest.param(
            {"headers": {"!#$%&'*+-.^_`|~": "1", "under_score": "2"}},
            "OK",
            [("!#$%&'*+-.^_`|~", "1"), ("under_score", "2")],
            b"",
            id="odd names",
        ),
        pytest.param(
            {"headers": {"Server": "mine", "content-type": "a/b"}},
            "OK",
            [("Server", "mine"), ("content-type", "a/b")],
            b"",
            id="own Server and type",
        ),
        pytest.param(
            {
                "headers": {
                    "Location": "relative",
                    "ETag": '"q"',
                    "Age": "1",
                    "Vary": "x",
                    "Content-Encoding": "gzip",
                    "Via": "1.1 x",
                },
                "body": "z",
            },
            "OK",
            [
                ("Location", "relative"),
                ("ETag", '"q"'),
                ("Age", "1"),
                ("Vary", "x"),
                ("Content-Encoding", "gzip"),
                ("Via", "1.1 x"),
            ],
            b"z",
            id="known headers",
        ),
        pytest.param(
            {
                "headers": {
                    "Connection": "close",
                    "Keep-Alive": "5",
                    "Transfer-Encoding": "chunked",
                    "TE": "x",
                    "Trailer": "y",
                    "Upgrade": "h2c",
                    "Proxy-Authenticate": "q",
                    "Content-Length": "9",
                    "x-kept": "1",
                },
                "body": "abc",
            },
            "OK",
            [("x-kept", "1")],
            b"abc",
            id="hop by hop",
        ),
        pytest.param(
            {
                "headers": {
                    "X-Envoy-Foo": "1",
                    "x-envoy-immediate-health-check-fail": "1",
                    "X-Albatross-Method": "x",
                    "x-envoy-overloaded": "1",
                }
            },
            "OK",
            [],
            b"",
            id="the proxy's own",
        ),
        pytest.param(
            {"multiValueHeaders": {"X-A": ["1"]}}, "OK", [], b"", id="the other mode's headers"
        ),
        pytest.param(
            {"headers": {"X-A": "1"}, "multiValueHeaders": None},
            "OK",
            [("X-A", "1")],
            b"",
            id="null of the other mode",
        ),
        pytest.param(
            {"headers": {"grpc-status": "3"}}, "OK", [("grpc-status", "3")], b"", id="gRPC's header"
        ),
    ],
)
def test_results(single, result, reason, expected, body):
    answer = single.reply({**OK, **result})
    assert answer.status == int(result.get("statusCode", 200))
    assert answer.reason == reason
    assert lines(answer) == expected
    assert answer.body == body
    assert answer.header("content-length") == str(len(body))
    assert not answer.closed


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(
            {"multiValueHeaders": {"Set-cookie": ["a=1", "b=2"], "X-E": []}},
            [("Set-cookie", "a=1"), ("Set-cookie", "b=2")],
            id="a line a value",
        ),
        pytest.param({"headers": {"X-A": "1"}}, [], id="headers are missing"),
        pytest.param(
            {"headers": {"X-A": 1}, "multiValueHeaders": {"X-B": ["2"]}},
            [("X-B", "2")],
            id="headers are not looked at",
        ),
        pytest.param(
            {"multiValueHeaders": {"WWW-Authenticate": ["a", "b"], "Link": ["c", "d"]}},
            [("WWW-Authenticate", "a"), ("WWW-Authenticate", "b"), ("Link", "c"), ("Link", "d")],
            id="other repeated headers",
        ),
        pytest.param(
            {"multiValueHeaders": {"Vary": ["a", "b"], "Cache-Control": ["c", "d"]}},
            [("Vary", "a,b"), ("Cache-Control", "c,d")],
            id="the proxy joins some",
        ),
        pytest.param(
            {"multiValueHeaders": {"X-Multi-Word": ["x", "x"]}},
            [("X-Multi-Word", "x")] * 2,
            id="equal values",
        ),
    ],
)
def test_results_with_multi_value_headers(multi, result, expected):
    answer = multi.reply({**OK, **result, "body": "x"})
    assert (answer.status, answer.body) == (200, b"x")
    assert lines(answer) == expected


def test_names_that_differ_in_case_alone_are_lines_of_their_own(single):
    answer = single.reply(
        {**OK, "headers": {"Set-Cookie": "a", "set-cookie": "b", "sEt-cookie": "c"}}
    )
    assert [(name.lower(), value) for name, value in lines(answer)] == [
        ("set-cookie", "a"),
        ("set-cookie", "b"),
        ("set-cookie", "c"),
    ]


def test_a_date_is_added_where_the_function_gives_none(single):
    assert parsedate_to_datetime(single.reply(OK).header("Date")).tzinfo is not None
    own = "Sat, 01 Jan 2000 00:00:00 GMT"
    assert single.reply({**OK, "headers": {"date": own}}).header("date") == own


def test_a_body_is_neither_compressed_nor_cached_nor_cut(single):
    lines = ("Accept-Encoding: gzip, br", 'If-None-Match: "q"', "Range: bytes=0-1")
    result = {"headers": {"ETag": '"q"', "Content-Type": "text/plain"}, "body": "x" * 5000}
    answer = single.reply({**OK, **result}, *lines)
    assert (answer.status, answer.body) == (200, b"x" * 5000)
    assert answer.header("content-encoding") is None


STATUSES = "201 205 206 207 300 301 307 400 401 403 404 408 413 426 431 500 501 502 503 504 505 599"


@pytest.mark.parametrize("status", [int(status) for status in STATUSES.split()])
def test_a_functions_status_is_the_clients_with_the_functions_body(single, status):
    answer = single.reply(
        {"statusCode": status, "headers": {"content-type": "a/b"}, "body": "mine"}
    )
    assert (answer.status, answer.body, lines(answer)) == (
        status,
        b"mine",
        [("content-type", "a/b")],
    )


@pytest.mark.parametrize("status", [204, 304])
def test_no_content_has_no_body_and_the_connection_goes_on(single, status):
    with single.connect() as client:
        body = json.dumps({"statusCode": status, "body": "x", "headers": {"ETag": "q"}})
        client.write(request("POST /-/reply", body=body) + request("GET /-/sleep/next/0"))
        answer = client.read()
        assert (answer.status, lines(answer)) == (status, [("ETag", "q")])
        assert answer.header("content-length") is None
        assert client.read().body == b'"next"'


@pytest.fixture(scope="module")
def lenient(traffic):
    """Serves further requests after a HEAD with a body."""
    return traffic.front(routing__http__desync_mitigation_mode="monitor")


@pytest.mark.parametrize(
    ("result", "length"),
    [
        pytest.param({**OK, "body": "abc"}, "3", id="that of the body"),
        pytest.param(OK, "0", id="of an empty one"),
        pytest.param({"statusCode": 204}, None, id="none"),
        pytest.param(None, "122", id="of an error page"),
    ],
)
def test_head_gets_headers_alone(lenient, result, length):
    with lenient.connect() as client:
        client.write(
            request("HEAD /-/reply", body=json.dumps(result)) + request("GET /-/sleep/next/0")
        )
        answer = client.read(head=True)
        assert answer.header("content-length") == length
        assert client.read().body == b'"next"'


@pytest.mark.parametrize(
    "result",
    [
        "Hello",
        None,
        5,
        [1],
        True,
        {},
        {"message": "x"},
        {"statusCode": "200"},
        {"statusCode": None},
        {"statusCode": True},
        {"statusCode": 200.5},
        {"statusCode": 100},
        {"statusCode": 199},
        {"statusCode": 600},
        {"statusCode": -200},
        {**OK, "body": None},
        {**OK, "body": {}},
        {**OK, "body": 1},
        {**OK, "headers": None},
        {**OK, "headers": []},
        {**OK, "headers": {"x": True}},
        {**OK, "headers": {"x": 1}},
        {**OK, "headers": {"x": ["a"]}},
        {**OK, "statusDescription": None},
        {**OK, "statusDescription": 200},
        {**OK, "statusDescription": "200 a\r\nb: c"},
        {**OK, "isBase64Encoded": "true"},
        {**OK, "isBase64Encoded": None},
        {**OK, "isBase64Encoded": True, "body": "?"},
        {**OK, "isBase64Encoded": True, "body": "QUJD\r\nREVG"},
        {**OK, "headers": {"a b": "c"}},
        {**OK, "headers": {"a:": "c"}},
        {**OK, "headers": {"": "c"}},
        {**OK, "headers": {":status": "500"}},
        {**OK, "headers": {"a": "b\r\nc: d"}},
        {**OK, "headers": {"a": "b\0"}},
        {**OK, "headers": {"é": "b"}},
    ],
    ids=json.dumps,
)
def test_what_is_no_response_is_a_bad_gateway(single, result):
    assert_page(single.reply(result), 502)


@pytest.mark.parametrize(
    "headers",
    [None, {"a": "b"}, {"a": [1]}, {"a": None}, {"a": [None]}, {"a b": ["c"]}],
    ids=json.dumps,
)
def test_what_is_no_response_with_multi_value_headers(multi, headers):
    assert_page(multi.reply({**OK, "headers": {}, "multiValueHeaders": headers}), 502)


@pytest.mark.parametrize("what", ["raise", "crash"])
def test_a_function_that_fails_is_a_bad_gateway_and_serves_the_next(single, what):
    with single.connect() as client:
        client.write(request(f"GET /-/{what}"))
        answer = client.read()
        assert_page(answer, 502)
        assert not answer.closed
        client.write(request("GET /-/sleep/next/0"))
        assert client.read().body == b'"next"'


class TestFunctions:
    """Functions that do not come to answer."""

    def test_one_that_times_out(self, traffic):
        arn = traffic.make(
            "import time\ndef handler(event, context):\n    time.sleep(20)", Timeout=1
        )
        assert_page(traffic.front(forward(traffic.group(function=arn))).get(), 502)

    def test_one_that_cannot_be_imported(self, traffic):
        arn = traffic.make("raise ValueError")
        assert_page(traffic.front(forward(traffic.group(function=arn))).get(), 502)

    def test_one_out_of_concurrency(self, traffic):
        arn = traffic.make("handler = None")
        traffic.functions.put_function_concurrency(FunctionName=arn, ReservedConcurrentExecutions=0)
        assert_page(traffic.front(forward(traffic.group(function=arn))).get(), 502)

    def test_one_without_permission_and_one_that_is_gone(self, traffic):
        arn = traffic.make("def handler(event, context):\n    return {'statusCode': 200}")
        front = traffic.front(forward(traffic.group(function=arn)))
        assert front.get().status == 200
        traffic.functions.remove_permission(FunctionName=arn, StatementId="elb")
        assert_page(front.get(), 502)
        traffic.functions.delete_function(FunctionName=arn)
        assert_page(front.get(), 502)

    def test_none_registered(self, traffic):
        group = traffic.group()
        front = traffic.front(forward(group))
        with front.connect() as client:
            client.write(request("GET /"))
            assert client.read().status == 200
            traffic.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": traffic.function}])
            client.write(request("GET /"))
            answer = client.read()
            assert_page(answer, 503)
            assert answer.reason == "Service Temporarily Unavailable"
            traffic.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": traffic.function}])
            client.write(request("GET /"))
            assert client.read().status == 200


def test_a_request_outlives_its_listener(traffic):
    front = traffic.front()
    with front.connect() as client:
        client.write(request("GET /-/sleep/outlives/0.3"))
        until(lambda: traffic.noted("outlives") == 1)
        traffic.elb.delete_listener(ListenerArn=front.listener)
        assert client.read().status == 200


def json_of(size):
    """Return an expression for a result whose JSON has `size` bytes."""
    frame = len(json.dumps({**OK, "body": ""}))
    return f"{{'statusCode': 200, 'body': 'x' * {size - frame}}}"


def test_a_result_may_have_one_mebibyte_of_json(single):
    frame = len(json.dumps({**OK, "body": ""}))
    assert single.evaluate(json_of(MIB)).body == b"x" * (MIB - frame)
    assert_page(single.evaluate(json_of(MIB + 1)), 502)


def test_base64_counts_as_it_is_sent(single):
    result = "{'statusCode': 200, 'isBase64Encoded': True, 'body': 'AAAA' * %d}"
    assert len(single.evaluate(result % (260_000)).body) == 780_000
    assert_page(single.evaluate(result % (262_144)), 502)


def test_response_headers_may_have_32_kb(single):
    result = "{'statusCode': 200, 'headers': {'a': 'x' * %d, 'b': 'y'}}"
    most = 32 * 1024 - len("a: \r\nb: y\r\n")
    assert len(single.evaluate(result % most).header("a")) == most
    assert_page(single.evaluate(result % (most + 1)), 502)


def test_many_response_headers_pass(single):
    result = "{'statusCode': 200, 'headers': {f'x-{n}': str(n) for n in range(1000)}}"
    assert len(lines(single.evaluate(result))) == 1000
