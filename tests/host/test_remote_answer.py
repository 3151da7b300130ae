import json

import pytest

from albatross.host import response
from albatross.host.invocation import Outcome
from albatross.host.remote_answer import outcome

SYNC = "RequestResponse"


def test_a_result_is_the_payload():
    assert outcome(SYNC, 200, {}, b'{"statusCode":200}') == Outcome(b'{"statusCode":200}')


@pytest.mark.parametrize("kind", ["Handled", "Unhandled"])
def test_an_error_of_the_function_is_told_by_a_header(kind):
    found = outcome(SYNC, 200, {"X-Amz-Function-Error": kind}, b'{"errorMessage":"x"}')
    assert found == Outcome(b'{"errorMessage":"x"}', function_error=kind)


@pytest.mark.parametrize(
    ("kind", "status"), [("Event", 202), ("Event", 200), ("DryRun", 204), ("DryRun", 200)]
)
def test_what_was_not_waited_for_has_no_result(kind, status):
    assert outcome(kind, status, {"X-Amz-Function-Error": "Unhandled"}, b"{}") == Outcome(b"")


@pytest.mark.parametrize(("kind", "status"), [("Event", 429), ("Event", 204), ("DryRun", 403)])
def test_what_was_not_accepted_elsewhere_is_an_error(kind, status):
    assert outcome(kind, status, {}, b"").api_error


def refused(code):
    return {"x-amzn-ErrorType": code}


@pytest.mark.parametrize(
    ("status", "headers", "body", "reason", "client_sees"),
    [
        (429, refused("TooManyRequestsException"), {}, "LambdaThrottling", 502),
        (400, refused("ThrottlingException"), {}, "LambdaThrottling", 502),
        (404, refused("ResourceNotFoundException"), {}, "LambdaResourceNotFound", 502),
        (403, refused("AccessDeniedException"), {}, "LambdaAccessDenied", 502),
        (403, refused("UnrecognizedClientException"), {}, "LambdaAccessDenied", 502),
        (403, refused("InvalidSignatureException"), {}, "LambdaAccessDenied", 502),
        (403, refused("ExpiredTokenException"), {}, "LambdaAccessDenied", 502),
        (413, refused("RequestTooLargeException"), {}, "LambdaRequestTooLarge", 413),
        (400, refused("InvalidRequestContentException"), {}, "LambdaBadRequest", 400),
        (500, refused("ServiceException"), {}, "LambdaServiceException", 502),
        (409, refused("ResourceConflictException"), {}, "LambdaServiceException", 502),
        (502, refused("ResourceNotReadyException"), {}, "LambdaServiceException", 502),
        *(
            (502, refused(name), {}, f"Lambda{name}", 502)
            for name in (
                *("EC2AccessDeniedException", "EC2ThrottledException", "EC2UnexpectedException"),
                *("ENILimitReachedException", "InvalidRuntimeException"),
                *("InvalidSecurityGroupIDException", "InvalidSubnetIDException"),
                *("InvalidZipFileException", "KMSAccessDeniedException", "KMSDisabledException"),
                *("KMSInvalidStateException", "KMSNotFoundException"),
                "SubnetIPAddressLimitReachedException",
            )
        ),
        (400, refused("ThrottlingException:http://internal/"), {}, "LambdaThrottling", 502),
        (400, {}, {"__type": "com.amazon#ThrottlingException"}, "LambdaThrottling", 502),
        (400, {}, {"code": "AccessDenied"}, "LambdaAccessDenied", 502),
        (401, {}, {}, "LambdaAccessDenied", 502),
        (403, {}, {}, "LambdaAccessDenied", 502),
        (404, {}, {}, "LambdaResourceNotFound", 502),
        (413, {}, {}, "LambdaRequestTooLarge", 413),
        (429, {}, {}, "LambdaThrottling", 502),
        (500, {}, {}, "LambdaServiceException", 502),
        (503, {}, {}, "LambdaServiceException", 502),
        (301, {}, {}, "LambdaServiceException", 502),
        (202, {}, {}, "LambdaServiceException", 502),
    ],
)
def test_an_error_of_the_api_has_the_load_balancers_reason(
    status, headers, body, reason, client_sees
):
    found = outcome(SYNC, status, headers, json.dumps({"Message": "why", **body}).encode())
    assert found.function_error is None
    assert found.payload == b"why"
    assert response.from_error_type(found.api_error) == reason
    assert response.failure(reason, "").status == client_sees


def test_who_is_throttled_is_told_the_reason():
    body = b'{"Reason":"ConcurrentInvocationLimitExceeded","message":"Rate Exceeded."}'
    headers = {"x-amzn-ErrorType": "TooManyRequestsException"}
    assert outcome(SYNC, 429, headers, body).payload == b"ConcurrentInvocationLimitExceeded"


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b'{"message":"small"}', b"small"),
        (b"<html>gateway</html>", b"<html>gateway</html>"),
        (b"", b"status 503"),
        (b"[1]", b"[1]"),
        (b"\xff" * 3000, ("\ufffd" * 1000).encode()),
    ],
)
def test_what_an_error_says_is_kept_in_any_form(payload, message):
    assert outcome(SYNC, 503, {}, payload).payload == message
