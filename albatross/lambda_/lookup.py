"""From what a request calls a function to the function itself.

Source: Lambda API, `FunctionName` and `Qualifier`.
"""

from collections.abc import Mapping
from typing import Any

from albatross.model import arn
from albatross.model.errors import (
    InvalidParameterValueException,
    PreconditionFailedException,
    ResourceNotFoundException,
)
from albatross.model.function import Function
from albatross.store.transaction import Transaction

LATEST = "$LATEST"


def address(scope: arn.Scope, params: Mapping[str, Any]) -> arn.FunctionName:
    """Return name and qualifier that `FunctionName` and `Qualifier` say, within `scope`.

    Raises ResourceNotFoundException for a function that is out of reach from `scope`, and
    InvalidParameterValueException where the two members disagree.
    """
    text, qualifier = params["FunctionName"], params.get("Qualifier")
    parsed = arn.parse_function(text)
    if parsed is None:
        raise not_found(text if text.startswith("arn:") else arn.function(scope, text))
    if parsed.scope is not None and parsed.scope.region != scope.region:
        raise ResourceNotFoundException(
            f"Functions from '{parsed.scope.region}' are not reachable in this region "
            f"('{scope.region}')"
        )
    if parsed.scope is not None and parsed.scope.account != scope.account:
        # AWS is silent: a function of another account is answered for like one that does not exist.
        raise not_found(text)
    if qualifier and parsed.qualifier and qualifier != parsed.qualifier:
        raise InvalidParameterValueException(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return arn.FunctionName(parsed.name, qualifier or parsed.qualifier, scope)


def find(tx: Transaction, params: Mapping[str, Any]) -> tuple[Function, str | None]:
    """Return the function that `params` call for and the qualifier given: None or $LATEST.

    Raises ResourceNotFoundException; see also `address`.
    """
    called = address(tx.scope, params)
    function = tx.get(Function, arn.function(tx.scope, called.name))
    if function is None or called.qualifier not in (None, LATEST):
        raise not_found(arn.function(tx.scope, called.name, called.qualifier))
    return function, called.qualifier


def not_found(function_arn: str) -> ResourceNotFoundException:
    return ResourceNotFoundException(f"Function not found: {function_arn}")


def require_revision(function: Function, revision_id: str | None) -> None:
    """Raise PreconditionFailedException if the caller has seen another revision of `function`."""
    if revision_id and revision_id != function.revision_id:
        raise PreconditionFailedException(
            "The Revision Id provided does not match the latest Revision Id. "
            "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
        )
