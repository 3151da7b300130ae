"""A function's deployment package. Source: Lambda API, `UpdateFunctionCode`, `FunctionCode`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from albatross.lambda_ import lookup, versions, wire
from albatross.lambda_.configuration import refuse_unsupported
from albatross.model.errors import (
    InvalidParameterValueException,
    NotImplementedHere,
    RequestEntityTooLargeException,
)
from albatross.model.function import Package
from albatross.store.transaction import Transaction

ZIP_BYTES_MAX = 50 * 1024 * 1024
_REQUEST_BYTES_MAX = 70_167_211  # the limit as AWS words it: of the request, the zip in Base64
ELSEWHERE = ("S3Bucket", "S3Key", "S3ObjectVersion", "ImageUri")


def update_function_code(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """UpdateFunctionCode: run other code from the next invocation on. DryRun only checks.

    Publish makes a version of it.

    Raises ResourceNotFoundException, PreconditionFailedException, InvalidParameterValueException,
    RequestEntityTooLargeException, NotImplementedHere.
    """
    function, qualifier = lookup.latest(tx, params)
    lookup.require_revision(function, params.get("RevisionId"))
    refuse_unsupported(params)
    (architecture,) = params.get("Architectures", [function.architecture])
    function = replace(
        function,
        code=package(tx, params, operation="UpdateFunctionCode"),
        architecture=architecture,
        last_modified=tx.now,
        revision_id=str(uuid4()),
    )
    if params.get("DryRun"):
        return wire.configuration(function, wire.SETTLED, qualifier)
    tx.put(function)
    if params.get("Publish"):
        version, _ = versions.publish(tx, function)
        # AWS is silent: UpdateFunctionCode with Publish answers with the qualified ARN of the
        # version, CreateFunction with that of the function.
        return wire.configuration(version.function, wire.UPDATED, version.name)
    return wire.configuration(function, wire.UPDATED, qualifier)


def package(tx: Transaction, code: Mapping[str, Any], *, operation: str) -> Package:
    """Keep the archive in `code` (shape `FunctionCode`) and return it.

    Raises InvalidParameterValueException, RequestEntityTooLargeException, NotImplementedHere.
    """
    elsewhere = [member for member in ELSEWHERE if code.get(member)]
    if "ZipFile" not in code:
        if elsewhere:
            raise NotImplementedHere(
                f"Code from {elsewhere[0]} is not supported here yet, only ZipFile; "
                "see docs/coverage.md."
            )
        raise InvalidParameterValueException("Please provide a source for function code.")
    if elsewhere:
        raise InvalidParameterValueException(
            "Please do not provide other FunctionCode parameters when providing a ZipFile."
        )
    # differs from AWS: the code of all functions together may take more than 300 GB.
    archive: bytes = code["ZipFile"]
    if len(archive) > ZIP_BYTES_MAX:
        raise RequestEntityTooLargeException(
            f"Request must be smaller than {_REQUEST_BYTES_MAX} bytes for the {operation} operation"
        )
    return tx.packages.add(archive)
