"""Start an execution environment's process, cut off from the host's environment, descriptors and
/tmp.

The child dies with the host (Linux: PR_SET_PDEATHSIG), leads a session of its own so that all it
started can be ended with it, and has a /tmp of its own where the kernel lets us (mount namespace);
elsewhere TMPDIR names a directory of its own.
"""

import ctypes
import logging
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

# differs from AWS: a function has at most 1,024 open files, as in AWS, but any number of processes.
OPEN_FILES_MAX = 1024  # Lambda quotas: file descriptors
_PR_SET_PDEATHSIG = 1
_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
_LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if _LINUX else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to run, and where. `reads` are directories the process needs besides the system's."""

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    tmp: Path
    reads: Sequence[Path] = ()
    private_tmp: bool = False
    descriptors: Sequence[int] = ()  # kept open in the process, under the same numbers


def start(launch: Launch) -> subprocess.Popen[bytes]:
    """Start the process; its standard output and error are one pipe, `stdout`, non-blocking.

    Call it from a thread that lives as long as the process should: the kernel ties PDEATHSIG to the
    thread. Raises OSError when the command cannot be run.
    """
    exposed = _below_tmp([launch.directory, *launch.reads]) if launch.private_tmp else []
    for path in exposed:
        Path(launch.tmp, path.relative_to("/tmp")).mkdir(parents=True, exist_ok=True)
    tmp = Path("/tmp") if launch.private_tmp else launch.tmp
    # differs from AWS: functions also have HOME and TMPDIR. Where the kernel does not give each
    # environment a /tmp of its own (macOS, some containers), TMPDIR is its own directory.
    environment = {"HOME": str(tmp), "TMPDIR": str(tmp), **launch.environment}
    host = os.getpid()

    def in_child() -> None:
        if _LINUX:
            _die_with(host)
            _yield_to_load_balancer()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _lower_limit(resource.RLIMIT_NOFILE, OPEN_FILES_MAX)
        if launch.private_tmp:
            _mount_tmp(launch.tmp, exposed)

    process = subprocess.Popen(
        launch.command,
        env=environment,
        cwd=launch.directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=launch.descriptors,
        preexec_fn=in_child,
    )
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and all of its session's first group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    except PermissionError:  # macOS answers so for a group of zombies
        process.kill()


def private_tmp_works() -> bool:
    """Tell whether a child can be given a /tmp of its own, by trying it once."""
    if not _LINUX:
        return False
    with tempfile.TemporaryDirectory(prefix="albatross-probe-") as tmp:
        probe = Launch(
            command=["/bin/sh", "-c", "test -d /tmp && ! test -e /tmp/outside"],
            environment={},
            directory=Path("/"),
            tmp=Path(tmp, "inside"),
            private_tmp=True,
        )
        probe.tmp.mkdir()
        try:
            process = start(probe)
        except (OSError, subprocess.SubprocessError) as error:
            log.info("environments share /tmp; each has a TMPDIR of its own: %s", error)
            return False
        process.communicate()
        return process.returncode == 0


def _below_tmp(paths: Sequence[Path]) -> list[Path]:
    """Return those of `paths` that a mount over /tmp would hide, outermost first, each once."""
    found: list[Path] = []
    for path in sorted({Path(os.path.realpath(p)) for p in paths}):
        if path.is_relative_to("/tmp") and not any(path.is_relative_to(f) for f in found):
            found.append(path)
    return found


def _die_with(host: int) -> None:
    assert _libc is not None
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != host:  # it died in between
        os._exit(1)


def _yield_to_load_balancer() -> None:
    """Do not take the processor from the proxy or the host when an event arrives.

    Batch scheduling keeps the process's share, but its waking up preempts nobody.
    """
    with suppress(OSError):  # some sandboxes have no other schedulers
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _lower_limit(kind: int, limit: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY or hard > limit:
        resource.setrlimit(kind, (limit, limit))


def _mount_tmp(tmp: Path, exposed: Sequence[Path]) -> None:
    """Give this process a mount namespace where /tmp is `tmp`; `exposed` stay visible."""
    uid, gid = os.getuid(), os.getgid()
    _call("unshare", _CLONE_NEWNS | (_CLONE_NEWUSER if uid else 0))
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    _mount(None, "/", _MS_REC | _MS_PRIVATE)
    handles = [(os.open(path, os.O_PATH), path) for path in exposed]
    _mount(str(tmp), "/tmp", _MS_BIND)
    for handle, path in handles:
        _mount(f"/proc/self/fd/{handle}", str(path), _MS_BIND)
        os.close(handle)


def _mount(source: str | None, target: str, flags: int) -> None:
    _call("mount", source.encode() if source else None, target.encode(), None, flags, None)


def _call(name: str, *arguments: object) -> None:
    assert _libc is not None
    if getattr(_libc, name)(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
