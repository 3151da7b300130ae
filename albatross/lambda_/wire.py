"""The shapes of the Lambda API: `FunctionConfiguration`, `Code`, and the resource policy's JSON."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from albatross.model import arn
from albatross.model.function import LATEST, Directory, Function, Invocable, Package, Statement
from albatross.store.packages import Packages

# What a configuration says of its state. A function is in fact ready when its creation is answered;
# the first answer says what AWS's says, and whoever waits finds the function active at once.
_WHY = "The function is being created."  # AWS's words for an update as well
# differs from AWS: a function is Pending in the answer that makes it and Active from then on, never
# Inactive or Failed; so no invocation is refused for its state.
CREATED = {"State": "Pending", "StateReason": _WHY, "StateReasonCode": "Creating"}
UPDATED = {
    "State": "Active",
    "LastUpdateStatus": "InProgress",
    "LastUpdateStatusReason": _WHY,
    "LastUpdateStatusReasonCode": "Creating",
}
SETTLED = {"State": "Active", "LastUpdateStatus": "Successful"}


def configuration(
    function: Function, state: dict[str, str], qualifier: str | None = None
) -> dict[str, Any]:
    """Return `FunctionConfiguration`; its ARN has the qualifier that the caller gave, if any."""
    # differs from AWS: a function keeps its RevisionId when it becomes active after a change.
    summary = listed(function, qualifier)
    return summary | {"RuntimeVersionConfig": _runtime_version(function)} | state


def listed(function: Function, qualifier: str | None = None) -> dict[str, Any]:
    """Return the members of `FunctionConfiguration` that ListFunctions shows: none on state."""
    sha256, size = code(function)
    shown = {
        **function.extra,
        "FunctionName": function.name,
        "FunctionArn": f"{function.arn}:{qualifier}" if qualifier else function.arn,
        "Runtime": function.runtime,
        "Role": function.role,
        "Handler": function.handler,
        "CodeSize": size,
        "Description": function.description,
        "Timeout": function.timeout_s,
        "MemorySize": function.memory_mb,
        "LastModified": timestamp(function.last_modified),
        "CodeSha256": sha256,
        "Version": function.version,
        "TracingConfig": function.extra.get("TracingConfig", {"Mode": "PassThrough"}),
        "RevisionId": function.revision_id,
        "PackageType": "Zip",
        "Architectures": [function.architecture],
        "EphemeralStorage": {"Size": function.ephemeral_storage_mb},
        "SnapStart": {"ApplyOn": "None", **function.extra.get("SnapStart", {})},
        "LoggingConfig": _logging(function),
    }
    has_snapshot = function.version != LATEST and shown["SnapStart"]["ApplyOn"] != "None"
    shown["SnapStart"]["OptimizationStatus"] = "On" if has_snapshot else "Off"
    if function.layers:
        shown["Layers"] = [
            {"Arn": layer.arn, "CodeSize": layer.content.size} for layer in function.layers
        ]
    if function.environment:
        shown["Environment"] = {"Variables": dict(function.environment)}
    return shown


def code_location(function: Function, packages: Packages) -> dict[str, str]:
    """Return `FunctionCodeLocation`."""
    match function.code:
        case Package():
            # differs from AWS: the Location of code and layers is a URL of this server, not of S3.
            # It ends after ten minutes, as in AWS, or with the server.
            location = packages.location(function.code)
            kms = function.source_kms_key_arn
            return {
                "RepositoryType": "S3",
                "Location": location,
                **({"SourceKMSKeyArn": kms} if kms else {}),
            }
        case Directory(path=directory):
            return {"RepositoryType": "Directory", "Location": Path(directory).as_uri()}


def timestamp(moment: datetime) -> str:
    """Return `moment`, which is in UTC, as 2024-01-01T00:00:00.000+0000."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}+0000"


def compact(document: object) -> str:
    """Return JSON without spaces, as policies are shown and measured."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def policy(invocable_arn: str, invocable: Invocable) -> dict[str, Any]:
    """Return the resource policy of what has that ARN as a document."""
    statements = [statement(invocable_arn, each) for each in invocable.policy]
    return {"Version": "2012-10-17", "Id": "default", "Statement": statements}


def statement(invocable_arn: str, statement: Statement) -> dict[str, Any]:
    """Return one statement as IAM writes it. `Condition` is there only if there is one."""
    document = {
        "Sid": statement.sid,
        "Effect": "Allow",
        "Principal": _principal(statement.principal),
        "Action": statement.action,
        "Resource": invocable_arn,
    }
    equals = {
        "AWS:SourceAccount": statement.source_account,
        "aws:PrincipalOrgID": statement.organization_id,
        "lambda:EventSourceToken": statement.event_source_token,
        "lambda:FunctionUrlAuthType": statement.function_url_auth_type,
    }
    conditions: dict[str, dict[str, str]] = {}
    if given := {key: value for key, value in equals.items() if value is not None}:
        conditions["StringEquals"] = given
    if statement.invoked_via_function_url is not None:
        via = str(statement.invoked_via_function_url).lower()
        conditions["Bool"] = {"lambda:InvokedViaFunctionUrl": via}
    if statement.source_arn is not None:
        # AWS is silent: the source ARN of a permission becomes an ArnLike condition, not
        # StringLike.
        conditions["ArnLike"] = {"AWS:SourceArn": statement.source_arn}
    return document | ({"Condition": conditions} if conditions else {})


def _principal(principal: str) -> str | dict[str, str]:
    if principal == "*":
        return "*"
    if principal.isdigit():
        return {"AWS": f"arn:aws:iam::{principal}:root"}
    return {"AWS" if principal.startswith("arn:") else "Service": principal}


def code(function: Function) -> tuple[str, int]:
    """Return SHA-256 and size in bytes; code that is run where it lies has neither."""
    if isinstance(function.code, Package):
        return function.code.sha256, function.code.size
    return "", 0


def _logging(function: Function) -> dict[str, str]:
    config = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.name}"}
    given: Mapping[str, str] = function.extra.get("LoggingConfig", {})
    if given.get("LogFormat") == "JSON":
        config |= {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"}
    return {**config, **given}


def _runtime_version(function: Function) -> dict[str, str]:
    region = arn.parse_function(function.arn)
    assert region is not None and region.scope is not None
    version = hashlib.sha256(function.runtime.encode()).hexdigest()
    return {"RuntimeVersionArn": f"arn:aws:lambda:{region.scope.region}::runtime:{version}"}
