"""Service, Region and account from the signature."""

import pytest

from albatross.aws.errors import IncompleteSignature
from albatross.aws.signature import Caller, caller
from albatross.model.arn import Scope

DEFAULT = Scope("123456789012", "us-east-1")


def header(credential):
    return {
        "authorization": f"AWS4-HMAC-SHA256 Credential={credential}, Signature=0",
    }


@pytest.mark.parametrize(
    ("headers", "query", "expected"),
    [
        pytest.param({}, {}, Caller(None, DEFAULT), id="no signature"),
        pytest.param({"authorization": "Bearer x"}, {}, Caller(None, DEFAULT), id="not AWS's"),
        pytest.param(
            header("AKIA/20260101/eu-west-1/lambda/aws4_request"),
            {},
            Caller("lambda", Scope("123456789012", "eu-west-1")),
            id="Region of the signature, default account",
        ),
        pytest.param(
            header("999999999999/20260101/eu-west-1/sts/aws4_request"),
            {},
            Caller("sts", Scope("999999999999", "eu-west-1")),
            id="account as access key",
        ),
        pytest.param(
            header("9999999999999/20260101/eu-west-1/sts/aws4_request"),
            {},
            Caller("sts", Scope("123456789012", "eu-west-1")),
            id="13 digits are no account",
        ),
        pytest.param(
            {},
            {"X-Amz-Credential": "999999999999/20260101/eu-west-1/sts/aws4_request"},
            Caller("sts", Scope("999999999999", "eu-west-1")),
            id="presigned",
        ),
        pytest.param(
            {"authorization": "AWS4-ECDSA-P256-SHA256 Credential=A/20260101/sts/aws4_request, x"},
            {},
            Caller("sts", DEFAULT),
            id="Version 4A has no Region",
        ),
    ],
)
def test_the_signature_says_who_calls_what(headers, query, expected):
    assert caller(headers, query, DEFAULT) == expected


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"authorization": "AWS4-HMAC-SHA256 Signature=0"}, id="no credential"),
        pytest.param(header("AKIA"), id="no scope"),
        pytest.param(header("A/20260101/us-east-1/lambda/other"), id="wrong end"),
        pytest.param(header("A/20260101/US:EAST/lambda/aws4_request"), id="no Region"),
    ],
)
def test_a_damaged_signature_is_refused(headers):
    with pytest.raises(IncompleteSignature):
        caller(headers, {}, DEFAULT)
