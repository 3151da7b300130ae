"""The command line of bubblewrap that runs a function's process (the setting `isolation`).

A read-only root with the system's programs and what the function needs, a process tree of its own,
Lambda's directories /var/task, /var/runtime and /opt, and the network as it is. /tmp is the one of
the namespace in which bubblewrap itself runs (host/local/mounts.py).
Source of the options: bwrap(1).
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from albatross.host.local.launch import Launch

TASK_ROOT = Path("/var/task")
_RUNTIME_DIR = Path("/var/runtime")
_SYSTEM = ("/usr", "/etc", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix", "/gnu")
_RESOLVER = "/run/systemd/resolve"  # to which /etc/resolv.conf may lead


def find() -> str | None:
    return shutil.which("bwrap")


def command(program: Sequence[str], launch: "Launch", tmp: Path) -> tuple[str, ...]:
    """Return `program` in a sandbox. `tmp` becomes its /tmp."""
    shown = [launch.directory, *launch.reads]
    options = ["--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    options += [*_system(), "--proc", "/proc", "--dev", "/dev", "--bind", str(tmp), "/tmp"]
    options += ["--ro-bind-try", _RESOLVER, _RESOLVER]
    for path in sorted(set(shown)):
        if path != Path("/"):
            options += ["--ro-bind", str(path), str(path)]
    options += ["--ro-bind", str(launch.directory), str(TASK_ROOT), "--dir", str(_RUNTIME_DIR)]
    if launch.opt is not None:
        options += ["--ro-bind", str(launch.opt), "/opt"]
    # Last: bubblewrap makes its root and /dev of memory, and what others are mounted on in them.
    options += ["--remount-ro", "/dev", "--remount-ro", "/"]
    return (find() or "bwrap", *options, "--chdir", str(TASK_ROOT), "--", *program)


def _system() -> Iterator[str]:
    """Yield options that show the system's directories, links as links."""
    for path in _SYSTEM:
        if os.path.islink(path):
            yield from ("--symlink", os.readlink(path), path)
        elif os.path.isdir(path):
            yield from ("--ro-bind", path, path)
