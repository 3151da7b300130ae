"""A function's deployment package. Source: Lambda API, `UpdateFunctionCode`, `FunctionCode`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from albatross.lambda_ import archives, lookup, used_layers, versions, wire
from albatross.lambda_.configuration import refuse_unsupported
from albatross.model.errors import InvalidParameterValueException, NotImplementedHere
from albatross.model.function import Code, Directory
from albatross.store.transaction import Transaction

UNSUPPORTED = ("ImageUri",)


def update_function_code(
    tx: Transaction, params: Mapping[str, Any], fetched: bytes | Directory | None = None
) -> dict[str, Any]:
    """UpdateFunctionCode: run other code from the next invocation on. DryRun only checks.

    Publish makes a version of it. `fetched`: see `source`.

    Raises ResourceNotFoundException, PreconditionFailedException, InvalidParameterValueException,
    RequestEntityTooLargeException, NotImplementedHere.
    """
    function, qualifier = lookup.latest(tx, params)
    lookup.require_revision(function, params.get("RevisionId"))
    refuse_unsupported(params)
    (architecture,) = params.get("Architectures", [function.architecture])
    function = replace(
        function,
        code=source(tx, params, fetched, operation="UpdateFunctionCode"),
        source_kms_key_arn=params.get("SourceKMSKeyArn") or None,
        architecture=architecture,
        last_modified=tx.now,
        revision_id=str(uuid4()),
    )
    used_layers.check_size(tx, function)
    if params.get("DryRun"):
        return wire.configuration(function, wire.SETTLED, qualifier)
    tx.put(function)
    if params.get("Publish"):
        version = versions.publish(tx, function)
        # CreateFunction with Publish answers with the function's ARN, this with the version's.
        return wire.configuration(version.function, wire.CREATED, version.name)
    return wire.configuration(function, wire.UPDATED, qualifier)


def source(
    tx: Transaction,
    code: Mapping[str, Any],
    fetched: bytes | Directory | None,
    *,
    operation: str,
) -> Code:
    """Return the code that `code` (shape `FunctionCode`) says, kept if it is an archive.

    `fetched`: what the object of S3 that it names holds, or the directory for which that stands.
    Raises InvalidParameterValueException, RequestEntityTooLargeException, NotImplementedHere.
    """
    if code.get("ImageUri") and "ZipFile" not in code:
        if operation == "UpdateFunctionCode":
            raise InvalidParameterValueException(
                "Please don't provide ImageUri when updating a function with packageType Zip."
            )
        raise NotImplementedHere(
            "Container images (ImageUri) are not supported here; see docs/coverage.md."
        )
    if isinstance(fetched, Directory):
        return fetched
    return archives.keep(tx, code, fetched)
