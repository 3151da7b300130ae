"""From what a request calls a function to the function itself, one of its versions or an alias.

Source: Lambda API, `FunctionName` and `Qualifier`.
"""

from collections.abc import Mapping
from typing import Any

from albatross.model import arn
from albatross.model.errors import (
    AccessDeniedException,
    InvalidParameterValueException,
    PreconditionFailedException,
    ResourceNotFoundException,
)
from albatross.model.function import LATEST, Function
from albatross.model.version import Alias, Version
from albatross.store.transaction import Transaction


def address(scope: arn.Scope, params: Mapping[str, Any]) -> arn.FunctionName:
    """Return name and qualifier that `FunctionName` and `Qualifier` say, within `scope`.

    Raises ResourceNotFoundException for a function of another Region, AccessDeniedException for one
    of another account, and InvalidParameterValueException where the two members disagree.
    """
    text, qualifier = params["FunctionName"], params.get("Qualifier")
    parsed = arn.parse_function(text, scope)
    if parsed is None:
        raise not_found(text if text.startswith("arn:") else arn.function(scope, text))
    if parsed.scope is not None and parsed.scope.region != scope.region:
        raise ResourceNotFoundException(
            f"Functions from '{parsed.scope.region}' are not reachable in this region "
            f"('{scope.region}')"
        )
    if parsed.scope is not None and parsed.scope.account != scope.account:
        # differs from AWS: no function of another account is found, also where its policy allows
        # that account to use it.
        named = arn.function(parsed.scope, parsed.name, parsed.qualifier)
        raise AccessDeniedException(
            f"User: arn:aws:iam::{scope.account}:root is not authorized to perform this action on "
            f"resource: {named} because no resource-based policy allows it"
        )
    if qualifier and parsed.qualifier and qualifier != parsed.qualifier:
        raise InvalidParameterValueException(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return arn.FunctionName(parsed.name, qualifier or parsed.qualifier, scope)


def find(tx: Transaction, params: Mapping[str, Any]) -> tuple[Function, str | None]:
    """Return the function in the version that `params` call for, and the qualifier given, if any.

    Raises ResourceNotFoundException; see also `address`.
    """
    called = address(tx.scope, params)
    function = tx.get(Function, arn.function(tx.scope, called.name))
    qualifier = called.qualifier
    if function is not None and qualifier is not None:
        alias = tx.get(Alias, arn.function(tx.scope, called.name, qualifier))
        number = alias.version if alias is not None else qualifier
        if number != LATEST:
            version = tx.get(Version, arn.function(tx.scope, called.name, number))
            function = version.shown if version is not None else None
    if function is None:
        raise not_found(arn.function(tx.scope, called.name, qualifier))
    return function, qualifier


def called(tx: Transaction, params: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the ARN that is invoked, and whether the function is here, not elsewhere.

    Raises ResourceNotFoundException.
    """
    try:
        function, qualifier = find(tx, params)
    except ResourceNotFoundException:
        named = address(tx.scope, params)
        found = arn.function(tx.scope, named.name, named.qualifier)
        if tx.remotes.find(found) is None:
            qualified = arn.function(tx.scope, named.name, named.qualifier or LATEST)
            raise not_found(qualified) from None
        return found, False
    return arn.function(tx.scope, function.name, qualifier), True


def latest(
    tx: Transaction, params: Mapping[str, Any], shown_as: str | None = None
) -> tuple[Function, str | None]:
    """Return the function to change, and the qualifier given: None or $LATEST.

    `shown_as`: see `by_name`. Raises ResourceNotFoundException, and InvalidParameterValueException
    for another qualifier.
    """
    called = address(tx.scope, params)
    if called.qualifier not in (None, LATEST):
        raise _not_for_qualified()
    return by_name(tx, called.name, shown_as), called.qualifier


def unqualified(
    tx: Transaction, params: Mapping[str, Any], shown_as: str | None = None
) -> Function:
    """Return the function of an operation that takes no qualifier.

    `shown_as`: see `by_name`. Raises ResourceNotFoundException, InvalidParameterValueException.
    """
    called = address(tx.scope, params)
    if called.qualifier is not None:
        raise _not_for_qualified()
    return by_name(tx, called.name, shown_as)


def by_name(tx: Transaction, name: str, shown_as: str | None = None) -> Function:
    """Return $LATEST of the function `name`. `shown_as`: the qualifier in the error's message.

    Raises ResourceNotFoundException.
    """
    function = tx.get(Function, arn.function(tx.scope, name))
    if function is None:
        raise not_found(arn.function(tx.scope, name, shown_as))
    return function


def invocable(tx: Transaction, params: Mapping[str, Any]) -> Function | Version | Alias:
    """Return what `params` call for: what has a policy and a revision of its own.

    Raises ResourceNotFoundException.
    """
    called = address(tx.scope, params)
    function = by_name(tx, called.name)
    if called.qualifier in (None, LATEST):
        return function
    return _qualified(tx, called.name, called.qualifier)


def published(tx: Transaction, params: Mapping[str, Any]) -> Function | Version | Alias:
    """Return what `params`, which have a qualifier, call for, as `invocable` does.

    Where there is no such function, the message names the version or alias.
    """
    called = address(tx.scope, params)
    if called.qualifier in (None, LATEST):
        return by_name(tx, called.name)
    return _qualified(tx, called.name, called.qualifier)


def _qualified(tx: Transaction, name: str, qualifier: str) -> Version | Alias:
    qualified = arn.function(tx.scope, name, qualifier)
    if qualifier.isdecimal() or "$" in qualifier:  # aliases have no $
        version = tx.get(Version, qualified)
        if version is None:
            raise not_found(qualified)
        return version
    alias = tx.get(Alias, qualified)
    if alias is None:
        raise ResourceNotFoundException(f"Cannot find alias arn: {qualified}")
    return alias


def not_found(function_arn: str) -> ResourceNotFoundException:
    return ResourceNotFoundException(f"Function not found: {function_arn}")


def require_revision(found: Function | Version | Alias, revision_id: str | None) -> None:
    """Raise PreconditionFailedException if the caller has seen another revision of `found`."""
    if revision_id and revision_id != found.revision_id:
        raise PreconditionFailedException(
            "The Revision Id provided does not match the latest Revision Id. "
            "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
        )


def _not_for_qualified() -> InvalidParameterValueException:
    # AWS is silent: an operation that changes $LATEST, or the function as a whole, refuses the
    # qualifier of a version or alias.
    return InvalidParameterValueException(
        "This operation is permitted on Lambda functions only. Aliases and versions do not "
        "support this operation. Please specify either a function name or an unqualified "
        "function ARN."
    )
