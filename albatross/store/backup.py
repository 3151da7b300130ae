"""Backups of a running store, and what brings one back. The file is that of `archive.py`.

A backup is of one moment: rows come from one read, and the files they refer to never change and are
held by links of their own until the archive is complete.

A restore first reads the whole archive and compares every checksum, then puts files in their places
under names that nobody uses yet, and then replaces all rows in one transaction. Whatever ends it
before the commit has changed nothing; what is left to do after it is done again by the next start.
"""

import asyncio
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from albatross import __version__
from albatross.model.arn import Scope
from albatross.model.certificate import Certificate
from albatross.model.trust_store import TrustStore
from albatross.store import archive, codec
from albatross.store.archive import STATE, Manifest, Member, UnusableArchive
from albatross.store.contents import Contents
from albatross.store.database import DatabaseAway
from albatross.store.keys import Keys
from albatross.store.packages import Packages
from albatross.store.schema import SCHEMA_VERSION, read_state, resources, tags
from albatross.store.store import Store
from albatross.store.transaction import Transaction

_SCOPE = Scope("", "")  # a restore is of all scopes
_RESOURCE = ("arn", "kind", "account", "region", "name", "parent", "document")
_TAG = ("arn", "key", "value", "position")


@dataclass(frozen=True, slots=True)
class Taken:
    """A backup about to be written. `folder` holds its files until `chunks` has ended."""

    manifest: Manifest
    state: bytes
    folder: Path

    @property
    def length(self) -> int:
        return archive.length(self.manifest)

    def chunks(self) -> Generator[bytes, None, None]:
        """Yield the archive. Raises OSError."""
        try:
            yield from archive.chunks(self.manifest, self.state, self._file)
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, name: str) -> Path:
        os.utime(self.folder)  # it is at work, not left by a crash
        return self.folder / name


class Backups:
    """Takes backups of `store` and of the files in `directory`, and restores them there."""

    def __init__(
        self, directory: Path, store: Store, packages: Packages, keys: Keys, contents: Contents
    ) -> None:
        self._directory = directory
        self._store = store
        self._packages = packages
        self._keys = keys
        self._contents = contents

    async def take(self) -> Taken:
        """Return a backup of this moment. Raises DatabaseAway, OSError."""
        return await self._store.inspect(self._take)

    def new_folder(self) -> Path:
        """Make a private directory for an archive on its way in. Whoever asks removes it."""
        return Path(tempfile.mkdtemp(prefix="restore-", dir=self._directory / "tmp"))

    async def restore(self, path: Path) -> Manifest:
        """Replace everything by what the archive at `path` says, in one revision.

        Raises UnusableArchive, DatabaseAway, OSError; then nothing has been replaced.
        """
        manifest = await asyncio.to_thread(archive.check, path, SCHEMA_VERSION)
        load = _Load(manifest, self._packages)
        try:
            await asyncio.to_thread(self._load, path, load)
            await self._store.write(_SCOPE, load.put)
        except BaseException as error:
            if not (isinstance(error, DatabaseAway) and error.in_doubt):
                for key_id in load.new_keys:
                    self._keys.remove(key_id)
            raise
        finally:
            await self._store.settle()
        return manifest

    def _take(self, connection: Connection) -> Taken:
        """Runs where keys are removed too, so none goes while they are linked."""
        revision = read_state(connection).revision
        lines, names = _lines(connection)
        names += [f"ca/{path.name}" for path in sorted(self._keys.root_directory.glob("root.*"))]
        names += [path.name for path in [self._directory / "cookie.key"] if path.exists()]
        folder = Path(tempfile.mkdtemp(prefix="backup-", dir=self._directory / "tmp"))
        try:
            members = [_hold(self._directory / name, folder / name, name) for name in names]
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        state = b"".join(lines)
        manifest = Manifest(
            albatross=__version__,
            schema_version=SCHEMA_VERSION,
            revision=revision,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            resources=sum(b'"document":' in line for line in lines),
            members=(Member(STATE, len(state), sha256(state).hexdigest()), *members),
        )
        return Taken(manifest, state, folder)

    def _load(self, path: Path, load: "_Load") -> None:
        """Put the files of the checked archive at `path` where rows will find them."""
        staged: dict[str, bytes] = {}
        for name, content in archive.contents(path, SCHEMA_VERSION):
            folder, _, file = name.rpartition("/")
            match folder:
                case "packages":
                    load.packages.append(self._packages.add(content).digest)
                case "trust":
                    self._contents.add(content)
                case "certificates":
                    key_id = file.removesuffix(".key")
                    if self._keys.put(key_id, content):
                        load.new_keys.append(key_id)
                case _ if name == STATE:
                    load.read(content)
                case _:
                    staged[name] = content
        load.check_files()
        self._keys.stage(load.restore_id, staged)


class _Load:
    """What a restore puts into the database."""

    def __init__(self, manifest: Manifest, packages: Packages) -> None:
        self.restore_id = secrets.token_hex(8)
        self.packages: list[str] = []  # their digests
        self.new_keys: list[str] = []  # their ids
        self._files = {member.name for member in manifest.members}
        self._kept = packages
        self._resources: list[Any] = []
        self._rows: list[dict[str, Any]] = []
        self._tags: list[dict[str, Any]] = []

    def read(self, state: bytes) -> None:
        """Read the member `STATE`. Raises UnusableArchive."""
        for row in archive.rows(state):
            columns = _RESOURCE if "document" in row else _TAG
            if tuple(row) != columns:
                raise UnusableArchive(f"it is damaged: {STATE} has a row of {', '.join(row)[:200]}")
            if columns is _TAG:
                self._tags.append(row)
                continue
            try:
                resource = codec.decode(row["kind"], row["document"])
            except Exception as error:  # whatever the document is, it is none of ours
                raise UnusableArchive(f"{row['arn']} cannot be read: {error!r}") from error
            self._resources.append(resource)
            self._rows.append({**row, "document": codec.encode(resource)})

    def check_files(self) -> None:
        """Raise UnusableArchive where a resource refers to a file that is not there."""
        for row in self._rows:
            for name in _files_of(row["kind"], row["document"]):
                if name not in self._files:
                    raise UnusableArchive(f"it is damaged: {name} of {row['arn']} is missing")

    def put(self, tx: Transaction) -> None:
        """Replace everything. Runs where packages are collected too: none goes meanwhile."""
        self._kept.keep(self.packages)
        tx.replace_everything(self._resources, self._rows, self._tags, restore_id=self.restore_id)


def _lines(connection: Connection) -> tuple[list[bytes], list[str]]:
    """Return a line for each row, and the names of the files to which they refer."""
    columns = [resources.c[name] for name in _RESOURCE]
    lines, names = [], dict[str, None]()
    for row in connection.execute(select(*columns).order_by(resources.c.seq)):
        lines.append(_line(row._asdict()))
        names.update(dict.fromkeys(_files_of(row.kind, row.document)))
    columns = [tags.c[name] for name in _TAG]
    tagged = connection.execute(select(*columns).order_by(tags.c.arn, tags.c.position))
    lines += [_line(row._asdict()) for row in tagged]
    return lines, list(names)


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, separators=(",", ":")).encode() + b"\n"


def _files_of(kind: str, document: str) -> Iterator[str]:
    """Yield the names of the files that a resource needs."""
    if kind == Certificate.kind:
        yield f"certificates/{codec.decode(kind, document).key_id}.key"
    elif kind == TrustStore.kind:
        store = codec.decode(kind, document)
        yield from (f"trust/{digest}" for digest in (store.bundle, *_revocations(store)))
    elif kind in codec.WITH_PACKAGES:
        packages = codec.packages(codec.decode(kind, document))
        yield from (f"packages/{package.digest}.zip" for package in packages)


def _revocations(store: TrustStore) -> Iterator[str]:
    return (one.content for one in store.revocations)


def _hold(source: Path, target: Path, name: str) -> Member:
    """Let `target` be the file `source` too, whatever becomes of that, and describe it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError as error:
        raise OSError(f"{source} is missing, so no complete backup can be taken") from error
    except OSError:  # a file system without links
        shutil.copy2(source, target)
    return archive.member_of(name, target)
