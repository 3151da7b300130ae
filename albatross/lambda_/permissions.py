"""Resource policies: who may invoke a function; each version and alias has one of its own.

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
    PreconditionFailedException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from albatross.model.function import LATEST, URL_ACTIONS, Function, Statement
from albatross.model.version import Alias, Version
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
    if lookup.address(tx.scope, params).qualifier == LATEST:
        raise InvalidParameterValueException(
            "We currently do not support adding policies for $LATEST."
        )
    invocable = lookup.invocable(tx, params)
    _require_revision(invocable, params)
    statement = _statement(params)
    if any(each.sid == statement.sid for each in invocable.policy):
        raise ResourceConflictException(
            f"The statement id ({statement.sid}) provided already exists. "
            "Please provide a new statement id, or remove the existing statement."
        )
    changed = _with_policy(invocable, (*invocable.policy, statement))
    size = len(wire.compact(wire.policy(changed.arn, changed)).encode())
    if size > POLICY_BYTES_MAX:
        raise PolicyLengthExceededException(
            f"The final policy size ({size}) is bigger than the limit ({POLICY_BYTES_MAX})."
        )
    tx.put(changed)
    return {"Statement": wire.compact(wire.statement(changed.arn, statement))}


def remove_permission(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """RemovePermission: take the statement `StatementId` out of the policy.

    Raises ResourceNotFoundException, PreconditionFailedException.
    """
    called = lookup.address(tx.scope, params)
    function_arn = arn.function(tx.scope, called.name)
    if tx.get(Function, function_arn) is None:
        raise ResourceNotFoundException(f"No policy found for: {function_arn}")
    invocable = lookup.invocable(tx, params)
    if not invocable.policy:
        raise ResourceNotFoundException("No policy is associated with the given resource.")
    sid = params["StatementId"]
    rest = tuple(each for each in invocable.policy if each.sid != sid)
    if len(rest) == len(invocable.policy):
        raise ResourceNotFoundException(f"Statement {sid} is not found in resource policy.")
    _require_revision(invocable, params)
    tx.put(_with_policy(invocable, rest))
    return {}


def get_policy(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetPolicy: the policy as JSON. Raises ResourceNotFoundException, also if it is empty."""
    missing = ResourceNotFoundException("The resource you requested does not exist.")
    lookup.by_name(tx, lookup.address(tx.scope, params).name)
    try:
        found = lookup.invocable(tx, params)
    except ResourceNotFoundException:
        raise missing from None
    if not found.policy:
        raise missing
    return {
        "Policy": wire.compact(wire.policy(found.arn, found)),
        "RevisionId": found.revision_id,
    }


def _with_policy(
    found: Function | Version | Alias, policy: tuple[Statement, ...]
) -> Function | Version | Alias:
    """Return `found` with another policy, and with another revision id."""
    revision_id = str(uuid4())
    if isinstance(found, Version):
        function = replace(found.function, revision_id=revision_id)
        return replace(found, policy=policy, function=function)
    return replace(found, policy=policy, revision_id=revision_id)


def _require_revision(found: Function | Version | Alias, params: Mapping[str, Any]) -> None:
    """Raise PreconditionFailedException if the caller has seen another policy."""
    if params.get("RevisionId", found.revision_id) != found.revision_id:
        raise PreconditionFailedException(
            "The Revision Id provided does not match the latest Revision Id. "
            "Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
        )


def _statement(params: Mapping[str, Any]) -> Statement:
    if not _PRINCIPAL.fullmatch(params["Principal"]):
        raise InvalidParameterValueException(
            "The provided principal was invalid. Please check the principal and try again."
        )
    if params.get("FunctionUrlAuthType") and params["Action"] != URL_ACTIONS[0]:
        raise InvalidParameterValueException(
            f"FunctionUrlAuthType is only supported for {URL_ACTIONS[0]} action"
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
