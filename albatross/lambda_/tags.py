"""Tags of functions and code signing configurations.

Source: Lambda API, `TagResource`; guide, "Using tags on functions".
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from albatross.lambda_ import lookup
from albatross.model.code_signing import CodeSigningConfig
from albatross.model.errors import InvalidParameterValueException
from albatross.model.function import Function
from albatross.store.transaction import Transaction

TAGS_MAX = 50


def tag_resource(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """TagResource: add tags, or change those with the same key.

    Raises ResourceNotFoundException, InvalidParameterValueException.
    """
    arn = _arn(tx, params)
    if not params["Tags"]:
        raise InvalidParameterValueException(
            "An error occurred and the request cannot be processed."
        )
    _put(tx, arn, check(tx.tags(arn) | params["Tags"]))
    return {}


def untag_resource(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """UntagResource: remove the tags with these keys; a key that is not there is no error.

    Raises ResourceNotFoundException, InvalidParameterValueException.
    """
    arn = _arn(tx, params)
    tags = tx.tags(arn)
    _put(tx, arn, {k: v for k, v in tags.items() if k not in params["TagKeys"]})
    return {}


def list_tags(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """ListTags. Raises ResourceNotFoundException, InvalidParameterValueException."""
    return {"Tags": tx.tags(_arn(tx, params))}


def check(tags: Mapping[str, str]) -> Mapping[str, str]:
    """Return `tags`. Raises InvalidParameterValueException if AWS keeps the key, or too many."""
    if any(key.lower().startswith("aws:") for key in tags):
        raise InvalidParameterValueException(
            "aws: prefixed tag key names are not allowed for external use."
        )
    if len(tags) > TAGS_MAX:
        raise InvalidParameterValueException("Number of tags exceeds resource tag limit.")
    return tags


def _put(tx: Transaction, arn: str, tags: Mapping[str, str]) -> None:
    """Keep `tags`; a function has another revision id then."""
    tx.put_tags(arn, tags)
    if (function := tx.get(Function, arn)) is not None:
        tx.put(replace(function, revision_id=str(uuid4())))


def _arn(tx: Transaction, params: Mapping[str, Any]) -> str:
    """Return the ARN of the function, or code signing configuration, that has the tags."""
    if tx.get(CodeSigningConfig, params["Resource"]) is not None:
        return str(params["Resource"])
    called = {"FunctionName": params["Resource"]}
    if lookup.address(tx.scope, called).qualifier is not None:
        raise InvalidParameterValueException(
            "Tags on function aliases and versions are not supported. "
            "Please specify a function ARN."
        )
    return lookup.unqualified(tx, called).arn
