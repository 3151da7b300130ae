"""Which accounts may use a layer version. Source: Lambda API, `AddLayerVersionPermission`,
`GetLayerVersionPolicy`, `RemoveLayerVersionPermission`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from albatross.lambda_ import layers, wire
from albatross.lambda_.permissions import POLICY_BYTES_MAX
from albatross.model.errors import (
    InvalidParameterValueException,
    PolicyLengthExceededException,
    PreconditionFailedException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from albatross.model.layer import LayerStatement, LayerVersion
from albatross.store.transaction import Transaction


def add_layer_version_permission(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """AddLayerVersionPermission: let an account, all of an organization, or everyone use it.

    Raises ResourceNotFoundException, ResourceConflictException, InvalidParameterValueException,
    PolicyLengthExceededException, PreconditionFailedException.
    """
    version = _own(tx, params)
    _require_revision(version, params)
    statement = LayerStatement(
        sid=params["StatementId"],
        principal=params["Principal"],
        action=params["Action"],
        organization_id=params.get("OrganizationId"),
    )
    if statement.organization_id and statement.principal != "*":
        # AWS is silent: a layer permission with an organization must be for all principals.
        raise InvalidParameterValueException(
            "Principal must be * where OrganizationId is given: it limits who everyone is."
        )
    if any(each.sid == statement.sid for each in version.policy):
        raise ResourceConflictException(
            f"The statement id ({statement.sid}) provided already exists. "
            "Please provide a new statement id, or remove the existing statement."
        )
    changed = _with_policy(version, (*version.policy, statement))
    size = len(_policy(changed).encode())
    if size > POLICY_BYTES_MAX:
        raise PolicyLengthExceededException(
            f"The final policy size ({size}) is bigger than the limit ({POLICY_BYTES_MAX})."
        )
    tx.put(changed)
    return {
        "Statement": wire.compact(_statement(changed, statement)),
        "RevisionId": changed.revision_id,
    }


def get_layer_version_policy(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetLayerVersionPolicy. Raises ResourceNotFoundException, also if it is empty."""
    version = _own(tx, params)
    if not version.policy:
        raise ResourceNotFoundException("No policy is associated with the given resource.")
    return {"Policy": _policy(version), "RevisionId": version.revision_id}


def remove_layer_version_permission(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """RemoveLayerVersionPermission. Functions that have the layer keep it.

    Raises ResourceNotFoundException, PreconditionFailedException.
    """
    version = _own(tx, params)
    if not version.policy:
        raise ResourceNotFoundException("No policy is associated with the given resource.")
    sid = params["StatementId"]
    rest = tuple(each for each in version.policy if each.sid != sid)
    if len(rest) == len(version.policy):
        raise ResourceNotFoundException(f"Statement {sid} is not found in resource policy.")
    _require_revision(version, params)
    tx.put(_with_policy(version, rest))
    return {}


def _own(tx: Transaction, params: Mapping[str, Any]) -> LayerVersion:
    version_arn = layers.address(tx, params)
    version = tx.get(LayerVersion, version_arn)
    if version is None:
        raise ResourceNotFoundException(f"Layer version {version_arn} does not exist.")
    return version


def _require_revision(version: LayerVersion, params: Mapping[str, Any]) -> None:
    if params.get("RevisionId", version.revision_id) != version.revision_id:
        raise PreconditionFailedException(
            "The Revision Id provided does not match the latest Revision Id. "
            "Call the GetLayerPolicy API to retrieve the latest Revision Id"
        )


def _with_policy(version: LayerVersion, policy: tuple[LayerStatement, ...]) -> LayerVersion:
    return replace(version, policy=policy, revision_id=str(uuid4()))


def _policy(version: LayerVersion) -> str:
    statements = [_statement(version, each) for each in version.policy]
    return wire.compact({"Version": "2012-10-17", "Id": "default", "Statement": statements})


def _statement(version: LayerVersion, statement: LayerStatement) -> dict[str, Any]:
    principal: object = statement.principal
    if statement.principal.isdigit():
        principal = {"AWS": f"arn:aws:iam::{statement.principal}:root"}
    elif statement.principal != "*":
        principal = {"AWS": statement.principal}
    document: dict[str, Any] = {
        "Sid": statement.sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": statement.action,
        "Resource": version.arn,
    }
    if statement.organization_id:
        equals = {"aws:PrincipalOrgID": statement.organization_id}
        document["Condition"] = {"StringEquals": equals}
    return document
