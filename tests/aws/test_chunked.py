"""Bodies in signed chunks.

The numbers are those of the example in the S3 API's page "Transferring payload in multiple chunks".
"""

import hashlib
from datetime import UTC, datetime

import pytest

from albatross.aws.access_keys import AccessKey
from albatross.aws.errors import Refused
from albatross.aws.http import Request
from albatross.aws.verify import Verifier
from albatross.model.arn import Scope

DEFAULT = Scope("123456789012", "us-east-1")
EXAMPLE = AccessKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
SIGNATURES = (
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
CHUNKS = b"".join(
    b"%x;chunk-signature=%s\r\n%s\r\n" % (size, signature.encode(), b"a" * size)
    for size, signature in zip((65_536, 1_024, 0), SIGNATURES, strict=True)
)


def in_chunks(body):
    """Return the example's request."""
    lines = [
        ("host", "s3.amazonaws.com"),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("x-amz-decoded-content-length", "66560"),
        ("content-length", "66824"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
            "x-amz-decoded-content-length;x-amz-storage-class,"
            "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        ),
    ]
    return Request("PUT", "/examplebucket/chunkObject.txt", "", dict(lines), body, tuple(lines))


def of_example():
    return Verifier(lambda: {EXAMPLE.id: EXAMPLE}, lambda: datetime(2013, 5, 24, tzinfo=UTC))


def test_a_body_in_signed_chunks_is_verified_and_put_together():
    _, accepted = of_example().verify(in_chunks(CHUNKS), DEFAULT, None)
    assert hashlib.sha256(accepted.body).digest() == hashlib.sha256(b"a" * 66_560).digest()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(CHUNKS.replace(b"\r\naa", b"\r\nba", 1), id="a byte"),
        pytest.param(CHUNKS.replace(b"0055", b"0056"), id="a signature"),
        pytest.param(CHUNKS[: CHUNKS.rindex(b"0;chunk")], id="no last chunk"),
        pytest.param(CHUNKS + b"0", id="more after the last chunk"),
        pytest.param(CHUNKS[-87:], id="only the last chunk"),
        pytest.param(CHUNKS[:-1], id="cut short"),
        pytest.param(b"ffffffff" + CHUNKS[5:], id="a size beyond the end"),
        pytest.param(b"a" * 66_560, id="no chunks"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_body_in_chunks_that_was_altered_is_refused(body):
    with pytest.raises(Refused) as raised:
        of_example().verify(in_chunks(body), DEFAULT, None)
    assert raised.value.error("query").message.startswith("The request signature we calculated")
