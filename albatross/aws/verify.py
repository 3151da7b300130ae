"""Whether a request was signed by one of the access keys that the server knows.

botocore's signer makes the canonical request and the signature, which are then compared. What a
client learns is what AWS tells, in AWS's order. Source: IAM User Guide, "AWS Signature Version 4
for API requests"; STS and Lambda API, "Common errors".
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from albatross.aws import chunked, query
from albatross.aws.access_keys import AccessKey, UnusableKeys
from albatross.aws.errors import Problem, Refused
from albatross.aws.http import Request
from albatross.aws.signature import Caller, Sent, account_of, sent
from albatross.model.arn import Scope

if TYPE_CHECKING:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

ALGORITHM = "AWS4-HMAC-SHA256"
SKEW = timedelta(minutes=5)  # [IAM] "must reach AWS within five minutes of the time stamp"
EXPIRES_S_MAX = 604_800  # a week
_STAMP = "%Y%m%dT%H%M%SZ"
_REGION = re.compile(r"[a-z0-9-]{1,32}")
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details."
)
_BAD_TOKEN = "The security token included in the request is invalid."


@dataclass(frozen=True, slots=True)
class _Credential:
    """The parts of ACCESS_KEY_ID/DATE/REGION/SERVICE/aws4_request."""

    key_id: str
    date: str
    region: str
    service: str
    terminator: str

    @property
    def scope(self) -> str:
        return "/".join((self.date, self.region, self.service, self.terminator))


@dataclass(frozen=True, slots=True)
class Claim:
    """That `key` has made `signature` at the time `timestamp`."""

    signature: Sent
    timestamp: str
    credential: _Credential
    key: AccessKey


@dataclass(frozen=True, slots=True)
class Verifier:
    """Accepts what `keys` have signed. `keys` returns them by id, or raises UnusableKeys."""

    keys: Callable[[], Mapping[str, AccessKey]] = field(repr=False)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def recognise(self, request: Request, expected: str | None) -> Claim:
        """Return what the head of `request` claims, once all but the signature itself is right.

        `expected` is the signing name of the service that the request is for, None: any will do.
        Raises Refused.
        """
        signature = sent(request)
        timestamp = self._check_time(signature)
        _check_signed_headers(request, signature)
        if signature.algorithm != ALGORITHM:
            # differs from AWS: with `auth`, requests signed with Version 4A are refused.
            raise Refused(
                Problem.INCOMPLETE,
                f"Unsupported AWS 'algorithm': '{signature.algorithm[:32]}' (only {ALGORITHM} for "
                "now). ",
            )
        credential = _credential(signature, timestamp, expected)
        return Claim(signature, timestamp, credential, self._key(credential.key_id))

    def verify(
        self, request: Request, default: Scope, expected: str | None
    ) -> tuple[Caller, Request]:
        """Return who made `request`, and the request with its body decoded. Raises Refused."""
        claim = self.recognise(request, expected)
        body = _verified_body(request, claim)
        key, credential = claim.key, claim.credential
        if not _is_same(claim.signature.token or "", key.token or ""):
            raise Refused(Problem.UNKNOWN_KEY, _BAD_TOKEN)
        account = key.account or account_of(key.id) or default.account
        caller = Caller(credential.service, Scope(account, credential.region))
        return caller, replace(request, body=body)

    def _key(self, key_id: str) -> AccessKey:
        try:
            key = self.keys().get(key_id)
        except UnusableKeys:
            raise Refused(
                Problem.UNAVAILABLE,
                "The server's access keys cannot be read; its log says why.",
            ) from None
        if key is None:
            raise Refused(Problem.UNKNOWN_KEY, _BAD_TOKEN)
        return key

    def _check_time(self, signature: Sent) -> str:
        """Return the time of the signature as it is signed. Raises Refused where it is not now."""
        at = signature.signed_at
        if at is None:
            raise Refused(
                Problem.INCOMPLETE,
                f"Date must be in ISO-8601 'basic format'. Got '{signature.date[:64]}'. "
                "See http://en.wikipedia.org/wiki/ISO_8601",
            )
        now = self.clock()
        validity = _validity(signature.expires_s)
        if at < now - validity:
            raise Refused(
                Problem.MISMATCH,
                f"Signature expired: {at:{_STAMP}} is now earlier than {now - validity:{_STAMP}} "
                f"({now:{_STAMP}} - {_words(validity)})",
            )
        if at > now + SKEW:
            raise Refused(
                Problem.MISMATCH,
                f"Signature not yet current: {at:{_STAMP}} is still later than "
                f"{now + SKEW:{_STAMP}} ({now:{_STAMP}} + {_words(SKEW)})",
            )
        return f"{at:{_STAMP}}"


def _validity(expires_s: str | None) -> timedelta:
    if expires_s is None:
        return SKEW
    if not re.fullmatch("[0-9]{1,6}", expires_s) or not 1 <= int(expires_s) <= EXPIRES_S_MAX:
        # AWS is silent: X-Amz-Expires out of 1 to 604800 seconds is refused as an incomplete
        # signature by services other than S3.
        raise Refused(
            Problem.INCOMPLETE,
            f"X-Amz-Expires must be a number of seconds from 1 to {EXPIRES_S_MAX} (a week)",
        )
    return timedelta(seconds=int(expires_s))


def _words(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    return f"{seconds} sec." if seconds % 60 else f"{seconds // 60} min."


def _check_signed_headers(request: Request, signature: Sent) -> None:
    """Raise Refused where a header that says what is to be done is not signed."""
    signed = set(signature.signed_headers)
    if "host" not in signed:
        raise Refused(
            Problem.MISMATCH,
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        )
    unsigned = sorted(n for n in request.headers if n.startswith("x-amz-") and n not in signed)
    if unsigned:
        raise Refused(
            Problem.MISMATCH,
            "There were headers present in the request which were not signed: "
            + ", ".join(unsigned)[:256],
        )


def _credential(signature: Sent, timestamp: str, expected: str | None) -> _Credential:
    parts = signature.credential.rstrip("/").split("/")
    if len(parts) != 5:
        raise Refused(
            Problem.INCOMPLETE,
            "Credential must have exactly 5 slash-delimited elements, e.g. "
            f"keyid/date/region/service/term, got '{signature.credential[:256]}'",
        )
    credential = _Credential(*parts)
    faults = []
    if not _REGION.fullmatch(credential.region):
        faults.append(f"Credential should be scoped to a valid region, not '{credential.region}'. ")
    if expected is not None and credential.service != expected:
        faults.append(f"Credential should be scoped to correct service: '{expected}'. ")
    if credential.terminator != "aws4_request":
        faults.append(
            "Credential should be scoped with a valid terminator: 'aws4_request', not "
            f"'{credential.terminator}'. "
        )
    if credential.date != timestamp[:8]:
        faults.append(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
            f"HTTP: '{credential.date}' != '{timestamp[:8]}', from '{timestamp}'."
        )
    if faults:
        raise Refused(Problem.MISMATCH, "".join(faults)[:512])
    return credential


def _verified_body(request: Request, claim: Claim) -> bytes:
    """Return the body, decoded if it is in chunks, once all is as it was signed. Raises Refused."""
    signature = claim.signature
    payload = request.headers.get("x-amz-content-sha256", "")
    in_chunks = payload == chunked.SIGNED_CHUNKS
    if not in_chunks and payload.startswith(("UNSIGNED-", "STREAMING-")):
        # AWS is silent: bodies that are not signed are refused by services other than S3.
        raise Refused(
            Problem.MISMATCH,
            f"The x-amz-content-sha256 '{payload[:64]}' is not supported: sign the body.",
        )
    digest = payload if in_chunks else hashlib.sha256(request.body).hexdigest()
    signer = _signer(claim, request)
    ours = _to_sign(request, digest, claim.timestamp)
    canonical = signer.canonical_request(ours)
    expected = signer.signature(signer.string_to_sign(ours, canonical), ours)
    if not _is_same(expected, signature.signature):
        raise Refused(Problem.MISMATCH, _MISMATCH)
    if not in_chunks:
        return request.body
    try:
        decoded = chunked.decode(
            request.body,
            signature.signature,
            lambda text: str(signer.signature(text, ours)),
            claim.timestamp,
            claim.credential.scope,
        )
    except chunked.BadChunks:
        raise Refused(Problem.MISMATCH, _MISMATCH) from None
    if request.headers.get("x-amz-decoded-content-length", str(len(decoded))) != str(len(decoded)):
        raise Refused(Problem.MISMATCH, _MISMATCH)
    return decoded


def _signer(claim: Claim, request: Request) -> "SigV4Auth":
    # Memory: only a server that verifies signatures needs these.
    from botocore.auth import SigV4Auth
    from botocore.compat import HTTPHeaders
    from botocore.credentials import Credentials

    class Signer(SigV4Auth):
        """Signs the headers that the client has signed; botocore's own choice is another."""

        def headers_to_sign(self, _: "AWSRequest") -> "HTTPHeaders":
            chosen = HTTPHeaders()
            for name in claim.signature.signed_headers:
                # One that is not there is as one that is empty: the signature will not match.
                for value in [v for n, v in request.lines if n == name] or [""]:
                    chosen[name] = value.encode("latin-1").decode(errors="replace")
            return chosen

    credentials = Credentials(claim.key.id, claim.key.secret)
    return Signer(credentials, claim.credential.service, claim.credential.region)


def _to_sign(request: Request, digest: str, timestamp: str) -> "AWSRequest":
    """Return `request` as botocore's signer takes it, the query read as the operation reads it.

    The path is encoded once more by the signer, as all services but S3 want it.
    """
    from botocore.awsrequest import AWSRequest

    fields = [pair for pair in query.pairs(request.query) if pair[0] != "X-Amz-Signature"]
    path = "/" + request.path.replace("#", "%23").removeprefix("/")  # `*` is a path, too
    made = AWSRequest(
        method=request.method,
        url=f"http://localhost{path}?{urlencode(fields, quote_via=quote)}",
        headers={"X-Amz-Content-SHA256": digest},
    )
    made.context["timestamp"] = timestamp
    return made


def _is_same(one: str, other: str) -> bool:
    """Compare in a time that does not say how much of them is the same."""
    return hmac.compare_digest(one.encode(), other.encode())
