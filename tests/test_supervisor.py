"""The supervisor with real processes: what it starts, replaces and leaves behind."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from albatross.config import EXIT_CANNOT_BOOT
from albatross.supervisor import (
    BACK_OFF_S,
    BOOT_FAILURES_MAX,
    HOST_SOCKETS,
    STEADY_S,
    Program,
    Supervisor,
    _write,
    listen,
)

FOREVER = [sys.executable, "-c", "import time; time.sleep(60)"]


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def make() -> Iterator[Callable[..., Supervisor]]:
    made: list[Supervisor] = []

    def make(*programs: Program, clock: Callable[[], float]) -> Supervisor:
        made.append(Supervisor(programs, grace_s=5.0, note=lambda lives: None, clock=clock))
        return made[-1]

    yield make
    for supervisor in made:
        for life in supervisor.lives.values():
            if life.pid:
                os.kill(life.pid, signal.SIGKILL)
                os.waitpid(life.pid, 0)


def until(condition: Callable[[], object], *, seconds: float = 10.0) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.005)


def ended(pid: int) -> bool:
    """Tell whether our child `pid` has ended, without reaping it."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_the_lambda_hosts_sockets_are_their_owners_and_take_connections_at_once(tmp_path):
    sockets = listen(str(tmp_path))
    for name in HOST_SOCKETS:
        path = tmp_path / name
        assert path.is_socket()
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
    for each in sockets:
        assert not each.get_inheritable()
        each.close()


def test_it_starts_every_program(make):
    supervisor = make(Program("a", lambda: FOREVER), Program("b", lambda: FOREVER), clock=Clock())
    supervisor.converge()
    pids = [life.pid for life in supervisor.lives.values()]
    assert all(pids) and len(set(pids)) == 2


def test_a_program_that_dies_is_replaced_at_once_and_again_with_more_and_more_delay(make):
    clock = Clock()
    supervisor = make(Program("a", lambda: FOREVER), clock=clock)
    life = supervisor.lives["a"]
    supervisor.converge()
    waits = []
    for _ in BACK_OFF_S:
        os.kill(life.pid, signal.SIGKILL)
        until(lambda: ended(life.pid))
        died_s = clock.now_s
        supervisor.converge()
        while life.pid is None:
            clock.now_s += 0.05
            supervisor.converge()
        waits.append(round(clock.now_s - died_s, 1))
    assert waits == [*BACK_OFF_S[1:], BACK_OFF_S[-1]]


def test_a_program_that_was_steady_is_replaced_at_once(make):
    clock = Clock()
    supervisor = make(Program("a", lambda: FOREVER), clock=clock)
    life = supervisor.lives["a"]
    supervisor.converge()
    first = life.pid
    life.deaths = 4
    clock.now_s += STEADY_S
    os.kill(first, signal.SIGKILL)
    until(lambda: ended(first))
    supervisor.converge()
    assert life.pid not in (None, first)
    assert life.deaths == 1


def test_a_program_that_cannot_boot_stops_the_server(make):
    cannot = [sys.executable, "-c", f"raise SystemExit({EXIT_CANNOT_BOOT})"]
    supervisor = make(Program("a", lambda: FOREVER), Program("b", lambda: cannot), clock=Clock())
    supervisor.converge()
    until(lambda: ended(supervisor.lives["b"].pid))
    supervisor.converge()
    assert supervisor.failed
    assert supervisor.stopping


@pytest.mark.parametrize(
    ("was_steady", "stops"),
    [
        pytest.param(False, True, id="at the start: the server stops"),
        pytest.param(True, False, id="later: it is tried for ever"),
    ],
)
def test_a_program_that_fails_again_and_again(make, was_steady, stops):
    clock = Clock()
    supervisor = make(Program("a", lambda: [sys.executable, "-c", "1 / 0"]), clock=clock)
    life = supervisor.lives["a"]
    life.was_steady = was_steady
    for _ in range(BOOT_FAILURES_MAX):
        clock.now_s += BACK_OFF_S[-1]
        supervisor.converge()
        until(lambda: ended(life.pid))
    supervisor.converge()
    assert supervisor.failed == supervisor.stopping == stops


def test_an_executable_that_is_missing_means_that_the_program_cannot_boot(make, capfd):
    supervisor = make(Program("a", lambda: ["/nowhere/envoy"]), clock=Clock())
    supervisor.converge()
    until(lambda: ended(supervisor.lives["a"].pid))
    supervisor.converge()
    assert supervisor.failed


def test_a_program_waits_for_the_socket_it_needs(make, tmp_path):
    import socket

    path = str(tmp_path / "s")
    supervisor = make(Program("a", lambda: FOREVER, after_socket=path), clock=Clock())
    supervisor.converge()
    assert supervisor.lives["a"].pid is None
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        supervisor.converge()
        assert supervisor.lives["a"].pid is None, "bound, but not listening yet"
        listener.listen()
        supervisor.converge()
        assert supervisor.lives["a"].pid


def test_the_first_program_drains_before_the_others_are_asked_to_stop(make, tmp_path):
    clock = Clock()
    ready = tmp_path / "ready"
    slow = f"""
        import pathlib, signal, time
        signal.signal(signal.SIGTERM, lambda *_: None)
        pathlib.Path({str(ready)!r}).touch()
        signal.pause(); time.sleep(60)
    """
    drains = [sys.executable, "-c", textwrap.dedent(slow)]
    supervisor = make(Program("a", lambda: drains), Program("b", lambda: FOREVER), clock=clock)
    supervisor.converge()
    until(ready.exists)
    supervisor.stop()
    supervisor.converge()
    assert supervisor.lives["a"].asked_to_stop
    assert not supervisor.lives["b"].asked_to_stop
    os.kill(supervisor.lives["a"].pid, signal.SIGKILL)
    until(lambda: ended(supervisor.lives["a"].pid))
    supervisor.converge()
    assert supervisor.lives["b"].asked_to_stop
    until(lambda: ended(supervisor.lives["b"].pid))


def test_what_does_not_stop_within_the_grace_time_is_killed(make, tmp_path):
    clock = Clock()
    ready = tmp_path / "ready"
    deaf = f"""
        import pathlib, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pathlib.Path({str(ready)!r}).touch()
        time.sleep(60)
    """
    argv = [sys.executable, "-c", textwrap.dedent(deaf)]
    supervisor = make(Program("a", lambda: argv), clock=clock)
    supervisor.converge()
    until(ready.exists)
    pid = supervisor.lives["a"].pid
    supervisor.stop()
    supervisor.converge()
    assert not ended(pid)
    clock.now_s += 5.0 + 3.0
    supervisor.converge()
    until(lambda: ended(pid))


def test_asking_twice_to_stop_kills_at_once(make, tmp_path):
    ready = tmp_path / "ready"
    deaf = f"""
        import pathlib, signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pathlib.Path({str(ready)!r}).touch()
        time.sleep(60)
    """
    argv = [sys.executable, "-c", textwrap.dedent(deaf)]
    supervisor = make(Program("a", lambda: argv), clock=Clock())
    supervisor.converge()
    until(ready.exists)
    supervisor.stop()
    supervisor.stop()
    supervisor.converge()
    until(lambda: ended(supervisor.lives["a"].pid))


SERVER = """
    import os, sys, time
    from albatross import supervisor
    from albatross.supervisor import Program, Supervisor
    forever = [sys.executable, "-c", "import time; time.sleep(60)"]
    if "leash" in sys.argv:
        supervisor.die_with = lambda parent, lifeline: supervisor.leash(lifeline)
    def note(lives):
        print(*(life["pid"] for life in lives.values()), flush=True)
    sys.exit(Supervisor([Program("a", lambda: forever), Program("b", lambda: forever)],
                        grace_s=5, note=note).run())
"""


def start(*arguments: str) -> tuple[subprocess.Popen[str], list[int]]:
    server = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SERVER), *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout
    pids: list[int] = []
    while len(pids) < 2 or 0 in pids:
        pids = [int(word) for word in server.stdout.readline().split()]
    return server, pids


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(
            "kernel",
            id="by the kernel's death signal",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux has the death signal"),
        ),
        pytest.param("leash", id="by a pipe that closes"),
    ],
)
def test_no_process_outlives_a_supervisor_that_is_killed(way):
    server, pids = start(way)
    with server:
        assert all(map(is_alive, pids))
        server.kill()
        until(lambda: not any(map(is_alive, pids)))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_everything_and_the_exit_status_is_zero(number):
    server, pids = start()
    with server:
        server.send_signal(number)
        assert server.wait(10) == 0
        assert not any(map(is_alive, pids))


def test_a_supervisor_takes_little_memory():
    script = """
        import albatross.supervisor
        print(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")))
    """
    printed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    assert int(printed.split()[1]) <= 15 * 1024  # KiB


def test_a_note_that_cannot_be_written_does_not_end_the_server(tmp_path, caplog):
    _write(str(tmp_path / "full" / "processes.json"), "{}")
    assert "processes.json: No such file or directory" in caplog.text
