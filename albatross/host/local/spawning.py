"""The host's side of what starts processes for it: the spawner, and the template of Python's.

Each is started when it is first needed, and again when it dies.
"""

import logging
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NoReturn

import albatross
from albatross.host.local import affinity, child, spawner, template

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


class Helper:
    """A process that starts others for this one, as children of this one. What it starts ends with
    the thread that has opened it.
    """

    def __init__(self, channel_number: Callable[[], int]) -> None:
        self._channel_number = channel_number
        self._process: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None
        self._turn = threading.Lock()
        self._umask = os.umask(0o077)  # the host has another one for moments, when it makes sockets
        os.umask(self._umask)

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
                    pid = self._hand_over(order, [output_in, problem_in, *others])
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

    def _hand_over(self, order: spawner.Order, descriptors: Sequence[int]) -> int:
        """Have a process started, and return its id. Raises OSError."""
        raise AssertionError

    def _program(self, control: int) -> tuple[Sequence[str], Mapping[str, str] | None]:
        """Return its command, and its variables where they are not those of this process."""
        raise AssertionError

    def _exchange(self, request: bytes, descriptors: Sequence[int]) -> int | None:
        """Return what it answers; None when it is gone. Raises OSError."""
        assert self._orders is not None
        answer = b""
        with suppress(ConnectionError):
            socket.send_fds(self._orders, [request], descriptors)
            answer = self._orders.recv(spawner.ANSWER_BYTES)
        if not answer:
            self._end()
            return None
        done = int.from_bytes(answer, "little", signed=True)
        if done < 0:
            raise OSError(-done, os.strerror(-done))
        return done

    def _open(self) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command, variables = self._program(theirs.fileno())
            self._process = subprocess.Popen(
                command,
                env=variables,
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


class Spawner(Helper):
    """Starts programs."""

    _works: bool | None = None  # None: it was not tried

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

    def kill_all_of(self, user: int) -> None:
        """Kill every process of a user. Raises OSError."""
        self._ask(spawner.EndAll(user), [])

    def _hand_over(self, order: spawner.Order, descriptors: Sequence[int]) -> int:
        return self._ask(order, descriptors)

    def _ask(self, request: spawner.Request, descriptors: Sequence[int]) -> int:
        """Return what the spawner answers, a new one if the last is gone. Raises OSError."""
        with self._turn:
            for _ in range(2):
                if self._orders is None:
                    self._open()
                done = self._exchange(pickle.dumps(request), descriptors)
                if done is not None:
                    return done
        raise OSError("the process that starts others ends by itself")

    def _program(self, control: int) -> tuple[Sequence[str], Mapping[str, str] | None]:
        numbers = (control, self._channel_number(), os.getpid())
        root = Path(albatross.__file__).parents[1]
        return [sys.executable, "-ISc", _MAIN, str(root), *map(str, numbers)], None


class NoTemplate(OSError):
    """It has ended."""


class Template(Helper):
    """Starts Python functions as forks of `command` with `variables`: host/local/template.py."""

    def __init__(
        self,
        channel_number: Callable[[], int],
        command: Sequence[str],
        variables: Mapping[str, str],
    ) -> None:
        super().__init__(channel_number)
        self._command = command
        self._variables = variables
        self._is_ready = False

    def prepare(self) -> None:
        """Begin to start it, unless it is there; it comes from the thread as `Spawner.works`."""
        with self._turn:
            if self._orders is None and spawner.is_possible():
                self._is_ready = False
                self._open()

    def works(self) -> bool:
        """Tell whether it is ready: other starts need not wait for it."""
        with self._turn:
            if self._orders is not None and not self._is_ready:
                with suppress(OSError):
                    answer = self._orders.recv(spawner.ANSWER_BYTES, socket.MSG_DONTWAIT)
                    self._is_ready = answer == template.READY
            return self._orders is not None and self._is_ready

    def _hand_over(self, order: spawner.Order, descriptors: Sequence[int]) -> int:
        description = os.memfd_create("order")
        try:
            os.write(description, pickle.dumps(order))
            os.lseek(description, 0, os.SEEK_SET)
            with self._turn:
                pid = self._exchange(template.ASK, [description, *descriptors])
        finally:
            os.close(description)
        if pid is None:
            raise NoTemplate("the process that is forked has ended")
        return pid

    def _program(self, control: int) -> tuple[Sequence[str], Mapping[str, str] | None]:
        asked = template.argument(control, self._channel_number(), os.getpid())
        return self._command, {**self._variables, template.VARIABLE: asked}


def _raise(problem: str, program: str) -> NoReturn:
    number, _, text = problem.partition(" ")
    if int(number):
        raise OSError(int(number), text, program)
    raise subprocess.SubprocessError(text)
