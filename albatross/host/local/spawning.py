"""The host's side of the spawner: it is started when it is first needed, and again when it dies."""

import logging
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NoReturn

import albatross
from albatross.host.local import affinity, child, spawner

log = logging.getLogger(__name__)

_MAIN = """
import sys
sys.path.insert(0, sys.argv[1])
from albatross.host.local.spawner import main
main(*map(int, sys.argv[2:]))
"""


class Spawned:
    """A child of this process that another one has started; what is used of `subprocess.Popen`."""

    def __init__(self, pid: int, stdout: IO[bytes]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout: IO[bytes] | None = stdout

    def wait(self) -> int:
        if self.returncode is None:
            _, status = os.waitpid(self.pid, 0)
            self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def kill(self) -> None:
        if self.returncode is None:
            os.kill(self.pid, 9)


class Spawner:
    """Starts processes. What it starts ends with the thread that was the first to ask `works`."""

    def __init__(self, channel_number: Callable[[], int]) -> None:
        self._channel_number = channel_number
        self._process: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None
        self._turn = threading.Lock()
        self._works: bool | None = None  # None: it was not tried
        self._umask = os.umask(0o077)  # the host has another one for moments, when it makes sockets
        os.umask(self._umask)

    def works(self) -> bool:
        """Tell whether it is of use here; the first call opens it.

        That comes from the thread with which all is to end, when there is something to run: it is
        memory that a server without functions does without.
        """
        if self._works is None:
            try:
                if spawner.is_possible():
                    os.waitpid(self._ask(spawner.Try(), []), 0)
                self._works = spawner.is_possible()
            except OSError as error:
                log.info("the host starts processes itself: %s", error)
                self.close()
                self._works = False
        return self._works

    @property
    def pid(self) -> int:
        """Return its process id."""
        assert self._process is not None
        return self._process.pid

    def close(self) -> None:
        """End it, and nothing that it has started."""
        with self._turn:
            self._end()

    def start(
        self,
        command: Sequence[str],
        environment: dict[str, str],
        setup: child.Setup,
        channel: int | None,
    ) -> Spawned:
        """Start a process as `launch.start` does, with its errors."""
        order = spawner.Order(
            command=tuple(command),
            environment=environment,
            setup=setup,
            has_channel=channel is not None,
            channel_number=self._channel_number(),
        )
        spaces = (setup.joins.mounts, setup.joins.users) if setup.joins else ()
        others = [each for each in (channel, *spaces) if each is not None]
        output, output_in = os.pipe()
        stdout = open(output, "rb", buffering=0)  # noqa: SIM115  # the caller's, if all goes well
        try:
            problem, problem_in = os.pipe()
            with open(problem, "rb") as problems:
                try:
                    pid = self._ask(order, [output_in, problem_in, *others])
                finally:
                    os.close(problem_in)
                    os.close(output_in)
                found = problems.read()  # nothing once the program runs
            process = Spawned(pid, stdout)
            if found:
                process.wait()
                _raise(found.decode(errors="replace"), command[0])
        except BaseException:
            stdout.close()
            raise
        return process

    def kill_all_of(self, user: int) -> None:
        """Kill every process of a user. Raises OSError."""
        self._ask(spawner.EndAll(user), [])

    def _ask(self, order: spawner.Request, descriptors: Sequence[int]) -> int:
        """Return what the spawner answers, a new one if the last is gone. Raises OSError."""
        with self._turn:
            for _ in range(2):
                if self._orders is None:
                    self._open()
                assert self._orders is not None
                with suppress(ConnectionError):
                    socket.send_fds(self._orders, [pickle.dumps(order)], descriptors)
                    if answer := self._orders.recv(spawner.ANSWER_BYTES):
                        break
                self._end()
            else:
                raise OSError("the process that starts others ends by itself")
        done = int.from_bytes(answer, "little", signed=True)
        if done < 0:
            raise OSError(-done, os.strerror(-done))
        return done

    def _open(self) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            numbers = (theirs.fileno(), self._channel_number(), os.getpid())
            root = Path(albatross.__file__).parents[1]
            self._process = subprocess.Popen(
                [sys.executable, "-ISc", _MAIN, str(root), *map(str, numbers)],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=(theirs.fileno(),),
                umask=self._umask,
                preexec_fn=affinity.roam,
            )

    def _end(self) -> None:
        if self._orders is not None:
            self._orders.close()
            self._orders = None
        if self._process is not None:
            self._process.wait()
            self._process = None


def _raise(problem: str, program: str) -> NoReturn:
    number, _, text = problem.partition(" ")
    if int(number):
        raise OSError(int(number), text, program)
    raise subprocess.SubprocessError(text)
