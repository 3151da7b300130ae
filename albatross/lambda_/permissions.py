"""A function's resource policy: who may invoke it.

Source: Lambda API, `AddPermission`, `RemovePermission`, `GetPolicy`; Lambda guide, "Viewing
resource-based IAM policies in Lambda".
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from albatross.lambda_ import lookup, wire
from albatross.model import arn
from albatross.model.errors import (
    InvalidParameterValueException,
    PolicyLengthExceededException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from albatross.model.function import Function, Statement
from albatross.store.transaction import Transaction

POLICY_BYTES_MAX = 20 * 1024
_PRINCIPAL = re.compile(
    r"\*"
    r"|[0-9]{12}"
    r"|arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:.+"
    r"|([a-z0-9-]+\.)+(amazonaws\.com(\.cn)?|amazon\.com)"
)


def add_permission(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """AddPermission: add one statement to the policy, and return it as JSON.

    Raises ResourceNotFoundException, ResourceConflictException, InvalidParameterValueException,
    PolicyLengthExceededException, PreconditionFailedException.
    """
    if lookup.address(tx.scope, params).qualifier == lookup.LATEST:
        raise InvalidParameterValueException(
            "We currently do not support adding policies for $LATEST."
        )
    function, _ = lookup.find(tx, params)
    lookup.require_revision(function, params.get("RevisionId"))
    statement = _statement(params)
    if any(each.sid == statement.sid for each in function.policy):
        raise ResourceConflictException(
            f"The statement id ({statement.sid}) provided already exists. "
            "Please provide a new statement id, or remove the existing statement."
        )
    function = replace(function, policy=(*function.policy, statement), revision_id=str(uuid4()))
    size = len(wire.compact(wire.policy(function)).encode())
    if size > POLICY_BYTES_MAX:
        raise PolicyLengthExceededException(
            f"The final policy size ({size}) is bigger than the limit ({POLICY_BYTES_MAX})."
        )
    tx.put(function)
    return {"Statement": wire.compact(wire.statement(function.arn, statement))}


def remove_permission(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """RemovePermission: take the statement `StatementId` out of the policy.

    Raises ResourceNotFoundException, PreconditionFailedException.
    """
    called = lookup.address(tx.scope, params)
    function_arn = arn.function(tx.scope, called.name)
    if tx.get(Function, function_arn) is None:
        raise ResourceNotFoundException(f"No policy found for: {function_arn}")
    function, _ = lookup.find(tx, params)
    if not function.policy:
        raise ResourceNotFoundException("No policy is associated with the given resource.")
    sid = params["StatementId"]
    rest = tuple(each for each in function.policy if each.sid != sid)
    if len(rest) == len(function.policy):
        raise ResourceNotFoundException(f"Statement {sid} is not found in resource policy.")
    lookup.require_revision(function, params.get("RevisionId"))
    tx.put(replace(function, policy=rest, revision_id=str(uuid4())))
    return {}


def get_policy(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetPolicy: the policy as JSON. Raises ResourceNotFoundException, also if it is empty."""
    function, _ = lookup.find(tx, params)
    if not function.policy:
        raise ResourceNotFoundException("The resource you requested does not exist.")
    return {"Policy": wire.compact(wire.policy(function)), "RevisionId": function.revision_id}


def _statement(params: Mapping[str, Any]) -> Statement:
    if not _PRINCIPAL.fullmatch(params["Principal"]):
        raise InvalidParameterValueException(
            "The provided principal was invalid. Please check the principal and try again."
        )
    return Statement(
        sid=params["StatementId"],
        action=params["Action"],
        principal=params["Principal"],
        source_arn=params.get("SourceArn"),
        source_account=params.get("SourceAccount"),
        organization_id=params.get("PrincipalOrgID"),
        event_source_token=params.get("EventSourceToken"),
        function_url_auth_type=params.get("FunctionUrlAuthType"),
        invoked_via_function_url=params.get("InvokedViaFunctionUrl"),
    )
