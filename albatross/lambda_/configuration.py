"""A function's settings: what CreateFunction and UpdateFunctionConfiguration have in common.

Source: Lambda API reference of both; Lambda guide, "Working with Lambda environment variables".
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from albatross.lambda_ import event_invoke, lookup, runtimes, used_layers, wire
from albatross.model.errors import (
    InvalidParameterValueException,
    NotImplementedHere,
    ValidationException,
)
from albatross.model.function import Secrets
from albatross.store.transaction import Transaction

TIMEOUT_S_MAX = 900
MEMORY_MB_MAX = 10_240  # the model has more
EPHEMERAL_STORAGE_MB_MAX = 10_240  # likewise
ENVIRONMENT_BYTES_MAX = 4096  # of the variables as JSON without spaces
RESERVED_VARIABLES = frozenset(
    {
        *("AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV"),
        *("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME"),
        *("AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE"),
        *("AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_MAX_CONCURRENCY"),
        *("AWS_LAMBDA_METADATA_API", "AWS_LAMBDA_METADATA_TOKEN", "AWS_LAMBDA_RUNTIME_API"),
        *("LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT"),
    }
)

UNSUPPORTED = (
    *("AcceleratorConfig", "CapacityProviderConfig", "DurableConfig"),
    *("ImageConfig", "PublishTo", "RuntimeConfig", "TenancyConfig"),
)


def update_function_configuration(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """UpdateFunctionConfiguration: change the settings that are given.

    Raises ResourceNotFoundException, PreconditionFailedException, InvalidParameterValueException,
    ValidationException, NotImplementedHere.
    """
    function, qualifier = lookup.latest(tx, params)
    lookup.require_revision(function, params.get("RevisionId"))
    changes = fields(params, function.extra)
    if "runtime" in changes:
        runtimes.admit(changes["runtime"], tx.lenient)
    if "Layers" in params:
        changes["layers"] = used_layers.named(tx, params["Layers"], function.layers)
    function = replace(function, **changes, last_modified=tx.now, revision_id=str(uuid4()))
    if "Layers" in params:
        used_layers.check_size(tx, function)
    if params.keys() & {"Runtime", "SnapStart"}:
        runtimes.check_snap_start(function)
    tx.put(function)
    return wire.configuration(function, wire.UPDATED, qualifier)


def refuse_unsupported(params: Mapping[str, Any]) -> None:
    """Raise NotImplementedHere for a member that would have an effect on AWS and has none here."""
    for member in UNSUPPORTED:
        if params.get(member):
            raise NotImplementedHere(f"{member} is not supported here yet; see docs/coverage.md.")


def fields(params: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `Function` that `params` set, checked. `extra` is that of before."""
    refuse_unsupported(params)
    given = {
        field: check(params[member])
        for member, (field, check) in _MEMBERS.items()
        if member in params
    }
    return given | {"extra": _extra(params, extra)}


def _timeout_s(seconds: int) -> int:
    if seconds > TIMEOUT_S_MAX:
        raise ValidationException(
            f"1 validation error detected: Value '{seconds}' at 'timeout' failed to satisfy "
            f"constraint: Member must have value less than or equal to {TIMEOUT_S_MAX}"
        )
    return seconds


def _memory_mb(megabytes: int) -> int:
    return _at_most(MEMORY_MB_MAX, megabytes, "MemorySize")


def _at_most(most: int, megabytes: int, member: str) -> int:
    if megabytes > most:
        raise InvalidParameterValueException(
            f"'{member}' value failed to satisfy constraint: "
            f"Member must have value less than or equal to {most}"
        )
    return megabytes


def _environment(environment: Mapping[str, Any]) -> Secrets:
    variables = Secrets(environment.get("Variables", {}))
    unable = "Lambda was unable to configure your environment variables because the environment "
    if reserved := [key for key in variables if key in RESERVED_VARIABLES]:
        raise InvalidParameterValueException(
            f"{unable}variables you have provided contains reserved keys that are currently not "
            f"supported for modification. Reserved keys used in this request: {', '.join(reserved)}"
        )
    measured = wire.compact(variables)
    if len(measured.encode()) > ENVIRONMENT_BYTES_MAX:
        raise InvalidParameterValueException(
            f"{unable}variables you have provided exceeded the 4KB limit. "
            f"String measured: {measured}"
        )
    return variables


def _as_it_is(value: Any) -> Any:
    return value


def _size_mb(storage: Mapping[str, int]) -> int:
    return _at_most(EPHEMERAL_STORAGE_MB_MAX, storage["Size"], "EphemeralStorage")


def _single(values: list[str]) -> str:
    return values[0]


_MEMBERS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "Runtime": ("runtime", runtimes.check),
    "Handler": ("handler", _as_it_is),
    "Role": ("role", _as_it_is),
    "Description": ("description", _as_it_is),
    "Timeout": ("timeout_s", _timeout_s),
    "MemorySize": ("memory_mb", _memory_mb),
    "EphemeralStorage": ("ephemeral_storage_mb", _size_mb),
    "Architectures": ("architecture", _single),
    "Environment": ("environment", _environment),
}


def _extra(params: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members without an effect here. An empty one takes back what was set before."""
    # differs from AWS: FileSystemConfigs, KMSKeyArn, SnapStart and TracingConfig are kept and
    # shown, but have no effect.
    extra = dict(before)
    event_invoke.check_dead_letter_queue(params.get("DeadLetterConfig", {}))
    for member in ("DeadLetterConfig", "FileSystemConfigs", "KMSKeyArn"):
        if member in params:
            extra.pop(member, None)
            if _says_something(params[member]):
                extra[member] = params[member]
    _check_levels(params.get("LoggingConfig", {}))
    if "LoggingConfig" in params:
        extra["LoggingConfig"] = _logging(params["LoggingConfig"], extra.get("LoggingConfig", {}))
    for member in ("SnapStart", "TracingConfig"):
        if member in params:
            extra[member] = params[member]
    if "VpcConfig" in params:
        # differs from AWS: a function is in no VPC: VpcConfig is shown as given, without a VpcId.
        extra["VpcConfig"] = _vpc(params["VpcConfig"])
    if "Environment" in params:
        extra["Environment"] = {"Variables": {}}  # shown even if empty; the values are kept apart
    return extra


def _vpc(given: Mapping[str, Any]) -> dict[str, Any]:
    nothing = {"SubnetIds": [], "SecurityGroupIds": [], "Ipv6AllowedForDualStack": False}
    config = {**nothing, **given, "VpcId": ""}
    if bool(config["SubnetIds"]) != bool(config["SecurityGroupIds"]):
        raise InvalidParameterValueException(
            "SubnetIds and SecurityIds must coexist or be both empty list."
        )
    return config


def _check_levels(logging: Mapping[str, str]) -> None:
    has_level = "ApplicationLogLevel" in logging or "SystemLogLevel" in logging
    if has_level and logging.get("LogFormat") != "JSON":
        raise InvalidParameterValueException(
            'LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your '
            'request or change the LogFormat to "JSON" and try again.'
        )


def _logging(given: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """Return `given` with what it leaves as it was: not the levels, where it names the format."""
    stays = before
    if "LogFormat" in given:
        stays = {member: value for member, value in before.items() if member == "LogGroup"}
    return {**stays, **given}


def _says_something(value: Any) -> bool:
    return any(value.values()) if isinstance(value, Mapping) else bool(value)
