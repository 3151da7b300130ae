"""Aliases: names for versions. Source: Lambda API, `CreateAlias`, `UpdateAlias`, `GetAlias`,
`ListAliases`, `DeleteAlias`; Lambda guide, "Implement Lambda canary deployments".
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from albatross.lambda_ import lookup
from albatross.lambda_.paging import page
from albatross.model import arn
from albatross.model.errors import (
    InvalidParameterValueException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from albatross.model.function import LATEST, Function
from albatross.model.version import Alias, Version
from albatross.store.transaction import Transaction

PAGE_SIZE = 10_000


def create_alias(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """CreateAlias: a name for a version, or for two of them by weight.

    Raises ResourceNotFoundException, ResourceConflictException, InvalidParameterValueException.
    """
    name, version = params["Name"], params["FunctionVersion"]
    function, _ = lookup.latest(tx, params, shown_as=version)
    _require_version(tx, function, version)
    alias_arn = f"{function.arn}:{name}"
    if tx.get(Alias, alias_arn) is not None:
        raise ResourceConflictException(f"Alias already exists: {alias_arn}")
    weights = _weights(params.get("RoutingConfig") or {})
    alias = Alias(
        arn=alias_arn,
        name=name,
        function_arn=function.arn,
        version=version,
        revision_id=str(uuid4()),
        description=params.get("Description", ""),
        weights=weights,
    )
    _check_weights(tx, function, alias)
    tx.put(alias)
    return document(alias)


def update_alias(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """UpdateAlias: lead elsewhere, in effect at once. What is not given stays.

    Raises ResourceNotFoundException, PreconditionFailedException, InvalidParameterValueException.
    """
    function, _ = lookup.latest(tx, params)
    alias = tx.get(Alias, f"{function.arn}:{params['Name']}")
    if alias is None:
        raise ResourceNotFoundException(f"Alias not found: {function.arn}:{params['Name']}")
    lookup.require_revision(alias, params.get("RevisionId"))
    changed = replace(
        alias,
        version=params.get("FunctionVersion", alias.version),
        description=params.get("Description", alias.description),
        weights=(
            alias.weights
            if params.get("RoutingConfig") is None
            else _weights(params["RoutingConfig"])
        ),
        revision_id=str(uuid4()),
    )
    _require_version(tx, function, changed.version)
    _check_weights(tx, function, changed)
    if changed.provisioned is not None and changed.version == LATEST:
        raise InvalidParameterValueException(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        )
    tx.put(changed)
    return document(changed)


def get_alias(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetAlias. Raises ResourceNotFoundException."""
    called = {"FunctionName": params["FunctionName"], "Qualifier": params["Name"]}
    alias_arn = arn.function(tx.scope, lookup.address(tx.scope, called).name, params["Name"])
    alias = tx.get(Alias, alias_arn)
    if alias is None:
        raise ResourceNotFoundException(f"Cannot find alias arn: {alias_arn}")
    return document(alias)


def list_aliases(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """ListAliases: by name; with FunctionVersion those that lead to it.

    Raises ResourceNotFoundException, InvalidParameterValueException.
    """
    function, _ = lookup.latest(tx, params)
    version = params.get("FunctionVersion")
    aliases = [
        alias
        for alias in tx.list(Alias, parent=function.arn)
        if version is None or version in alias.shares()
    ]
    shown, more = page(params, aliases, lambda alias: alias.name, size_max=PAGE_SIZE)
    return {"Aliases": [document(alias) for alias in shown], **more}


def delete_alias(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """DeleteAlias, with its policy; one that is not there is no error.

    Raises ResourceNotFoundException where there is no such function.
    """
    function, _ = lookup.latest(tx, params)
    tx.delete(f"{function.arn}:{params['Name']}")
    return {}


def document(alias: Alias) -> dict[str, Any]:
    """Return `AliasConfiguration`."""
    shown: dict[str, Any] = {
        "AliasArn": alias.arn,
        "Name": alias.name,
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RevisionId": alias.revision_id,
    }
    if alias.weights:
        shown["RoutingConfig"] = {"AdditionalVersionWeights": dict(alias.weights)}
    return shown


def _weights(routing: Mapping[str, Any]) -> dict[str, float]:
    """Return the weights in `AliasRoutingConfiguration`, whose ranges the model has checked."""
    weights = {
        version: float(weight)
        for version, weight in routing.get("AdditionalVersionWeights", {}).items()
    }
    if len(weights) > 1:
        raise InvalidParameterValueException(
            "Number of items in AdditionalVersionWeights cannot be greater than 1"
        )
    return weights


def _check_weights(tx: Transaction, function: Function, alias: Alias) -> None:
    """Raise where `alias` cannot divide invocations as it says."""
    for version in alias.weights:
        if version == alias.version:
            raise InvalidParameterValueException(
                f"Invalid function version {version}. Function version {version} is already "
                "included in routing configuration."
            )
        if alias.version == LATEST:
            raise InvalidParameterValueException(
                "$LATEST is not supported for an alias pointing to more than 1 version"
            )
        _require_alike(*(_require_version(tx, function, each) for each in (alias.version, version)))


def _require_alike(one: Function, other: Function) -> None:
    """Source: Lambda guide, "Implement Lambda canary deployments using a weighted alias"."""
    if one.role != other.role:
        raise InvalidParameterValueException(
            "Specified versions must be associated with the same execution role"
        )
    if one.extra.get("DeadLetterConfig") != other.extra.get("DeadLetterConfig"):
        raise InvalidParameterValueException(
            "Specified versions must have the same dead letter queue"
        )


def _require_version(tx: Transaction, function: Function, version: str) -> Function:
    """Return a version's code and configuration. Raises ResourceNotFoundException."""
    if version == LATEST:
        return function
    found = tx.get(Version, f"{function.arn}:{version}")
    if found is None:
        raise lookup.not_found(f"{function.arn}:{version}")
    return found.function
