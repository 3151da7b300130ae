"""Who a function's processes are, and what they are kept from: the setting `isolation`.

none    the user who runs the server
user    a user of its own for each execution environment (the server must be root, on Linux)
bwrap   a sandbox of bubblewrap, and a user of its own where the server is root
auto    user where that works, else none. Code that runs where it lies (`albatross run`) is the
        user's own and runs as the server's user.
"""

import logging
import os
import socket
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from albatross.host.local import bwrap, launch
from albatross.model.function import Directory, Function

log = logging.getLogger(__name__)

USERS = 20_000  # as many user ids are used, from the setting `first_uid` on
USERS_CLAIMED = 500  # at once, by one server


class Impossible(Exception):
    """This machine cannot do what the setting says. The message names the remedy."""


class Users:
    """User ids, each of one environment at a time.

    They are claimed in blocks, because a server ends whatever runs as the user of an environment
    that has ended: two servers on one machine must not have the same users.
    """

    def __init__(self, first: int) -> None:
        self._blocks = iter(range(first, first + USERS, USERS_CLAIMED))
        self._claims: list[socket.socket] = []  # held as long as this process runs
        self._unused: Iterator[int] = iter(())
        self._free: deque[int] = deque()

    def take(self) -> int:
        """Return a user id that no environment has. Raises OSError when all are taken."""
        user = next(self._unused, None)
        if user is None and self._free:
            return self._free.popleft()
        if user is None:
            self._unused = self._claim()
            user = next(self._unused)
        return user

    def give_back(self, user: int) -> None:
        self._free.append(user)

    def close(self) -> None:
        """Give up all claims."""
        for claim in self._claims:
            claim.close()

    def _claim(self) -> Iterator[int]:
        """Return the next block that no other server has."""
        for first in self._blocks:
            claim = socket.socket(socket.AF_UNIX)
            try:
                claim.bind(f"\0albatross-users-{first}")  # goes with the process that has it
            except OSError:
                claim.close()
                continue
            self._claims.append(claim)
            return iter(range(first, first + USERS_CLAIMED))
        raise OSError("every user id for execution environments is taken")


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """How environments are kept apart on this machine."""

    users: Users | None = None  # None: they run as the server's user
    own_too: bool = False  # code that runs where it lies is kept apart as well
    sandbox: bool = False
    private_tmp: bool = False
    hidden: tuple[Path, ...] = ()

    def user_for(self, function: Function) -> int | None:
        """Return the user id for a new environment of `function`, None: the server's."""
        return self.users.take() if self.users and self._apart(function) else None

    def hidden_from(self, function: Function) -> tuple[Path, ...]:
        return self.hidden if self._apart(function) else ()

    def sandboxed(self, function: Function) -> bool:
        return self.sandbox and self._apart(function)

    def _apart(self, function: Function) -> bool:
        return self.own_too or not isinstance(function.code, Directory)


def choose(level: str, first_uid: int, hidden: tuple[Path, ...], tmp: Path) -> Isolation:
    """Return what `level` means here; tries it once, in the directory `tmp`. Raises Impossible.

    Call it from the thread that starts processes.
    """
    is_root = sys.platform == "linux" and os.getuid() == 0
    probe = launch.Launch(
        command=[sys.executable, "-c", "import os, sys; sys.exit(os.path.exists('/tmp/outside'))"],
        environment={},
        directory=Path("/"),
        tmp=tmp,
        reads=(Path(sys.prefix), Path(sys.base_prefix)),
    )
    users = Users(first_uid) if is_root and level != "none" else None
    # A user that is this server's alone: another one ends all processes of its own users.
    as_user = replace(probe, user=users.take() if users else None, hidden=hidden)
    own_too = level != "auto"
    match level:
        case "none":
            return Isolation(private_tmp=launch.private_tmp_works(probe))
        case "auto" | "user":
            if users and launch.private_tmp_works(as_user):
                return Isolation(users=users, private_tmp=True, own_too=own_too, hidden=hidden)
            if level == "user":
                raise Impossible(
                    "isolation = user needs Linux, root, and mount namespaces (CAP_SYS_ADMIN). "
                    "Start the server so, or set isolation to bwrap or none."
                )
            if users:
                users.close()
                log.warning("functions run as root: each as a user of its own is impossible here")
            return Isolation(private_tmp=launch.private_tmp_works(probe))
        case _:
            return _sandbox(as_user, users)


def task_probe(found: Isolation, tmp: Path) -> launch.Launch | None:
    """Return what tells, tried once, whether code can be shown as /var/task; None: it cannot."""
    if not found.private_tmp or found.sandbox:
        return None
    look = "import os, sys; sys.exit(not os.path.isdir('/var/task/bin'))"
    return launch.Launch(
        command=[sys.executable, "-c", look],
        environment={},
        directory=Path("/usr"),
        tmp=tmp,
        at_task_root=True,
        reads=(Path(sys.prefix), Path(sys.base_prefix)),
        user=found.users.take() if found.users else None,
        hidden=found.hidden,
    )


def _sandbox(probe: launch.Launch, users: Users | None) -> Isolation:
    if bwrap.find() is None:
        raise Impossible(
            "isolation = bwrap needs bubblewrap: install the package `bubblewrap`, or set "
            "isolation to user or none."
        )
    if not launch.private_tmp_works(replace(probe, sandbox=True)):
        raise Impossible(
            "isolation = bwrap: the kernel refuses it. bubblewrap needs user namespaces "
            "(sysctl kernel.unprivileged_userns_clone=1, or an AppArmor profile for bwrap); "
            "the line before this says more at log level info. Else set isolation to user or none."
        )
    return Isolation(
        users=users, private_tmp=True, own_too=True, sandbox=True, hidden=tuple(probe.hidden)
    )
