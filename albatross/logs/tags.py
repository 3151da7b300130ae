"""Tags of log groups, by ARN and, as before 2022, by name. Source: CloudWatch Logs API."""

from collections.abc import Mapping
from typing import Any

from albatross.log_store.files import LogFiles, OpenGroup
from albatross.logs import lookup
from albatross.model.arn import Scope
from albatross.model.errors import (
    InvalidParameterException,
    ResourceNotFoundException,
    TooManyTagsException,
)

TAGS_MAX = 50


def tag_resource(files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
    """TagResource. Raises ResourceNotFoundException, TooManyTagsException."""
    return _tag(files, _by_arn(files, scope, params), params["tags"])


def untag_resource(files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
    """UntagResource. Raises ResourceNotFoundException."""
    return _untag(files, _by_arn(files, scope, params), params["tagKeys"])


def list_tags_for_resource(
    files: LogFiles, scope: Scope, params: Mapping[str, Any]
) -> dict[str, Any]:
    """ListTagsForResource. Raises ResourceNotFoundException."""
    return {"tags": dict(_by_arn(files, scope, params).group.tags)}


def tag_log_group(files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
    """TagLogGroup. Raises ResourceNotFoundException, InvalidParameterException."""
    return _tag(files, lookup.by_name(files, scope, params["logGroupName"]), params["tags"])


def untag_log_group(files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
    """UntagLogGroup. Raises ResourceNotFoundException."""
    return _untag(files, lookup.by_name(files, scope, params["logGroupName"]), params["tags"])


def list_tags_log_group(files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
    """ListTagsLogGroup. Raises ResourceNotFoundException."""
    return {"tags": dict(lookup.by_name(files, scope, params["logGroupName"]).group.tags)}


def merged(present: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Return the tags `present` with those of `new`.

    Raises InvalidParameterException for a reserved key, TooManyTagsException.
    """
    if any(key.lower().startswith("aws:") for key in new):
        raise InvalidParameterException("Tag keys that begin with aws: are reserved.")
    tags = {**present, **new}
    if len(tags) > TAGS_MAX:
        raise TooManyTagsException(f"A log group has at most {TAGS_MAX} tags.")
    return tags


def _by_arn(files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> OpenGroup:
    arn = params["resourceArn"]
    if not arn.startswith("arn:aws:logs:"):
        raise InvalidParameterException(f"{arn} is not the ARN of a log group.")
    if ":log-group:" not in arn:
        raise ResourceNotFoundException("The specified resource does not exist.")
    return lookup.by_identifier(files, scope, arn)


def _tag(files: LogFiles, found: OpenGroup, tags: Mapping[str, str]) -> dict[str, Any]:
    files.change(found, tags=merged(found.group.tags, tags))
    return {}


def _untag(files: LogFiles, found: OpenGroup, keys: list[str]) -> dict[str, Any]:
    files.change(found, tags={k: v for k, v in found.group.tags.items() if k not in keys})
    return {}
