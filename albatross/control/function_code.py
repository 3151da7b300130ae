"""The operations that take code which is not in the request, and the URLs where code is to be had.

No transactions: an object of S3 is read before one begins. Source: Lambda API, `FunctionCode`,
`LayerVersionContentInput`, `FunctionCodeLocation`.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from albatross.aws.http import Request, Response
from albatross.control import s3
from albatross.control.signed_links import Links
from albatross.lambda_ import code, functions, layers
from albatross.model.arn import Scope
from albatross.model.errors import (
    AccessDeniedException,
    AwsError,
    InvalidParameterValueException,
    NotImplementedHere,
)
from albatross.model.function import Directory
from albatross.model.operation import AsyncOperation
from albatross.store.packages import UNZIPPED_BYTES_MAX, Packages
from albatross.store.store import Store
from albatross.store.transaction import Transaction

CODE_PATH = "/_albatross/code"
HOT_RELOAD = "hot-reload"  # as a bucket's name: the key is the path of a directory

Handler = Callable[[Request], Awaitable[Response]]
Read = Callable[[s3.Location, int], bytes]
Change = Callable[[Transaction, Mapping[str, Any], Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where code comes from. `read` gets an object of S3; `hot_reload`: directories are allowed."""

    read: Read
    hot_reload: bool

    def fetch(self, given: Mapping[str, Any]) -> bytes | Directory | None:
        """Return what the members of `FunctionCode` in `given` stand for; None: nothing of S3.

        May take long. Raises InvalidParameterValueException, AccessDeniedException,
        NotImplementedHere.
        """
        if "ZipFile" in given or not (given.get("S3Bucket") or given.get("S3Key")):
            return None
        if not given.get("S3Bucket") or not given.get("S3Key"):
            # AWS is silent: an S3Bucket without an S3Key, or the reverse, is no source of code.
            raise InvalidParameterValueException("Please provide both S3Bucket and S3Key.")
        if given["S3Bucket"] == HOT_RELOAD:
            return self._directory(given["S3Key"])
        if given.get("S3ObjectStorageMode", "COPY") != "COPY":
            raise NotImplementedHere(
                f"S3ObjectStorageMode {given['S3ObjectStorageMode']} is not supported here: code "
                "is copied from S3; see docs/coverage.md."
            )
        location = s3.Location(given["S3Bucket"], given["S3Key"], given.get("S3ObjectVersion"))
        try:
            return self.read(location, UNZIPPED_BYTES_MAX)
        except s3.ObjectNotFound as error:
            raise _refusal(location, error) from error
        except s3.ObjectTooLarge as error:
            raise InvalidParameterValueException(
                f"Unzipped size must be smaller than {UNZIPPED_BYTES_MAX} bytes"
            ) from error
        except s3.EndpointUnavailable as error:
            raise InvalidParameterValueException(str(error)) from error

    def _directory(self, path: str) -> Directory:
        # differs from AWS: code of the bucket `hot-reload` is the directory that the key names on
        # this machine; the function runs there, and runs what is new in it from the next
        # invocation on.
        if not self.hot_reload:
            raise AccessDeniedException(
                f"The bucket {HOT_RELOAD}, which runs code from a directory of the server, is off: "
                "set hot_reload in albatross.toml, or ALBATROSS_HOT_RELOAD, to always."
            )
        if not os.path.isabs(path) or not os.path.isdir(path):
            raise InvalidParameterValueException(
                f"The S3Key of the bucket {HOT_RELOAD} must be the absolute path of a directory "
                f"on the server's machine, not {path!r}."
            )
        return Directory(path=os.path.realpath(path))


def operations(
    store: Store, sources: Sources, *, after_write: Callable[[], Awaitable[None]]
) -> Mapping[str, AsyncOperation]:
    """Return the operations that take code."""

    def run(change: Change, of: Callable[[dict[str, Any]], Any]) -> AsyncOperation:
        async def operation(scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
            fetched = await asyncio.to_thread(sources.fetch, of(params))
            result = await store.write(scope, lambda tx: change(tx, params, fetched))
            await after_write()
            return result

        return AsyncOperation(operation)

    return {
        "CreateFunction": run(functions.create_function, lambda params: params["Code"]),
        "UpdateFunctionCode": run(code.update_function_code, lambda params: params),
        "PublishLayerVersion": run(_publish_layer_version, lambda params: params["Content"]),
    }


def routes(packages: Packages, links: Links) -> Mapping[tuple[str, str], Handler]:
    """Return the handler of the URLs at which packages are to be had."""

    async def package(request: Request) -> Response:
        digest = links.digest(CODE_PATH, request.query)
        if digest is None:
            return Response(403, {"Content-Type": "text/plain"}, b"the link is wrong or expired\n")
        try:
            found = await asyncio.to_thread(packages.read, digest)
        except OSError:
            return Response(404, {}, b"")
        return Response(200, {"Content-Type": "application/zip"}, found)

    return {("GET", CODE_PATH): package}


def link(links: Links) -> Callable[[str], str]:
    """Return what makes the URL of a package of its digest."""
    return partial(links.to, CODE_PATH)


def _publish_layer_version(
    tx: Transaction, params: Mapping[str, Any], fetched: bytes | Directory | None
) -> dict[str, Any]:
    if isinstance(fetched, Directory):
        raise NotImplementedHere(
            f"The bucket {HOT_RELOAD} is for functions; a layer is made of an archive."
        )
    return layers.publish_layer_version(tx, params, fetched)


def _refusal(location: s3.Location, error: s3.ObjectNotFound) -> AwsError:
    """Return Lambda's error for what S3 has said."""
    said = f"S3 Error Code: {error.code}. S3 Error Message: {error.reason}"
    if error.code in ("AccessDenied", "403"):
        return AccessDeniedException(
            "Your access has been denied by S3, please make sure your request credentials have "
            f"permission to GetObject for {location.bucket}/{location.key}. {said}"
        )
    return InvalidParameterValueException(f"Error occurred while GetObject. {said}")
