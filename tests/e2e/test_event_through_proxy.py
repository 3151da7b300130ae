"""Bytes on a socket -> the event that the function gets, with everything in between.

Sources: ALB user guide, "Lambda functions as targets", "X-Forwarded headers", "Request tracing".
"""

import base64
import re

import pytest

from tests.support.stack import chunked, event, request, sha256

FRESH = r"1-[0-9a-f]{8}-[0-9a-f]{24}"
ROOT = "Root=1-67891233-abcdef012345678912345678"
OWN = {"host", "x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"}


def sent(event):
    """Return the headers of an event in multi-value form that came from the client."""
    return {name: of for name, of in event["multiValueHeaders"].items() if name not in OWN}


def test_a_get_without_anything_is_the_document_of_the_guide(single):
    seen = event(single.get("/lambda?query=1234ABCD"))
    arn = seen["requestContext"]["elb"]["targetGroupArn"]
    assert re.fullmatch(r"arn:aws:elasticloadbalancing:[\w-]+:\d{12}:targetgroup/\w+/\w{16}", arn)
    trace = seen["headers"]["x-amzn-trace-id"]
    assert re.fullmatch(f"Root={FRESH}", trace)
    assert list(seen) == [
        "requestContext",
        "httpMethod",
        "path",
        "queryStringParameters",
        "headers",
        "body",
        "isBase64Encoded",
    ]
    assert seen == {
        "requestContext": {"elb": {"targetGroupArn": arn}},
        "httpMethod": "GET",
        "path": "/lambda",
        "queryStringParameters": {"query": "1234ABCD"},
        "headers": {
            "host": "example.com",
            "x-amzn-trace-id": trace,
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-port": "80",
            "x-forwarded-proto": "http",
        },
        "body": "",
        "isBase64Encoded": False,
    }


def test_an_event_of_http_1_0_is_the_same(single):
    lines = "Host: example.com\r\nX-A: 1\r\n\r\n"
    old, new = (event(single.send(f"GET /a?b=c HTTP/1.{n}\r\n{lines}")) for n in (0, 1))
    for seen in (old, new):
        assert re.fullmatch(f"Root={FRESH}", seen["headers"].pop("x-amzn-trace-id"))
    assert old == new


def test_with_multi_value_headers_every_value_is_a_list(multi):
    seen = event(multi.get("/a?k=1&k=2&l=3", "X-A: 1", "X-A: 2, 3"))
    assert seen["multiValueQueryStringParameters"] == {"k": ["1", "2"], "l": ["3"]}
    assert sent(seen) == {"x-a": ["1", "2, 3"]}
    assert seen["multiValueHeaders"]["host"] == ["example.com"]
    assert not seen.keys() & {"headers", "queryStringParameters"}


def test_without_them_the_last_value_wins(single):
    seen = event(single.get("/?k=1&k=2", "X-A: 1", "x-a: 2", "Cookie: a=1", "Cookie: b=2"))
    assert seen["queryStringParameters"] == {"k": "2"}
    assert (seen["headers"]["x-a"], seen["headers"]["cookie"]) == ("2", "b=2")
    assert not seen.keys() & {"multiValueHeaders", "multiValueQueryStringParameters"}


PATHS = r"""
/ // ///a// /./ /../ /a/../b /a/.. /%2F /%2e%2E/x /%zz /% /%00 /a;b=c /capture/space%20value /a+b
/trailing/ /%C3%A9 /\ /|{}"<>^` /'()!*,:@&=$~ /http://x/ //host/x /a.b..c/...
"""


@pytest.mark.parametrize("path", PATHS.split())
def test_a_path_arrives_byte_for_byte(multi, path):
    assert event(multi.get(path))["path"] == path


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("", {}, id="none"),
        pytest.param("?", {}, id="bare"),
        pytest.param("?&&", {}, id="empty pairs"),
        pytest.param("?&myKey=v", {"myKey": ["v"]}, id="an empty pair first"),
        pytest.param("?a=b=c", {"a": ["b=c"]}, id="two equals signs"),
        pytest.param("?flag", {"flag": [""]}, id="no value"),
        pytest.param("?empty=", {"empty": [""]}, id="empty value"),
        pytest.param("?=v", {"": ["v"]}, id="empty key"),
        pytest.param("?a;b=c;d", {"a;b": ["c;d"]}, id="semicolons"),
        pytest.param("??a=?", {"?a": ["?"]}, id="question marks"),
        pytest.param("?foo%5Ba%5D=foo%5B", {"foo%5Ba%5D": ["foo%5B"]}, id="escapes"),
        pytest.param("?q=a+b&q=a%2Bb", {"q": ["a+b", "a%2Bb"]}, id="plus"),
        pytest.param("?q=(x)/../y", {"q": ["(x)/../y"]}, id="parentheses and dots"),
        pytest.param("?c[]=1&c[]=2", {"c[]": ["1", "2"]}, id="brackets"),
        pytest.param("?r=https%3A%2F%2Fe.com", {"r": ["https%3A%2F%2Fe.com"]}, id="a URL"),
        pytest.param("?%zz=%", {"%zz": ["%"]}, id="broken escapes"),
        pytest.param("?a=1&b=2&a=3", {"a": ["1", "3"], "b": ["2"]}, id="in order"),
    ],
)
def test_a_query_arrives_as_sent(multi, single, query, expected):
    assert event(multi.get("/" + query))["multiValueQueryStringParameters"] == expected
    last = {name: values[-1] for name, values in expected.items()}
    assert event(single.get("/" + query))["queryStringParameters"] == last


METHODS = (
    "GET POST PUT DELETE OPTIONS PATCH FOO PURGE M-SEARCH PROPFIND X A_B A'B! get " + "LONG" * 10
)


@pytest.mark.parametrize("method", METHODS.split())
class TestMethods:
    def test_every_method_reaches_the_function_and_brings_no_header(self, multi, method):
        seen = event(multi.send(request(f"{method} /x")))
        assert (seen["httpMethod"], seen["path"], sent(seen)) == (method, "/x", {})

    def test_with_a_body(self, multi, method):
        seen = event(multi.post("/", "Content-Type: text/plain", body="hi", method=method))
        assert (seen["httpMethod"], seen["body"]) == (method, "hi")
        assert sent(seen) == {"content-length": ["2"], "content-type": ["text/plain"]}

    def test_with_a_body_in_chunks(self, multi, method):
        lines = ("Content-Type: text/plain", "Transfer-Encoding: chunked")
        seen = event(multi.send(request(f"{method} /", *lines, body=chunked(b"h", b"i"))))
        assert (seen["httpMethod"], seen["body"]) == (method, "hi")
        assert sent(seen) == {"content-type": ["text/plain"]}

    def test_with_an_empty_body(self, multi, method):
        seen = event(multi.post("/", method=method))
        assert (seen["httpMethod"], seen["body"]) == (method, "")
        assert sent(seen) == {"content-length": ["0"]}


def test_head_is_invoked_as_head(multi):
    result = "{'statusCode': 200, 'multiValueHeaders': {'x-method': [event['httpMethod']]}}"
    answer = multi.send(request("HEAD /-/python", body=result), head=True)
    assert answer.header("x-method") == "HEAD"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(["X-CaSe: Value"], {"x-case": ["Value"]}, id="name in lower case"),
        pytest.param(["X-Empty:"], {"x-empty": [""]}, id="empty"),
        pytest.param(["X-Spaces:  \t a  b \t "], {"x-spaces": ["a  b"]}, id="spaces around"),
        pytest.param(["X_Under_Score: 1"], {"x_under_score": ["1"]}, id="underscores"),
        pytest.param(["a!#$%&'*+-.^_`|~1: odd"], {"a!#$%&'*+-.^_`|~1": ["odd"]}, id="token"),
        pytest.param(
            ["X: 1", "x: 2", "X: 3"], {"x": ["1", "2", "3"]}, id="one name, three spellings"
        ),
        pytest.param(
            ["Cookie: a=1; b=2", "cookie: c=3"], {"cookie": ["a=1; b=2", "c=3"]}, id="cookies"
        ),
        pytest.param(["Cookie:", "Cookie: a"], {"cookie": ["", "a"]}, id="an empty cookie"),
        pytest.param(["X-L: a, b,c"], {"x-l": ["a, b,c"]}, id="a list stays one"),
        pytest.param(["X-U: \xc3\xa9"], {"x-u": ["é"]}, id="UTF-8"),
        pytest.param(["X-T: a\tb"], {"x-t": ["a\tb"]}, id="a tab"),
        pytest.param(["Connection: keep-alive"], {"connection": ["keep-alive"]}, id="keep-alive"),
        pytest.param(["Connection: Close"], {"connection": ["Close"]}, id="close"),
        pytest.param(
            ["Via: 1.1 x", "Forwarded: for=1", "X-Forwarded-Host: h", "X-Real-IP: 1"],
            {
                "via": ["1.1 x"],
                "forwarded": ["for=1"],
                "x-forwarded-host": ["h"],
                "x-real-ip": ["1"],
            },
            id="proxies",
        ),
        pytest.param(
            ["X-Request-Id: q", "traceparent: 00-1", "X-B3-TraceId: b"],
            {"x-request-id": ["q"], "traceparent": ["00-1"], "x-b3-traceid": ["b"]},
            id="tracing",
        ),
        pytest.param(
            ["X-Forwarded-Client-Cert: x"], {"x-forwarded-client-cert": ["x"]}, id="certificate"
        ),
        pytest.param(
            ["Range: bytes=0-1", "If-None-Match: q"],
            {"range": ["bytes=0-1"], "if-none-match": ["q"]},
            id="range",
        ),
        pytest.param(
            ["TE: trailers", "Trailer: X"], {"te": ["trailers"], "trailer": ["X"]}, id="trailers"
        ),
        pytest.param(
            ["Authorization: Basic eDp5"], {"authorization": ["Basic eDp5"]}, id="authorization"
        ),
        pytest.param(["Accept: a", "Accept: b"], {"accept": ["a,b"]}, id="the proxy joins some"),
        pytest.param(["X-Envoy-Foo: 1"], {"x-envoy-foo": ["1"]}, id="the proxy's prefix"),
        pytest.param(["grpc-timeout: 1S"], {"grpc-timeout": ["1S"]}, id="gRPC's timeout"),
    ],
)
def test_headers_arrive(multi, lines, expected):
    assert sent(event(multi.get("/", *lines))) == expected


@pytest.mark.parametrize(
    "line",
    [
        "X-Albatross-Target-Group: arn:x",
        "x-albatross-method: EVIL",
        "X-ALBATROSS-Connection: evil",
        "X-Albatross-Size: 1",
        "x-envoy-retry-on: 5xx",
        "x-envoy-max-retries: 3",
        "x-envoy-upstream-rq-timeout-ms: 1",
        "x-envoy-original-path: /evil",
        "x-envoy-internal: true",
        "x-envoy-external-address: 1.2.3.4",
        "x-envoy-force-trace: 1",
        "x-envoy-decorator-operation: x",
    ],
)
def test_what_would_steer_the_proxy_or_the_host_goes_no_further(multi, line):
    seen = event(multi.get("/a", line))
    assert (seen["path"], seen["httpMethod"], sent(seen)) == ("/a", "GET", {})
    assert "/t" in seen["requestContext"]["elb"]["targetGroupArn"]


def test_query_needs_a_content_type(single):
    seen = event(single.post("/", "Content-Type: text/plain", body="q", method="QUERY"))
    assert (seen["httpMethod"], seen["body"]) == ("QUERY", "q")
    assert single.post("/", body="q", method="QUERY").status == 400


def test_a_method_cannot_be_forged(multi):
    for lines, body in (
        (["X-Albatross-Method: EVIL"], None),
        (["Transfer-Encoding: chunked"], b"0\r\nX-Albatross-Method: EVIL\r\n\r\n"),
    ):
        seen = event(multi.send(request("DELETE /", *lines, body=body)))
        assert (seen["httpMethod"], sent(seen)) == ("DELETE", {})


@pytest.mark.parametrize(
    "named", ["x-albatross-target-group", "x-albatross-method", "x-forwarded-port"]
)
def test_connection_cannot_name_what_the_load_balancer_writes(multi, named):
    seen = event(multi.send(request("FOO /", f"Connection: {named}")))
    assert seen["httpMethod"] == "FOO"
    assert seen["multiValueHeaders"].keys() == OWN


@pytest.mark.parametrize("named", ["host", "x-forwarded-for", "x-forwarded-proto"])
def test_connection_that_names_what_others_rely_on_is_refused(multi, named):
    assert multi.get("/", f"Connection: {named}").status == 400


def test_no_header_makes_the_proxy_ask_twice(traffic, single):
    lines = (
        "x-envoy-retry-on: 5xx,gateway-error,retriable-status-codes",
        "x-envoy-max-retries: 5",
        "x-envoy-retriable-status-codes: 503",
    )
    assert single.get("/-/count/retry", *lines).body == b"counted"
    assert traffic.noted("retry") == 1


def test_no_header_makes_the_proxy_impatient(single):
    lines = (
        "x-envoy-upstream-rq-timeout-ms: 1",
        "x-envoy-expected-rq-timeout-ms: 1",
        "grpc-timeout: 1m",
    )
    assert single.get("/-/sleep/impatient/0.05", *lines).status == 200


@pytest.mark.parametrize(
    ("incoming", "pattern"),
    [
        pytest.param(None, f"Root={FRESH}", id="absent"),
        pytest.param(ROOT, f"Self={FRESH};{ROOT}", id="a root"),
        pytest.param(
            f"{ROOT};CalledFrom=app", f"Self={FRESH};{ROOT};CalledFrom=app", id="custom fields"
        ),
        pytest.param(f"Self=1-1-1;{ROOT}", f"Self={FRESH};{ROOT}", id="a self"),
        pytest.param(f"{ROOT};Self=1-1-1;A=b", f"{ROOT};Self={FRESH};A=b", id="a self behind"),
        pytest.param("CalledFrom=app", f"Root={FRESH};CalledFrom=app", id="neither"),
        pytest.param("garbage", f"Root={FRESH};garbage", id="malformed"),
    ],
)
def test_trace_ids(single, incoming, pattern):
    answer = single.get("/", *([f"X-Amzn-Trace-Id: {incoming}"] if incoming else []))
    assert re.fullmatch(pattern, event(answer)["headers"]["x-amzn-trace-id"])
    assert answer.header("x-amzn-trace-id") is None


@pytest.mark.parametrize("fits", [True, False])
def test_a_trace_id_among_more_than_7_kb_of_headers_is_written_anew(single, fits):
    lines = f"Host: example.com\r\nX-Amzn-Trace-Id: {ROOT}\r\nX: \r\n"
    filler = "x" * (7168 - len(lines) + (not fits))
    trace = event(single.get("/", f"X-Amzn-Trace-Id: {ROOT}", f"X: {filler}"))["headers"][
        "x-amzn-trace-id"
    ]
    assert re.fullmatch(f"Self={FRESH};{ROOT}" if fits else f"Root={FRESH}", trace)


PLAIN = b"Plain text, \xc3\xa9"


@pytest.mark.parametrize(
    ("lines", "is_base64"),
    [
        pytest.param(["Content-Type: text/plain"], False, id="text"),
        pytest.param(["Content-Type: text/x-anything"], False, id="any text"),
        pytest.param(["Content-Type: application/json"], False, id="JSON"),
        pytest.param(["Content-Type: application/javascript"], False, id="JavaScript"),
        pytest.param(["Content-Type: application/xml"], False, id="XML"),
        pytest.param(["Content-Type: application/json; charset=utf-8"], False, id="parameters"),
        pytest.param(["Content-Type: Application/JSON"], False, id="any case"),
        pytest.param(["Content-Type: text/plain", "Content-Encoding: gzip"], True, id="encoded"),
        pytest.param(
            ["Content-Type: text/plain", "Content-Encoding: identity"], True, id="identity"
        ),
        pytest.param(["Content-Type: application/x-www-form-urlencoded"], True, id="a form"),
        pytest.param(["Content-Type: multipart/form-data; boundary=x"], True, id="multipart"),
        pytest.param(["Content-Type: application/problem+json"], True, id="+json"),
        pytest.param(["Content-Type: application/octet-stream"], True, id="bytes"),
        pytest.param([], True, id="no type"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_bodies(single, method, lines, is_base64):
    seen = event(single.post("/", *lines, body=PLAIN, method=method))
    assert seen["isBase64Encoded"] is is_base64
    assert seen["body"] == (base64.b64encode(PLAIN).decode() if is_base64 else PLAIN.decode())
    assert seen["headers"]["content-length"] == str(len(PLAIN))


def test_an_empty_body_is_text(single):
    seen = event(single.post("/", "Content-Type: image/png", "Content-Encoding: gzip"))
    assert (seen["body"], seen["isBase64Encoded"]) == ("", False)


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        pytest.param(["Content-Type: text/plain"], b"\xff\xfe", id="in a body of text"),
        pytest.param(["X: \xe9"], b"", id="in a header"),
    ],
)
def test_what_is_not_utf_8_is_a_bad_request_and_the_connection_stays(single, lines, body):
    with single.connect() as client:
        client.write(request("POST /", *lines, body=body))
        answer = client.read()
        assert (answer.status, answer.closed) == (400, False)
        client.write(request("GET /next"))
        assert event(client.read())["path"] == "/next"


def test_every_byte_of_a_binary_body_arrives(single):
    data = bytes(range(256)) * 100
    answer = single.post("/-/digest", body=data)
    assert answer.body.decode() == f'{{"bytes": {len(data)}, "sha256": "{sha256(data)}"}}'


def test_a_body_in_chunks_is_one_event_without_extensions_and_trailers(multi):
    lines = ("Content-Type: text/plain", "Transfer-Encoding: Chunked", "Trailer: X-T")
    body = b'1;a=b\r\na\r\n1; c="d"\r\nb\r\n0\r\nX-T: 1\r\nx-albatross-target-group: evil\r\n\r\n'
    seen = event(multi.send(request("POST /", *lines, body=body)))
    assert seen["body"] == "ab"
    assert sent(seen) == {"content-type": ["text/plain"], "trailer": ["X-T"]}


def test_100_continue_is_answered_before_the_body_is_there(multi):
    with multi.connect() as client:
        head = request("POST /", "Expect: 100-continue", "Content-Type: text/plain", body="hello")
        client.write(head.removesuffix(b"hello"))
        answer = client.read()
        assert (answer.status, answer.reason) == (100, "Continue")
        client.write("hello")
        seen = event(client.read())
    assert seen["body"] == "hello"
    assert "expect" not in sent(seen)


def test_pipelined_requests_are_answered_in_order(single):
    with single.connect() as client:
        client.write(
            request("GET /1")
            + request("POST /2", "Content-Type: text/plain", body="two")
            + request("FOO /3")
            + request("PUT /4", "Transfer-Encoding: chunked", body=chunked(b"4"))
            + request("GET /5", "Connection: close")
        )
        answers = [client.read() for _ in range(5)]
        assert client.ends()
    assert [event(one)["path"] for one in answers] == ["/1", "/2", "/3", "/4", "/5"]
    assert [one.closed for one in answers] == [False, False, False, False, True]


def test_an_upgrade_that_is_not_to_websockets_is_ignored(single):
    lines = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    assert event(single.get("/x", *lines))["path"] == "/x"
