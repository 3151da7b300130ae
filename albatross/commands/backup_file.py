"""The client's side of backups: a file from a running server, and a file to it."""

import errno
import json
import os
import tempfile
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from albatross.commands import own_paths
from albatross.store import archive, durable
from albatross.store.archive import Manifest, UnusableArchive

PIECE_BYTES = 8 * 1024 * 1024
_ANSWER_S = 60.0  # how long the server may be silent
_RESTORE_S = 600.0  # how long a restore may take

_OF_FILES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # and of no connection

Progress = Callable[[int, int], None]  # bytes more, of bytes in all


class BackupError(Exception):
    """It did not work. The message says why to a person."""


def fetch(endpoint: str, path: Path, progress: Progress) -> Manifest:
    """Write a backup of the server at `endpoint` to `path`, complete and checked, or not at all.

    The file is for its owner only: private keys are in it. Raises BackupError, and what
    own_paths.call raises.
    """
    with own_paths.call(endpoint, "backup", timeout_s=_ANSWER_S) as answer:
        total = int(answer.headers["Content-Length"])
        try:
            descriptor, work = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        except OSError as error:
            raise BackupError(f"{path}: {error.strerror}") from error
        try:
            with os.fdopen(descriptor, "wb") as file:  # mode 0600
                while chunk := answer.read(archive.CHUNK_BYTES):
                    file.write(chunk)
                    progress(len(chunk), total)
                file.flush()
                os.fsync(file.fileno())
            manifest = archive.check(Path(work), _ANY_SCHEMA)
            os.replace(work, path)
            durable.sync(path.parent)
        except UnusableArchive as error:
            raise BackupError(f"the backup did not arrive as it was sent: {error}") from error
        except OSError as error:
            if error.errno not in _OF_FILES:
                raise
            raise BackupError(f"{path}: {error.strerror}") from error
        finally:
            Path(work).unlink(missing_ok=True)
    return manifest


def send(endpoint: str, path: Path, progress: Progress) -> dict[str, Any]:
    """Have the server at `endpoint` replace everything by the backup at `path`.

    Return what the server says of it. Raises BackupError, and what own_paths.call raises.
    """
    try:
        archive.check(path, _ANY_SCHEMA)  # the server decides which schema it can take
        total, upload, sent = path.stat().st_size, "", 0
        with path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                place = f"restore?at={sent}" + (f"&upload={quote(upload)}" if upload else "")
                upload = _post(endpoint, place, piece, _ANSWER_S)["upload"]
                sent += len(piece)
                progress(len(piece), total)
    except UnusableArchive as error:
        raise BackupError(f"{path} cannot be restored: {error}") from error
    except OSError as error:
        if isinstance(error, urllib.error.URLError) or error.filename is None:
            raise
        raise BackupError(f"{path}: {error.strerror}") from error
    return _post(endpoint, f"restore?upload={quote(upload)}&complete", b"", _RESTORE_S)


_ANY_SCHEMA = 1 << 30


def _post(endpoint: str, name: str, body: bytes, timeout_s: float) -> dict[str, Any]:
    try:
        with own_paths.call(endpoint, name, body=body, timeout_s=timeout_s) as answer:
            document: dict[str, Any] = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise BackupError(error.read().decode(errors="replace").strip()) from error
    return document
