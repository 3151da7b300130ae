"""Start a process of an execution environment, cut off from the host's environment, descriptors,
files and, as far as wanted, user.

The child dies with the host (Linux: PR_SET_PDEATHSIG), leads a session of its own so that all it
started can be ended with it, and has a /tmp of its own where the kernel lets us (mounts.py);
elsewhere TMPDIR names a directory of its own.
"""

import asyncio
import ctypes
import logging
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from albatross.host.local import affinity, bwrap, mounts

log = logging.getLogger(__name__)

NICE = 5  # a third of the processor time that the load balancer gets, when both want it
_OOM_SCORE_ADJ = 1000  # the largest there is: a function is replaced, the load balancer is not
CHANNEL = "_ALBATROSS_CHANNEL"  # tells a runtime the number of its channel; it removes it
OPEN_FILES_MAX = 1024  # Lambda quotas: file descriptors
# differs from AWS: processes and threads are limited to 1,024, as in AWS, only where each
# environment has a user of its own (the setting `isolation`).
PROCESSES_MAX = 1024  # Lambda quotas: execution processes and threads
_PR_SET_PDEATHSIG = 1
_LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if _LINUX else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to run, and where. `reads` are directories the process needs besides the system's."""

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    tmp: Path
    tmp_mb: int | None = None  # size of a /tmp in memory; None: /tmp is the directory `tmp`
    opt: Path | None = None  # what is to be /opt
    hosts: Path | None = None  # what is to be /etc/hosts
    at_task_root: bool = False  # `directory` is to be /var/task
    reads: Sequence[Path] = ()
    hidden: Sequence[Path] = ()  # directories that it must not see
    user: int | None = None  # run as this user and group
    sandbox: bool = False  # in bubblewrap, too
    private_tmp: bool = False
    joins: mounts.Namespace | None = None  # of a process whose /tmp it shares
    channel: int | None = None  # a descriptor, open in the process as `channel_number()`


@lru_cache(maxsize=1)
def channel_number() -> int:
    """Return the number that a channel has in every process; call it early, then it is low.

    Node.js keeps its first 16 descriptors from the processes that it starts, others it does not.
    """
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)  # holds the number


def start(launch: Launch) -> subprocess.Popen[bytes]:
    """Start the process; its standard output and error are one pipe, `stdout`, non-blocking.

    Call it from a thread that lives as long as the process should: the kernel ties PDEATHSIG to the
    thread. Raises OSError when the command cannot be run.
    """
    sight = _sight(launch) if launch.private_tmp and launch.joins is None else None
    tmp = Path("/tmp") if launch.private_tmp else launch.tmp
    # differs from AWS: functions also have HOME and TMPDIR. Where the kernel does not give each
    # environment a /tmp of its own (macOS, some containers), TMPDIR is its own directory.
    environment = {"HOME": str(tmp), "TMPDIR": str(tmp), **launch.environment}
    if launch.channel is not None:
        environment[CHANNEL] = str(channel_number())
    command = bwrap.command(launch.command, launch, tmp) if launch.sandbox else launch.command
    host = os.getpid()

    def in_child() -> None:
        if launch.channel is not None:
            os.dup2(launch.channel, channel_number())
        if _LINUX:
            affinity.roam()
            _yield_to_load_balancer()
            _yield_memory()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if launch.joins is not None:
            mounts.join(launch.joins)
        elif sight is not None:
            mounts.enter(sight)
        os.chdir(mounts.TASK_ROOT if launch.at_task_root else launch.directory)
        if launch.user is not None:
            os.setgroups([])
            os.setgid(launch.user)
            os.setuid(launch.user)
            _lower_limit(resource.RLIMIT_NPROC, PROCESSES_MAX)
        # After all that opens files: here, the host's are still open, which may be more.
        _lower_limit(resource.RLIMIT_NOFILE, OPEN_FILES_MAX)
        if _LINUX:  # last: a change of user clears it
            _die_with(host)

    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=() if launch.channel is None else (channel_number(),),
        preexec_fn=in_child,
    )
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    return process


def shows_opt(launch: Launch) -> bool:
    """Tell whether the process finds `launch.opt` as /opt: not where it needs what is in there."""
    if launch.sandbox:
        return True
    needs = any(os.path.realpath(path).startswith("/opt/") for path in launch.reads)
    return launch.private_tmp and os.path.isdir("/opt") and not needs


def as_seen(launch: Launch, path: Path) -> Path:
    """Return how the process calls the host's `path`."""
    if launch.at_task_root and path.is_relative_to(launch.directory):
        return mounts.TASK_ROOT / path.relative_to(launch.directory)
    if launch.opt and shows_opt(launch) and path.is_relative_to(launch.opt):
        return Path("/opt", path.relative_to(launch.opt))
    return path


def _sight(launch: Launch) -> mounts.Sight:
    """Return what the process is to see; makes ready the directory that becomes its /tmp."""
    needed = list(launch.reads)
    if not launch.at_task_root:
        needed.append(launch.directory)
    if launch.opt and (launch.sandbox or not shows_opt(launch)):
        needed.append(launch.opt)
    if launch.user is None and not launch.hidden:
        covered, below = mounts.below_tmp(tuple(needed))
    else:
        covered, below = mounts.plan(tuple(needed), tuple(launch.hidden))
    if launch.tmp_mb is None:
        for path in below:
            if path.is_relative_to("/tmp"):
                Path(launch.tmp, path.relative_to("/tmp")).mkdir(parents=True, exist_ok=True)
    return mounts.Sight(
        tmp=launch.tmp,
        tmp_mb=launch.tmp_mb,
        covered=covered,
        needed=below,
        opt=launch.opt if shows_opt(launch) else None,
        task=launch.directory if launch.at_task_root else None,
        hosts=launch.hosts,
    )


def kill(process: subprocess.Popen[bytes], signum: int = signal.SIGKILL) -> None:
    """Send the process and all of its session's first group a signal.

    Nothing happens once it is reaped: its number may be that of a stranger by then.
    """
    if process.returncode is not None:
        return
    try:
        os.killpg(process.pid, signum)
    except ProcessLookupError:
        return
    except PermissionError:  # macOS answers so for a group of zombies
        process.kill()


def on_exit(process: subprocess.Popen[bytes], ended: Callable[[], None]) -> None:
    """Call `ended` in the event loop when the process has ended; it is not reaped yet."""
    loop = asyncio.get_running_loop()
    if sys.platform == "linux":
        descriptor = os.pidfd_open(process.pid)

        def readable() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            ended()

        loop.add_reader(descriptor, readable)
    else:

        def wait() -> None:
            wanted = select.kevent(
                process.pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT
            )
            with closing(select.kqueue()) as queue, suppress(ProcessLookupError):  # it has ended
                queue.control([wanted], 1)
            loop.call_soon_threadsafe(ended)

        threading.Thread(target=wait, daemon=True).start()


def kill_all_of(user: int) -> None:
    """Kill every process of a user who has none but those of one environment."""
    command = ["/bin/sh", "-c", "kill -9 -1"]  # as that user: the kernel does it in one go
    try:
        subprocess.run(command, user=user, group=user, extra_groups=[], check=False, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("processes of user %d will not end: %s", user, error)


def private_tmp_works(probe: Launch) -> bool:
    """Tell whether a child can be given a /tmp of its own, by trying `probe` once below its tmp."""
    if not _LINUX:
        return False
    with tempfile.TemporaryDirectory(prefix="probe-", dir=probe.tmp) as tmp:
        os.chmod(tmp, 0o711)
        inside = Path(tmp, "inside")
        inside.mkdir()
        if probe.user is not None:
            os.chown(inside, probe.user, probe.user)
        try:
            process = start(replace(probe, tmp=inside, private_tmp=True))
        except (OSError, subprocess.SubprocessError) as error:
            log.info("an environment as user %s: %s", probe.user or "of the server", error)
            return False
        output, _ = process.communicate()
        if process.returncode:
            log.info("an environment as user %s: %s", probe.user, output.decode(errors="replace"))
        return process.returncode == 0


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
    with suppress(OSError):
        os.nice(NICE)
    with suppress(OSError), open("/proc/self/autogroup", "w") as file:
        file.write(str(NICE))  # Linux weighs sessions against each other, where it is so set


def _yield_memory() -> None:
    """Be the first to be ended when the machine runs out of memory, with all that this starts."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(_OOM_SCORE_ADJ))


def _lower_limit(kind: int, limit: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY or hard > limit:
        resource.setrlimit(kind, (limit, limit))
