"""Published versions: immutable copies of a function. Source: Lambda API, `PublishVersion`,
`ListVersionsByFunction`; Lambda guide, "Manage Lambda function versions".
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from albatross.lambda_ import lookup, wire
from albatross.lambda_.paging import page
from albatross.model import arn
from albatross.model.errors import (
    InvalidParameterValueException,
    NotImplementedHere,
    ResourceConflictException,
)
from albatross.model.function import LATEST, Directory, Function
from albatross.model.version import Alias, Numbers, Version
from albatross.store.transaction import Transaction


def publish_version(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """PublishVersion: keep $LATEST as it is now under the next number.

    Nothing is published where code and configuration are those of the last version: the answer is
    that version. Raises ResourceNotFoundException, InvalidParameterValueException,
    PreconditionFailedException.
    """
    function, _ = lookup.latest(tx, params)
    lookup.require_revision(function, params.get("RevisionId"))
    wanted, present = params.get("CodeSha256"), wire.code(function)[0]
    if wanted and wanted != present:
        raise InvalidParameterValueException(
            f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({present}). "
            "Please try again with the CodeSHA256 in $LATEST."
        )
    if params.get("PublishTo"):
        raise NotImplementedHere("PublishTo is not supported here yet; see docs/coverage.md.")
    version = publish(tx, function, description=params.get("Description"))
    return wire.configuration(version.shown, wire.SETTLED, version.name)


def publish(tx: Transaction, function: Function, *, description: str | None = None) -> Version:
    """Return the version of `function` as it is now; a new one gives $LATEST another revision id.

    Raises NotImplementedHere for a function that runs where its code lies.
    """
    if isinstance(function.code, Directory):
        raise NotImplementedHere(
            f"{function.name} runs code that may change at any time: only functions made of a "
            "deployment package have versions."
        )
    numbers = _numbers(tx, function)
    last = tx.get(Version, f"{function.arn}:{numbers.last}")
    if last is not None and function.is_like(last.function):
        return last
    numbers = replace(numbers, last=numbers.last + 1)
    copy = function.snapshot(str(numbers.last))
    version = Version(
        arn=copy.version_arn,
        function=replace(copy, revision_id=str(uuid4())),
        description=description or None,
    )
    tx.put(numbers)
    tx.put(version)
    tx.put(replace(function, revision_id=str(uuid4())))
    return version


def list_versions_by_function(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """ListVersionsByFunction: $LATEST, then the others from the oldest, with qualified ARNs.

    Raises ResourceNotFoundException, InvalidParameterValueException.
    """
    function, _ = lookup.latest(tx, params)
    shown, more = page(params, all_of(tx, function), lambda each: key(each.version))
    return {"Versions": [wire.listed(each, each.version) for each in shown], **more}


def all_of(tx: Transaction, function: Function) -> list[Function]:
    """Return all versions of `function`, as the API shows them."""
    return [function, *(version.shown for version in tx.list(Version, parent=function.arn))]


def key(version: str) -> str:
    """Return text that puts $LATEST first and numbers in order."""
    return "-" if version == LATEST else f"{int(version):020}"


def delete(tx: Transaction, name: str, qualifier: str) -> None:
    """Delete one version; nothing happens where there is none.

    Raises ResourceConflictException while an alias leads to it, InvalidParameterValueException for
    what is no number, and ResourceNotFoundException where there is no such function.
    """
    lookup.by_name(tx, name)
    if qualifier == LATEST:
        raise InvalidParameterValueException(
            "$LATEST version cannot be deleted without deleting the function."
        )
    if not qualifier.isdecimal():
        raise InvalidParameterValueException("Deletion of aliases is not currently supported.")
    aliases = _leading_to(tx.list(Alias, parent=arn.function(tx.scope, name)), qualifier)
    if aliases:
        raise ResourceConflictException(
            "Unable to delete version because the following aliases reference it: "
            f"[{', '.join(aliases)}]"
        )
    tx.delete(arn.function(tx.scope, name, qualifier))


def delete_all(tx: Transaction, function_arn: str) -> None:
    """Delete all versions and aliases of a function. Their numbers are not used again."""
    for alias in tx.list(Alias, parent=function_arn):
        tx.delete(alias.arn)
    for version in tx.list(Version, parent=function_arn):
        tx.delete(version.arn)


def _leading_to(aliases: Iterable[Alias], version: str) -> list[str]:
    return sorted(alias.name for alias in aliases if version in alias.shares())


def _numbers(tx: Transaction, function: Function) -> Numbers:
    """Return the last number given, 0 at first."""
    # Lambda guide: a number is never used again, not even by a new function of the same name.
    numbers_arn = function.arn.replace(":function:", ":function-numbers:", 1)
    found = tx.get(Numbers, numbers_arn)
    return found or Numbers(arn=numbers_arn, name=function.name, last=0)
