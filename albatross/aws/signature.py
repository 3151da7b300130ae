"""Who calls and what for: read from the request's signature, which `verify` verifies or nobody.

Source: AWS Signature Version 4, header and presigned; Version 4A, whose scope has no Region.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from albatross.aws import query
from albatross.aws.errors import IncompleteSignature, Problem, Refused
from albatross.aws.http import Request
from albatross.model.arn import Scope
from albatross.model.errors import AwsError

_CREDENTIAL = re.compile(r"Credential=([^\s,]+)")
_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z0-9-]{1,32}")
_PARAMETERS = ("Credential", "Signature", "SignedHeaders")
_QUERY_PARAMETERS = (
    *("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders"),
    "X-Amz-Date",
)


@dataclass(frozen=True, slots=True)
class Caller:
    """`service` is the signing name, say `elasticloadbalancing`; None without a signature."""

    service: str | None
    scope: Scope


@dataclass(frozen=True, slots=True)
class Sent:
    """A signature as it was sent. `expires_s`: of a presigned request, as sent, if it says."""

    algorithm: str
    credential: str
    signed_headers: tuple[str, ...]  # in lower case, in order, each once
    signature: str = field(repr=False)
    date: str
    token: str | None = field(repr=False)
    expires_s: str | None = None

    @property
    def signed_at(self) -> datetime | None:
        """The time in `date`, in UTC; None where it cannot be read."""
        if re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", self.date):
            try:
                return datetime.strptime(self.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            except ValueError:
                return None
        try:
            found = parsedate_to_datetime(self.date)
            # `-0000` is Universal Time too, of a place that is not told [RFC 5322, 3.3].
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        except (ValueError, OverflowError):  # the latter at the ends of what a date can be
            return None


def caller(headers: Mapping[str, str], fields: Mapping[str, str], default: Scope) -> Caller:
    """Return who signed the request and for which service.

    The Region is that of the signature, else the default one; the account is the access key id
    where that is a 12-digit number, else the default one. Raises IncompleteSignature.
    """
    credential = _credential(headers, fields)
    if credential is None:
        return Caller(None, default)
    access_key, *rest = credential.split("/")
    if len(rest) == 4 and rest[-1] == "aws4_request":
        _, region, service, _ = rest
    elif len(rest) == 3 and rest[-1] == "aws4_request":  # Version 4A
        _, service, _ = rest
        region = default.region
    else:
        raise IncompleteSignature(
            "The credential of the signature must have the form "
            "ACCESS_KEY_ID/DATE/REGION/SERVICE/aws4_request"
        )
    if not _REGION.fullmatch(region):
        raise IncompleteSignature(f"'{region}' in the credential of the signature is no Region")
    return Caller(service, Scope(account_of(access_key) or default.account, region))


def service_of(request: Request) -> str | None:
    """Return the service that the signature of `request` names, None where it names none."""
    try:
        fields = query.form(request.query)
        return caller(request.headers, fields, Scope("", "")).service
    except AwsError:
        return None


def account_of(access_key_id: str) -> str | None:
    """Return the account that an access key id names: one that is itself 12 digits."""
    return access_key_id if _ACCOUNT.fullmatch(access_key_id) else None


def _credential(headers: Mapping[str, str], fields: Mapping[str, str]) -> str | None:
    authorization = headers.get("authorization", "")
    if authorization.startswith("AWS4-"):
        match = _CREDENTIAL.search(authorization)
        if match is None:
            raise IncompleteSignature("Authorization header requires 'Credential' parameter.")
        return match[1]
    return fields.get("X-Amz-Credential")


def sent(request: Request) -> Sent:
    """Return the signature of `request`, complete. Raises Refused, MalformedQueryString."""
    authorization = request.headers.get("authorization", "")
    fields = query.form(request.query)
    in_query = any(name in fields for name in ("X-Amz-Algorithm", "X-Amz-Signature"))
    if authorization.startswith("AWS4-"):
        if in_query:
            raise Refused(
                Problem.INCOMPLETE,
                "The request has two signatures, one in the Authorization header and one in the "
                "query string. Send one.",
            )
        return _in_header(authorization, request.headers)
    if in_query:
        return _in_query(fields)
    raise Refused(Problem.MISSING, "Request is missing Authentication Token")


def _in_header(authorization: str, headers: Mapping[str, str]) -> Sent:
    algorithm, _, rest = authorization.partition(" ")
    # What a user put there by mistake may be a secret: the message shows its hash, as AWS does.
    digest = base64.b64encode(hashlib.sha256(authorization.encode()).digest()).decode()
    found: dict[str, str] = {}
    for part in filter(None, re.split(r"[,\s]+", rest)):
        name, equals, value = part.partition("=")
        if not equals or name in found:
            fault = "name that is there twice" if equals else "key=value pair (missing equal-sign)"
            raise Refused(
                Problem.INCOMPLETE,
                f"Invalid {fault} in Authorization header (hashed with SHA-256 and encoded with "
                f"Base64): '{digest}'.",
            )
        found[name] = value
    faults = [
        f"Authorization header requires '{name}' parameter. "
        for name in _PARAMETERS
        if not found.get(name)
    ]
    date = headers.get("x-amz-date") or headers.get("date")
    if not date:
        faults.append(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
        )
    if faults or not date:
        raise Refused(
            Problem.INCOMPLETE,
            f"{''.join(faults)}(Hashed with SHA-256 and encoded with Base64) "
            f"Authorization={digest}",
        )
    return Sent(
        algorithm=algorithm,
        credential=found["Credential"],
        signed_headers=_names(found["SignedHeaders"]),
        signature=found["Signature"],
        date=date,
        token=headers.get("x-amz-security-token"),
    )


def _in_query(fields: Mapping[str, str]) -> Sent:
    if not all(fields.get(name) for name in _QUERY_PARAMETERS):
        raise Refused(
            Problem.INCOMPLETE,
            "AWS query-string parameters must include 'X-Amz-Algorithm', 'X-Amz-Credential', "
            "'X-Amz-Signature', 'X-Amz-SignedHeaders' and 'X-Amz-Date'. "
            "Re-examine the query-string parameters.",
        )
    return Sent(
        algorithm=fields["X-Amz-Algorithm"],
        credential=fields["X-Amz-Credential"],
        signed_headers=_names(fields["X-Amz-SignedHeaders"]),
        signature=fields["X-Amz-Signature"],
        date=fields["X-Amz-Date"],
        token=fields.get("X-Amz-Security-Token"),
        expires_s=fields.get("X-Amz-Expires"),
    )


def _names(signed_headers: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip().lower() for name in signed_headers.split(";")))
