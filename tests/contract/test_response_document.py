"""Results of functions as documents, row by row. Source: ALB user guide, "Use Lambda functions as
targets of an Application Load Balancer"; results that live load balancers took and refused.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from albatross.model import pages
from tests.support.envoy import Answer
from tests.support.http2 import ask
from tests.support.stack import Front, request

OK = {"statusCode": 200}
BYTES = "application/octet-stream"
Refused = Callable[..., None]


def is_bad_gateway(answer: Answer) -> bool:
    """The load balancer's own page, byte for byte, with the headers of a live one."""
    assert answer.status == 502
    assert answer.body.decode() == pages.page(502)
    assert {name.lower() for name, _ in answer.headers if name != "Connection"} == {
        *("content-length", "content-type", "date", "server"),
    }
    assert answer.header("Server") == "awselb/2.0"
    assert answer.header("Content-Type") == "text/html"
    assert answer.header("Content-Length") == "122"
    return True


@pytest.fixture
def refused(single: Front, multi: Front) -> Refused:
    """Holds that results are no responses, in both modes."""

    def check(*results: object) -> None:
        for result in results:
            assert is_bad_gateway(single.reply(result)), result
            assert is_bad_gateway(multi.reply(result)), result

    return check


def lines(answer: Answer) -> list[tuple[str, str]]:
    """Return the header lines without those that every answer has."""
    common = [("server", "awselb/2.0"), ("content-type", BYTES)]
    return [
        (name, value)
        for name, value in answer.headers
        if name.lower() not in ("date", "content-length", "connection")
        and (name.lower(), value) not in common
    ]


def taken(front: Front, result: dict[str, Any]) -> Answer:
    """Return the answer, which has the function's status."""
    answer = front.reply({**OK, **result})
    assert answer.status == result.get("statusCode", 200), answer
    return answer


# Members


def test_status_code_json_integer_required_string_200_502(refused: Refused) -> None:
    refused({"statusCode": "200"}, {"statusCode": "OK"}, {"statusCode": ""})
    refused({}, {"body": "x"}, {"StatusCode": 200}, {"statuscode": 200}, {"status_code": 200})
    refused(*({"statusCode": of} for of in (None, True, False, [200], {"code": 200})))


def test_status_description_form_200_ok_code_one_space_reason(single: Front) -> None:
    for description, reason in (
        ("200 OK", "OK"),
        ("200 Fine: really", "Fine: really"),
        ("200 é", "Ã©"),  # UTF-8, which the client here reads as Latin-1
    ):
        assert taken(single, {"statusDescription": description}).reason == reason


def test_status_description_absent_alb_uses_the_standard_reason(single: Front) -> None:
    for status, reason in ((200, "OK"), (301, "Moved Permanently"), (404, "Not Found")):
        assert taken(single, {"statusCode": status}).reason == reason


def test_status_description_null_502(refused: Refused) -> None:
    refused(*({**OK, "statusDescription": of} for of in (None, 200, True, ["200 OK"], {})))


def test_headers_object_string_to_string_not_required(single: Front) -> None:
    headers = {"Set-cookie": "a=1", "Content-Type": "text/html", "X-Empty": ""}
    assert lines(taken(single, {"headers": headers})) == list(headers.items())
    assert lines(taken(single, {"headers": {}})) == []
    assert lines(taken(single, {})) == []


def test_headers_any_non_string_value_502(single: Front) -> None:
    for value in (True, False, 1, 1.5, None, ["a"], [], {}):
        assert is_bad_gateway(single.reply({**OK, "headers": {"good": "x", "bad": value}}))


def test_headers_in_single_mode_null_instead_of_the_object_502(single: Front) -> None:
    for headers in (None, [], [["a", "b"]], "a: b", 1, True):
        assert is_bad_gateway(single.reply({**OK, "headers": headers}))


def test_multi_value_headers_object_string_to_array_multi_mode_only(multi: Front) -> None:
    headers = {"Set-cookie": ["a=1", "b=2"], "X-E": [], "X": [""]}
    found = lines(taken(multi, {"multiValueHeaders": headers}))
    assert found == [("Set-cookie", "a=1"), ("Set-cookie", "b=2"), ("X", "")]


def test_multi_value_headers_of_another_type_502(multi: Front) -> None:
    bad = ({"a": "b"}, {"a": [1]}, {"a": None}, {"a": [None]}, {"a": ["b", True]}, {"a": [["b"]]})
    for headers in (*bad, {"a": {"b": "c"}}, [], [["a", ["b"]]], "a: b", 1):
        assert is_bad_gateway(multi.reply({**OK, "multiValueHeaders": headers}))


def test_multi_value_headers_null_in_multi_mode_502(multi: Front) -> None:
    assert is_bad_gateway(multi.reply({**OK, "multiValueHeaders": None}))
    assert is_bad_gateway(multi.reply({**OK, "headers": {}, "multiValueHeaders": None}))


def test_the_other_modes_family_even_null_is_ignored(single: Front, multi: Front) -> None:
    for other in (None, 5, "x", [], {"a": 1}, {"X-B": ["2"]}):
        found = taken(single, {"headers": {"X-A": "1"}, "multiValueHeaders": other})
        assert lines(found) == [("X-A", "1")]
        found = taken(multi, {"multiValueHeaders": {"X-A": ["1"]}, "headers": other})
        assert lines(found) == [("X-A", "1")]


def test_body_absent_or_empty_string_empty_body(single: Front) -> None:
    for result in ({}, {"body": ""}):
        answer = taken(single, result)
        assert (answer.body, answer.header("Content-Length")) == (b"", "0")


def test_body_null_502(refused: Refused) -> None:
    refused({**OK, "body": None})


def test_is_base64_encoded_json_boolean_true_string_502(refused: Refused) -> None:
    bad = ("true", "false", "", None, 0, 1, [], {})
    refused(*({**OK, "body": "AAAA", "isBase64Encoded": of} for of in bad))


def test_is_base64_encoded_true_body_is_decoded(single: Front, multi: Front) -> None:
    for front in (single, multi):
        assert taken(front, {"body": "AP/+", "isBase64Encoded": True}).body == b"\0\xff\xfe"
        assert taken(front, {"body": "AP/+", "isBase64Encoded": False}).body == b"AP/+"


def test_general_law_only_status_code_must_be_there(single: Front, multi: Front) -> None:
    for front in (single, multi):
        answer = taken(front, {})
        assert (answer.reason, answer.body, lines(answer)) == ("OK", b"", [])


# Further cases


@pytest.mark.parametrize(
    "result", ["Hello", '{"statusCode": 200}', "", 5, [OK], [], None, True, False, {"message": "x"}]
)
def test_result_is_a_json_string_number_array_null_502(refused: Refused, result: object) -> None:
    refused(result)


NOT_JSON = [
    *(b"", b" ", b"OK", b"<html>", b"\xff\xfe", b'{"statusCode":200', b'{"statusCode":200}x'),
    *(b"{'statusCode':200}", b'{"statusCode":200,}', b'{"statusCode":200}{}', b"{statusCode:200}"),
    *(b'\xef\xbb\xbf{"statusCode":200}', b'{"statusCode":0200}', b'{"statusCode":+200}'),
    *(b'{"statusCode":200,"body":"\xff"}', b'{"statusCode":200,"body":"a\nb"}'),
    *(b'{"statusCode":200,"x":NaN}', b'{"statusCode":200,/**/"body":""}', b'{"statusCode":NaN}'),
    *(b"[" * 500_000, b'{"a":' * 100_000),
]


@pytest.mark.parametrize("result", NOT_JSON, ids=lambda one: ascii(one[:32]))
def test_result_is_not_json_502(raw: Front, result: bytes) -> None:
    assert is_bad_gateway(raw.post(body=result))


def test_result_is_json_whatever_its_white_space_and_escapes(raw: Front) -> None:
    for result, status, body in (
        (b' \n{"statusCode"\t:\r 201 } ', 201, b""),
        (
            b'{"status\\u0043ode":202,"body":"\\u00e9\\ud83d\\ude00\\u0000\\/"}',
            202,
            "é😀\0/".encode(),
        ),
        (b'{"statusCode":2e2}', 200, b""),
        (b'{"statusCode":500,"statusCode":203}', 203, b""),
        (b'{"statusCode":200,"x":' + b"[" * 1000 + b"]" * 1000 + b"}", 200, b""),
        (b'{"statusCode":200,"x":123456789012345678901234567890}', 200, b""),
    ):
        answer = raw.post(body=result)
        assert (answer.status, answer.body) == (status, body)


def test_half_of_a_surrogate_pair_huge_numbers_and_deep_nesting_502(raw: Front) -> None:
    for result in (
        b'{"statusCode":200,"body":"\\ud800"}',
        b'{"statusCode":200,"headers":{"a":"\\udc00"}}',
        b'{"statusCode":200,"x":1e400}',
        b'{"statusCode":200,"x":' + b"[" * 1100 + b"]" * 1100 + b"}",
    ):
        assert is_bad_gateway(raw.post(body=result))


def test_unknown_extra_keys_ignored(single: Front) -> None:
    unknown = {"cookies": ["a=b"], "foo": None, "version": "2.0", "statusText": 5, "": {}}
    assert lines(taken(single, {**unknown, "headers": {"a": "b"}})) == [("a", "b")]


def test_status_code_outside_200_to_599_502(refused: Refused) -> None:
    outside = (0, 1, 99, 100, 101, 103, 199, 600, 999, 1000, -200, 2**31, 2**70, 1e300)
    refused(*({"statusCode": of} for of in outside))


def test_status_code_422_207_599_or_unassigned_passed_through(single: Front) -> None:
    for status, reason in ((422, "Unprocessable Entity"), (207, "Multi-Status"), (299, "Unknown")):
        assert taken(single, {"statusCode": status}).reason == reason
    for status in (218, 306, 418, 451, 499, 520, 599):
        assert taken(single, {"statusCode": status, "body": "mine"}).body == b"mine"


def test_every_final_status_code_is_the_clients(single: Front, single_h2: Front) -> None:
    with single.connect() as client:
        for status in range(200, 600):
            document = {"statusCode": status, "body": "b", "headers": {"a": "b"}}
            client.write(request("POST /-/reply", body=json.dumps(document)))
            answer = client.read()
            assert (answer.status, answer.closed, lines(answer)) == (status, False, [("a", "b")])
            assert answer.body == (b"" if status in (204, 304) else b"b")
    for status in (200, 204, 205, 304, 307, 401, 408, 421, 425, 431, 500, 502, 504, 599):
        body = json.dumps({"statusCode": status})
        assert ask(single_h2, "POST", "/-/reply", body=body).status == status


def test_status_code_as_float_200_0_accept_if_integral(single: Front, refused: Refused) -> None:
    assert taken(single, {"statusCode": 201.0}).reason == "Created"
    refused({"statusCode": 200.5}, {"statusCode": 0.2e-9}, {"statusCode": 600.0})


def test_status_description_code_differs_send_status_code_use_text_after_the_first_space(
    single: Front,
) -> None:
    answer = taken(single, {"statusCode": 404, "statusDescription": "200 Gone fishing"})
    assert (answer.status, answer.reason) == (404, "Gone fishing")


def test_status_description_without_code_accept_use_standard_reason(single: Front) -> None:
    for description in ("OK", "Not here", "", "404", "404 ", "4040 x", "abc x", " 404 x"):
        result = {"statusCode": 404, "statusDescription": description}
        assert taken(single, result).reason == "Not Found"


def test_status_description_with_control_characters_or_over_32_k_502(
    single: Front, refused: Refused
) -> None:
    refused({**OK, "statusDescription": "200 a\r\nb: c"}, {**OK, "statusDescription": "200 \0"})
    result = "{'statusCode': 200, 'statusDescription': '200 '.ljust(%d, 'x')}"
    assert single.evaluate(result % 32_768).reason == "x" * 32_764
    with_headers = result[:-1] + ", 'headers': {'a': 'y' * 32_763}}"
    assert single.evaluate(with_headers % 32_768).header("a") == "y" * 32_763
    for size in (32_769, 70_000, 500_000):
        assert is_bad_gateway(single.evaluate(result % size))


@pytest.mark.parametrize(
    "body",
    [
        *("QUJD\r\nREVG", "AAAA\n", "AA A", " AAAA", "?", "A", "AA", "AAA", "AAAAA", "-_-_", "é"),
        *("=", "====", "A===", "AA==AA==", "AA=", "AAA==", "AAAA=", "AAAA==", "AAAA===="),
    ],
)
def test_is_base64_encoded_true_with_invalid_base64_502(single: Front, body: str) -> None:
    assert is_bad_gateway(single.reply({**OK, "isBase64Encoded": True, "body": body}))


def test_is_base64_encoded_true_and_body_absent_or_empty_empty_body(single: Front) -> None:
    assert taken(single, {"isBase64Encoded": True}).body == b""
    assert taken(single, {"isBase64Encoded": True, "body": ""}).body == b""


def test_body_is_an_object_array_or_number_502(refused: Refused) -> None:
    refused(*({**OK, "body": of} for of in ({}, {"a": 1}, [], ["x"], 0, 1.5, True, False)))


# Examples


@pytest.mark.parametrize(
    ("result", "reason", "headers", "body"),
    [
        ({"statusCode": 200}, "OK", [], b""),
        (
            {
                "isBase64Encoded": False,
                "statusCode": 200,
                "statusDescription": "200 OK",
                "headers": {"Set-cookie": "a=1", "Content-Type": "application/json"},
                "body": "Hello from Lambda (optional)",
            },
            "OK",
            [("Set-cookie", "a=1"), ("Content-Type", "application/json")],
            b"Hello from Lambda (optional)",
        ),
        (
            {
                "statusCode": 301,
                "statusDescription": "301 Moved Permanently",
                "headers": {"location": "https://x/"},
                "body": "",
            },
            "Moved Permanently",
            [("location", "https://x/")],
            b"",
        ),
        (
            {
                "statusCode": 200,
                "headers": {"Content-Type": "image/png"},
                "isBase64Encoded": True,
                "body": "iVBORw0KGgo=",
            },
            "OK",
            [("Content-Type", "image/png")],
            b"\x89PNG\r\n\x1a\n",
        ),
    ],
    ids=["status alone", "the guide's sample", "redirect", "image"],
)
def test_good_responses(
    single: Front,
    result: dict[str, Any],
    reason: str,
    headers: list[tuple[str, str]],
    body: bytes,
) -> None:
    answer = taken(single, result)
    assert (answer.reason, lines(answer), answer.body) == (reason, headers, body)
    assert answer.header("Content-Length") == str(len(body))
    assert not answer.closed


def test_good_response_with_multi_value_headers(multi: Front) -> None:
    cookies = ["a=1;Domain=d;Secure;HttpOnly", "b=2;Expires=May 8, 2019"]
    headers = {"Set-cookie": cookies, "Content-Type": ["application/json"]}
    answer = taken(multi, {"multiValueHeaders": headers, "body": "x"})
    assert lines(answer) == [
        *(("Set-cookie", cookie) for cookie in cookies),
        ("Content-Type", "application/json"),
    ]
    assert answer.body == b"x"


@pytest.mark.parametrize(
    "result",
    [
        '{statusCode: "200"}',
        "{statusCode: 200, body: null}",
        "{statusCode: 200, headers: null}",
        "{statusCode: 200, headers: {x: true}}",
        "{statusCode: 200, statusDescription: null}",
        '{statusCode: 200, isBase64Encoded: "true"}',
        '"Hello"',
        '{message: "x"}',
        "null",
        "undefined",
        "NaN",
        "{statusCode: NaN}",
        '{statusCode: 200, body: Buffer.from("x")}',
        "{statusCode: 200n}",
        '{statusCode: 200, body: "\\ud800"}',
        'Promise.reject(new Error("x"))',
        "(() => { throw 5 })()",
    ],
)
def test_bad_responses_each_502_also_of_nodejs(node: Front, result: str) -> None:
    assert is_bad_gateway(node.post("/-/", body=result))


LIBRARIES = {
    "ALBResolver of Powertools": {"headers": {"Content-Type": "a/b"}, "body": ""},
    "Mangum": {"headers": {"content-type": "a/b"}, "body": "", "isBase64Encoded": False},
    "lambda_http of Rust": {
        "statusDescription": "200 OK",
        "headers": {"content-type": "a/b"},
        "multiValueHeaders": {"content-type": ["a/b"]},
        "body": "",
        "isBase64Encoded": False,
    },
    "aws-lambda-go with Headers alone": {
        "statusDescription": "",
        "headers": {"Content-Type": "a/b"},
        "multiValueHeaders": None,
        "body": "",
        "isBase64Encoded": False,
    },
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_helper_libraries_defaults_are_taken_in_single_mode(single: Front, library: str) -> None:
    (line,) = lines(taken(single, LIBRARIES[library]))
    assert (line[0].lower(), line[1]) == ("content-type", "a/b")


def test_helper_libraries_whose_nulls_are_502(single: Front, multi: Front) -> None:
    go = LIBRARIES["aws-lambda-go with Headers alone"]
    assert is_bad_gateway(multi.reply({**OK, **go}))
    assert is_bad_gateway(single.reply({**OK, **go, "headers": None}))
    families = {"headers": {}, "multiValueHeaders": {}}
    for description in ({"statusDescription": None}, {"statusDescription": None, **families}):
        assert is_bad_gateway(single.reply({**OK, **description, "body": "x"}))


def test_undefined_members_vanish_in_json_stringify(node: Front) -> None:
    result = "{statusCode: 200, headers: {a: 'b', c: undefined}, multiValueHeaders: undefined}"
    assert lines(node.post("/-/", body=result)) == [("a", "b")]
    result = "{statusCode: 201, body: undefined, statusDescription: undefined}"
    assert node.post("/-/", body=result).status == 201
