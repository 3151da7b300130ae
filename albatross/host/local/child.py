"""What a process of an environment does to itself before it becomes the function's.

It runs in a child of the host, or of the spawner (spawner.py), and imports little: that one is to
be small.
"""

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass

from albatross.host.local import affinity, mounts

NICE = 5  # a third of the processor time that the load balancer gets, when both want it
_OOM_SCORE_ADJ = 1000  # the largest there is: a function is replaced, the load balancer is not
OPEN_FILES_MAX = 1024  # Lambda quotas: file descriptors
# differs from AWS: processes and threads are limited to 1,024, as in AWS, only where each
# environment has a user of its own (the setting `isolation`).
PROCESSES_MAX = 1024  # Lambda quotas: execution processes and threads
_PR_SET_PDEATHSIG = 1
_KEYCTL = {"x86_64": 250, "aarch64": 219}  # the number of the system call; libc has no name for it
_KEYCTL_JOIN_SESSION_KEYRING = 1
_LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if _LINUX else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What becomes of a child. Of `joins` and `sight` there is one at most."""

    host: int  # the process with which it is to end
    directory: str
    sight: mounts.Sight | None  # of a namespace of its own
    joins: mounts.Namespace | None  # of a process whose /tmp it shares
    user: int | None


def settle(setup: Setup) -> None:
    """Become as `setup` says. Raises OSError."""
    if _LINUX:
        affinity.roam()
        _yield_to_load_balancer()
        _yield_memory()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if setup.joins is not None:
        mounts.join(setup.joins)
    elif setup.sight is not None:
        mounts.enter(setup.sight)
    os.chdir(setup.directory)
    if setup.user is not None:
        become(setup.user)
        _lower_limit(resource.RLIMIT_NPROC, PROCESSES_MAX)
    if _LINUX:  # as the user whom the new keyring is to belong to
        _leave_keys()
    # After all that opens files: here, the host's are still open, which may be more.
    _lower_limit(resource.RLIMIT_NOFILE, OPEN_FILES_MAX)
    if _LINUX:  # last: a change of user clears it
        die_with(setup.host)


def become(user: int) -> None:
    """Run as `user`, in the group of the same number and no other."""
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)


def die_with(host: int) -> None:
    """End with the thread of `host` that has started this process."""
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


def _leave_keys() -> None:
    """Have no key of the server's session in reach: who inherits them may use them, as any user.

    Source: session-keyring(7). Where the kernel has no keys, or hides them, nothing happens.
    """
    assert _libc is not None
    if number := _KEYCTL.get(os.uname().machine):
        _libc.syscall(number, _KEYCTL_JOIN_SESSION_KEYRING, None)


def _yield_memory() -> None:
    """Be the first to be ended when the machine runs out of memory, with all that this starts."""
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(_OOM_SCORE_ADJ))


def _lower_limit(kind: int, limit: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY or hard > limit:
        resource.setrlimit(kind, (limit, limit))
