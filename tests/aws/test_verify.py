"""Signatures made by botocore, as they are and with each part of the request altered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from albatross.aws.access_keys import AccessKey, UnusableKeys
from albatross.aws.errors import Refused
from albatross.aws.http import Request
from albatross.aws.verify import Verifier
from albatross.model.arn import Scope

DEFAULT = Scope("123456789012", "us-east-1")
NOW = datetime(2026, 7, 10, 12, 0, tzinfo=UTC)
KEYS = {
    key.id: key
    for key in (
        AccessKey("AKIA1", "secret/+1", account="111111111111"),
        AccessKey("AKIA2", "secret2"),
        AccessKey("ASIA3", "secret3", "token3"),
        AccessKey("222222222222", "secret4"),
    )
}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
MISMATCH = "The request signature we calculated does not match the signature you provided."
NO_TOKEN = "The security token included in the request is invalid."


def verifier(now=NOW):
    return Verifier(lambda: KEYS, lambda: now)


def signed(
    key="AKIA1",
    *,
    method="POST",
    path="/",
    body=b"Action=DescribeLoadBalancers",
    service="elasticloadbalancing",
    signer=auth.SigV4Auth,
    at=NOW,
    token=None,
    headers=None,
    **options,
):
    """Return a request as botocore signs it at the time `at`."""
    secret = KEYS[key].secret if key in KEYS else "any"
    made = AWSRequest(method, f"http://127.0.0.1:4566{path}", headers or FORM, body)
    patched, auth.get_current_datetime = auth.get_current_datetime, lambda: at
    try:
        signer(Credentials(key, secret, token), service, "eu-west-1", **options).add_auth(made)
    finally:
        auth.get_current_datetime = patched
    lines = [(name.lower(), value) for name, value in made.headers.items()]
    url = urlsplit(made.url)
    data = made.data or b""
    return request(method, url.path, url.query, [("host", "127.0.0.1:4566"), *lines], data)


def request(method, path, query, lines, body):
    headers = {}
    for name, value in lines:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Request(method, path, query, headers, body, tuple(lines))


def with_lines(one, change):
    """Return `one` with each line of its head replaced by what `change` makes of it, or nothing."""
    lines = [new for line in one.lines if (new := change(*line)) is not None]
    return request(one.method, one.path, one.query, lines, one.body)


def presigned(**options):
    defaults = {"expires": 600, "body": {"Action": "DescribeLoadBalancers"}}
    return signed(method="GET", signer=auth.SigV4QueryAuth, **{**defaults, **options})


def refusal(one, *, now=NOW, expected="elasticloadbalancing", protocol="query"):
    with pytest.raises(Refused) as raised:
        verifier(now).verify(one, DEFAULT, expected)
    error = raised.value.error(protocol)
    return error.code, error.message


@pytest.mark.parametrize(
    ("one", "account"),
    [
        pytest.param(signed(), "111111111111", id="form"),
        pytest.param(signed("AKIA2"), "123456789012", id="a key without account"),
        pytest.param(signed("222222222222"), "222222222222", id="an id that is an account"),
        pytest.param(signed("ASIA3", token="token3"), "123456789012", id="session token"),
        pytest.param(presigned(body=None), "111111111111", id="presigned"),
        pytest.param(presigned(), "111111111111", id="presigned form"),
        pytest.param(
            presigned(key="ASIA3", token="token3"), "123456789012", id="presigned, session token"
        ),
        pytest.param(
            signed(method="GET", path="/2015-03-31/functions/arn%3Aaws%3Alambda%3A%241/", body=b""),
            "111111111111",
            id="encoded path, encoded once more to be signed",
        ),
        pytest.param(
            signed(method="GET", path="/x?b=2&a=1&b=1&c&d=%20%2B~", body=b""),
            "111111111111",
            id="query in any order, with a name twice and one without value",
        ),
        pytest.param(signed(headers={"X-Amz-A": "  a   b "}), "111111111111", id="white space"),
    ],
)
def test_what_a_known_key_has_signed_is_accepted(one, account):
    caller, accepted = verifier().verify(one, DEFAULT, "elasticloadbalancing")
    assert caller.scope == Scope(account, "eu-west-1")
    assert caller.service == "elasticloadbalancing"
    assert accepted == one


def test_the_values_of_a_repeated_header_are_signed_together():
    one = signed(headers={"X-Amz-A": "1,2"})
    twice = with_lines(one, lambda n, v: None if n == "x-amz-a" else (n, v))
    lines = [*twice.lines, ("x-amz-a", "1"), ("x-amz-a", " 2 ")]
    verifier().verify(request(one.method, one.path, one.query, lines, one.body), DEFAULT, None)
    lines.reverse()
    assert refusal(request(one.method, one.path, one.query, lines, one.body))[1].startswith(
        MISMATCH
    )


ONE = signed(path="/a?q=1", headers={**FORM, "X-Amz-Target": "T.Do"})


def in_head(name, old, new):
    return with_lines(ONE, lambda n, v: (n, v.replace(old, new) if n == name else v))


@pytest.mark.parametrize(
    "altered",
    [
        pytest.param(replace(ONE, method="GET"), id="method"),
        pytest.param(replace(ONE, path="/b"), id="path"),
        pytest.param(replace(ONE, path="/%61"), id="path in another encoding"),
        pytest.param(replace(ONE, path="/a#b"), id="path with a number sign"),
        pytest.param(replace(ONE, query="q=2"), id="value in the query"),
        pytest.param(replace(ONE, query="q=1&r=1"), id="more in the query"),
        pytest.param(replace(ONE, query=""), id="no query"),
        pytest.param(replace(ONE, body=ONE.body + b"&x=1"), id="body"),
        pytest.param(replace(ONE, body=b""), id="no body"),
        pytest.param(in_head("host", "127", "128"), id="host"),
        pytest.param(in_head("content-type", "utf", "itf"), id="content type"),
        pytest.param(in_head("x-amz-target", "Do", "Undo"), id="target"),
        pytest.param(in_head("x-amz-date", "120000", "120001"), id="time"),
        pytest.param(in_head("authorization", "eu-west-1", "eu-west-2"), id="Region"),
        pytest.param(in_head("authorization", "AKIA1/", "AKIA2/"), id="key id"),
        pytest.param(in_head("authorization", "content-type;", ""), id="a header unsigned"),
        pytest.param(in_head("authorization", "=content", "=a;content"), id="a header made up"),
        pytest.param(in_head("authorization", "Signature=", "Signature=0"), id="longer signature"),
        pytest.param(
            in_head("authorization", ONE.headers["authorization"][-64:], "0" * 64), id="signature"
        ),
        pytest.param(
            in_head("authorization", ONE.headers["authorization"][-64:], "é"), id="not ASCII"
        ),
        pytest.param(
            with_lines(ONE, lambda n, v: None if n == "content-type" else (n, v)),
            id="a signed header gone",
        ),
    ],
)
def test_a_request_that_was_altered_is_refused(altered):
    verifier().verify(ONE, DEFAULT, None)
    code, message = refusal(altered, expected=None)
    assert code == "SignatureDoesNotMatch"
    assert message.startswith(MISMATCH)


PRESIGNED = presigned()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("DescribeLoadBalancers", "DeleteRule", id="operation"),
        pytest.param("X-Amz-Expires=600", "X-Amz-Expires=604800", id="validity"),
        pytest.param("X-Amz-Signature=", "X-Amz-Signature=0", id="signature"),
        pytest.param("AKIA1", "AKIA2", id="key"),
        pytest.param("Action=", "Action=a&Action=", id="a field more"),
    ],
)
def test_a_presigned_request_that_was_altered_is_refused(old, new):
    verifier().verify(PRESIGNED, DEFAULT, None)
    assert old in PRESIGNED.query
    code, message = refusal(replace(PRESIGNED, query=PRESIGNED.query.replace(old, new)))
    assert (code, message[:40]) == ("SignatureDoesNotMatch", MISMATCH[:40])
    assert refusal(replace(PRESIGNED, body=b"Action=DeleteRule"))[0] == "SignatureDoesNotMatch"


def test_a_plus_sign_is_the_space_that_the_operation_reads():
    one = signed(method="GET", path="/x?a=1%202&b=%2B", body=b"")
    verifier().verify(replace(one, query="a=1+2&b=%2B"), DEFAULT, None)
    assert refusal(replace(one, query="a=1%202&b=+"), expected=None)[0] == "SignatureDoesNotMatch"


def authorization(value, **more):
    lines = [("host", "x"), ("x-amz-date", "20260710T120000Z"), ("authorization", value)]
    return request("POST", "/", "", [*lines, *more.items()], b"")


COMPLETE = "AWS4-HMAC-SHA256 Credential={}, SignedHeaders=host;x-amz-date, Signature=0"
SCOPE = "AKIA1/20260710/eu-west-1/elasticloadbalancing/aws4_request"


@pytest.mark.parametrize(
    ("one", "codes", "message"),
    [
        pytest.param(
            request("POST", "/", "", [("host", "x")], b""),
            ("MissingAuthenticationToken", "MissingAuthenticationTokenException"),
            "Request is missing Authentication Token",
            id="not signed",
        ),
        pytest.param(
            authorization("Bearer x"),
            ("MissingAuthenticationToken", "MissingAuthenticationTokenException"),
            "Request is missing Authentication Token",
            id="signed otherwise",
        ),
        pytest.param(
            authorization("AWS4-HMAC-SHA256 Credential=a, secret"),
            ("IncompleteSignature", "IncompleteSignatureException"),
            "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with",
            id="no pairs",
        ),
        pytest.param(
            authorization("AWS4-HMAC-SHA256 Credential=a, Credential=b"),
            ("IncompleteSignature", "IncompleteSignatureException"),
            "Invalid name that is there twice in Authorization header",
            id="a name twice",
        ),
        pytest.param(
            authorization("AWS4-HMAC-SHA256 Credential=a"),
            ("IncompleteSignature", "IncompleteSignatureException"),
            "Authorization header requires 'Signature' parameter. "
            "Authorization header requires 'SignedHeaders' parameter. (Hashed",
            id="parameters missing",
        ),
        pytest.param(
            request("POST", "/", "", [("authorization", COMPLETE.format(SCOPE))], b""),
            ("IncompleteSignature", "IncompleteSignatureException"),
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
            id="no date",
        ),
        pytest.param(
            authorization(COMPLETE.format(SCOPE).replace("host;", "")),
            ("SignatureDoesNotMatch", "InvalidSignatureException"),
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
            id="host not signed",
        ),
        pytest.param(
            authorization(COMPLETE.format(SCOPE), **{"x-amz-target": "T.Delete"}),
            ("SignatureDoesNotMatch", "InvalidSignatureException"),
            "There were headers present in the request which were not signed: x-amz-target",
            id="operation not signed",
        ),
        pytest.param(
            authorization(COMPLETE.format(SCOPE).replace("HMAC-SHA256", "ECDSA-P256-SHA256")),
            ("IncompleteSignature", "IncompleteSignatureException"),
            "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256' (only AWS4-HMAC-SHA256 for now)",
            id="Version 4A",
        ),
        pytest.param(
            authorization(COMPLETE.format("AKIA1/20260710/eu-west-1")),
            ("IncompleteSignature", "IncompleteSignatureException"),
            "Credential must have exactly 5 slash-delimited elements, e.g. "
            "keyid/date/region/service/term, got 'AKIA1/20260710/eu-west-1'",
            id="scope too short",
        ),
        pytest.param(
            authorization(COMPLETE.format("AKIA1/20260711/EU/lambda/aws5")),
            ("SignatureDoesNotMatch", "InvalidSignatureException"),
            "Credential should be scoped to a valid region, not 'EU'. "
            "Credential should be scoped to correct service: 'elasticloadbalancing'. "
            "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5'. "
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
            "HTTP: '20260711' != '20260710', from '20260710T120000Z'.",
            id="another scope",
        ),
        pytest.param(
            signed("AKIA9"),
            ("InvalidClientTokenId", "UnrecognizedClientException"),
            NO_TOKEN,
            id="unknown key",
        ),
        pytest.param(
            signed("ASIA3"),
            ("InvalidClientTokenId", "UnrecognizedClientException"),
            NO_TOKEN,
            id="session token missing",
        ),
        pytest.param(
            signed("ASIA3", token="token4"),
            ("InvalidClientTokenId", "UnrecognizedClientException"),
            NO_TOKEN,
            id="another session token",
        ),
        pytest.param(
            signed(token="token3"),
            ("InvalidClientTokenId", "UnrecognizedClientException"),
            NO_TOKEN,
            id="session token of a key without one",
        ),
        pytest.param(
            request("GET", "/", "X-Amz-Signature=0&X-Amz-Credential=a", [("host", "x")], b""),
            ("IncompleteSignature", "IncompleteSignatureException"),
            "AWS query-string parameters must include 'X-Amz-Algorithm',",
            id="presigned, parameters missing",
        ),
        pytest.param(
            replace(signed(), query="X-Amz-Signature=0"),
            ("IncompleteSignature", "IncompleteSignatureException"),
            "The request has two signatures,",
            id="two signatures",
        ),
        pytest.param(
            presigned(expires=604_801),
            ("IncompleteSignature", "IncompleteSignatureException"),
            "X-Amz-Expires must be a number of seconds from 1 to 604800",
            id="presigned for more than a week",
        ),
        pytest.param(
            presigned(expires=0),
            ("IncompleteSignature", "IncompleteSignatureException"),
            "X-Amz-Expires must be",
            id="presigned for no time",
        ),
        pytest.param(
            signed(headers={**FORM, "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}),
            ("SignatureDoesNotMatch", "InvalidSignatureException"),
            "The x-amz-content-sha256 'UNSIGNED-PAYLOAD' is not supported: sign the body.",
            id="body not signed",
        ),
        pytest.param(
            signed(headers={"X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}),
            ("SignatureDoesNotMatch", "InvalidSignatureException"),
            "The x-amz-content-sha256 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' is not supported",
            id="chunks not signed",
        ),
        pytest.param(
            signed(headers={**FORM, "X-Amz-Content-SHA256": "0" * 64}),
            ("SignatureDoesNotMatch", "InvalidSignatureException"),
            MISMATCH,
            id="the hash of another body",
        ),
    ],
)
def test_what_is_wrong_with_a_signature_is_said_in_the_words_of_aws(one, codes, message):
    for protocol, code in zip(("query", "rest-json"), codes, strict=True):
        found, text = refusal(one, protocol=protocol)
        assert found == code
        assert text.startswith(message)


@pytest.mark.parametrize(
    ("one", "after_s", "message"),
    [
        pytest.param(signed(), 300, None, id="5 minutes old"),
        pytest.param(
            signed(),
            301,
            "Signature expired: 20260710T120000Z is now earlier than 20260710T120001Z "
            "(20260710T120501Z - 5 min.)",
            id="older",
        ),
        pytest.param(signed(), -300, None, id="a clock 5 minutes ahead"),
        pytest.param(
            signed(),
            -301,
            "Signature not yet current: 20260710T120000Z is still later than 20260710T115959Z "
            "(20260710T115459Z + 5 min.)",
            id="a clock further ahead",
        ),
        pytest.param(presigned(), 600, None, id="presigned, to its end"),
        pytest.param(
            presigned(expires=90),
            91,
            "Signature expired: 20260710T120000Z is now earlier than 20260710T120001Z "
            "(20260710T120131Z - 90 sec.)",
            id="presigned, over",
        ),
        pytest.param(presigned(), -301, "Signature not yet current: ", id="presigned, to come"),
    ],
)
def test_a_signature_is_good_for_a_time(one, after_s, message):
    now = NOW + timedelta(seconds=after_s)
    if message is None:
        verifier(now).verify(one, DEFAULT, None)
    else:
        code, text = refusal(one, now=now)
        assert code == "SignatureDoesNotMatch"
        assert text.startswith(message)


def test_a_date_header_will_do():
    one = signed(headers={**FORM, "Date": "x"})
    assert "x-amz-date" not in one.headers
    verifier().verify(one, DEFAULT, None)
    for date in ("yesterday", "Fri, 31 Dec 9999 23:59:59 -2300", "20261399T000000Z"):
        lost = with_lines(one, lambda n, v, date=date: (n, date if n == "date" else v))
        assert refusal(lost)[1].startswith(
            f"Date must be in ISO-8601 'basic format'. Got '{date}'."
        )


def test_without_readable_keys_nobody_is_let_in():
    def unreadable():
        raise UnusableKeys("/secret/path: gone")

    with pytest.raises(Refused) as raised:
        Verifier(unreadable, lambda: NOW).verify(signed(), DEFAULT, None)
    assert raised.value.error("query").code == "ServiceUnavailable"
    assert "/secret/path" not in raised.value.error("query").message


def test_no_secret_is_in_a_text():
    texts = [repr(KEYS["ASIA3"]), repr(verifier()), repr(signed("ASIA3", token="token3"))]
    assert not [text for text in texts if "secret3" in text or "token3" in text]
