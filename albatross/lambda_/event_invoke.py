"""How events of asynchronous invocations are handled: retries, age, destinations.

Source: Lambda API, `PutFunctionEventInvokeConfig` and its siblings; Lambda guide, "Capturing
records of Lambda asynchronous invocations".
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from albatross.lambda_ import lookup
from albatross.lambda_.paging import page
from albatross.model import arn
from albatross.model.errors import InvalidParameterValueException, ResourceNotFoundException
from albatross.model.event_invoke import EventInvoke
from albatross.model.function import LATEST, Function
from albatross.model.version import Alias, Version
from albatross.store.transaction import Transaction

_PREFIX = r"arn:aws[a-z-]*:"
_QUEUE_OR_TOPIC = re.compile(_PREFIX + r"(sqs|sns):[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+")
_DESTINATION = re.compile(
    rf"{_QUEUE_OR_TOPIC.pattern}"
    rf"|{_PREFIX}events:[a-z0-9-]+:\d{{12}}:event-bus/[A-Za-z0-9._/-]+"
    rf"|{_PREFIX}s3:::[a-z0-9][a-z0-9.-]+"
)
_BUCKET = ":s3:::"


def put_function_event_invoke_config(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """PutFunctionEventInvokeConfig: replace what is set; what is not given is AWS's default again.

    Raises ResourceNotFoundException, InvalidParameterValueException.
    """
    if not params.keys() & _MEMBERS:
        raise InvalidParameterValueException(
            "You must specify at least one of error handling or destination setting."
        )
    return _put(tx, params, _found(tx, params), EventInvoke(last_modified=tx.now))


def update_function_event_invoke_config(
    tx: Transaction, params: Mapping[str, Any]
) -> dict[str, Any]:
    """UpdateFunctionEventInvokeConfig: what is not given stays.

    Raises ResourceNotFoundException, InvalidParameterValueException.
    """
    found = _found(tx, params)
    return _put(tx, params, found, _existing(found))


def get_function_event_invoke_config(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetFunctionEventInvokeConfig. Raises ResourceNotFoundException."""
    found = _configured(tx, params)
    return _document(found, _existing(found))


def delete_function_event_invoke_config(
    tx: Transaction, params: Mapping[str, Any]
) -> dict[str, Any]:
    """DeleteFunctionEventInvokeConfig. Raises ResourceNotFoundException."""
    tx.put(replace(_configured(tx, params), event_invoke=None))
    return {}


def list_function_event_invoke_configs(
    tx: Transaction, params: Mapping[str, Any]
) -> dict[str, Any]:
    """ListFunctionEventInvokeConfigs: of $LATEST, versions and aliases.

    Raises ResourceNotFoundException, InvalidParameterValueException.
    """
    called = lookup.address(tx.scope, params)
    function = tx.get(Function, arn.function(tx.scope, called.name))
    if function is None:
        raise _missing()
    every: list[Function | Version | Alias] = [
        function,
        *tx.list(Version, parent=function.arn),
        *tx.list(Alias, parent=function.arn),
    ]
    shown, more = page(params, (one for one in every if one.event_invoke), _qualified)
    documents = [_document(one, _existing(one)) for one in shown]
    return {"FunctionEventInvokeConfigs": documents, **more}


def check_dead_letter_queue(config: Mapping[str, Any]) -> None:
    """Check a function's DeadLetterConfig. Raises InvalidParameterValueException."""
    target = config.get("TargetArn")
    if target and not _QUEUE_OR_TOPIC.fullmatch(target):
        raise InvalidParameterValueException(
            f"The dead letter target ARN {target} is not that of a standard queue or topic."
        )


def _put(
    tx: Transaction,
    params: Mapping[str, Any],
    found: Function | Version | Alias,
    before: EventInvoke,
) -> dict[str, Any]:
    given: dict[str, Any] = {
        field: params[member] for member, field in _NUMBERS.items() if member in params
    }
    for member, field in _CONDITIONS.items():
        described = params.get("DestinationConfig", {}).get(member)
        if described is not None:
            destination = described.get("Destination") or None
            _check_destination(tx, destination, member, found, params["DestinationConfig"])
            given[field] = destination
    changed = replace(before, **given, last_modified=tx.now)
    tx.put(replace(found, event_invoke=changed))
    return _document(found, changed)


def _check_destination(
    tx: Transaction,
    destination: str | None,
    condition: str,
    found: Function | Version | Alias,
    config: Mapping[str, Any],
) -> None:
    """Raise InvalidParameterValueException for what is no destination, or not of `condition`."""
    if destination is None:
        return
    wrong = InvalidParameterValueException(f"The destination ARN {destination} is invalid.")
    if (called := arn.parse_function(destination)) is not None and called.scope is not None:
        # AWS is silent: a function as a destination must be in the account and Region of the
        # function that has it.
        if called.scope != tx.scope:
            raise wrong
        if arn.function(tx.scope, called.name) == _function_arn(found):
            raise InvalidParameterValueException(
                "You can't specify the function as a destination for itself."
            )
        try:
            lookup.called(tx, {"FunctionName": destination})
        except ResourceNotFoundException:
            raise wrong from None
    elif not _DESTINATION.fullmatch(destination):
        raise InvalidParameterValueException(
            f"The provided destination config {_shown(config)} is invalid."
        )
    elif _BUCKET in destination and condition == "OnSuccess":
        # [guide] "Amazon S3 bucket (on failure only)"
        raise wrong


def _shown(config: Mapping[str, Any]) -> str:
    """Return `DestinationConfig` as AWS's message writes it."""
    parts = []
    for member in _CONDITIONS:
        name = member[0].lower() + member[1:]
        destination = config.get(member, {}).get("Destination")
        value = "null" if member not in config else f"{member}(destination={destination})"
        parts.append(f"{name}={value}")
    return f"DestinationConfig({', '.join(parts)})"


def _found(tx: Transaction, params: Mapping[str, Any]) -> Function | Version | Alias:
    """Return what is to be configured. Raises ResourceNotFoundException."""
    lookup.address(tx.scope, params)  # its errors stay as they are
    try:
        return lookup.invocable(tx, params)
    except ResourceNotFoundException:
        raise _missing() from None


def _configured(tx: Transaction, params: Mapping[str, Any]) -> Function | Version | Alias:
    """Return what has a configuration. Raises ResourceNotFoundException, in the same words where
    there is no such function.
    """
    called = lookup.address(tx.scope, params)
    try:
        found = lookup.invocable(tx, params)
    except ResourceNotFoundException:
        named = arn.function(tx.scope, called.name, called.qualifier or LATEST)
        raise _unconfigured(named) from None
    _existing(found)
    return found


def _existing(found: Function | Version | Alias) -> EventInvoke:
    """Raises ResourceNotFoundException where nothing is configured."""
    if found.event_invoke is None:
        raise _unconfigured(_qualified(found))
    return found.event_invoke


def _missing() -> ResourceNotFoundException:
    return ResourceNotFoundException("The function doesn't exist.")


def _unconfigured(qualified_arn: str) -> ResourceNotFoundException:
    return ResourceNotFoundException(
        f"The function {qualified_arn} doesn't have an EventInvokeConfig"
    )


def _function_arn(found: Function | Version | Alias) -> str:
    return found.parent or found.arn


def _qualified(found: Function | Version | Alias) -> str:
    return f"{found.arn}:{LATEST}" if isinstance(found, Function) else found.arn


def _document(found: Function | Version | Alias, config: EventInvoke) -> dict[str, Any]:
    """Return `FunctionEventInvokeConfig`."""
    shown: dict[str, Any] = {
        "LastModified": config.last_modified,
        "FunctionArn": _qualified(found),
        "DestinationConfig": {
            member: {"Destination": destination} if destination else {}
            for member, field in _CONDITIONS.items()
            for destination in [getattr(config, field)]
        },
    }
    for member, field in _NUMBERS.items():
        if (value := getattr(config, field)) is not None:
            shown[member] = value
    return shown


_NUMBERS = {
    "MaximumRetryAttempts": "retries_max",
    "MaximumEventAgeInSeconds": "age_max_s",
}
_CONDITIONS = {"OnSuccess": "on_success", "OnFailure": "on_failure"}
_MEMBERS = {*_NUMBERS, "DestinationConfig"}
