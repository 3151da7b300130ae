"""What serves backups, below /_albatross/.

GET  /_albatross/backup                      a backup of this moment, as it is written
POST /_albatross/restore?at=0                the first piece of one, at most 8 MiB: {"upload": ID}
POST /_albatross/restore?at=N&upload=ID      the next piece
POST /_albatross/restore?upload=ID&complete  replace everything by it
"""

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson

from albatross.aws.http import Request, Response
from albatross.config import Config
from albatross.store.archive import UnusableArchive
from albatross.store.backup import Backups

Routes = Mapping[tuple[str, str], Callable[[Request], Awaitable[Response]]]

BACKUP_PATH, RESTORE_PATH = "/_albatross/backup", "/_albatross/restore"
_ARCHIVE = "archive.tar"

log = logging.getLogger(__name__)


def routes(config: Config, backups: Backups, restored: Callable[[], Awaitable[None]]) -> Routes:
    """Return the handlers by method and path. `restored` is awaited before a restore is answered.

    Whoever may call them has all private keys and may replace all code.
    """
    uploads = _Uploads(backups)

    def guarded(handler: Callable[[Request], Awaitable[Response]]) -> Any:
        async def handle(request: Request) -> Response:
            if not config.is_loopback and not config.auth:
                return _refusal(
                    403, "Backups are there while `bind` is a loopback address, or with `auth`."
                )
            return await handler(request)

        return handle

    async def backup(_: Request) -> Response:
        taken = await backups.take()
        headers = {"Content-Type": "application/x-tar", "Content-Length": str(taken.length)}
        return Response(200, headers, chunks=taken.chunks())

    async def restore(request: Request) -> Response:
        query = parse_qs(request.query, keep_blank_values=True)
        (upload,) = query.get("upload", [""])[:1]
        if "complete" not in query:
            (at,) = query.get("at", ["0"])[:1]
            return await uploads.add(upload, int(at) if at.isdigit() else -1, request.body)
        path = uploads.take(upload)
        if path is None:
            return _refusal(409, "That upload is not there (any more): begin again.")
        try:
            manifest = await backups.restore(path)
        except UnusableArchive as error:
            return _refusal(400, f"This backup cannot be restored: {error}.")
        finally:
            await asyncio.to_thread(shutil.rmtree, path.parent, ignore_errors=True)
        log.warning(
            "everything has been replaced by the backup of %s, revision %d",
            *(manifest.created_at, manifest.revision),
        )
        await restored()
        document = {"resources": manifest.resources, "created_at": manifest.created_at}
        return Response(200, {"Content-Type": "application/json"}, orjson.dumps(document))

    return {("GET", BACKUP_PATH): guarded(backup), ("POST", RESTORE_PATH): guarded(restore)}


class _Uploads:
    """The archive on its way in, piece by piece. One at a time: the next takes its place."""

    def __init__(self, backups: Backups) -> None:
        self._backups = backups
        self._folder: Path | None = None
        self._size = 0

    async def add(self, upload: str, at: int, piece: bytes) -> Response:
        if not upload and at == 0:
            self._forget()
            self._folder = self._backups.new_folder()
            self._size = 0
        elif self._folder is None or upload != self._folder.name or at != self._size:
            return _refusal(409, "That upload is not there, or another piece comes next.")
        assert self._folder is not None
        path = self._folder / _ARCHIVE
        self._size += len(piece)
        await asyncio.to_thread(_append, path, piece)
        body = orjson.dumps({"upload": path.parent.name, "received": self._size})
        return Response(200, {"Content-Type": "application/json"}, body)

    def take(self, upload: str) -> Path | None:
        """Return the file of a complete upload, which is the caller's from then on."""
        if self._folder is None or upload != self._folder.name:
            return None
        path, self._folder = self._folder / _ARCHIVE, None
        return path

    def _forget(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _append(path: Path, piece: bytes) -> None:
    with path.open("ab") as file:
        file.write(piece)


def _refusal(status: int, message: str) -> Response:
    return Response(status, {"Content-Type": "text/plain; charset=utf-8"}, message.encode())
