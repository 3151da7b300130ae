"""Provisioned concurrency: environments that are kept ready for a version or an alias.

How many are ready, the Lambda host knows. Source: Lambda API, `PutProvisionedConcurrencyConfig`;
Lambda guide, "Configuring provisioned concurrency for a function".
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from albatross.lambda_ import concurrency, lookup
from albatross.lambda_.concurrency import UNRESERVED_MIN
from albatross.lambda_.paging import page
from albatross.model.errors import (
    InvalidParameterValueException,
    ProvisionedConcurrencyConfigNotFoundException,
    ResourceConflictException,
)
from albatross.model.function import LATEST, Function
from albatross.model.version import Alias, Provisioned, Version
from albatross.store.transaction import Transaction


def put_provisioned_concurrency_config(
    tx: Transaction, params: Mapping[str, Any]
) -> dict[str, Any]:
    """PutProvisionedConcurrencyConfig: keep environments ready from now on.

    Raises ResourceNotFoundException, ResourceConflictException, InvalidParameterValueException.
    """
    found = lookup.published(tx, params)
    if isinstance(found, Function) or (isinstance(found, Alias) and found.version == LATEST):
        raise InvalidParameterValueException(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        )
    function = lookup.by_name(tx, lookup.address(tx.scope, params).name)
    wanted: int = params["ProvisionedConcurrentExecutions"]
    already = found.provisioned.executions if found.provisioned is not None else 0
    _check_sums(tx, function, wanted, already)
    _check_overlap(tx, function, found)
    tx.put(replace(found, provisioned=Provisioned(executions=wanted, last_modified=tx.now)))
    return document(Provisioned(executions=wanted, last_modified=tx.now), ready=0, failure="")


def delete_provisioned_concurrency_config(
    tx: Transaction, params: Mapping[str, Any]
) -> dict[str, Any]:
    """DeleteProvisionedConcurrencyConfig; where there is none it is no error.

    Raises ResourceNotFoundException, InvalidParameterValueException.
    """
    tx.put(replace(_qualified(tx, params), provisioned=None))
    return {}


def get(tx: Transaction, params: Mapping[str, Any]) -> Version | Alias:
    """Return what GetProvisionedConcurrencyConfig asks for, which has a configuration.

    Raises ProvisionedConcurrencyConfigNotFoundException, ResourceNotFoundException.
    """
    found = _qualified(tx, params)
    if found.provisioned is None:
        raise ProvisionedConcurrencyConfigNotFoundException(
            "No Provisioned Concurrency Config found for this function"
        )
    return found


def list_(
    tx: Transaction, params: Mapping[str, Any]
) -> tuple[list[Version | Alias], dict[str, str]]:
    """Return what ListProvisionedConcurrencyConfigs shows, and NextMarker if there is more."""
    function, _ = lookup.latest(tx, params)
    qualified: list[Version | Alias] = [
        *tx.list(Version, parent=function.arn),
        *tx.list(Alias, parent=function.arn),
    ]
    return page(params, [each for each in qualified if each.provisioned], lambda each: each.arn)


def document(provisioned: Provisioned, *, ready: int, failure: str) -> dict[str, Any]:
    """Return how `provisioned` is shown where `ready` of its environments are."""
    shown: dict[str, Any] = {
        "RequestedProvisionedConcurrentExecutions": provisioned.executions,
        "AvailableProvisionedConcurrentExecutions": ready,
        "AllocatedProvisionedConcurrentExecutions": ready,
        "Status": "READY" if ready >= provisioned.executions else "IN_PROGRESS",
        "LastModified": f"{provisioned.last_modified:%Y-%m-%dT%H:%M:%S+0000}",
    }
    if failure and ready < provisioned.executions:
        shown |= {"Status": "FAILED", "StatusReason": failure}
    return shown


def _qualified(tx: Transaction, params: Mapping[str, Any]) -> Version | Alias:
    found = lookup.published(tx, params)
    if isinstance(found, Function):
        raise InvalidParameterValueException(
            "The function resource provided must be an alias or a published version."
        )
    return found


def _check_sums(tx: Transaction, function: Function, wanted: int, already: int) -> None:
    """Raise where the function's reservation, or what the account has left, is exceeded."""
    total = concurrency.of_function(tx, function.arn) - already + wanted
    if function.reserved_concurrency is not None:
        if total > function.reserved_concurrency:
            raise InvalidParameterValueException(
                "Requested Provisioned Concurrency should not be greater than the "
                "reservedConcurrentExecution for function"
            )
        return
    if wanted > concurrency.ACCOUNT_CONCURRENCY:
        raise InvalidParameterValueException(
            "Specified ConcurrentExecutions for function is greater than account's unreserved "
            f"concurrency [{concurrency.ACCOUNT_CONCURRENCY}]."
        )
    if concurrency.unreserved(tx) + already - wanted < UNRESERVED_MIN:
        raise InvalidParameterValueException(
            "Specified ConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_MIN}]."
        )


def _check_overlap(tx: Transaction, function: Function, found: Version | Alias) -> None:
    """Raise where a version has a configuration of its own and another by an alias."""
    match found:
        case Alias():
            versions = (tx.get(Version, f"{function.arn}:{number}") for number in found.shares())
            if any(version is not None and version.provisioned for version in versions):
                raise ResourceConflictException(
                    "Alias can't be used for Provisioned Concurrency configuration on an already "
                    "Provisioned version"
                )
        case Version():
            aliases = tx.list(Alias, parent=function.arn)
            if any(alias.provisioned and found.name in alias.shares() for alias in aliases):
                raise ResourceConflictException(
                    "Version is pointed by a Provisioned Concurrency alias"
                )
