"""Reserved concurrency, and what is left of the account's.

Source: Lambda API, `PutFunctionConcurrency`; guide, "Lambda quotas".
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from albatross.lambda_ import lookup
from albatross.model.errors import InvalidParameterValueException
from albatross.model.function import LATEST, Function
from albatross.model.version import Alias, Provisioned, Version
from albatross.store.transaction import Transaction

ACCOUNT_CONCURRENCY = 1000  # invocations at once, in one Region
UNRESERVED_MIN = 100


def put_function_concurrency(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """PutFunctionConcurrency: give the function these invocations at once, and no more.

    Raises ResourceNotFoundException, and InvalidParameterValueException where too little would be
    left for the functions without a reservation.
    """
    function = lookup.unqualified(tx, params, shown_as=LATEST)
    wanted: int = params["ReservedConcurrentExecutions"]
    provisioned = of_function(tx, function.arn)
    if wanted < provisioned:
        raise InvalidParameterValueException(
            # The spaces are AWS's.
            f" ReservedConcurrentExecutions  {wanted} should not be lower than function's total "
            f"provisioned concurrency [{provisioned}]."
        )
    mine = provisioned if function.reserved_concurrency is None else function.reserved_concurrency
    if unreserved(tx) + mine - wanted < UNRESERVED_MIN:
        raise InvalidParameterValueException(
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_MIN}]."
        )
    tx.put(replace(function, reserved_concurrency=wanted))
    return {"ReservedConcurrentExecutions": wanted}


def get_function_concurrency(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetFunctionConcurrency: empty where nothing is reserved. Raises ResourceNotFoundException."""
    reserved = lookup.unqualified(tx, params).reserved_concurrency
    return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}


def delete_function_concurrency(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """DeleteFunctionConcurrency, if there is any. Raises ResourceNotFoundException."""
    tx.put(replace(lookup.unqualified(tx, params), reserved_concurrency=None))
    return {}


def unreserved(tx: Transaction) -> int:
    """Return the concurrency of the account that no function has for itself."""
    provisioned: Counter[str] = Counter()
    for version in tx.list(Version):
        provisioned[version.function.arn] += _executions(version.provisioned)
    for alias in tx.list(Alias):
        provisioned[alias.function_arn] += _executions(alias.provisioned)
    return ACCOUNT_CONCURRENCY - sum(
        provisioned[function.arn]
        if function.reserved_concurrency is None
        else function.reserved_concurrency
        for function in tx.list(Function)
    )


def of_function(tx: Transaction, function_arn: str) -> int:
    """Return the provisioned concurrency of all versions and aliases of a function."""
    versions, aliases = tx.list(Version, parent=function_arn), tx.list(Alias, parent=function_arn)
    configured = [each.provisioned for each in versions] + [each.provisioned for each in aliases]
    return sum(map(_executions, configured))


def _executions(provisioned: Provisioned | None) -> int:
    return provisioned.executions if provisioned is not None else 0
