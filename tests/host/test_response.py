"""Results and the responses they become. Source: ALB user guide, Lambda functions as targets."""

import json

import pytest

from albatross.host.response import (
    RESULT_BYTES_MAX,
    Response,
    encode,
    error_page,
    failure,
    from_error_type,
    from_result,
)
from albatross.model import pages

OCTETS = ("Content-Type", "application/octet-stream")
SERVER = ("Server", "awselb/2.0")
RESPONSE = 'a response is an object such as {"statusCode": 200, "body": "text"}'
TEXT = "make it text, with json.dumps or JSON.stringify"


def response_to(document, *, multi_value=False) -> Response:
    return from_result(json.dumps(document).encode(), multi_value=multi_value)


def sent_headers(document, *, multi_value=False) -> list[tuple[str, str]]:
    """Return the headers of a good response, without the load balancer's own two."""
    response = response_to(document, multi_value=multi_value)
    assert response.error_reason is None, response.detail
    return [line for line in response.headers if line not in (OCTETS, SERVER)]


def refusal(document, *, multi_value=False) -> str:
    """Return the detail of the 502 with which `document` is answered."""
    response = response_to(document, multi_value=multi_value)
    assert (response.status, response.error_reason) == (502, "LambdaInvalidResponse")
    assert response.body == pages.page(502).encode()
    return response.detail


# Good documents


@pytest.mark.parametrize(
    ("document", "status", "reason", "headers", "body"),
    [
        pytest.param({"statusCode": 200}, 200, "OK", [], b"", id="only statusCode must be there"),
        pytest.param(
            {
                "isBase64Encoded": False,
                "statusCode": 200,
                "statusDescription": "200 OK",
                "headers": {"Set-cookie": "a=1", "Content-Type": "application/json"},
                "body": "Hello from Lambda (optional)",
            },
            200,
            "OK",
            [("Set-cookie", "a=1"), ("Content-Type", "application/json")],
            b"Hello from Lambda (optional)",
            id="the guide's sample",
        ),
        pytest.param(
            {
                "statusCode": 301,
                "statusDescription": "301 Moved Permanently",
                "headers": {"location": "https://x/"},
                "body": "",
            },
            301,
            "Moved Permanently",
            [("location", "https://x/")],
            b"",
            id="redirect with empty body",
        ),
        pytest.param(
            {
                "statusCode": 200,
                "headers": {"Content-Type": "image/png"},
                "isBase64Encoded": True,
                "body": "iVBORw0KGgo=",
            },
            200,
            "OK",
            [("Content-Type", "image/png")],
            b"\x89PNG\r\n\x1a\n",
            id="isBase64Encoded: true -> body is decoded",
        ),
        pytest.param(
            {"statusCode": 200, "body": "é 你"}, 200, "OK", [], "é 你".encode(), id="UTF-8 body"
        ),
        pytest.param(
            {"statusCode": 200, "body": "aGk=", "isBase64Encoded": False},
            200,
            "OK",
            [],
            b"aGk=",
            id="isBase64Encoded: false -> body is as it is",
        ),
        pytest.param(
            {"statusCode": 200, "isBase64Encoded": True}, 200, "OK", [], b"", id="Base64 of nothing"
        ),
        pytest.param(
            {"statusCode": 200, "isBase64Encoded": True, "body": ""},
            200,
            "OK",
            [],
            b"",
            id='Base64 of ""',
        ),
        pytest.param(
            {"statusCode": 200, "cookies": ["a=1"], "foo": None, "version": 2},
            200,
            "OK",
            [],
            b"",
            id="unknown extra keys ignored",
        ),
    ],
)
def test_a_good_document_becomes_the_response_it_describes(document, status, reason, headers, body):
    response = response_to(document)
    assert (response.status, response.reason, response.body) == (status, reason, body)
    assert sent_headers(document) == headers
    assert (response.error_reason, response.detail) == (None, None)


@pytest.mark.parametrize(
    ("result", "status"),
    [
        pytest.param(b'{"statusCode":200}', 200, id="200"),
        pytest.param(b'{"statusCode":207}', 207, id="207"),
        pytest.param(b'{"statusCode":422}', 422, id="422"),
        pytest.param(b'{"statusCode":500}', 500, id="function-produced 5xx"),
        pytest.param(b'{"statusCode":599}', 599, id="599"),
        pytest.param(b'{"statusCode":299}', 299, id="unassigned"),
        pytest.param(b'{"statusCode":200.0}', 200, id="float, integral"),
        pytest.param(b'{"statusCode":2e2}', 200, id="exponent, integral"),
        pytest.param(b' \n{"statusCode" : 200}\r\n', 200, id="white space around"),
        pytest.param(b'{"statusCode":"x","statusCode":201}', 201, id="last of repeated members"),
    ],
)
def test_any_status_from_200_to_599_passes_through(result, status):
    response = from_result(result, multi_value=False)
    assert (response.status, response.error_reason) == (status, None)
    assert type(response.status) is int


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({}, "Not Found", id="absent -> standard reason"),
        pytest.param({"statusDescription": "404 Not Found"}, "Not Found", id="code, space, reason"),
        pytest.param({"statusDescription": "404 Gone Fishing"}, "Gone Fishing", id="own reason"),
        pytest.param({"statusDescription": "200 OK"}, "OK", id="code differs from statusCode"),
        pytest.param({"statusDescription": "OK"}, "Not Found", id="without code"),
        pytest.param({"statusDescription": "Not Found"}, "Not Found", id="two words, no code"),
        pytest.param({"statusDescription": "404"}, "Not Found", id="code only"),
        pytest.param({"statusDescription": "404 "}, "Not Found", id="empty reason"),
        pytest.param({"statusDescription": ""}, "Not Found", id="empty string"),
        pytest.param({"statusDescription": "404  Nope"}, "Nope", id="two spaces"),
        pytest.param({"statusCode": 299}, "", id="nobody's status has no reason"),
    ],
)
def test_the_reason_is_that_of_status_description_or_the_standard_one(fields, reason):
    response = response_to({"statusCode": 404, **fields})
    assert (response.reason, response.error_reason) == (reason, None)


# Bad documents


@pytest.mark.parametrize(
    ("result", "detail"),
    [
        pytest.param(b'"Hello"', 'a JSON object, found the string "Hello"', id="a JSON string"),
        pytest.param(b"42", "a JSON object, found the number 42", id="number"),
        pytest.param(b"[]", "a JSON object, found an array", id="array"),
        pytest.param(b"null", "a JSON object, found null", id="null"),
        pytest.param(b"true", "a JSON object, found the boolean true", id="boolean"),
        pytest.param(b"<html>", "a JSON object, found text that is not JSON (", id="not JSON"),
        pytest.param(b"", "a JSON object, found text that is not JSON (", id="nothing at all"),
        pytest.param(b'{"statusCode":200', "a JSON object, found text that is not", id="cut off"),
        pytest.param(b"{'statusCode':200}", "a JSON object, found text that is", id="Python repr"),
        pytest.param(b'{"statusCode":200,"body":"\xff"}', "a JSON object, found", id="not UTF-8"),
        pytest.param(b'{"statusCode":200,"x":NaN}', "a JSON object, found", id="NaN"),
        pytest.param(
            b'{"statusCode":200,"body":"\\ud800"}', "a JSON object, found", id="surrogate"
        ),
        pytest.param(b'{"statusCode":200}{}', "a JSON object, found text", id="two documents"),
    ],
)
def test_a_result_that_is_no_json_object_is_an_invalid_response(result, detail):
    response = from_result(result, multi_value=False)
    assert (response.status, response.error_reason) == (502, "LambdaInvalidResponse")
    assert response.detail.startswith(f"result: expected {detail}")


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        pytest.param(
            {"statusCode": "200"},
            'statusCode: expected an integer, found the string "200"; leave the quotes away',
            id='string "200"',
        ),
        pytest.param(
            {"statusCode": None},
            f"statusCode: expected an integer, found null; {RESPONSE}",
            id="null status",
        ),
        pytest.param(
            {"statusCode": True},
            "statusCode: expected an integer, found the boolean true",
            id="boolean status",
        ),
        pytest.param(
            {"statusCode": 200.5},
            "statusCode: expected an integer, found the number 200.5",
            id="fraction",
        ),
        pytest.param(
            {"statusCode": 199},
            "statusCode: expected an integer from 200 to 599, found the number 199",
            id="statusCode 1xx",
        ),
        pytest.param(
            {"statusCode": 600},
            "statusCode: expected an integer from 200 to 599, found the number 600",
            id="statusCode > 599",
        ),
        pytest.param(
            {"statusCode": 10**30},
            "statusCode: expected an integer from 200 to 599, found the number 1e+30",
            id="statusCode huge",
        ),
        pytest.param(
            {"statusCode": -200},
            "statusCode: expected an integer from 200 to 599, found the number -200",
            id="statusCode negative",
        ),
        pytest.param(
            {"statusDescription": None},
            'statusDescription: expected a string such as "200 OK", found null',
            id="statusDescription null",
        ),
        pytest.param(
            {"statusDescription": 200},
            'statusDescription: expected a string such as "200 OK", found the number 200',
            id="statusDescription number",
        ),
        pytest.param(
            {"statusDescription": "200 OK\r\nX:"},
            'statusDescription: expected no control characters, found the string "200 OK\\r\\nX:"',
            id="statusDescription with line break",
        ),
        pytest.param(
            {"body": None},
            'body: expected a string, found null; leave it away, or return ""',
            id="body null -> 502",
        ),
        pytest.param(
            {"body": {}},
            f"body: expected a string, found an object; {TEXT}",
            id="body object",
        ),
        pytest.param(
            {"body": []},
            f"body: expected a string, found an array; {TEXT}",
            id="body array",
        ),
        pytest.param({"body": 1}, "body: expected a string, found the number 1", id="body number"),
        pytest.param(
            {"isBase64Encoded": "true"},
            'isBase64Encoded: expected a boolean, found the string "true"; leave the quotes away',
            id='isBase64Encoded "true"',
        ),
        pytest.param(
            {"isBase64Encoded": None},
            "isBase64Encoded: expected a boolean, found null",
            id="isBase64Encoded null",
        ),
        pytest.param(
            {"isBase64Encoded": 1},
            "isBase64Encoded: expected a boolean, found the number 1",
            id="isBase64Encoded number",
        ),
    ],
)
@pytest.mark.parametrize("multi_value", [False, True])
def test_a_known_field_of_another_type_is_an_invalid_response(fields, detail, multi_value):
    assert refusal({"statusCode": 200, **fields}, multi_value=multi_value) == detail


@pytest.mark.parametrize("document", [{}, {"message": "x"}, {"body": "x"}])
def test_a_missing_status_code_is_an_invalid_response(document):
    assert refusal(document) == f"statusCode: expected an integer, found nothing; {RESPONSE}"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("aGVs\r\nbG8=", id="MIME Base64 with line breaks"),
        pytest.param("aGk=\n", id="line break at the end"),
        pytest.param("aG k=", id="space"),
        pytest.param("aGk", id="no padding"),
        pytest.param("aGk==", id="too much padding"),
        pytest.param("aGkh=", id="padding where none is needed"),
        pytest.param("aGkh====", id="four signs of padding"),
        pytest.param("aG=k", id="padding inside"),
        pytest.param("-_8=", id="URL-safe alphabet"),
        pytest.param("<p>é</p>", id="text"),
    ],
)
def test_invalid_base64_is_an_invalid_response(body):
    detail = refusal({"statusCode": 200, "isBase64Encoded": True, "body": body})
    assert detail.startswith("body: expected padded Base64 without line breaks")


# Size


def result_of(bytes_total: int) -> bytes:
    start, end = b'{"statusCode":200,"body":"', b'"}'
    return start + b"x" * (bytes_total - len(start) - len(end)) + end


def test_a_result_of_1_048_576_bytes_is_sent():
    assert RESULT_BYTES_MAX == 1_048_576
    response = from_result(result_of(1_048_576), multi_value=False)
    assert (response.status, response.error_reason) == (200, None)


def test_a_result_of_one_byte_more_is_too_large():
    response = from_result(result_of(1_048_577), multi_value=False)
    assert (response.status, response.error_reason) == (502, "LambdaResponseTooLarge")
    assert response.detail == "result: expected at most 1,048,576 bytes of JSON, found 1,048,577"


def test_a_detail_quotes_little_of_a_long_text():
    assert len(refusal({"statusCode": "é" * 100_000})) < 200
    assert len(refusal({"statusCode": 200, "headers": {"n" * 100_000: 1}})) < 200


# Bytes


def test_a_response_is_encoded_with_its_length():
    document = {"statusCode": 200, "headers": {"Content-Type": "text/plain"}, "body": "é"}
    assert encode(response_to(document)) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nServer: awselb/2.0\r\n"
        b"Content-Length: 2\r\n\r\n\xc3\xa9"
    )


def test_header_values_and_reason_go_out_as_utf8():
    document = {"statusCode": 299, "statusDescription": "299 Ça", "headers": {"X": "é你"}}
    data = encode(response_to(document))
    assert data.startswith("HTTP/1.1 299 Ça\r\nX: é你\r\n".encode())


def test_a_status_without_reason_keeps_the_space_that_http_wants():
    assert encode(response_to({"statusCode": 299})).startswith(b"HTTP/1.1 299 \r\n")


def test_a_head_request_gets_headers_and_length_but_no_body():
    data = encode(response_to({"statusCode": 200, "body": "hello"}), head=True)
    assert data.endswith(b"\r\nContent-Length: 5\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
def test_204_and_304_lose_their_body_and_have_no_length(status):
    document = {"statusCode": status, "headers": {"ETag": '"a"'}, "body": "dropped"}
    response = response_to(document)
    assert (response.headers, response.body) == ([("ETag", '"a"'), SERVER], b"")
    data = encode(response)
    assert data.endswith(b'ETag: "a"\r\nServer: awselb/2.0\r\n\r\n')
    assert encode(response, head=True) == data


# Failures


@pytest.mark.parametrize(
    ("error_reason", "status"),
    [
        ("LambdaAccessDenied", 502),
        ("LambdaBadRequest", 400),
        ("LambdaConnectionError", 502),
        ("LambdaConnectionTimeout", 504),
        ("LambdaEC2AccessDeniedException", 502),
        ("LambdaEC2ThrottledException", 502),
        ("LambdaEC2UnexpectedException", 502),
        ("LambdaENILimitReachedException", 502),
        ("LambdaInvalidResponse", 502),
        ("LambdaInvalidRuntimeException", 502),
        ("LambdaInvalidSecurityGroupIDException", 502),
        ("LambdaInvalidSubnetIDException", 502),
        ("LambdaInvalidZipFileException", 502),
        ("LambdaKMSAccessDeniedException", 502),
        ("LambdaKMSDisabledException", 502),
        ("LambdaKMSInvalidStateException", 502),
        ("LambdaKMSNotFoundException", 502),
        ("LambdaRequestTooLarge", 413),
        ("LambdaResourceNotFound", 502),
        ("LambdaResponseTooLarge", 502),
        ("LambdaServiceException", 502),
        ("LambdaSubnetIPAddressLimitReachedException", 502),
        ("LambdaThrottling", 502),
        ("LambdaUnhandled", 502),
        ("LambdaUnhandledException", 502),
        ("LambdaWebsocketNotSupported", 400),
    ],
)
def test_every_error_reason_has_its_status_and_page(error_reason, status):
    response = failure(error_reason, "why")
    assert (response.status, response.error_reason) == (status, error_reason)
    assert response.reason == pages.reason(status)
    assert response.body == pages.page(status).encode()
    assert response.detail == "why"
    assert b"why" not in encode(response)
    assert f"\r\nx-albatross-error: {error_reason}\r\n".encode() in encode(response)


def test_a_page_of_the_load_balancer_is_encoded_as_it_is_seen_live():
    data = encode(error_page(503, "the target group has no target"))
    assert data == (
        b"HTTP/1.1 503 Service Temporarily Unavailable\r\nServer: awselb/2.0\r\n"
        b"Content-Type: text/html\r\nx-albatross-error: none\r\nContent-Length: 162\r\n\r\n"
        b"<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>\r\n"
        b"<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n</body>\r\n</html>\r\n"
    )


def test_a_page_without_an_error_reason_has_none():
    assert error_page(504, "the idle timeout").error_reason is None


@pytest.mark.parametrize(
    ("error_type", "error_reason"),
    [
        ("TooManyRequestsException", "LambdaThrottling"),
        ("ResourceNotFoundException", "LambdaResourceNotFound"),
        ("AccessDeniedException", "LambdaAccessDenied"),
        ("RequestTooLargeException", "LambdaRequestTooLarge"),
        ("InvalidRequestContentException", "LambdaBadRequest"),
        ("ServiceException", "LambdaServiceException"),
        ("EC2AccessDeniedException", "LambdaEC2AccessDeniedException"),
        ("EC2ThrottledException", "LambdaEC2ThrottledException"),
        ("EC2UnexpectedException", "LambdaEC2UnexpectedException"),
        ("ENILimitReachedException", "LambdaENILimitReachedException"),
        ("InvalidRuntimeException", "LambdaInvalidRuntimeException"),
        ("InvalidSecurityGroupIDException", "LambdaInvalidSecurityGroupIDException"),
        ("InvalidSubnetIDException", "LambdaInvalidSubnetIDException"),
        ("InvalidZipFileException", "LambdaInvalidZipFileException"),
        ("KMSAccessDeniedException", "LambdaKMSAccessDeniedException"),
        ("KMSDisabledException", "LambdaKMSDisabledException"),
        ("KMSInvalidStateException", "LambdaKMSInvalidStateException"),
        ("KMSNotFoundException", "LambdaKMSNotFoundException"),
        (
            "SubnetIPAddressLimitReachedException",
            "LambdaSubnetIPAddressLimitReachedException",
        ),
        pytest.param("SnapStartException", "LambdaServiceException", id="no reason of its own"),
    ],
)
def test_an_error_of_the_invoke_api_has_a_matching_error_reason(error_type, error_reason):
    assert from_error_type(error_type) == error_reason
