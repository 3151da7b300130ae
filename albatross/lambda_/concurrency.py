"""Reserved concurrency. Source: Lambda API, `PutFunctionConcurrency`; guide, "Lambda quotas"."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from albatross.lambda_ import lookup
from albatross.model.errors import InvalidParameterValueException
from albatross.model.function import Function
from albatross.store.transaction import Transaction

ACCOUNT_CONCURRENCY = 1000  # invocations at once, in one Region
UNRESERVED_MIN = 100


def put_function_concurrency(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """PutFunctionConcurrency: give the function these invocations at once, and no more.

    Raises ResourceNotFoundException, and InvalidParameterValueException where too little would be
    left for the functions without a reservation.
    """
    function = _find(tx, params)
    wanted: int = params["ReservedConcurrentExecutions"]
    others = sum(each.reserved_concurrency or 0 for each in tx.list(Function) if each != function)
    if others + wanted > ACCOUNT_CONCURRENCY - UNRESERVED_MIN:
        raise InvalidParameterValueException(
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_MIN}]."
        )
    tx.put(replace(function, reserved_concurrency=wanted))
    return {"ReservedConcurrentExecutions": wanted}


def get_function_concurrency(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetFunctionConcurrency: empty where nothing is reserved. Raises ResourceNotFoundException."""
    reserved = _find(tx, params).reserved_concurrency
    return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}


def delete_function_concurrency(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """DeleteFunctionConcurrency, if there is any. Raises ResourceNotFoundException."""
    tx.put(replace(_find(tx, params), reserved_concurrency=None))
    return {}


def _find(tx: Transaction, params: Mapping[str, Any]) -> Function:
    if lookup.address(tx.scope, params).qualifier is not None:
        raise InvalidParameterValueException(
            "This operation is permitted on Lambda functions only. Aliases and versions do not "
            "support this operation. Please specify either a function name or an unqualified "
            "function ARN."
        )
    return lookup.find(tx, params)[0]
