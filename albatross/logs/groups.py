"""Log groups. Source: CloudWatch Logs API reference of these operations."""

import re
from collections.abc import Mapping
from typing import Any

from albatross.log_store.files import LogFiles, OpenGroup
from albatross.log_store.group import Group
from albatross.logs import lookup, tags
from albatross.model.arn import Scope
from albatross.model.errors import (
    InvalidParameterException,
    NotImplementedHere,
    ResourceAlreadyExistsException,
    ValidationException,
)

RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827),
    *(2192, 2557, 2922, 3288, 3653),
)
_LIMIT = 50  # of a page where the call names none


def create_log_group(files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
    """CreateLogGroup.

    Raises ResourceAlreadyExistsException, InvalidParameterException, NotImplementedHere, as
    tags.merged.
    """
    if params.get("kmsKeyId"):
        raise NotImplementedHere(
            "kmsKeyId is not implemented in this version of Albatross; docs/coverage.md says what "
            "is"
        )
    if params["logGroupName"].startswith("aws/"):
        raise InvalidParameterException("Log groups starting with AWS/ are reserved for AWS.")
    new = Group(
        name=params["logGroupName"],
        created_ms=files.now_ms(),
        group_class=params.get("logGroupClass", "STANDARD"),
        is_protected=params.get("deletionProtectionEnabled", False),
        tags=tags.merged({}, params.get("tags", {})),
    )
    if not files.create(scope, new):
        raise ResourceAlreadyExistsException("The specified log group already exists")
    return {}


def delete_log_group(files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
    """DeleteLogGroup. Raises ResourceNotFoundException, ValidationException."""
    found = lookup.by_name(files, scope, params["logGroupName"])
    if found.group.is_protected:
        raise ValidationException(
            "The log group is protected from deletion: turn its deletion protection off first."
        )
    files.delete(found)
    return {}


def put_deletion_protection(
    files: LogFiles, scope: Scope, params: Mapping[str, Any]
) -> dict[str, Any]:
    """PutLogGroupDeletionProtection. Raises ResourceNotFoundException."""
    found = lookup.by_identifier(files, scope, params["logGroupIdentifier"])
    files.change(found, is_protected=params["deletionProtectionEnabled"])
    return {}


def put_retention_policy(
    files: LogFiles, scope: Scope, params: Mapping[str, Any]
) -> dict[str, Any]:
    """PutRetentionPolicy: older events are gone at once.

    Raises ResourceNotFoundException, InvalidParameterException.
    """
    days = params["retentionInDays"]
    if days not in RETENTION_DAYS:
        raise InvalidParameterException(
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy "
            f"constraint: Member must satisfy enum value set: {list(RETENTION_DAYS)}"
        )
    found = lookup.by_name(files, scope, params["logGroupName"])
    files.change(found, retention_days=days)
    return {}


def delete_retention_policy(
    files: LogFiles, scope: Scope, params: Mapping[str, Any]
) -> dict[str, Any]:
    """DeleteRetentionPolicy: events never expire. Raises ResourceNotFoundException."""
    found = lookup.by_name(files, scope, params["logGroupName"])
    files.change(found, retention_days=None)
    return {}


def describe_log_groups(files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeLogGroups, by name. Raises InvalidParameterException."""
    prefix, part = params.get("logGroupNamePrefix"), params.get("logGroupNamePattern")
    if prefix and part:
        raise InvalidParameterException(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
        )
    named = set(params.get("logGroupIdentifiers", ()))
    found = [
        each
        for each in _of_class(files.groups(scope), params)
        if each.group.name.startswith(prefix or "")
        and (part or "").lower() in each.group.name.lower()
        and (not named or named & _identifiers(scope, each))
        and _is_asked_for(scope, params)
    ]
    shown, more = _page(found, params, _LIMIT)
    return {"logGroups": [_described(scope, each) for each in shown], **more}


def list_log_groups(files: LogFiles, scope: Scope, params: Mapping[str, Any]) -> dict[str, Any]:
    """ListLogGroups, by name. Raises NotImplementedHere, InvalidParameterException."""
    for member in ("dataSources", "fieldIndexNames"):
        if params.get(member):
            raise NotImplementedHere(
                f"{member} is not implemented in this version of Albatross; docs/coverage.md says "
                "what is"
            )
    parts = (params.get("logGroupNamePattern") or "").split("|")
    expression = re.compile("|".join(re.escape(p).replace(r"\^", "^") for p in parts), re.I)
    wanted = params.get("logGroupTags", ())
    found = [
        each
        for each in _of_class(files.groups(scope), params)
        if expression.search(each.group.name)
        and _is_asked_for(scope, params)
        and all(_has_tag(each.group, tag) for tag in wanted)
    ]
    shown, more = _page(found, params, _LIMIT)
    summaries = [
        {
            "logGroupName": each.group.name,
            "logGroupArn": lookup.group_arn(scope, each.group.name),
            "logGroupClass": each.group.group_class,
        }
        for each in shown
    ]
    return {"logGroups": summaries, **more}


def _has_tag(group: Group, tag: Mapping[str, Any]) -> bool:
    value = group.tags.get(tag["key"])
    return value is not None and (not tag.get("values") or value in tag["values"])


def _is_asked_for(scope: Scope, params: Mapping[str, Any]) -> bool:
    accounts = params.get("accountIdentifiers")
    return not accounts or scope.account in accounts


def _of_class(groups: list[OpenGroup], params: Mapping[str, Any]) -> list[OpenGroup]:
    wanted = params.get("logGroupClass")
    return [each for each in groups if wanted in (None, each.group.group_class)]


def _identifiers(scope: Scope, found: OpenGroup) -> set[str]:
    arn = lookup.group_arn(scope, found.group.name)
    return {found.group.name, arn, f"{arn}:*"}


def _described(scope: Scope, found: OpenGroup) -> dict[str, Any]:
    group = found.group
    arn = lookup.group_arn(scope, group.name)
    shown: dict[str, Any] = {
        "logGroupName": group.name,
        "creationTime": group.created_ms,
        "metricFilterCount": len(group.metric_filters),
        "arn": f"{arn}:*",
        "storedBytes": found.bytes(),
        "logGroupClass": group.group_class,
        "logGroupArn": arn,
        "deletionProtectionEnabled": group.is_protected,
    }
    if group.retention_days is not None:
        shown["retentionInDays"] = group.retention_days
    return shown


def _page(
    found: list[OpenGroup], params: Mapping[str, Any], limit: int
) -> tuple[list[OpenGroup], dict[str, str]]:
    if "nextToken" in params:
        (after,) = lookup.parts_of(params["nextToken"], 1)
        found = [each for each in found if each.group.name > after]
    limit = params.get("limit", limit)
    if len(found) <= limit:
        return found, {}
    return found[:limit], {"nextToken": lookup.token(found[limit - 1].group.name)}
