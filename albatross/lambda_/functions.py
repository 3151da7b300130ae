"""Functions: create, show, list, delete. Source: Lambda API reference of these operations."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from albatross.lambda_ import (
    code,
    code_signing,
    configuration,
    lookup,
    runtimes,
    tags,
    used_layers,
    versions,
    wire,
)
from albatross.lambda_.paging import page
from albatross.model import arn
from albatross.model.errors import (
    InvalidParameterValueException,
    NotImplementedHere,
    ResourceConflictException,
    ValidationException,
)
from albatross.model.function import Directory, Function
from albatross.model.version import Version
from albatross.store.transaction import Transaction

NAME_LENGTH_MAX = 64


def create_function(
    tx: Transaction, params: Mapping[str, Any], fetched: bytes | Directory | None = None
) -> dict[str, Any]:
    """CreateFunction: from a zip archive. `fetched`: see `code.source`.

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
    runtimes.admit(settings["runtime"], tx.lenient)
    function_arn = arn.function(tx.scope, name)
    if tx.get(Function, function_arn) is not None:
        raise ResourceConflictException(f"Function already exist: {name}")
    tagged = tags.check(params.get("Tags", {}))
    layers = used_layers.named(tx, params.get("Layers", ()))
    function = Function(
        arn=function_arn,
        name=name,
        code=code.source(tx, params["Code"], fetched, operation="CreateFunction"),
        source_kms_key_arn=params["Code"].get("SourceKMSKeyArn") or None,
        layers=layers,
        last_modified=tx.now,
        revision_id=str(uuid4()),
        code_signing_config_arn=code_signing.named(tx, params.get("CodeSigningConfigArn")),
        **settings,
    )
    used_layers.check_size(tx, function)
    runtimes.check_snap_start(function)
    tx.put(function)
    tx.put_tags(function_arn, tagged)
    if params.get("Publish"):
        function = versions.publish(tx, function).function
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
    """ListFunctions: by name, with FunctionVersion ALL each version of them.

    Raises InvalidParameterValueException.
    """
    functions = tx.list(Function)
    if region := params.get("MasterRegion"):
        if params.get("FunctionVersion") != "ALL":
            # AWS is silent: MasterRegion without FunctionVersion ALL is refused.
            raise InvalidParameterValueException(
                f"FunctionVersion must be ALL where MasterRegion is given: {region}"
            )
        functions = []  # no function here is a copy that Lambda@Edge has made of one elsewhere
    if params.get("FunctionVersion") == "ALL":
        every = [*functions, *(version.shown for version in tx.list(Version) if functions)]
        shown, more = page(params, every, lambda each: f"{each.name}:{versions.key(each.version)}")
        return {"Functions": [wire.listed(each, each.version) for each in shown], **more}
    shown, more = page(params, functions, lambda function: function.name)
    return {"Functions": [wire.listed(function) for function in shown], **more}


def delete_function(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """DeleteFunction: all of it, or the version that is the qualifier.

    Policies and tags go with it. A target group keeps it as a target, as on AWS. Raises
    ResourceNotFoundException, ResourceConflictException, InvalidParameterValueException.
    """
    called = lookup.address(tx.scope, params)
    if called.qualifier is not None:
        versions.delete(tx, called.name, called.qualifier)
    else:
        function = lookup.by_name(tx, called.name)
        versions.delete_all(tx, function.arn)
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
        raise InvalidParameterValueException(
            wrong.format(called.name)
            + f"Member must have length less than or equal to {NAME_LENGTH_MAX}"
        )
    return called.name
