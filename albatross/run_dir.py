"""The run directory of a server: sockets and files that live as long as its processes.

The supervisor holds a lock on a file in it (flock) that ends with the supervisor, however it ends.
A run directory without a locker is stale: the next start sweeps it away. The data directory has
such a lock too.
"""

import fcntl
import os
import shutil
import stat
import time

from albatross.setting import ConfigError

PREFIX = "albatross-"
SOCKET_PATH_BYTES_MAX = 100  # unix sockets take 104 (macOS) or 108 (Linux), with the closing zero
_LONGEST_SOCKET = "/envoy-admin.sock"
_MADE_AT_LEAST_S = 60.0  # a directory without a lock younger than this is just being made


def temp_dir() -> str:
    """Return where run directories lie. Raises ConfigError where its path is too long."""
    folder = os.path.abspath(os.environ.get("TMPDIR") or "/tmp")
    length = len(os.fsencode(folder)) + 1 + len(PREFIX) + 8 + len(_LONGEST_SOCKET)
    if length >= SOCKET_PATH_BYTES_MAX:
        raise ConfigError(
            f"TMPDIR: {folder} is too long a path for unix sockets. Set TMPDIR to a shorter one."
        )
    return folder


def create(folder: str) -> tuple[str, int]:
    """Make a private run directory in `folder`. Return it and the descriptor that locks it."""
    path = os.path.join(folder, PREFIX + os.urandom(4).hex())
    try:
        os.mkdir(path, 0o700)
        descriptor = _lock(os.path.join(path, "lock"))
    except OSError as error:
        raise ConfigError(f"TMPDIR: {folder} cannot be written: {error.strerror}.") from error
    assert descriptor is not None
    return path, descriptor


def write(path: str, name: str, text: str) -> None:
    """Write the file `name` of the run directory `path`. Raises ConfigError."""
    try:
        with open(os.path.join(path, name), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"TMPDIR: {path} cannot be written: {error.strerror}.") from error


def sweep(folder: str) -> list[str]:
    """Remove the run directories in `folder` whose server is gone, and return their paths.

    Raises ConfigError where `folder` cannot be looked into.
    """
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise ConfigError(
            f"TMPDIR: {folder} cannot be read: {error.strerror}. Set TMPDIR to another directory."
        ) from error
    swept = []
    for entry in entries:
        if not entry.name.startswith(PREFIX):
            continue
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and _is_stale(entry.path):
            shutil.rmtree(entry.path, ignore_errors=True)
            swept.append(entry.path)
    return swept


def _is_stale(path: str) -> bool:
    lock = os.path.join(path, "lock")
    try:
        if not os.path.exists(lock):
            return time.time() - os.stat(path).st_mtime > _MADE_AT_LEAST_S
        descriptor = _lock(lock)
    except OSError:  # gone meanwhile
        return False
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def lock_data_dir(path: str) -> int:
    """Make the data directory if need be and lock it. Return the descriptor that keeps it locked.

    Raises ConfigError where another server has it.
    """
    lock = os.path.join(path, "lock")
    try:
        os.makedirs(path, 0o700, exist_ok=True)
        descriptor = _lock(lock)
        if descriptor is not None:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        why = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise ConfigError(
            f"The data directory {path} cannot be used: {why}. Choose another with --data-dir."
        ) from error
    if descriptor is None:
        with open(lock, encoding="ascii") as file:
            pid = file.read().strip() or "unknown"
        raise ConfigError(
            f"The data directory {path} is in use by another server (pid {pid}). "
            "Stop it or choose another with --data-dir."
        )
    return descriptor


def _lock(path: str) -> int | None:
    """Return a descriptor that locks the file `path`, or None where someone else does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
