"""The operations on trust stores that read S3 or say where their content is.

No transactions: the content is read and checked before one begins. Source: elbv2 API,
`CreateTrustStore`, `ModifyTrustStore`, `AddTrustStoreRevocations`, `GetTrustStore...`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from albatross.aws.http import Request, Response
from albatross.control import s3
from albatross.control.signed_links import Links
from albatross.elbv2 import lookup, trust_stores
from albatross.model.arn import Scope
from albatross.model.errors import (
    AwsError,
    CaCertificatesBundleNotFound,
    InvalidCaCertificatesBundle,
    InvalidConfigurationRequest,
    InvalidRevocationContent,
    RevocationContentNotFound,
    ValidationError,
)
from albatross.model.operation import AsyncOperation
from albatross.model.snapshot import Snapshot
from albatross.model.trust_store import TrustStore
from albatross.store.contents import Contents
from albatross.store.store import Store
from albatross.store.transaction import Transaction

CONTENT_PATH = "/_albatross/trust-store-content"
BUNDLE_BYTES_MAX = 16 * 1024 * 1024  # a quota of 1,000 certificates of 16 KB has as many
REVOCATIONS_BYTES_MAX = 50 * 1024 * 1024

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]
Read = Callable[[s3.Location, int], bytes]


@dataclass(frozen=True, slots=True)
class _Material:
    store: Store
    contents: Contents
    read: Read
    after_write: Callable[[], Awaitable[None]]
    links: Links

    async def create(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        bundle = await asyncio.to_thread(self._bundle, params)
        return await self._write(
            scope, lambda tx: trust_stores.create_trust_store(tx, params, bundle)
        )

    async def modify(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        await self._trust_store(scope, params)
        bundle = await asyncio.to_thread(self._bundle, params)
        return await self._write(
            scope, lambda tx: trust_stores.modify_trust_store(tx, params, bundle)
        )

    async def add_revocations(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        found = await self._trust_store(scope, params)
        given = params.get("RevocationContents")
        if not given:
            raise ValidationError("A revocation content must be specified")
        lists = [await asyncio.to_thread(self._revocations, each, found) for each in given]
        return await self._write(
            scope, lambda tx: trust_stores.add_trust_store_revocations(tx, params, lists)
        )

    async def bundle_location(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        found = await self._trust_store(scope, params)
        return self._location(found.bundle)

    async def revocation_location(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        found = await self._trust_store(scope, params)
        return self._location(trust_stores.revocation(found, params["RevocationId"]).content)

    async def _trust_store(self, scope: Scope, params: dict[str, Any]) -> TrustStore:
        arn = params["TrustStoreArn"]
        return await self.store.read(scope, lambda tx: lookup.by_arn(tx, TrustStore, arn))

    async def _write(self, scope: Scope, change: Callable[[Transaction], T]) -> T:
        result = await self.store.write(scope, change)
        await self.after_write()
        return result

    def _bundle(self, params: Mapping[str, Any]) -> Any:
        from albatross.elbv2 import trust_content  # memory: only who uploads needs cryptography

        location = s3.Location(
            params["CaCertificatesBundleS3Bucket"],
            params["CaCertificatesBundleS3Key"],
            params.get("CaCertificatesBundleS3ObjectVersion"),
        )
        errors = CaCertificatesBundleNotFound, InvalidCaCertificatesBundle
        bundle = trust_content.read_bundle(self._object(location, BUNDLE_BYTES_MAX, *errors))
        self.contents.add(bundle.pem)
        return bundle

    def _revocations(self, given: Mapping[str, Any], found: TrustStore) -> Any:
        from albatross.elbv2 import trust_content

        if not given.get("S3Bucket") or not given.get("S3Key"):
            raise ValidationError("'S3Bucket' and 'S3Key' of a revocation content are required")
        location = s3.Location(given["S3Bucket"], given["S3Key"], given.get("S3ObjectVersion"))
        errors = RevocationContentNotFound, InvalidRevocationContent
        content = self._object(location, REVOCATIONS_BYTES_MAX, *errors)
        authorities = self.contents.path(found.bundle).read_bytes()
        revocations = trust_content.read_revocations(content, authorities)
        self.contents.add(revocations.pem)
        return revocations

    def _object(
        self,
        location: s3.Location,
        bytes_max: int,
        not_found: type[AwsError],
        too_large: type[AwsError],
    ) -> bytes:
        try:
            return self.read(location, bytes_max)
        except s3.ObjectNotFound as error:
            raise not_found(str(error)) from error
        except s3.ObjectTooLarge as error:
            raise too_large(str(error)) from error
        except s3.EndpointUnavailable as error:
            raise InvalidConfigurationRequest(str(error)) from error

    def _location(self, content: str) -> dict[str, Any]:
        # differs from AWS: the Location of a trust store's content is a URL of this server, whose
        # answer is the content as it was checked. It ends after ten minutes, or with the server.
        return {"Location": self.links.to(CONTENT_PATH, content)}


_RUN: Mapping[str, Callable[[_Material, Scope, dict[str, Any]], Awaitable[dict[str, Any]]]] = {
    "AddTrustStoreRevocations": _Material.add_revocations,
    "CreateTrustStore": _Material.create,
    "GetTrustStoreCaCertificatesBundle": _Material.bundle_location,
    "GetTrustStoreRevocationContent": _Material.revocation_location,
    "ModifyTrustStore": _Material.modify,
}
OPERATIONS = frozenset(_RUN)


def in_use(snapshot: Snapshot) -> set[str]:
    """Return the names of the contents that trust stores refer to."""
    stores = snapshot.trust_stores
    lists = (one.content for store in stores for one in store.revocations)
    return {store.bundle for store in stores} | set(lists)


def routes(contents: Contents, links: Links) -> Mapping[tuple[str, str], Handler]:
    """Return the handler of the URLs that the Get operations answer with."""

    async def content(request: Request) -> Response:
        digest = links.digest(CONTENT_PATH, request.query)
        if digest is None:
            return Response(403, {"Content-Type": "text/plain"}, b"the link is wrong or expired\n")
        try:
            found = await asyncio.to_thread(contents.path(digest).read_bytes)
        except OSError:
            return Response(404, {}, b"")
        return Response(200, {"Content-Type": "application/x-pem-file"}, found)

    return {("GET", CONTENT_PATH): content}


def operations(
    store: Store,
    contents: Contents,
    read: Read,
    *,
    after_write: Callable[[], Awaitable[None]],
    links: Links,
) -> Mapping[str, AsyncOperation]:
    """Return the operations. `read` gets an object of S3."""
    material = _Material(store, contents, read, after_write, links)
    return {name: AsyncOperation(partial(run, material)) for name, run in _RUN.items()}
