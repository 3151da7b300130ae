"""Start a process of an execution environment, cut off from the host's environment, descriptors,
files and, as far as wanted, user.

The child dies with the host (Linux: PR_SET_PDEATHSIG), leads a session of its own so that all it
started can be ended with it, and has a /tmp of its own where the kernel lets us (mounts.py);
elsewhere TMPDIR names a directory of its own.
"""

import asyncio
import logging
import os
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
from typing import IO, Protocol

from albatross.host.local import bwrap, child, mounts
from albatross.host.local.spawning import NoTemplate, Spawner, Template

log = logging.getLogger(__name__)

CHANNEL = "_ALBATROSS_CHANNEL"  # tells a runtime the number of its channel; it removes it
_LINUX = sys.platform == "linux"


class Process(Protocol):
    """A child of this process, as `subprocess.Popen` has it."""

    pid: int
    returncode: int | None  # None until `wait` has seen its end
    stdout: IO[bytes] | None

    def wait(self) -> int:
        """Wait for its end, and return how it was: negative for a signal."""

    def kill(self) -> None:
        """End it alone."""


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
    forks: bool = False  # `command` is that of the template: a fork of that will do


@lru_cache(maxsize=1)
def channel_number() -> int:
    """Return the number that a channel has in every process; call it early, then it is low.

    Node.js keeps its first 16 descriptors from the processes that it starts, others it does not.
    """
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)  # holds the number


def start(
    launch: Launch, spawner: Spawner | None = None, template: Template | None = None
) -> Process:
    """Start the process; its standard output and error are one pipe, `stdout`, non-blocking.

    Call it from a thread that lives as long as the process should: the kernel ties PDEATHSIG to the
    thread. Raises OSError when the command cannot be run, SubprocessError when that was not tried.
    """
    sight = _sight(launch) if launch.private_tmp and launch.joins is None else None
    tmp = Path("/tmp") if launch.private_tmp else launch.tmp
    # differs from AWS: functions also have HOME and TMPDIR. Where the kernel does not give each
    # environment a /tmp of its own (macOS, some containers), TMPDIR is its own directory.
    environment = {"HOME": str(tmp), "TMPDIR": str(tmp), **launch.environment}
    if launch.channel is not None:
        environment[CHANNEL] = str(channel_number())
    command = bwrap.command(launch.command, launch, tmp) if launch.sandbox else launch.command
    setup = child.Setup(
        host=os.getpid(),
        directory=str(mounts.TASK_ROOT if launch.at_task_root else launch.directory),
        sight=sight,
        joins=launch.joins,
        user=launch.user,
    )
    process: Process | None = None
    given = command, environment, setup, launch.channel
    if launch.forks and template is not None:
        template.prepare()
        if template.works():
            with suppress(NoTemplate):
                process = template.start(*given)
    if process is None and spawner is not None and spawner.works():
        process = spawner.start(*given)
    process = process or _fork(*given)
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    return process


def _fork(
    command: Sequence[str], environment: dict[str, str], setup: child.Setup, channel: int | None
) -> subprocess.Popen[bytes]:
    def in_child() -> None:
        if channel is not None:
            os.dup2(channel, channel_number())
        child.settle(setup)

    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=() if channel is None else (channel_number(),),
        preexec_fn=in_child,
    )


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
        links=mounts.links(needed, covered),
        opt=launch.opt if shows_opt(launch) else None,
        task=launch.directory if launch.at_task_root else None,
        hosts=launch.hosts,
    )


def kill(process: Process, signum: int = signal.SIGKILL) -> None:
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


def on_exit(process: Process, ended: Callable[[], None]) -> None:
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


def kill_all_of(user: int, spawner: Spawner | None = None) -> None:
    """Kill every process of a user who has none but those of one environment."""
    if spawner is not None and spawner.works():
        try:
            spawner.kill_all_of(user)
        except OSError as error:
            log.warning("processes of user %d will not end: %s", user, error)
        return
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
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), True)
        with process.stdout as stdout:
            output = stdout.read()
        process.wait()
        if process.returncode:
            log.info("an environment as user %s: %s", probe.user, output.decode(errors="replace"))
        return process.returncode == 0
