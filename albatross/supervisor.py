"""The process that starts and supervises control plane, Lambda host and proxy as one thing.

After gunicorn's arbiter: signal handlers only wake the loop; each turn compares wanted with actual.
It imports little, because it is there all the time: its memory counts.

    python -P -m albatross.supervisor RUN_DIR API_SOCKET_FD LOCK_FD...
"""

import json
import logging
import math
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from albatross import config as configuration
from albatross import log as log_format
from albatross.config import EXIT_CANNOT_BOOT, Config

TICK_S = 1.0
WAITING_TICK_S = 0.01  # while a program waits for another's socket
STEADY_S = 10.0  # who lived that long is replaced at once, and its earlier deaths are forgotten
BACK_OFF_S = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)  # by deaths in a row
BOOT_FAILURES_MAX = 3  # exits in a row of a program that has never been steady: it cannot boot
KILL_AFTER_S = 3.0  # what a process gets between SIGTERM and SIGKILL
CONFIG_FILE, PROCESSES_FILE = "config.json", "processes.json"  # in the run directory
HOST_SOCKETS = ("lambda.sock", "urls.sock")  # likewise: where the proxy hands over requests
_BACKLOG = 4096  # requests that wait while the Lambda host is replaced
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PR_SET_PDEATHSIG = 1  # linux/prctl.h

log = logging.getLogger("albatross.supervisor")  # which runs as __main__


@dataclass(frozen=True, slots=True)
class Program:
    """What is to run. `argv` is called in the new process: its imports cost this one nothing."""

    name: str
    argv: Callable[[], list[str]]
    after_socket: str | None = None  # started once this unix socket accepts connections
    descriptors: tuple[int, ...] = ()  # left open in the new process


@dataclass(slots=True)
class Life:
    """How a program does."""

    pid: int | None = None
    started_s: float = 0.0
    starts: int = 0
    deaths: int = 0  # in a row
    was_steady: bool = False
    asked_to_stop: bool = False


class Supervisor:
    """Keeps `programs` running until told to stop; then the first may take `grace_s` to drain.

    The end of what can be read from the descriptor `input_` tells it to stop, as signals do.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        grace_s: float,
        note: Callable[[dict[str, dict[str, int]]], None],
        clock: Callable[[], float] = time.monotonic,
        input_: int | None = None,
    ) -> None:
        self.programs = programs
        self.lives = {program.name: Life() for program in programs}
        self.failed = False  # a program cannot boot
        self._grace_s = grace_s
        self._note = note
        self._clock = clock
        self._input = input_
        self._stop_by_s: float | None = None
        self._signals: list[int] = []
        self._lifeline = os.pipe()  # nothing is written: it closes when this process ends

    @property
    def stopping(self) -> bool:
        return self._stop_by_s is not None

    def run(self) -> int:
        """Supervise until stopped. Return the exit status: 1 where a program could not boot."""
        wake = self._install_signals()
        while True:
            self.converge()
            if self.stopping and not any(life.pid for life in self.lives.values()):
                return int(self.failed)
            watched = [wake] if self._input is None else [wake, self._input]
            ready = select.select(watched, [], [], self._pause_s())[0]
            self._drain_pipe(wake)
            if self._input in ready and not os.read(self._input, 4096):
                self._input = None
                self.stop()

    def converge(self) -> None:
        """Run one turn. Synchronous, so tests step it with a clock of their own."""
        self._reap()
        while self._signals:
            self._signals.pop()
            self.stop()
        if self.stopping:
            self._converge_to_nothing()
            return
        for program in self.programs:
            life = self.lives[program.name]
            if life.pid is None and self._may_start(program, life):
                self._start(program, life)

    def stop(self) -> None:
        """Begin to stop; called a second time, stop at once."""
        if self._stop_by_s is None:
            self._stop_by_s = self._clock() + self._grace_s
        else:
            self._stop_by_s = self._clock() - KILL_AFTER_S

    def _converge_to_nothing(self) -> None:
        assert self._stop_by_s is not None
        now, first = self._clock(), self.lives[self.programs[0].name]
        if now >= self._stop_by_s + KILL_AFTER_S:
            for life in self.lives.values():
                _signal(life, signal.SIGKILL)
        elif first.pid is not None and now < self._stop_by_s:
            _ask_to_stop(first)
        else:
            # What is left after the drain has nothing more to do: it is not given the whole grace.
            self._stop_by_s = min(self._stop_by_s, now)
            for life in self.lives.values():
                _ask_to_stop(life)

    def _may_start(self, program: Program, life: Life) -> bool:
        delay_s = BACK_OFF_S[min(life.deaths, len(BACK_OFF_S) - 1)]
        if life.starts and self._clock() < life.started_s + delay_s:
            return False
        return program.after_socket is None or _accepts(program.after_socket)

    def _start(self, program: Program, life: Life) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        supervisor = os.getpid()
        pid = os.fork()
        if pid == 0:
            _become(program, supervisor, self._lifeline)
        life.pid, life.started_s = pid, self._clock()
        life.starts += 1
        life.asked_to_stop = False
        log.log(
            logging.DEBUG if life.starts == 1 else logging.WARNING,
            "%s is pid %d",
            program.name,
            pid,
        )
        self._tell()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for name, life in self.lives.items():
                if life.pid == pid:
                    life.pid = None
                    self._ended(name, life, os.waitstatus_to_exitcode(status))

    def _ended(self, name: str, life: Life, code: int) -> None:
        if self.stopping:
            return
        is_steady = self._clock() - life.started_s >= STEADY_S
        life.was_steady |= is_steady
        life.deaths = 1 if is_steady else life.deaths + 1
        gives_up = code > 0 and life.deaths >= BOOT_FAILURES_MAX and not life.was_steady
        if code == EXIT_CANNOT_BOOT or gives_up:
            log.error("%s cannot start: the server stops", name)
            self.failed = True
            self.stop()
            return
        how = f"with status {code}" if code >= 0 else f"by a signal ({signal.strsignal(-code)})"
        log.error("%s ended %s and is replaced", name, how)
        self._tell()

    def _tell(self) -> None:
        self._note(
            {
                name: {"pid": life.pid or 0, "starts": life.starts}
                for name, life in self.lives.items()
            }
        )

    def _pause_s(self) -> float:
        waiting = not self.stopping and any(
            program.after_socket and self.lives[program.name].pid is None
            for program in self.programs
        )
        if waiting:
            return WAITING_TICK_S
        absent = any(life.pid is None for life in self.lives.values())
        return BACK_OFF_S[1] if absent or self.stopping else TICK_S

    def _install_signals(self) -> int:
        wake, wakes = os.pipe()
        for end in (wake, wakes):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in STOP_SIGNALS:
            signal.signal(number, lambda number, _: self._signals.append(number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)  # launch.py has held them back
        return wake

    @staticmethod
    def _drain_pipe(wake: int) -> None:
        try:
            while os.read(wake, 4096):
                pass
        except BlockingIOError:
            pass


def _ask_to_stop(life: Life) -> None:
    if not life.asked_to_stop:
        _signal(life, signal.SIGTERM)
        life.asked_to_stop = True


def _signal(life: Life, number: int) -> None:
    if life.pid is not None:
        os.kill(life.pid, number)  # not reaped yet, so the number is still its own


def _accepts(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def _become(program: Program, supervisor: int, lifeline: tuple[int, int]) -> None:
    """In the new process: turn into `program`, or exit."""
    try:
        signal.set_wakeup_fd(-1)
        os.setpgid(0, 0)  # the terminal's Ctrl-C is for the supervisor alone
        for number in (*STOP_SIGNALS, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.close(lifeline[1])
        die_with(supervisor, lifeline[0])
        argv = program.argv()
        for descriptor in program.descriptors:
            os.set_inheritable(descriptor, True)
        os.execv(argv[0], argv)
    except BaseException:  # whatever it is, this process must not go on as a second supervisor
        log.exception("%s cannot be started", program.name)
    finally:
        os._exit(EXIT_CANNOT_BOOT)


def die_with(parent: int, lifeline: int) -> None:
    """Have this process killed when `parent`, which has just forked it, is no more."""
    if sys.platform.startswith("linux"):
        import ctypes  # in the new process only

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(EXIT_CANNOT_BOOT)
    else:
        leash(lifeline)


def leash(lifeline: int) -> None:
    """The same where the kernel offers nothing: a process of its own waits until `lifeline` closes.

    `lifeline` is a pipe's end to read from, whose other end only the supervisor has.
    """
    follower = os.getpid()
    if os.fork() == 0:
        while os.getppid() == follower:
            if select.select([lifeline], [], [], TICK_S)[0]:
                os.kill(follower, signal.SIGKILL)
                break
        os._exit(0)


def listen(run_dir: str) -> list[socket.socket]:
    """Return the sockets `HOST_SOCKETS`, on which whoever is the Lambda host accepts connections.

    They outlive each of them: what the proxy sends while there is none waits for the next.
    """
    before = os.umask(0o177)  # for their owner only
    try:
        made = []
        for name in HOST_SOCKETS:
            made.append(socket.socket(socket.AF_UNIX))
            made[-1].bind(os.path.join(run_dir, name))
            made[-1].listen(_BACKLOG)
    finally:
        os.umask(before)
    return made


def programs(
    run_dir: str, config: Config, api_socket: int, host_sockets: Sequence[int]
) -> list[Program]:
    """Return what makes up a server. The control plane is first: it drains when asked to stop."""
    python = [sys.executable, "-P", "-m"]  # -P: no file of the current directory shadows a module
    common = ["--run-dir", run_dir, "--config", os.path.join(run_dir, CONFIG_FILE)]

    def proxy() -> list[str]:
        from pathlib import Path  # these in the new process only

        from albatross.host.local import affinity
        from albatross.xds import bootstrap

        cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
        if config.pin_cores:
            affinity.settle(affinity.PROXY)
        return bootstrap.command(
            Path(run_dir),
            # Half of the cores, since functions and their host need the rest.
            concurrency=config.envoy_concurrency or max(1, cores // 2),
            drain_s=math.ceil(config.grace_s),
            log_level="info" if config.log_level == "debug" else "error",  # it is talkative
        )

    def control() -> list[str]:
        # Memory: glibc would keep a megabyte more in arenas, one a thread. Python runs one of its
        # threads at a time, so they do not wait for each other here.
        os.environ.setdefault("MALLOC_ARENA_MAX", "1")
        return [*python, "albatross.control", *common, "--api-socket", str(api_socket)]

    host = [*python, "albatross.lambda_host", *common, "--sockets", *map(str, host_sockets)]
    return [
        Program("control", control, descriptors=(api_socket,)),
        Program("host", lambda: host, descriptors=tuple(host_sockets)),
        Program("proxy", proxy, after_socket=os.path.join(run_dir, "xds.sock")),
    ]


def main() -> int:
    run_dir, *numbers = sys.argv[1:]
    descriptors = [int(number) for number in numbers]
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    with open(os.path.join(run_dir, CONFIG_FILE), encoding="utf-8") as file:
        config = configuration.from_json(file.read())
    log_format.configure(config.log_level)
    host_sockets = listen(run_dir)
    supervisor = Supervisor(
        programs(run_dir, config, descriptors[0], [each.fileno() for each in host_sockets]),
        grace_s=config.grace_s,
        note=lambda lives: _write(os.path.join(run_dir, PROCESSES_FILE), json.dumps(lives)),
        input_=sys.stdin.fileno()
        if config.run is not None and config.run.ends_with_input
        else None,
    )
    try:
        return supervisor.run()
    finally:
        import shutil  # only now: it would cost memory all the time

        shutil.rmtree(run_dir, ignore_errors=True)


def _write(path: str, text: str) -> None:
    """Replace a file; a full disk is no reason to end the server."""
    try:
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(path + ".new", path)
    except OSError as error:
        log.warning("%s: %s", path, error.strerror)


if __name__ == "__main__":
    sys.exit(main())
