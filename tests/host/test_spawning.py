"""The process that starts others in the place of the host."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from albatross.host.local import launch, spawner
from albatross.host.local.spawning import Spawner

pytestmark = pytest.mark.skipif(not spawner.is_possible(), reason="asks the Linux kernel")


@pytest.fixture
def started() -> Iterator[Spawner]:
    found = Spawner(launch.channel_number)
    assert found.works()
    yield found
    found.close()


def plan(tmp_path: Path, *command: str, **more: object) -> launch.Launch:
    directory: dict[str, object] = {"directory": Path("/"), "environment": {}, "tmp": tmp_path}
    return launch.Launch(command=command, **{**directory, **more})  # type: ignore[arg-type]


def python(tmp_path: Path, source: str, **more: object) -> launch.Launch:
    return plan(tmp_path, sys.executable, "-Sc", source, **more)


def output_of(process: launch.Process) -> str:
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), True)
    with process.stdout as stdout:
        return stdout.read().decode()


def test_what_it_starts_is_the_hosts_child(tmp_path: Path, started: Spawner) -> None:
    source = "import os, sys; print(os.getppid(), os.getsid(0) == os.getpid()); sys.exit(7)"
    process = launch.start(python(tmp_path, source), started)
    assert output_of(process) == f"{os.getpid()} True\n"
    assert process.wait() == 7


@pytest.mark.parametrize("own", [True, False], ids=["by the spawner", "by the host"])
def test_a_process_is_given_its_descriptors_and_no_others(
    tmp_path: Path, started: Spawner, own: bool
) -> None:
    ours, theirs = socket.socketpair()
    source = """
import os
number = int(os.environ["_ALBATROSS_CHANNEL"])
os.write(number, b"hello")
for each in os.listdir("/proc/self/fd"):
    try:
        print(each, "channel" if int(each) == number else os.readlink(f"/proc/self/fd/{each}")[:4])
    except OSError:
        pass  # of the directory
"""
    with ours, theirs:
        given = python(tmp_path, source, channel=theirs.fileno())
        process = launch.start(given, started if own else None)
        found = output_of(process)
        assert ours.recv(16) == b"hello"
    number = launch.channel_number()
    expected = {"0 /dev", "1 pipe", "2 pipe", f"{number} channel"}
    assert set(found.splitlines()) == expected
    assert process.wait() == 0


def test_signals_that_python_ignores_are_not_ignored(tmp_path: Path, started: Spawner) -> None:
    process = launch.start(plan(tmp_path, "/bin/sh", "-c", "kill -PIPE $$"), started)
    output_of(process)
    assert process.wait() == -signal.SIGPIPE


def test_a_program_that_is_not_there_is_named(tmp_path: Path, started: Spawner) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        launch.start(plan(tmp_path, "/nowhere/bootstrap"), started)
    assert raised.value.filename == "/nowhere/bootstrap"


def test_a_program_that_could_not_be_tried_is_another_error(
    tmp_path: Path, started: Spawner
) -> None:
    with pytest.raises(subprocess.SubprocessError, match="/nowhere"):
        launch.start(plan(tmp_path, "/bin/true", directory=Path("/nowhere")), started)


def test_what_it_has_started_lives_on_without_it_and_the_next_start_has_a_new_one(
    tmp_path: Path, started: Spawner
) -> None:
    lasting = launch.start(plan(tmp_path, "/bin/sleep", "60"), started)
    os.kill(started.pid, signal.SIGKILL)
    process = launch.start(plan(tmp_path, "/bin/echo", "hello"), started)
    assert output_of(process) == "hello\n"
    assert process.wait() == 0
    assert os.waitpid(lasting.pid, os.WNOHANG) == (0, 0)
    launch.kill(lasting)
    assert lasting.wait() == -signal.SIGKILL
    output_of(lasting)


def test_a_umask_that_the_host_has_for_a_moment_is_not_that_of_functions(tmp_path: Path) -> None:
    before = os.umask(0o022)
    found = Spawner(launch.channel_number)
    os.umask(0o177)
    try:
        assert found.works()
    finally:
        os.umask(before)
    process = launch.start(plan(tmp_path, "/bin/sh", "-c", "umask"), found)
    assert output_of(process) == "0022\n"
    assert process.wait() == 0
    found.close()


def test_where_it_is_of_no_use_the_host_starts_processes_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError("clone")

    monkeypatch.setattr(subprocess, "Popen", refused)
    without = Spawner(launch.channel_number)
    assert not without.works()
    monkeypatch.undo()
    process = launch.start(plan(tmp_path, "/bin/echo", "hello"), without)
    assert output_of(process) == "hello\n"
    assert process.wait() == 0


def test_the_spawner_ends_when_it_is_closed(started: Spawner) -> None:
    pid = started.pid
    started.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.skipif(os.getuid() != 0, reason="only root has users to give")
def test_all_processes_of_a_user_are_ended(tmp_path: Path, started: Spawner) -> None:
    user = 99_000
    tmp_path.chmod(0o755)
    processes = [
        launch.start(plan(tmp_path, "/bin/sleep", "60", user=user), started) for _ in range(2)
    ]
    other = launch.start(plan(tmp_path, "/bin/sleep", "60", user=user + 1), started)
    launch.kill_all_of(user, started)
    assert [process.wait() for process in processes] == [-signal.SIGKILL] * 2
    assert os.waitpid(other.pid, os.WNOHANG) == (0, 0)
    launch.kill(other)
    other.wait()
    for process in (*processes, other):
        output_of(process)
