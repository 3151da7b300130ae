"""Function URLs: a function, or an alias of it, behind a name of its own.

Source: Lambda API, `CreateFunctionUrlConfig` and its siblings; Lambda guide, "Creating and
managing Lambda function URLs".
"""

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from albatross.lambda_ import lookup
from albatross.lambda_.paging import page
from albatross.model import arn
from albatross.model.errors import (
    InvalidParameterValueException,
    ResourceConflictException,
    ResourceNotFoundException,
)
from albatross.model.function import Function
from albatross.model.function_url import Cors, FunctionUrl
from albatross.model.operation import Operation
from albatross.model.version import Alias, Version
from albatross.store.transaction import Transaction

_STREAM = "RESPONSE_STREAM"
_NO_FUNCTION = "Function does not exist"
_NO_RESOURCE = "The resource you requested does not exist."
_ID_CHARACTERS = string.ascii_lowercase + string.digits
_METHODS = frozenset({"GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "*"})


@dataclass(frozen=True, slots=True)
class FunctionUrls:
    """The operations. `port`: of the proxy, on which function URLs are served; 0: nowhere."""

    port: int

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateFunctionUrlConfig": Operation(self.create, writes=True),
            "UpdateFunctionUrlConfig": Operation(self.update, writes=True),
            "GetFunctionUrlConfig": Operation(self.get, writes=False),
            "DeleteFunctionUrlConfig": Operation(self.delete, writes=True),
            "ListFunctionUrlConfigs": Operation(self.list_, writes=False),
        }

    def create(self, tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
        """CreateFunctionUrlConfig: serve a function, or an alias of it, under a new name.

        Raises ResourceNotFoundException, ResourceConflictException,
        InvalidParameterValueException.
        """
        if not self.port:
            raise InvalidParameterValueException(
                "This server serves no function URLs: its setting function_url_port is 0."
            )
        found = _found(tx, params, _NO_FUNCTION)
        if found.url is not None:
            raise ResourceConflictException(
                f"Failed to create function url config for [functionArn = {found.arn}]. "
                "Error message:  FunctionUrlConfig exists for this Lambda function"
            )
        url = FunctionUrl(
            id="".join(secrets.choice(_ID_CHARACTERS) for _ in range(32)),
            auth_type=params["AuthType"],
            created_at=_timestamp(tx.now),
            modified_at=_timestamp(tx.now),
            cors=_cors(params.get("Cors")),
            streams=params.get("InvokeMode") == _STREAM,
        )
        tx.put(replace(found, url=url))
        shown = self._document(tx, found, url)
        del shown["LastModifiedTime"]
        return shown

    def update(self, tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
        """UpdateFunctionUrlConfig: what is not given stays, and so does the URL.

        Raises ResourceNotFoundException, InvalidParameterValueException.
        """
        found = _found(tx, params, _NO_FUNCTION)
        before = _url(found)
        url = replace(
            before,
            auth_type=params.get("AuthType", before.auth_type),
            cors=_cors(params["Cors"]) if "Cors" in params else before.cors,
            streams=params["InvokeMode"] == _STREAM if "InvokeMode" in params else before.streams,
            modified_at=_timestamp(tx.now),
        )
        tx.put(replace(found, url=url))
        return self._document(tx, found, url)

    def get(self, tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
        """GetFunctionUrlConfig. Raises ResourceNotFoundException."""
        found = _found(tx, params, _NO_RESOURCE)
        return self._document(tx, found, _url(found))

    def delete(self, tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
        """DeleteFunctionUrlConfig: its name is not used again. Raises ResourceNotFoundException."""
        found = _found(tx, params, _NO_RESOURCE)
        _url(found)
        tx.put(replace(found, url=None))
        return {}

    def list_(self, tx: Transaction, params: Mapping[str, Any]) -> dict[str, Any]:
        """ListFunctionUrlConfigs: of the function and its aliases.

        Raises ResourceNotFoundException, InvalidParameterValueException.
        """
        called = lookup.address(tx.scope, params)
        function = tx.get(Function, arn.function(tx.scope, called.name))
        if function is None:
            raise ResourceNotFoundException(_NO_FUNCTION)
        every: list[Function | Alias] = [function, *tx.list(Alias, parent=function.arn)]
        shown, more = page(params, (one for one in every if one.url), lambda one: one.arn)
        documents = [self._document(tx, one, _url(one)) for one in shown]
        return {"FunctionUrlConfigs": documents, **more}

    def _document(
        self, tx: Transaction, found: Function | Alias, url: FunctionUrl
    ) -> dict[str, Any]:
        """Return `FunctionUrlConfig`."""
        shown: dict[str, Any] = {
            "FunctionUrl": f"http://{url.host(tx.scope.region)}:{self.port}/",
            "FunctionArn": found.arn,
            "AuthType": url.auth_type,
            "CreationTime": url.created_at,
            "LastModifiedTime": url.modified_at,
            "InvokeMode": _STREAM if url.streams else "BUFFERED",
        }
        if url.cors is not None:
            values = {member: getattr(url.cors, field) for member, field in _CORS.items()}
            shown["Cors"] = {
                member: list(value) if isinstance(value, tuple) else value
                for member, value in values.items()
                if value is not None
            }
        return shown


def _found(tx: Transaction, params: Mapping[str, Any], missing: str) -> Function | Alias:
    """Return what is to have a function URL, or has one.

    Raises ResourceNotFoundException, saying `missing` where there is no such function or alias.
    """
    lookup.address(tx.scope, params)  # its errors stay as they are
    try:
        found = lookup.invocable(tx, params)
    except ResourceNotFoundException:
        raise ResourceNotFoundException(missing) from None
    assert not isinstance(found, Version), "the model refuses numbers as the qualifier"
    return found


def _url(found: Function | Alias) -> FunctionUrl:
    if found.url is None:
        raise ResourceNotFoundException(_NO_RESOURCE)
    return found.url


def _cors(document: Mapping[str, Any] | None) -> Cors | None:
    """Return shape `Cors`; nothing where nothing is said. Raises InvalidParameterValueException."""
    if not document:
        return None
    for method in document.get("AllowMethods", []):
        if method not in _METHODS:
            raise InvalidParameterValueException(
                f"Value '{method}' at 'cors.allowMethods' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{', '.join(sorted(_METHODS))}]"
            )
    given: dict[str, Any] = {}
    for member, field in _CORS.items():
        value = document.get(member)
        given[field] = tuple(value) if isinstance(value, list) else value
    return Cors(**given)


def _timestamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06}Z"


_CORS = {
    "AllowCredentials": "allow_credentials",
    "AllowHeaders": "allow_headers",
    "AllowMethods": "allow_methods",
    "AllowOrigins": "allow_origins",
    "ExposeHeaders": "expose_headers",
    "MaxAge": "max_age_s",
}
