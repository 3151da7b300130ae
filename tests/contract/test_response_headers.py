"""Headers and bodies of functions' responses, row by row. Source: ALB user guide, "Use Lambda
functions as targets of an Application Load Balancer", "Troubleshoot"; RFC 9110.

What attributes of listeners do to headers is in test_targets_listener_attributes.py, AWSALBTG in
test_routing_forward.py.
"""

import json
from email.utils import parsedate_to_datetime

import pytest

from tests.contract.test_response_document import BYTES, OK, is_bad_gateway, lines, taken
from tests.support.deviations import told
from tests.support.envoy import Answer
from tests.support.http2 import ask, reply
from tests.support.stack import Front, Stack, request

MIB = 1024 * 1024


def test_single_headers_each_pair_as_one_header(single: Front, single_h2: Front) -> None:
    headers = {"X-A": "1, 2", "Location": "relative", "ETag": '"q"', "Age": "1", "Via": "1.1 x"}
    headers |= {"X-Spaces": " a ", "under_score": "2", "!#$%&'*+-.^_`|~": "3", "X-U": "é"}
    received = headers | {"X-Spaces": "a"}
    found = dict(lines(taken(single, {"headers": headers})))
    assert found == received | {"X-U": "Ã©"}  # UTF-8, which this client reads as Latin-1
    found = dict(lines(reply(single_h2, {**OK, "headers": headers})))
    assert found == {name.lower(): value for name, value in received.items()}


def test_single_multi_value_headers_only_headers_missing_status_and_body_kept(
    single: Front,
) -> None:
    cookies = {"multiValueHeaders": {"Set-Cookie": ["a=1"], "Content-Type": ["text/html"]}}
    answer = taken(single, {"statusCode": 404, "body": "x", **cookies})
    assert (answer.body, lines(answer)) == (b"x", [])


def test_multi_multi_value_headers_one_header_line_per_array_element(
    multi: Front, multi_h2: Front
) -> None:
    headers = {
        "Some-Header-Set-Twice": ["a", "b"],
        "Set-cookie": ["a=1", "b=2", "a=1"],
        "WWW-Authenticate": ["Basic", "Bearer, x"],
        "Link": ["c", "d"],
        "X-None": [],
        "X-Empty": ["", ""],
    }
    expected = [(name, value) for name, values in headers.items() for value in values]
    assert lines(taken(multi, {"multiValueHeaders": headers})) == expected
    found = lines(reply(multi_h2, {**OK, "multiValueHeaders": headers}))
    assert found == [(name.lower(), value) for name, value in expected]


def test_multi_headers_only_headers_missing_status_body_kept(multi: Front) -> None:
    headers = {"headers": {"X-A": "1", "Content-Type": "text/html"}}
    answer = taken(multi, {"statusCode": 201, "body": "x", **headers})
    assert (answer.body, lines(answer)) == (b"x", [])


def test_either_both_the_modes_own_one_is_used_other_ignored(single: Front, multi: Front) -> None:
    both = {"headers": {"X-A": "single"}, "multiValueHeaders": {"X-A": ["multi", "multi"]}}
    assert lines(taken(single, both)) == [("X-A", "single")]
    assert lines(taken(multi, both)) == [("X-A", "multi")] * 2


def test_single_names_differing_only_in_case_all_are_sent_as_separate_lines(
    single: Front, single_h2: Front
) -> None:
    assert told("differ in case alone")
    headers = {"Set-Cookie": "a", "set-cookie": "b", "sEt-cookie": "c"}
    for answer in (
        taken(single, {"headers": headers}),
        reply(single_h2, {**OK, "headers": headers}),
    ):
        found = [(name.lower(), value) for name, value in lines(answer)]
        assert found == [("set-cookie", "a"), ("set-cookie", "b"), ("set-cookie", "c")]


def test_name_case_http_1_1_as_the_function_wrote_it_http_2_lower_case(
    single: Front, single_h2: Front
) -> None:
    headers = {"Some-Header": "1", "sOME-other": "2", "CONTENT-TYPE": "a/B", "etag": "q"}
    assert lines(taken(single, {"headers": headers})) == list(headers.items())
    found = lines(reply(single_h2, {**OK, "headers": headers}))
    assert found == [(name.lower(), value) for name, value in headers.items()]


HOP_BY_HOP = {
    "Connection": "close",
    "Keep-Alive": "timeout=5",
    "Transfer-Encoding": "chunked",
    "TE": "trailers",
    "Trailer": "X-T",
    "Upgrade": "h2c",
    "Proxy-Authenticate": "Basic",
    "Proxy-Connection": "close",
}


def test_hop_by_hop_headers_are_not_honoured_dropped(
    single: Front, multi: Front, single_h2: Front
) -> None:
    headers = {**HOP_BY_HOP, **{name.lower(): of for name, of in HOP_BY_HOP.items()}, "x": "kept"}
    values = {name: [of, of] for name, of in headers.items()} | {"x": ["kept"]}
    for answer in (
        taken(single, {"headers": headers, "body": "abc"}),
        taken(multi, {"multiValueHeaders": values, "body": "abc"}),
        reply(single_h2, {**OK, "headers": headers, "body": "abc"}),
    ):
        assert (lines(answer), answer.body, answer.closed) == ([("x", "kept")], b"abc", False)


def test_content_length_is_computed_a_value_from_the_function_is_overridden(
    single: Front, multi: Front
) -> None:
    for wrong in ("788", "0", "-1", "x", ""):
        answer = taken(single, {"headers": {"Content-Length": wrong}, "body": "é"})
        assert (answer.header("Content-Length"), answer.body) == ("2", "é".encode())
    values = {"content-length": ["1", "9"], "Content-Length": ["3"]}
    assert taken(multi, {"multiValueHeaders": values}).header("Content-Length") == "0"


def test_server_awselb_2_0_is_added_unless_response_server_enabled_is_false(
    traffic: Stack,
) -> None:
    front = traffic.front()
    assert front.reply(OK).header("Server") == "awselb/2.0"
    key = "routing.http.response.server.enabled"
    traffic.elb.modify_listener_attributes(
        ListenerArn=front.listener, Attributes=[{"Key": key, "Value": "false"}]
    )
    assert front.reply(OK).header("Server") is None


def test_server_of_the_function_keep_functions(single: Front, multi: Front) -> None:
    for name in ("Server", "SERVER"):
        assert taken(single, {"headers": {name: "mine/1"}}).header("Server") == "mine/1"
        found = taken(multi, {"multiValueHeaders": {name: ["mine/1"]}})
        assert found.header("Server") == "mine/1"


def test_date_add_if_absent(single: Front, single_h2: Front) -> None:
    for answer in (taken(single, {}), reply(single_h2, OK)):
        date = answer.header("Date")
        assert date
        assert date.endswith(" GMT")
        assert parsedate_to_datetime(date).tzinfo is not None
    own = "Sat, 01 Jan 2000 00:00:00 GMT"
    assert taken(single, {"headers": {"date": own}}).header("Date") == own


def test_connection_stays_open_without_connection_keep_alive_which_is_a_deviation(
    single: Front,
) -> None:
    assert told("no `Connection: keep-alive`")
    with single.connect() as client:
        for _ in range(2):
            client.write(request("POST /-/reply", body='{"statusCode": 200}'))
            assert client.read().header("Connection") is None


def test_content_type_absent_application_octet_stream(single: Front, multi: Front) -> None:
    for front, family in ((single, {}), (multi, {"multiValueHeaders": {"content-type": []}})):
        for body in ({}, {"body": "text"}, {"body": "AAAA", "isBase64Encoded": True}):
            assert taken(front, {**body, **family}).header("Content-Type") == BYTES
    for own in ("text/html", "", "a/b; c=d"):
        for name in ("Content-Type", "content-type", "CONTENT-TYPE"):
            assert taken(single, {"headers": {name: own}}).header("Content-Type") == own


NAMES = ("a b", "a:", "", ":status", "a\r\nb", "é", "a(", "a\0", " a", "a ")
VALUES = ("b\r\nc: d", "b\nc", "b\r", "\n", "b\0", "\x01", "\x7f", "b\x1f", "b\r\n\r\n<html>")


def test_header_name_invalid_502(single: Front, multi: Front) -> None:
    for name in NAMES:
        assert is_bad_gateway(single.reply({**OK, "headers": {name: "x"}})), name
        assert is_bad_gateway(multi.reply({**OK, "multiValueHeaders": {name: ["x"]}})), name


def test_header_value_with_cr_lf_nul_502(single: Front, multi: Front, single_h2: Front) -> None:
    for value in VALUES:
        assert is_bad_gateway(single.reply({**OK, "headers": {"x": value}})), ascii(value)
        headers = {"multiValueHeaders": {"x": ["good", value]}}
        assert is_bad_gateway(multi.reply({**OK, **headers})), ascii(value)
    assert is_bad_gateway(reply(single_h2, {**OK, "headers": {"x": "b\r\nc: d"}}))
    assert lines(taken(single, {"headers": {"x": "a\tb"}})) == [("x", "a\tb")]


def test_response_headers_together_over_32_k_502(single: Front, multi: Front) -> None:
    result = "{'statusCode': 200, 'headers': {'a': 'x' * %d, 'b': 'y'}}"
    most = 32 * 1024 - len("a: \r\nb: y\r\n")
    assert len(single.evaluate(result % most).header("a") or "") == most
    assert is_bad_gateway(single.evaluate(result % (most + 1)))
    result = "{'statusCode': 200, 'multiValueHeaders': {'a': ['x' * 11] * %d}}"
    most = 32 * 1024 // len("a: \r\n" + "x" * 11)
    assert len(lines(multi.evaluate(result % most))) == most
    assert is_bad_gateway(multi.evaluate(result % (most + 1)))


def test_a_thousand_response_headers_pass(single: Front) -> None:
    result = "{'statusCode': 200, 'headers': {f'x-{n}': str(n) for n in range(1000)}}"
    assert lines(single.evaluate(result)) == [(f"x-{n}", str(n)) for n in range(1000)]


def test_repeated_headers_that_the_proxy_joins_are_a_deviation(multi: Front) -> None:
    assert told("joined by commas", "in a response", "vary")
    headers = {"Vary": ["a", "b"], "Cache-Control": ["c", "d"]}
    found = lines(taken(multi, {"multiValueHeaders": headers}))
    assert found == [("Vary", "a,b"), ("Cache-Control", "c,d")]


def test_headers_of_the_proxy_are_dropped_which_is_a_deviation(single: Front) -> None:
    assert told("x-envoy-* and x-albatross-*")
    headers = {
        "X-Envoy-Foo": "1",
        "x-envoy-immediate-health-check-fail": "1",
        "X-Albatross-Method": "x",
        "x-envoy-overloaded": "1",
        "grpc-status": "3",
    }
    assert lines(taken(single, {"headers": headers})) == [("grpc-status", "3")]


# Bodies


def test_text_body_utf_8_bytes_of_the_json_string(single: Front, node: Front) -> None:
    text = "é☃😀\0\r\n\u2028\ufeff"
    assert taken(single, {"body": text}).body == text.encode()
    answer = node.post("/-/", body=f"{{statusCode: 200, body: {json.dumps(text)}}}")
    assert (answer.body, answer.header("Content-Length")) == (text.encode(), "18")


@pytest.mark.parametrize(
    ("result", "length"),
    [
        pytest.param({**OK, "body": "abc"}, "3", id="of the body"),
        pytest.param({**OK, "body": "AAAA", "isBase64Encoded": True}, "3", id="of what it encodes"),
        pytest.param({**OK, "headers": {"content-length": "9"}}, "0", id="not the function's"),
        pytest.param({"statusCode": 404, "body": "no"}, "2", id="of an error"),
        pytest.param({"statusCode": 204}, None, id="none"),
        pytest.param(None, "122", id="of the page"),
    ],
)
def test_head_request_status_and_headers_no_body_content_length_of_the_functions_body(
    lenient: Front, single_h2: Front, result: object, length: str | None
) -> None:
    with lenient.connect() as client:
        head = request("HEAD /-/reply", body=json.dumps(result))
        client.write(head + request("GET /-/sleep/next/0"))
        answer = client.read(head=True)
        assert answer.header("Content-Length") == length
        assert client.read().body == b'"next"'
    found = reply(single_h2, result, "HEAD")
    assert (found.status, found.body) == (answer.status, b"")
    assert found.header("content-length") == length


@pytest.fixture(scope="module")
def lenient(traffic: Stack) -> Front:
    """Serves further requests after a HEAD with a body."""
    return traffic.front(routing__http__desync_mitigation_mode="monitor")


@pytest.mark.parametrize("status", [204, 304])
def test_204_304_with_body_drop_body_no_content_length(
    single: Front, single_h2: Front, status: int
) -> None:
    result = {"statusCode": status, "body": "x", "headers": {"ETag": "q", "Content-Length": "1"}}
    with single.connect() as client:
        data = request("POST /-/reply", body=json.dumps(result))
        client.write(data + request("GET /-/sleep/next/0"))
        answer = client.read()
        assert (answer.status, lines(answer)) == (status, [("ETag", "q")])
        assert answer.header("Content-Length") is None
        assert client.read().body == b'"next"'
    found = reply(single_h2, result)
    assert (found.status, found.body, lines(found)) == (status, b"", [("etag", "q")])
    assert found.header("content-length") is None


def of_json(size: int) -> str:
    """Return an expression for a result whose JSON has `size` bytes."""
    return f"{{'statusCode': 200, 'body': 'x' * {size - len(json.dumps({**OK, 'body': ''}))}}}"


def test_1_mb_limit_exact_1048576_bytes_of_the_raw_json_result(single: Front, raw: Front) -> None:
    assert len(single.evaluate(of_json(MIB)).body) == MIB - len('{"statusCode": 200, "body": ""}')
    assert is_bad_gateway(single.evaluate(of_json(MIB + 1)))
    white = b'{"statusCode":200}'.ljust(MIB)
    assert raw.post(body=white).status == 200


def test_1_mb_limit_whole_serialized_document_including_base64_growth(single: Front) -> None:
    result = "{'statusCode': 200, 'isBase64Encoded': True, 'body': 'AAAA' * %d}"
    assert len(single.evaluate(result % 260_000).body) == 780_000
    assert is_bad_gateway(single.evaluate(result % 262_144))
    result = "{'statusCode': 200, 'body': 'x', 'headers': {}, 'unknown': 'x' * %d}"
    assert is_bad_gateway(single.evaluate(result % MIB))


def test_streaming_none_response_released_when_the_function_returns(single: Front) -> None:
    answer = single.evaluate("{'statusCode': 200, 'body': 'x' * 300_000}")
    assert (len(answer.body), answer.header("Content-Length")) == (300_000, "300000")
    assert answer.header("Transfer-Encoding") is None


def test_compression_alb_never_compresses_or_decompresses(single: Front) -> None:
    result = {"headers": {"Content-Type": "text/plain"}, "body": "x" * 5000}
    answer = single.reply({**OK, **result}, "Accept-Encoding: gzip, br")
    assert (answer.body, answer.header("content-encoding")) == (b"x" * 5000, None)
    gzipped = {"headers": {"Content-Encoding": "gzip"}, "isBase64Encoded": True, "body": "H4sI"}
    answer = single.reply({**OK, **gzipped}, "Accept-Encoding: identity")
    assert (answer.body, answer.header("content-encoding")) == (b"\x1f\x8b\x08", "gzip")


def test_caching_ranges_etag_none(single: Front) -> None:
    headers = {"ETag": '"q"', "Last-Modified": "Sat, 01 Jan 2000 00:00:00 GMT"}
    result = {**OK, "headers": headers, "body": "x" * 100}
    conditions = ('If-None-Match: "q"', "If-Modified-Since: Sat, 01 Jan 2022 00:00:00 GMT")
    for more in (conditions, ("Range: bytes=0-1",)):
        answer = single.reply(result, *more)
        assert (answer.status, answer.body) == (200, b"x" * 100)
        assert answer.header("Accept-Ranges") is None


def test_http_1_0_clients_get_the_same_and_the_connection_ends(single: Front) -> None:
    body = json.dumps({**OK, "body": "abc", "headers": {"X-A": "b"}})
    head = f"POST /-/reply HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    answer: Answer = single.send(head + body)
    assert (answer.status, answer.body, lines(answer)) == (200, b"abc", [("X-A", "b")])
    assert answer.closed


def test_function_produced_errors_carry_the_functions_body_untouched(
    single: Front, single_h2: Front
) -> None:
    for status in (400, 403, 404, 413, 429, 500, 502, 503, 504):
        result = {"statusCode": status, "headers": {"content-type": "a/b"}, "body": "<mine>"}
        for answer in (single.reply(result), reply(single_h2, result)):
            assert (answer.status, answer.body) == (status, b"<mine>")
            assert lines(answer) == [("content-type", "a/b")]
    assert ask(single_h2, "GET", "/-/count/mine").body == b"counted"
