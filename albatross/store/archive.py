"""Backups as one file: a tar archive whose first member says what the others must be.

    manifest.json           format, versions, revision; name, size and SHA-256 of each other member
    state.jsonl             resources in order of creation, then tags, one JSON object a line
    packages/SHA256.zip     deployment packages
    trust/SHA256            certificate bundles and revocation lists
    certificates/ID.key     private keys
    ca/root.key, root.pem   the local certificate authority, where there is one
    cookie.key              of stickiness cookies

Nothing of it depends on the database that was backed up. Logs are not in it, and neither is what
can be made again (unpacked code, runtime clients).
"""

import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

FORMAT = 1
MANIFEST, STATE = "manifest.json", "state.jsonl"
CHUNK_BYTES = 256 * 1024
MANIFEST_BYTES_MAX = 64 * 1024 * 1024
_BLOCK_BYTES = tarfile.BLOCKSIZE
_NAME = re.compile(
    r"state\.jsonl|packages/[0-9a-f]{64}\.zip|trust/[0-9a-f]{64}|certificates/[0-9a-f]{32}\.key"
    r"|ca/root\.(key|pem)|cookie\.key"
)
_NAMED_BY_CONTENT = re.compile(r"(?:packages|trust)/([0-9a-f]{64})(?:\.zip)?")


class UnusableArchive(Exception):
    """The file is no backup that can be restored. The message says why to a person."""


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    albatross: str  # the version that wrote it
    schema_version: int
    revision: int
    created_at: str  # ISO 8601
    resources: int
    members: tuple[Member, ...]
    format: int = FORMAT

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=1).encode() + b"\n"


def member_of(name: str, path: Path) -> Member:
    """Return what the manifest says of a file. A name made of its content is taken at its word."""
    named = _NAMED_BY_CONTENT.fullmatch(name)
    size = path.stat().st_size
    if named:
        return Member(name, size, named[1])
    return Member(name, size, sha256(path.read_bytes()).hexdigest())


def length(manifest: Manifest) -> int:
    """Return the size of the archive in bytes."""
    sizes = [len(manifest.to_json()), *(member.size for member in manifest.members)]
    return sum(_BLOCK_BYTES + size + -size % _BLOCK_BYTES for size in sizes) + 2 * _BLOCK_BYTES


def chunks(manifest: Manifest, state: bytes, file_of: Callable[[str], Path]) -> Iterator[bytes]:
    """Yield the archive. `file_of` returns where the content of a member is. Raises OSError."""
    text = manifest.to_json()
    yield _header(MANIFEST, len(text)) + text + bytes(-len(text) % _BLOCK_BYTES)
    for member in manifest.members:
        yield _header(member.name, member.size)
        source: IO[bytes]
        is_state = member.name == STATE
        with io.BytesIO(state) if is_state else file_of(member.name).open("rb") as source:
            left = member.size
            while chunk := source.read(min(CHUNK_BYTES, left)):
                left -= len(chunk)
                yield chunk
        if left:
            raise OSError(f"{member.name} has become shorter")
        if member.size % _BLOCK_BYTES:
            yield bytes(-member.size % _BLOCK_BYTES)
    yield bytes(2 * _BLOCK_BYTES)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.USTAR_FORMAT)


def check(
    path: Path, schema_version: int, progress: Callable[[int], None] = lambda count: None
) -> Manifest:
    """Read all of the archive at `path`, compare it with its manifest and return that.

    `progress` is told of bytes read. Raises UnusableArchive: no backup of ours, newer than
    `schema_version`, cut off or damaged; OSError where the file cannot be read.
    """
    found = None
    for manifest, member, content in _read(path, schema_version):
        found = manifest
        if member is not None:
            progress(_consume(member, content))
    assert found is not None, "the manifest comes first"
    return found


def contents(path: Path, schema_version: int) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each member but the manifest; what `check` has found is trusted."""
    for _, member, content in _read(path, schema_version):
        if member is not None:
            yield member.name, content.read()


def _read(path: Path, schema_version: int) -> Iterator[tuple[Manifest, Member | None, IO[bytes]]]:
    """Yield the manifest by itself, then with each member in turn. Raises UnusableArchive."""
    try:
        with tarfile.open(path, "r:") as tar:
            manifest = _manifest(tar, schema_version)
            yield manifest, None, io.BytesIO()
            for member in manifest.members:
                info = tar.next()
                if info is None:
                    raise UnusableArchive(f"it is cut off: {member.name} is missing")
                if not info.isreg() or (info.name, info.size) != (member.name, member.size):
                    raise UnusableArchive(f"it is damaged: {member.name} is not as it was written")
                content = tar.extractfile(info)
                assert content is not None, "a regular file has content"
                yield manifest, member, content
            if tar.next() is not None:
                raise UnusableArchive("it has more members than its manifest says")
    except tarfile.ReadError as error:
        raise UnusableArchive(f"it is cut off, damaged or no backup: {error}") from error


def _manifest(tar: tarfile.TarFile, schema_version: int) -> Manifest:
    info = tar.next()
    if info is None or info.name != MANIFEST or not info.isreg():
        raise UnusableArchive("it is no backup of Albatross: it does not begin with a manifest")
    if info.size > MANIFEST_BYTES_MAX:
        raise UnusableArchive("it is damaged: its manifest is too large")
    file = tar.extractfile(info)
    assert file is not None, "a regular file has content"
    try:
        document = json.loads(file.read())
        known = (document["format"], document["schema_version"])
        if known[0] > FORMAT or known[1] > schema_version:
            raise UnusableArchive(
                f"a newer Albatross ({document.get('albatross')}) has written it: format "
                f"{known[0]}, schema version {known[1]}; this one knows {FORMAT} and "
                f"{schema_version}. Restore it with that version"
            )
        members = tuple(Member(**member) for member in document.pop("members"))
        manifest = Manifest(**document, members=members)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UnusableArchive(f"it is damaged: its manifest cannot be read: {error}") from error
    _check_names(members)
    return manifest


def _check_names(members: Sequence[Member]) -> None:
    names = [member.name for member in members]
    for member in members:
        named = _NAMED_BY_CONTENT.fullmatch(member.name)
        if not _NAME.fullmatch(member.name) or (named and named[1] != member.sha256):
            raise UnusableArchive(f"it is damaged: {member.name[:100]!r} does not belong into it")
    if names.count(STATE) != 1 or len(set(names)) != len(names):
        raise UnusableArchive("it is damaged: its members are not each there once")


def _consume(member: Member, content: IO[bytes]) -> int:
    digest, size = sha256(), 0
    try:
        while chunk := content.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    except tarfile.ReadError as error:
        raise UnusableArchive(f"it is cut off in {member.name}") from error
    if digest.hexdigest() != member.sha256:
        raise UnusableArchive(f"it is damaged: {member.name} is not what was written")
    return size


def rows(state: bytes) -> Iterator[dict[str, Any]]:
    """Yield what the lines of the member `STATE` say. Raises UnusableArchive."""
    for number, line in enumerate(state.splitlines(), 1):
        try:
            yield dict(json.loads(line))
        except (ValueError, TypeError) as error:
            raise UnusableArchive(f"it is damaged: line {number} of {STATE}: {error}") from error
