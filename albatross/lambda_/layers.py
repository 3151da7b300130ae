"""Layers: publish, show, list and delete versions of them. Source: Lambda API,
`PublishLayerVersion`, `GetLayerVersion`, `GetLayerVersionByArn`, `ListLayers`,
`ListLayerVersions`, `DeleteLayerVersion`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from albatross.lambda_ import archives, wire
from albatross.lambda_.paging import page
from albatross.model import arn
from albatross.model.errors import (
    AccessDeniedException,
    InvalidParameterValueException,
    ResourceNotFoundException,
    ValidationException,
)
from albatross.model.layer import READ_ACTION, Layer, LayerVersion
from albatross.store.transaction import Transaction

_NEWEST_FIRST = 10**19  # more than any number of a version


def publish_layer_version(
    tx: Transaction, params: Mapping[str, Any], fetched: bytes | None = None
) -> dict[str, Any]:
    """PublishLayerVersion: keep an archive as the next version of a layer.

    `fetched`: the object of S3, where `Content` names one. Raises InvalidParameterValueException,
    RequestEntityTooLargeException, AccessDeniedException.
    """
    layer_arn = _own(tx, params)
    content = archives.keep(tx, params["Content"], fetched)
    name = layer_arn.rpartition(":")[2]
    layer = tx.get(Layer, layer_arn) or Layer(arn=layer_arn, name=name, last=0)
    layer = replace(layer, last=layer.last + 1)
    version = LayerVersion(
        arn=f"{layer_arn}:{layer.last}",
        name=name,
        version=layer.last,
        content=content,
        created=tx.now,
        revision_id=str(uuid4()),
        description=params.get("Description", ""),
        license=params.get("LicenseInfo"),
        runtimes=tuple(params.get("CompatibleRuntimes", ())),
        architectures=tuple(params.get("CompatibleArchitectures", ())),
    )
    tx.put(layer)
    tx.put(version)
    return _with_content(tx, version)


def get_layer_version(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetLayerVersion, also of another account that allows it.

    Raises ResourceNotFoundException, InvalidParameterValueException, AccessDeniedException.
    """
    return _with_content(tx, find(tx, address(tx, params)))


def get_layer_version_by_arn(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetLayerVersionByArn; see GetLayerVersion."""
    return _with_content(tx, find(tx, params["Arn"]))


def list_layers(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """ListLayers: by name, each with its newest version that is compatible."""
    newest = {
        version.layer_arn: version
        for version in sorted(tx.list(LayerVersion), key=lambda version: version.version)
        if _is_compatible(version, params)
    }
    shown, more = page(params, newest.values(), lambda version: version.name)
    layers = [
        {
            "LayerName": version.name,
            "LayerArn": version.layer_arn,
            "LatestMatchingVersion": _summary(version),
        }
        for version in shown
    ]
    return {"Layers": layers, **more}


def list_layer_versions(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """ListLayerVersions: those that are compatible, the newest first; of no layer there are none.

    Raises AccessDeniedException for a layer of another account.
    """
    versions = [
        version
        for version in tx.list(LayerVersion, parent=_own(tx, params))
        if _is_compatible(version, params)
    ]
    shown, more = page(params, versions, lambda version: f"{_NEWEST_FIRST - version.version:020}")
    return {"LayerVersions": [_summary(version) for version in shown], **more}


def delete_layer_version(tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
    """DeleteLayerVersion. Functions that have it keep it; one that is not there is no error.

    Raises InvalidParameterValueException, AccessDeniedException.
    """
    _own(tx, params)
    tx.delete(address(tx, params))
    return {}


def address(tx: Transaction, params: Mapping[str, Any]) -> str:
    """Return the ARN that `LayerName`, which may be one, and `VersionNumber` say.

    Raises InvalidParameterValueException.
    """
    number = params["VersionNumber"]
    if number < 1:
        raise InvalidParameterValueException("Layer Version Cannot be less than 1")
    return f"{_layer_arn(tx, params)}:{number}"


def find(tx: Transaction, version_arn: str) -> LayerVersion:
    """Return the layer version. Raises ResourceNotFoundException, AccessDeniedException."""
    named = arn.parse_layer(version_arn)
    if named is None or named.version is None:
        raise ResourceNotFoundException("The resource you requested does not exist.")
    if named.scope == tx.scope:
        version = tx.get(LayerVersion, version_arn)
        if version is None:
            raise ResourceNotFoundException("The resource you requested does not exist.")
        return version
    version = tx.get_from_anywhere(LayerVersion, version_arn)
    is_near = named.scope.region == tx.scope.region
    if version is None or not is_near or not version.may_be_used_by(tx.scope.account):
        raise not_allowed(tx, version_arn)
    return version


def not_allowed(tx: Transaction, layer_arn: str) -> AccessDeniedException:
    """Return the refusal of a layer of another account, which does not tell whether it is there."""
    return AccessDeniedException(
        f"User: arn:aws:iam::{tx.scope.account}:root is not authorized to perform: "
        f"{READ_ACTION} on resource: {layer_arn} because no resource-based policy allows the "
        f"{READ_ACTION} action"
    )


def _layer_arn(tx: Transaction, params: Mapping[str, Any]) -> str:
    name: str = params["LayerName"]
    if not name.startswith("arn:"):
        return arn.layer(tx.scope, name)
    named = arn.parse_layer(name)
    if named is None or named.version is not None:
        raise ValidationException(
            f"1 validation error detected: Value '{name}' at 'layerName' failed to satisfy "
            "constraint: Member must be the name or ARN of a layer"
        )
    return name


def _own(tx: Transaction, params: Mapping[str, Any]) -> str:
    """Return the ARN of a layer of the caller's. Raises AccessDeniedException for another's."""
    layer_arn = _layer_arn(tx, params)
    named = arn.parse_layer(layer_arn)
    assert named is not None
    if named.scope != tx.scope:
        # AWS is silent: what only the owner of a layer may do is refused to others with
        # AccessDeniedException.
        raise AccessDeniedException(
            f"User: arn:aws:iam::{tx.scope.account}:root is not authorized to perform this action "
            f"on resource: {layer_arn}"
        )
    return layer_arn


def _is_compatible(version: LayerVersion, params: Mapping[str, Any]) -> bool:
    runtime = params.get("CompatibleRuntime")
    architecture = params.get("CompatibleArchitecture")
    # AWS is silent: a layer version that names no compatible architecture is listed for x86_64.
    architectures = version.architectures or ("x86_64",)
    return (runtime is None or runtime in version.runtimes) and (
        architecture is None or architecture in architectures
    )


def _summary(version: LayerVersion) -> dict[str, Any]:
    """Return `LayerVersionsListItem`."""
    shown: dict[str, Any] = {
        "LayerVersionArn": version.arn,
        "Version": version.version,
        "Description": version.description,
        "CreatedDate": wire.timestamp(version.created),
    }
    if version.runtimes:
        shown["CompatibleRuntimes"] = list(version.runtimes)
    if version.architectures:
        shown["CompatibleArchitectures"] = list(version.architectures)
    if version.license is not None:
        shown["LicenseInfo"] = version.license
    return shown


def _with_content(tx: Transaction, version: LayerVersion) -> dict[str, Any]:
    content = version.content
    return {
        **_summary(version),
        "LayerArn": version.layer_arn,
        "Content": {
            "Location": tx.packages.location(content),
            "CodeSha256": content.sha256,
            "CodeSize": content.size,
        },
    }
