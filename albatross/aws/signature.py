"""Who calls and what for: read from the request's signature, which is not verified.

Source: AWS Signature Version 4, header and presigned; Version 4A, whose scope has no Region.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from albatross.aws.errors import IncompleteSignature
from albatross.model.arn import Scope

_CREDENTIAL = re.compile(r"Credential=([^\s,]+)")
_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z0-9-]{1,32}")


@dataclass(frozen=True, slots=True)
class Caller:
    """`service` is the signing name, say `elasticloadbalancing`; None without a signature."""

    service: str | None
    scope: Scope


def caller(headers: Mapping[str, str], query: Mapping[str, str], default: Scope) -> Caller:
    """Return who signed the request and for which service.

    The Region is that of the signature, else the default one; the account is the access key id
    where that is a 12-digit number, else the default one. Raises IncompleteSignature.
    """
    credential = _credential(headers, query)
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
    account = access_key if _ACCOUNT.fullmatch(access_key) else default.account
    return Caller(service, Scope(account, region))


def _credential(headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
    authorization = headers.get("authorization", "")
    if authorization.startswith("AWS4-"):
        match = _CREDENTIAL.search(authorization)
        if match is None:
            raise IncompleteSignature("Authorization header requires 'Credential' parameter.")
        return match[1]
    return query.get("X-Amz-Credential")
