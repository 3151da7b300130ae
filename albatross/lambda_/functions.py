"""Functions: create, show, list, delete. Source: Lambda API reference of these operations."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from albatross.lambda_ import code, configuration, lookup, tags, wire
from albatross.model import arn
from albatross.model.errors import (
    InvalidParameterValueException,
    NotImplementedHere,
    ResourceConflictException,
    ValidationException,
)
from albatross.model.function import Function
from albatross.store.transaction import Transaction

NAME_LENGTH_MAX = 64
PAGE_SIZE = 50  # of ListFunctions, also where MaxItems asks for more


def create_function(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """CreateFunction: from a zip archive.

    Raises ResourceConflictException, InvalidParameterValueException, ValidationException,
    RequestEntityTooLargeException, NotImplementedHere.
    """
    if params.get("PackageType") == "Image":
        raise NotImplementedHere(
            "PackageType Image is not supported here yet; see docs/coverage.md."
        )
    name = _new_name(tx.scope, params)
    settings = configuration.fields(params, {})
    if not {"runtime", "handler"} <= settings.keys():
        raise InvalidParameterValueException(
            "Runtime and Handler are mandatory parameters for functions created with "
            "deployment packages."
        )
    function_arn = arn.function(tx.scope, name)
    if tx.get(Function, function_arn) is not None:
        raise ResourceConflictException(f"Function already exist: {name}")
    tagged = tags.check(params.get("Tags", {}))
    function = Function(
        arn=function_arn,
        name=name,
        code=code.package(tx, params["Code"], operation="CreateFunction"),
        last_modified=tx.now,
        revision_id=str(uuid4()),
        **settings,
    )
    tx.put(function)
    tx.put_tags(function_arn, tagged)
    return wire.configuration(function, wire.CREATED)


def get_function(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetFunction: configuration, and where the code is. Raises ResourceNotFoundException."""
    function, qualifier = lookup.find(tx, params)
    answer: dict[str, Any] = {
        "Configuration": wire.configuration(function, wire.SETTLED, qualifier),
        "Code": wire.code_location(function, tx.packages),
    }
    if tagged := tx.tags(function.arn):
        answer["Tags"] = tagged
    if function.reserved_concurrency is not None:
        answer["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved_concurrency}
    return answer


def get_function_configuration(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetFunctionConfiguration. Raises ResourceNotFoundException."""
    function, qualifier = lookup.find(tx, params)
    return wire.configuration(function, wire.SETTLED, qualifier)


def list_functions(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """ListFunctions: by name, `MaxItems` a page. Raises InvalidParameterValueException (Marker).

    A marker says after which name to go on, so functions that come and go between pages are neither
    shown twice nor hide others.
    """
    after = _name_in_marker(params.get("Marker"))
    size = min(params.get("MaxItems", PAGE_SIZE), PAGE_SIZE)
    functions = sorted(tx.list(Function), key=lambda function: function.name)
    rest = [function for function in functions if function.name > after]
    qualifier = lookup.LATEST if params.get("FunctionVersion") == "ALL" else None
    page = {"Functions": [wire.listed(function, qualifier) for function in rest[:size]]}
    if len(rest) <= size:
        return page
    marker = base64.urlsafe_b64encode(rest[size - 1].name.encode()).decode()
    return page | {"NextMarker": marker}


def delete_function(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """DeleteFunction, with its policy and tags. A target group keeps it as a target, as on AWS.

    Raises ResourceNotFoundException, InvalidParameterValueException.
    """
    if lookup.address(tx.scope, params).qualifier == lookup.LATEST:
        raise InvalidParameterValueException(
            "$LATEST version cannot be deleted without deleting the function."
        )
    function, _ = lookup.find(tx, params)
    tx.delete(function.arn)
    return {"StatusCode": 204}


def _new_name(scope: arn.Scope, params: Mapping[str, Any]) -> str:
    called = lookup.address(scope, params)
    wrong = (
        "1 validation error detected: Value '{}' at 'functionName' failed to satisfy constraint: "
    )
    if called.qualifier is not None:
        # AWS is silent: CreateFunction refuses a function name with a version or alias.
        raise ValidationException(
            wrong.format(params["FunctionName"])
            + "Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+"
        )
    if len(called.name) > NAME_LENGTH_MAX:
        raise ValidationException(
            wrong.format(called.name)
            + f"Member must have length less than or equal to {NAME_LENGTH_MAX}"
        )
    return called.name


def _name_in_marker(marker: str | None) -> str:
    if not marker:
        return ""
    try:
        return base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        # AWS is silent: ListFunctions refuses a Marker that no answer contained.
        raise InvalidParameterValueException(f"Invalid Marker: {marker}") from None
