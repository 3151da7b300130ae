"""Settings of a function that are no part of its configuration: recursion, runtime management,
and what the account has. Source: Lambda API, `PutFunctionRecursionConfig`,
`PutRuntimeManagementConfig`, `GetAccountSettings`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from albatross.lambda_ import archives, concurrency, lookup, wire
from albatross.model.errors import InvalidParameterValueException
from albatross.model.function import Function
from albatross.model.layer import LayerVersion
from albatross.model.version import Alias, Version
from albatross.store.packages import UNZIPPED_BYTES_MAX
from albatross.store.transaction import Transaction

CODE_BYTES_MAX = 300 * 1024**3  # Lambda guide, "Lambda quotas"


def get_function_recursion_config(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetFunctionRecursionConfig. Raises ResourceNotFoundException."""
    return {"RecursiveLoop": lookup.unqualified(tx, params).recursive_loop}


def put_function_recursion_config(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """PutFunctionRecursionConfig. Raises ResourceNotFoundException."""
    # differs from AWS: a function that calls itself in a loop is never stopped: its recursion
    # setting is kept and shown.
    function = replace(lookup.unqualified(tx, params), recursive_loop=params["RecursiveLoop"])
    tx.put(function)
    return {"RecursiveLoop": function.recursive_loop}


def get_runtime_management_config(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetRuntimeManagementConfig, of a version. Raises ResourceNotFoundException."""
    return _management(lookup.find(tx, params)[0])


def put_runtime_management_config(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """PutRuntimeManagementConfig, of $LATEST or a version.

    Raises ResourceNotFoundException, InvalidParameterValueException.
    """
    # differs from AWS: a function runs on the runtime that is installed here, whatever its runtime
    # management says.
    mode, runtime_arn = params["UpdateRuntimeOn"], params.get("RuntimeVersionArn")
    if (mode == "Manual") != (runtime_arn is not None):
        raise InvalidParameterValueException(
            "RuntimeVersionArn must be specified if, and only if, UpdateRuntimeOn is Manual"
        )
    found = lookup.invocable(tx, params)
    changes = {"update_runtime_on": mode, "runtime_version_arn": runtime_arn}
    match found:
        case Function():
            changed = replace(found, **changes)
            tx.put(changed)
        case Version():
            changed = replace(found.function, **changes)
            tx.put(replace(found, function=changed))
        case Alias():
            # AWS is silent: the runtime management of an alias is refused: versions have it.
            raise InvalidParameterValueException(
                "Runtime management is a setting of versions: an alias has none."
            )
    return _management(changed)


def get_account_settings(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetAccountSettings: limits, and what is in use."""
    functions = tx.list(Function)
    every = [*functions, *(version.function for version in tx.list(Version))]
    layers_bytes = sum(layer.content.size for layer in tx.list(LayerVersion))
    return {
        "AccountLimit": {
            "TotalCodeSize": CODE_BYTES_MAX,
            "CodeSizeUnzipped": UNZIPPED_BYTES_MAX,
            "CodeSizeZipped": archives.ZIP_BYTES_MAX,
            "ConcurrentExecutions": concurrency.ACCOUNT_CONCURRENCY,
            "UnreservedConcurrentExecutions": concurrency.unreserved(tx),
        },
        "AccountUsage": {
            "TotalCodeSize": layers_bytes + sum(wire.code(function)[1] for function in every),
            "FunctionCount": len(functions),
        },
    }


def _management(function: Function) -> dict[str, Any]:
    shown = {
        "UpdateRuntimeOn": function.update_runtime_on,
        "FunctionArn": f"{function.arn}:{function.version}",
    }
    if function.runtime_version_arn:
        shown["RuntimeVersionArn"] = function.runtime_version_arn
    return shown
