"""Why operations of an API are not there, and what is missing in others: for docs/coverage.md.

What is missing is read from the tables by which it is refused, where there is one.
"""

from collections.abc import Mapping

from botocore.model import OperationModel, StructureShape

from albatross.lambda_.code import UNSUPPORTED as SOURCES
from albatross.lambda_.configuration import UNSUPPORTED

# By a part of the operation's name. An operation that none of them names has no reason: "not yet".
_LAMBDA: Mapping[str, str] = {
    "EventSourceMapping": "functions are invoked by load balancers and by Invoke; there are no "
    "queues and streams",
    "Durable": "durable functions are not what load balancers invoke",
    "CapacityProvider": "managed instances are machines of AWS's",
    "ScalingConfig": "managed instances are machines of AWS's",
    "ResourcePolicy": "AddPermission, GetPolicy and RemovePermission are there",
}
_REFUSED = {
    "CreateFunction": (*UNSUPPORTED, *SOURCES),
    "UpdateFunctionConfiguration": UNSUPPORTED,
    "UpdateFunctionCode": (*UNSUPPORTED, *SOURCES),
    "PublishVersion": ("PublishTo",),
}


def reason(service: str, operation: str) -> str | None:
    """Return why an operation is not there, or None where there is nothing to say."""
    if service != "lambda":
        return None
    return next((why for part, why in _LAMBDA.items() if part in operation), None)


def missing(service: str, operation: OperationModel) -> str | None:
    """Return what is missing in an operation that is there, or None."""
    if service != "lambda":
        return None
    refused = [name for name in _REFUSED.get(operation.name, ()) if name in _members(operation)]
    if refused:
        return f"without {', '.join(refused)}"
    return None


def _members(operation: OperationModel) -> set[str]:
    """Return the members of the input, and those of structures right below it."""
    shape = operation.input_shape
    if shape is None:
        return set()
    below = [each for each in shape.members.values() if isinstance(each, StructureShape)]
    return {*shape.members, *(name for each in below for name in each.members)}
