"""What a function's process sees of the file system: a mount namespace of its own (Linux).

/tmp is its own there, directories that are none of its business are covered, and what it needs of
them is put back where it was. A process that joins an environment (after a reset, or beside an
extension) enters the same namespace and so finds the same /tmp.
"""

import ctypes
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT, _MS_BIND = 1, 2, 4, 32, 4096
_MS_REC, _MS_PRIVATE = 16384, 1 << 18
_MS_NOEXEC, _MS_NOATIME, _MS_NODIRATIME, _MS_RELATIME = 8, 1024, 2048, 1 << 21
_ST_RELATIME = 4096  # the others are the same in statvfs(3)
_TMP = Path("/tmp")
_LINKS_MAX = 40  # on the way to a file, as in Linux: path_resolution(7)
# Where else anyone may write on usual systems. Lambda has /tmp only.
# differs from AWS: /dev/shm is there, but read-only: what needs it (semaphores of Python's
# multiprocessing) fails as in AWS, with another error.
_SHARED = tuple(map(Path, ("/dev/shm", "/run/lock", "/var/tmp")))
_OPT, _HOSTS = Path("/opt"), Path("/etc/hosts")
TASK_ROOT, RUNTIME_DIR = Path("/var/task"), Path("/var/runtime")
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """Open descriptors of a process's mount namespace, and of its user namespace if it has one."""

    mounts: int
    users: int | None

    def close(self) -> None:
        os.close(self.mounts)
        if self.users is not None:
            os.close(self.users)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What to make visible.

    `tmp_mb`: /tmp is a file system in memory of that size; else it is the directory `tmp`.
    `covered`: directories that are to be empty but for what is in `needed` and `links`.
    """

    tmp: Path
    tmp_mb: int | None
    covered: tuple[Path, ...] = ()
    needed: tuple[Path, ...] = ()
    links: tuple[tuple[Path, str], ...] = ()  # symbolic links that lead there, and to where
    opt: Path | None = None  # what is to be /opt
    task: Path | None = None  # and /var/task, read-only both
    hosts: Path | None = None  # what is to be /etc/hosts


@lru_cache(maxsize=256)
def plan(needed: tuple[Path, ...], hidden: tuple[Path, ...]) -> tuple[tuple[Path, ...], ...]:
    """Return the directories to cover, and the real paths of `needed` below them, outermost first.

    Covered are /tmp, what else anyone may write to, `hidden`, and what another user could not pass
    through on the way to `needed`.
    """
    real = [Path(os.path.realpath(path)) for path in needed]
    closed = [parent for path in real for parent in path.parents if not _is_passable(parent)]
    covered = _outermost([_TMP, *_shared(), *map(_real, hidden), *closed])
    return covered, _below(covered, real)


@lru_cache(maxsize=256)
def below_tmp(needed: tuple[Path, ...]) -> tuple[tuple[Path, ...], ...]:
    """Like `plan`, for a process of the host's own user, which may see what that one sees."""
    covered = _outermost([_TMP, *_shared()])
    return covered, _below(covered, map(_real, needed))


def links(needed: Iterable[Path], covered: tuple[Path, ...]) -> tuple[tuple[Path, str], ...]:
    """Return the symbolic links below `covered` on the way to `needed`, and what each one says."""
    met = {link: to for path in needed for link, to in _links_on_the_way(path)}
    below = [link for link in met if any(link.is_relative_to(cover) for cover in covered)]
    return tuple((link, met[link]) for link in below)


def _links_on_the_way(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the real path of each link that the kernel passes to get to the absolute `path`."""
    at, ahead, met = Path("/"), list(path.parts[1:]), 0
    while ahead and met < _LINKS_MAX:
        name, *ahead = ahead
        here = at.parent if name == ".." else at / name
        if not os.path.islink(here):
            at = here
            continue
        met += 1
        yield here, (text := os.readlink(here))
        to = Path(text)
        at = Path("/") if to.is_absolute() else at
        ahead = [*to.parts[to.is_absolute() :], *ahead]


def enter(sight: Sight) -> None:
    """Give this process, a fresh child, a mount namespace as `sight` says. Raises OSError."""
    uid, gid = os.getuid(), os.getgid()
    _call("unshare", _CLONE_NEWNS | (_CLONE_NEWUSER if uid else 0))
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    _mount(None, "/", _MS_REC | _MS_PRIVATE)
    handles = [(os.open(path, os.O_PATH), path) for path in sight.needed]
    opt = os.open(sight.opt, os.O_PATH) if sight.opt and _OPT.is_dir() else None
    task = os.open(sight.task, os.O_PATH) if sight.task else None
    tmp = os.open(sight.tmp, os.O_PATH)
    hosts = os.open(sight.hosts, os.O_PATH) if sight.hosts and _HOSTS.is_file() else None
    if task is not None:
        _make_task_root()
    for cover in sight.covered:
        if cover == _TMP and sight.tmp_mb is None:
            _bind(tmp, _TMP)
        elif cover == _TMP:
            # differs from AWS: what a function keeps in /tmp takes memory of this machine, up to
            # its ephemeral storage; where there are no mount namespaces it is not limited.
            _tmpfs(_TMP, f"mode=1777,size={sight.tmp_mb}m")
        elif cover.is_dir():
            _tmpfs(cover, "mode=0755,size=1m")
    if opt is not None:
        _bind(opt, _OPT, read_only=True)
    if task is not None:
        _bind(task, TASK_ROOT, read_only=True)
    if hosts is not None:
        _bind(hosts, _HOSTS, read_only=True)
    for handle, path in handles:
        path.mkdir(parents=True, exist_ok=True)
        _bind(handle, path)
    for path, to in sight.links:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(path):  # it is in what is needed already
            path.symlink_to(to)
    for cover in sight.covered:
        if cover != _TMP and cover.is_dir():
            flags = _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV
            _mount("tmpfs", str(cover), flags, "tmpfs")
    for opened in (tmp, opt, task, hosts, *(handle for handle, _ in handles)):
        if opened is not None:
            os.close(opened)


def join(namespace: Namespace) -> None:
    """Enter the namespace of another process. Raises OSError."""
    if namespace.users is not None:
        _call("setns", namespace.users, _CLONE_NEWUSER)
    _call("setns", namespace.mounts, _CLONE_NEWNS)


def of(pid: int) -> Namespace | None:
    """Return the namespace of a process that has entered one, None when it has ended already."""
    flags = os.O_RDONLY | os.O_CLOEXEC
    try:
        mounts = os.open(f"/proc/{pid}/ns/mnt", flags)
    except OSError:
        return None
    users = None
    try:
        if os.getuid():
            users = os.open(f"/proc/{pid}/ns/user", flags)
    except OSError:
        os.close(mounts)
        return None
    return Namespace(mounts=mounts, users=users)


def _is_passable(directory: Path) -> bool:
    try:
        return bool(directory.stat().st_mode & stat.S_IXOTH)
    except OSError:
        return False


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _shared() -> list[Path]:
    return [path for path in map(_real, _SHARED) if path.is_dir()]


def _below(covered: tuple[Path, ...], real: Iterable[Path]) -> tuple[Path, ...]:
    return _outermost(path for path in real if any(path.is_relative_to(cover) for cover in covered))


def _outermost(paths: Iterable[Path]) -> tuple[Path, ...]:
    found: list[Path] = []
    for path in sorted(set(paths)):
        if not any(path.is_relative_to(other) for other in found):
            found.append(path)
    return tuple(found)


def _tmpfs(target: Path, options: str) -> None:
    _mount("tmpfs", str(target), _MS_NOSUID | _MS_NODEV, "tmpfs", options)


def _bind(handle: int, target: Path, *, read_only: bool = False) -> None:
    _mount(f"/proc/self/fd/{handle}", str(target), _MS_BIND | _MS_REC)
    if read_only:
        present = os.statvfs(target).f_flag  # what holds already may not be taken away
        kept = present & (_MS_NOSUID | _MS_NODEV | _MS_NOEXEC | _MS_NOATIME | _MS_NODIRATIME)
        kept |= _MS_RELATIME if present & _ST_RELATIME else 0
        _mount(None, str(target), _MS_REMOUNT | _MS_BIND | _MS_RDONLY | kept)


def _make_task_root() -> None:
    """Let there be a directory /var/task to mount on: in a copy of /var where there is none."""
    if TASK_ROOT.is_dir():
        return
    var = TASK_ROOT.parent
    there = [(entry, os.open(entry.path, os.O_PATH | os.O_NOFOLLOW)) for entry in os.scandir(var)]
    _tmpfs(var, "mode=0755,size=1m")
    for entry, handle in there:
        path = Path(entry.path)
        if entry.is_symlink():
            path.symlink_to(os.readlink("", dir_fd=handle))
        else:
            path.mkdir() if entry.is_dir() else path.touch()
            _bind(handle, path)
        os.close(handle)
    TASK_ROOT.mkdir()
    RUNTIME_DIR.mkdir(exist_ok=True)
    flags = _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV
    _mount("tmpfs", str(var), flags, "tmpfs")


def _mount(
    source: str | None, target: str, flags: int, kind: str | None = None, options: str | None = None
) -> None:
    texts = [text.encode() if text else None for text in (source, target, kind, options)]
    _call("mount", texts[0], texts[1], texts[2], flags, texts[3])


def _call(name: str, *arguments: object) -> None:
    assert _libc is not None
    if getattr(_libc, name)(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
