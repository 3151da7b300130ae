"""Groups and streams by what a call says of them. Source: CloudWatch Logs API reference."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from albatross.log_store.files import LogFiles, OpenGroup
from albatross.model.arn import Scope
from albatross.model.errors import (
    InvalidParameterException,
    ResourceNotFoundException,
    ValidationException,
)

_ARN = re.compile(r"arn:aws:logs:([a-z0-9-]+):([0-9]{12}):log-group:([.\-_/#A-Za-z0-9]+)(:\*)?")


def group_arn(scope: Scope, name: str) -> str:
    return f"arn:aws:logs:{scope.region}:{scope.account}:log-group:{name}"


def stream_arn(scope: Scope, group: str, stream: str) -> str:
    return f"{group_arn(scope, group)}:log-stream:{stream}"


def by_name(files: LogFiles, scope: Scope, name: str) -> OpenGroup:
    """Return a group. Raises ResourceNotFoundException."""
    found = files.group(scope, name)
    if found is None:
        raise ResourceNotFoundException("The specified log group does not exist.")
    return found


def by_identifier(files: LogFiles, scope: Scope, identifier: str) -> OpenGroup:
    """Return a group by its name or ARN. Raises ResourceNotFoundException."""
    name = identifier
    if identifier.startswith("arn:"):
        match = _ARN.fullmatch(identifier)
        if match is None:
            raise InvalidParameterException(f"{identifier} is not the ARN of a log group.")
        if Scope(match[2], match[1]) != scope:
            raise ResourceNotFoundException("The specified log group does not exist.")
        name = match[3]
    return by_name(files, scope, name)


def find(files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> OpenGroup:
    """Return the group that `logGroupName` or `logGroupIdentifier` names.

    Raises ResourceNotFoundException, InvalidParameterException, ValidationException.
    """
    name, identifier = params.get("logGroupName"), params.get("logGroupIdentifier")
    if name is not None and identifier is not None:
        raise ValidationException(
            "LogGroup name and LogGroup ARN are mutually exclusive parameters."
        )
    if name is None and identifier is None:
        raise InvalidParameterException("One of logGroupName and logGroupIdentifier must be given.")
    return by_identifier(files, scope, name or identifier or "")


def stream_missing() -> ResourceNotFoundException:
    return ResourceNotFoundException("The specified log stream does not exist.")


def token(*parts: object) -> str:
    """Return a token that says where a list goes on."""
    return base64.urlsafe_b64encode("\n".join(map(str, parts)).encode()).decode()


def parts_of(token: str, count: int) -> list[str]:
    """Return what `token` was made of. Raises InvalidParameterException."""
    try:
        parts = base64.b64decode(token, altchars=b"-_", validate=True).decode().split("\n")
    except (binascii.Error, UnicodeDecodeError):
        parts = []
    if len(parts) != count:
        raise bad_token()
    return parts


def number(part: str) -> int:
    """Return the number that a part of a token is. Raises InvalidParameterException."""
    if not re.fullmatch("[0-9]{1,29}", part):
        raise bad_token()
    return int(part)


def bad_token() -> InvalidParameterException:
    return InvalidParameterException("The specified nextToken is invalid.")
