"""Function packages: zip archives named by their SHA-256, and what they unpack to, as files.

    packages/HEX.zip    the archive as it was uploaded, durable before `add` returns
    code/HEX/           its files
    layers/HEX/         the files of several layers, merged by the Lambda host
    tmp/                work in progress, never looked at

Both appear by a rename, so whoever looks sees all of one or nothing, after a crash too.
Source of limits: Lambda guide, "Lambda quotas"; of messages: answers of the Lambda API.
"""

import base64
import contextlib
import errno
import hashlib
import os
import shutil
import stat
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO

from albatross.model.errors import InvalidParameterValueException
from albatross.model.function import Package
from albatross.store import durable

UNZIPPED_BYTES_MAX = 250 * 1024 * 1024
ENTRIES_MAX = 100_000  # AWS is silent: a package may hold 100,000 files and directories.
UNUSED_S = 1200.0  # an invocation of replaced code ends within 900 s, the longest timeout
_STALE_S = 3600  # what lies in tmp/ for longer than this was left by a crash
_COPY_BYTES = 256 * 1024

_NOT_A_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
_EMPTY = "Uploaded file must be a non-empty zip"
_TOO_LARGE = f"Unzipped size must be smaller than {UNZIPPED_BYTES_MAX} bytes"

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(ArithmeticError, LookupError, RuntimeError, ValueError),  # from inside zipfile
)
_BAD_NAMES = (
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG),
    errno.EINVAL,
)


class Packages:
    """The packages below `directory`. Safe to use from several threads and processes."""

    def __init__(
        self,
        directory: Path,
        clock: Callable[[], float] = time.monotonic,
        *,
        link: Callable[[str], str] | None = None,
    ) -> None:
        """`link` returns a URL from which clients get the archive with that digest."""
        self._clock = clock
        self._link = link
        self._unused_since_s: dict[str, float] = {}  # by digest: when that was first seen
        self._archives = directory / "packages"
        self._code = directory / "code"
        self._layers = directory / "layers"
        self._tmp = directory / "tmp"
        for path in (self._archives, self._code, self._layers, self._tmp):
            path.mkdir(parents=True, exist_ok=True)

    def add(self, archive: bytes) -> Package:
        """Check and keep `archive`, unpacked too. The same bytes again change nothing.

        Raises InvalidParameterValueException: not a zip archive, empty, too large when unpacked, or
        with names that lead out of the package.
        """
        digest = hashlib.sha256(archive).digest()
        package = Package(sha256=base64.b64encode(digest).decode(), size=len(archive))
        target = self.archive(package)
        if target.exists():
            durable.sync(self._archives)  # another thread may have renamed it a moment ago
            self.directory(package)
            return package
        with self._scratch() as scratch:
            _unpack(BytesIO(archive), scratch / "code")
            durable.write(scratch / "archive", archive)
            os.replace(scratch / "archive", target)
            durable.sync(self._archives)
            self._publish(scratch / "code", self._code / package.digest)
        return package

    def archive(self, package: Package) -> Path:
        """Return the path of the archive as it was uploaded."""
        return self._archives / f"{package.digest}.zip"

    def location(self, package: Package) -> str:
        """Return a URL of the archive."""
        if self._link is None:
            return self.archive(package).absolute().as_uri()
        return self._link(package.digest)

    def read(self, digest: str) -> bytes:
        """Return the archive with that digest. Raises OSError where it is gone."""
        assert len(digest) == 64 and digest.isalnum(), "no SHA-256"
        return (self._archives / f"{digest}.zip").read_bytes()

    def unpacked_bytes(self, package: Package) -> int:
        """Return how many bytes the files of `package` have. Raises FileNotFoundError."""
        with zipfile.ZipFile(self.archive(package)) as zipped:
            return sum(entry.file_size for entry in zipped.infolist())

    def directory(self, package: Package) -> Path:
        """Return the directory of the unpacked files, unpacking them again if they are gone.

        Raises FileNotFoundError when the archive is gone as well.
        """
        target = self._code / package.digest
        if not target.exists():
            with self._scratch() as scratch, self.archive(package).open("rb") as archive:
                _unpack(archive, scratch / "code")
                self._publish(scratch / "code", target)
        return target

    def keep(self, digests: Iterable[str]) -> None:
        """Let these be in use from now on. Raises FileNotFoundError where one is gone.

        Call it where `collect` is called: it must not run in between.
        """
        for digest in digests:
            self._unused_since_s.pop(digest, None)
            (self._archives / f"{digest}.zip").stat()

    def collect(self, in_use: Collection[str], *, at_once: bool = False) -> Path | None:
        """Put aside the packages whose `Package.digest` has not been `in_use` for `UNUSED_S`, and
        merged layers by the name of their directory.

        `at_once`: whatever is not in use now; nothing may run that was started with it. Call it
        while no package has been added that no function refers to yet: between operations. Return
        where they are, to be given to `remove`, which takes its time.
        """
        now_s = self._clock()
        unused = [
            path
            for parent in (self._layers, self._code, self._archives)  # each before its source
            for path in parent.iterdir()
            if path.name.removesuffix(".zip") not in in_use
        ]
        digests = {path.name.removesuffix(".zip") for path in unused}
        self._unused_since_s = {
            digest: self._unused_since_s.get(digest, now_s) for digest in digests
        }
        oldest_s = now_s - UNUSED_S
        aside = None
        for path in unused:
            if at_once or self._unused_since_s[path.name.removesuffix(".zip")] <= oldest_s:
                aside = aside or Path(tempfile.mkdtemp(dir=self._tmp))
                with contextlib.suppress(FileNotFoundError):
                    os.replace(path, aside / path.name)
        return aside

    def remove(self, aside: Path | None) -> None:
        """Remove what `collect` has put aside, and what crashes left in `tmp/`."""
        oldest_s = time.time() - _STALE_S
        for path in self._tmp.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path == aside or path.stat().st_mtime < oldest_s:
                    shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[Path]:
        """A directory on the same file system, removed afterwards with all that is left in it."""
        path = Path(tempfile.mkdtemp(dir=self._tmp))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def _publish(self, unpacked: Path, target: Path) -> None:
        """Let `unpacked` appear as `target`, unless somebody else was first with the same files."""
        try:
            unpacked.rename(target)
        except OSError:
            if not target.is_dir():
                raise


def _unpack(archive: IO[bytes], directory: Path) -> None:
    """Unpack `archive` into `directory`, which is made.

    At most `UNZIPPED_BYTES_MAX` are written whatever the archive says of itself: `zipfile` yields
    no more of an entry than the size that was counted. Links come last, so that no file is
    written through one, and none of them may lead out of `directory`.
    """
    directory.mkdir(mode=0o755)
    links = []
    try:
        with zipfile.ZipFile(archive) as zipped:
            for entry in _checked(zipped.infolist()):
                path = directory.joinpath(*_parts(entry.filename))
                if stat.S_ISLNK(entry.external_attr >> 16):
                    links.append((path, zipped.read(entry).decode()))
                elif entry.is_dir():
                    path.mkdir(parents=True, exist_ok=True)
                else:
                    _unpack_file(zipped, entry, path)
        _link(directory, links)
    except _DAMAGED as error:
        raise InvalidParameterValueException(_NOT_A_ZIP) from error
    except OSError as error:
        if error.errno not in _BAD_NAMES:
            raise
        raise InvalidParameterValueException(_NOT_A_ZIP) from error


def _checked(entries: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """Return `entries` if they may be unpacked, going by what the archive says of them."""
    if not entries:
        raise InvalidParameterValueException(_EMPTY)
    if sum(entry.file_size for entry in entries) > UNZIPPED_BYTES_MAX:
        raise InvalidParameterValueException(_TOO_LARGE)
    if len(entries) > ENTRIES_MAX or any(e.compress_type not in _METHODS for e in entries):
        raise InvalidParameterValueException(_NOT_A_ZIP)
    return entries


def _parts(name: str) -> tuple[str, ...]:
    """Return the parts of a name. Raises InvalidParameterValueException if it leads out."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise InvalidParameterValueException(_NOT_A_ZIP)
    return path.parts


def _unpack_file(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    """Write one file with the permissions in the archive, and readable by all as Lambda wants."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipped.open(entry) as source, path.open("wb") as file:
        shutil.copyfileobj(source, file, _COPY_BYTES)
    path.chmod((entry.external_attr >> 16) & 0o777 | 0o644)


def _link(directory: Path, links: list[tuple[Path, str]]) -> None:
    """Make the symbolic links. Raises InvalidParameterValueException if one leads out.

    Their directories come first, so that none of them is made through another link.
    """
    for path, to in links:
        if not to or to.startswith("/"):
            raise InvalidParameterValueException(_NOT_A_ZIP)
        path.parent.mkdir(parents=True, exist_ok=True)
    for path, to in links:
        path.symlink_to(to)
    root = directory.resolve()
    if not all(Path(os.path.realpath(path)).is_relative_to(root) for path, _ in links):
        raise InvalidParameterValueException(_NOT_A_ZIP)
