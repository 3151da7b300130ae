"""Private keys, as files that only their owner can read.

    certificates/ID.key     of a certificate, in PEM
    ca/root.key, root.pem   of the local certificate authority
    cookie.key              of stickiness cookies
    restored-ID/            the last two of a backup that is being restored

The directories have mode 0700, the files 0600. A file appears whole and is durable before the
commit that refers to it.
"""

import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from albatross.model.certificate import PrivateBytes
from albatross.store import durable

_STAGED = "restored-"  # and an id: a directory of keys on their way to their places
_ID = re.compile(r"[0-9a-f]{32}")


class Keys:
    """The keys below `directory`."""

    def __init__(self, directory: Path) -> None:
        self._home = directory
        self._keys = directory / "certificates"
        self._keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._keys.chmod(0o700)

    @property
    def root_directory(self) -> Path:
        """Where the local authority's root lies, once there is one."""
        return self._home / "ca"

    def add(self, pem: bytes) -> str:
        """Keep a key and return its id. Each call makes a new one, also for the same key."""
        key_id = secrets.token_hex(16)
        durable.replace(self._path(key_id), pem)
        return key_id

    def put(self, key_id: str, pem: bytes) -> bool:
        """Keep a key under the id that it had elsewhere; return whether it was not there yet.

        Raises ValueError for another's id.
        """
        path = self._path(key_id)
        if path.exists():
            if path.read_bytes() != pem:
                raise ValueError(f"there is another private key {key_id}")
            return False
        durable.replace(path, pem)
        return True

    def read(self, key_id: str) -> PrivateBytes:
        """Return a key in PEM. Raises OSError where it cannot be read."""
        return PrivateBytes(self._path(key_id).read_bytes())

    def remove(self, key_id: str) -> None:
        """Delete a key. Nothing happens where there is none."""
        self._path(key_id).unlink(missing_ok=True)

    def collect(self, in_use: Collection[str]) -> None:
        """Delete every key that is not `in_use`: what a crash left between file and commit."""
        for path in self._keys.iterdir():
            if path.stem not in in_use:
                path.unlink(missing_ok=True)

    def root(self, make: Callable[[], tuple[bytes, bytes]]) -> tuple[PrivateBytes, bytes]:
        """Return key and certificate of the authority's root in PEM, made by `make` at first.

        Call it from one thread only, that of writes. Raises OSError where the files cannot be read
        or written.
        """
        if not self.root_directory.exists():
            self._keep_root(*make())
        key = PrivateBytes((self.root_directory / "root.key").read_bytes())
        return key, (self.root_directory / "root.pem").read_bytes()

    def cookie_key(self) -> PrivateBytes:
        """Return the key of stickiness cookies, made at first. Raises OSError."""
        path = self._home / "cookie.key"
        if not path.exists():
            durable.replace(path, secrets.token_bytes(32))
        return PrivateBytes(path.read_bytes())

    def stage(self, restore_id: str, files: Mapping[str, bytes]) -> None:
        """Put `ca/root.key`, `ca/root.pem` and `cookie.key` aside, as far as they are given.

        They take their places when `settle` is called with the same id.
        """
        folder = self._home / f"{_STAGED}{restore_id}"
        folder.mkdir(mode=0o700)
        for name, content in files.items():
            (folder / name).parent.mkdir(mode=0o700, exist_ok=True)
            durable.write(folder / name, content)
        for path in (folder / "ca", folder, self._home):
            if path.is_dir():
                durable.sync(path)

    def settle(self, restore_id: str) -> None:
        """Let what was staged under that id take effect, and forget what else was staged.

        May be repeated, also after a crash in the middle of it.
        """
        for folder in self._home.glob(f"{_STAGED}*"):
            if folder.name == f"{_STAGED}{restore_id}":
                if (folder / "cookie.key").exists():
                    (folder / "cookie.key").replace(self._home / "cookie.key")
                if (folder / "ca").exists():
                    if self.root_directory.exists():
                        self.root_directory.rename(folder / f"old-{secrets.token_hex(4)}")
                    (folder / "ca").rename(self.root_directory)
                durable.sync(self._home)
            shutil.rmtree(folder, ignore_errors=True)

    def _keep_root(self, key: bytes, certificate: bytes) -> None:
        work = Path(tempfile.mkdtemp(prefix="ca-", dir=self._home))  # mode 0700
        try:
            durable.write(work / "root.key", key)
            durable.write(work / "root.pem", certificate)
            durable.sync(work)
            work.rename(self.root_directory)
            durable.sync(self._home)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise

    def _path(self, key_id: str) -> Path:
        assert _ID.fullmatch(key_id), "no id of a key"
        return self._keys / f"{key_id}.key"
