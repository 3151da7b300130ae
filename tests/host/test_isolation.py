"""What a function is kept from, at each level of the setting `isolation`, in a real host."""

import ctypes
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from albatross.config import Config
from albatross.host.local.isolation import Users
from albatross.model.function import Directory
from tests.support.host import RunningHost, make_function, running_host
from tests.support.namespaces import HAS_MOUNTS
from tests.support.tools import needs

linux = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")
root = pytest.mark.skipif(
    sys.platform != "linux" or os.getuid() != 0, reason="only root can change user ids"
)
bwrap = needs("bwrap", "bubblewrap")

PLACES = [
    "/",
    "/dev",
    "/dev/shm",
    "/etc",
    "/home",
    "/opt",
    "/run",
    "/tmp",
    "/usr",
    "/var/task",
    "/var",
]

LOOK = """
import json, os, resource, signal, subprocess, sys

def attempt(what, *arguments):
    try:
        return repr(what(*arguments))
    except OSError as error:
        return type(error).__name__

def handler(event, context):
    data, run, pid = event["data"], event["run"], event["pid"]
    return {
        "uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(),
        "cwd": os.getcwd(), "home": os.path.expanduser("~"),
        "variables": sorted(os.environ),
        "descriptors": [
            os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
            if os.path.exists(f"/proc/self/fd/{n}")
        ],
        "stdin": sys.stdin.read(),
        "data": attempt(os.listdir, data),
        "database": attempt(open, data + "/state.db"),
        "control": attempt(os.stat, run + "/control.sock"),
        "kill": attempt(os.kill, pid, 0),
        "write code": attempt(open, "mine", "w"),
        "write etc": attempt(open, "/etc/albatross-test", "w"),
        "limits": [
            resource.getrlimit(resource.RLIMIT_NPROC), resource.getrlimit(resource.RLIMIT_NOFILE)
        ],
        "writable": sorted(
            path for path in event["places"] if os.access(path, os.W_OK)
        ),
        "keys": attempt(lambda: open("/proc/keys").read()),
        "tmp": os.listdir("/tmp"),
        "root": sorted(os.listdir("/")),
        "task root": os.environ["LAMBDA_TASK_ROOT"],
        "processes": sum(name.isdigit() for name in os.listdir("/proc")),
    }
"""


def look(host: RunningHost, name: str) -> dict[str, Any]:
    event = {
        "data": str(host.directory / "data"),
        "run": str(host.directory / "run"),
        "pid": host.process.pid,
        "places": PLACES,
    }
    (host.directory / "data" / "state.db").touch()
    invoked = host.invoke(name, event)
    assert invoked.function_error is None, invoked.payload
    found: dict[str, Any] = json.loads(invoked.payload)
    return found


@pytest.fixture(scope="module")
def apart() -> Iterator[RunningHost]:
    with running_host(isolation="user") as host:
        host.deploy("look", LOOK)
        yield host


@pytest.fixture(scope="module")
def boxed() -> Iterator[RunningHost]:
    with running_host(isolation="bwrap") as host:
        host.deploy("look", LOOK)
        yield host


@root
def test_each_environment_runs_as_a_user_of_its_own(apart: RunningHost) -> None:
    apart.deploy("other", LOOK)
    found, other = look(apart, "look"), look(apart, "other")
    assert 100_000 <= found["uid"] < 120_000
    assert found["uid"] == found["gid"] != other["uid"]
    assert found["groups"] == []
    assert found["limits"] == [[1024, 1024], [1024, 1024]]


@root
def test_a_user_of_its_own_keeps_a_function_from_the_server(apart: RunningHost) -> None:
    found = look(apart, "look")
    assert found["data"] == "FileNotFoundError"  # its own code is /var/task
    assert found["database"] == "FileNotFoundError"
    assert found["control"] in ("FileNotFoundError", "PermissionError")
    assert found["kill"] == "PermissionError"
    assert found["write code"] in ("PermissionError", "OSError")
    assert found["write etc"] == "PermissionError"
    assert found["stdin"] == ""
    kinds = {each.partition(":")[0] for each in found["descriptors"]}
    assert kinds <= {"/dev/null", "pipe", "socket"}
    assert len(found["descriptors"]) <= 5
    assert not any(
        name.startswith(("ALBATROSS", "VIRTUAL", "PYTEST")) for name in found["variables"]
    )


@root
def test_code_in_a_directory_runs_as_the_server_s_user_unless_told_otherwise(
    tmp_path: Path,
) -> None:
    (tmp_path / "app.py").write_text("import os\ndef handler(e, c): return os.getuid()\n")
    tmp_path.chmod(0o755)
    with running_host() as host:
        host.put(make_function("here", Directory(path=str(tmp_path))))
        host.deploy("package", "import os\ndef handler(e, c): return os.getuid()\n")
        assert host.invoke("here").payload == b"0"
        assert json.loads(host.invoke("package").payload) >= 100_000


@root
def test_nothing_that_a_function_has_started_outlives_its_environment(apart: RunningHost) -> None:
    source = """
    import os, subprocess, sys
    def handler(event, context):
        script = "import os, time; os.setsid(); time.sleep(600)"
        subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
        if event == "crash":
            os._exit(1)
        return os.getuid()
    """
    apart.deploy("daemon", textwrap.dedent(source))
    uid = json.loads(apart.invoke("daemon").payload)
    assert processes_of(uid) >= 2
    apart.invoke("daemon", "crash")
    apart.invoke("daemon")  # the next environment has the same user: it comes after the last one
    apart.deploy("daemon", "def handler(e, c): return 1\n")
    deadline = time.monotonic() + 10
    while processes_of(uid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert processes_of(uid) == 0


def processes_of(uid: int) -> int:
    found = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            found += os.stat(f"/proc/{name}").st_uid == uid
        except OSError:
            continue
    return found


@root
def test_a_reset_keeps_tmp_though_it_is_in_memory_and_belongs_to_a_user(apart: RunningHost) -> None:
    source = """
    import os
    def handler(event, context):
        if event == "crash":
            with open("/tmp/kept", "w") as file:
                file.write("x" * 1000)
            os._exit(1)
        with open("/tmp/kept", "a") as file:
            return [file.tell(), os.getuid()]
    """
    apart.deploy("kept", textwrap.dedent(source))
    apart.invoke("kept", "crash")
    size, uid = json.loads(apart.invoke("kept").payload)
    assert size == 1000
    assert uid >= 100_000


@linux
@pytest.mark.parametrize("level", ["none", "user"])
def test_tmp_has_the_size_of_the_ephemeral_storage(level: str, request: Any) -> None:
    if level == "user" and os.getuid() != 0:
        pytest.skip("only root can change user ids")
    source = """
    def handler(event, context):
        written = 0
        try:
            with open("/tmp/large", "wb", buffering=0) as file:
                for _ in range(100):
                    written += file.write(bytes(16 << 20))
        except OSError as error:
            return [error.strerror, written >> 20]
    """
    with running_host(isolation=level, memory_unlimited="*") as host:
        host.deploy("fills", textwrap.dedent(source), ephemeral_storage_mb=512, timeout_s=30)
        reason, written_mb = json.loads(host.invoke("fills").payload)
    assert (reason, written_mb) == ("No space left on device", 512)


@pytest.mark.skipif(not HAS_MOUNTS, reason="needs mount namespaces")
@pytest.mark.parametrize("level", ["none", pytest.param("user", marks=root)])
def test_nowhere_but_in_tmp_may_a_function_write(level: str) -> None:
    with running_host(isolation=level) as host:
        assert _writable(host) == ["/tmp"]


def _writable(host: RunningHost) -> list[str]:
    """Return in which directories, of those that all may usually write to, a function can."""
    source = """
    import multiprocessing, os
    def handler(event, context):
        try:
            multiprocessing.Lock()
            return ["/dev/shm, by a semaphore"]
        except OSError:
            pass
        found = []
        for folder in event:
            try:
                os.mkdir(folder + "/new")
                os.rmdir(folder + "/new")
            except OSError:
                continue
            found.append(folder)
        return found
    """
    host.deploy("writes", textwrap.dedent(source))
    folders = ["/dev/shm", "/run/lock", "/tmp", "/var/tmp"]
    found: list[str] = json.loads(host.invoke("writes", folders).payload)
    return found


@linux
@bwrap
def test_bubblewrap_shows_a_function_lambda_s_directories_and_no_more(boxed: RunningHost) -> None:
    found = look(boxed, "look")
    assert found["task root"] == found["cwd"] == "/var/task"
    assert found["data"] in ("FileNotFoundError", "['code']")
    assert found["database"] == "FileNotFoundError"
    assert found["control"] == "FileNotFoundError"
    assert found["kill"] == "ProcessLookupError"
    assert found["processes"] <= 3
    assert found["write code"] == found["write etc"] == "OSError"  # a read-only file system
    assert not {"boot", "mnt", "srv", "sys", "media"} & set(found["root"])


@linux
@bwrap
def test_bubblewrap_lets_a_function_write_to_its_tmp_alone(boxed: RunningHost) -> None:
    assert look(boxed, "look")["writable"] == ["/tmp"]


@linux
def test_keys_of_the_session_that_the_server_was_started_in_are_out_of_reach() -> None:
    machine, libc = os.uname().machine, ctypes.CDLL(None)
    add_key, keyctl = {"x86_64": (248, 250), "aarch64": (217, 219)}.get(machine, (0, 0))
    session = -3
    key = (
        libc.syscall(add_key, b"user", b"albatross-test", b"secret", 6, session) if add_key else -1
    )
    if key < 0:
        pytest.skip("the kernel gives no keys here")
    try:
        with running_host(isolation="user" if os.getuid() == 0 else "none") as host:
            host.deploy("look", LOOK)
            keys = look(host, "look")["keys"]
    finally:
        libc.syscall(keyctl, 9, key, session)  # unlink
    assert "albatross-test" not in keys


@linux
@bwrap
def test_bubblewrap_runs_executables_and_keeps_tmp_over_a_crash(boxed: RunningHost) -> None:
    source = """
    import os
    def handler(event, context):
        kept = os.path.exists("/tmp/kept")
        open("/tmp/kept", "w").close()
        if event == "crash":
            os.kill(os.getpid(), 9)
        return kept
    """
    boxed.deploy("kept", textwrap.dedent(source))
    crashed = boxed.invoke("kept", "crash")
    assert "signal: killed" in json.loads(crashed.payload)["errorMessage"]
    assert boxed.invoke("kept").payload == b"true"


@pytest.mark.parametrize(
    ("level", "remedy"),
    [
        pytest.param("bwrap", "install the package `bubblewrap`", id="without bubblewrap"),
    ],
)
def test_a_level_that_is_impossible_here_is_refused_with_the_remedy(
    level: str, remedy: str, tmp_path: Path
) -> None:
    config = Config(data_dir=str(tmp_path / "data"), isolation=level)
    (tmp_path / "config.json").write_text(config.to_json())
    command = [sys.executable, "-m", "albatross.host", "--run-dir", str(tmp_path)]
    done = subprocess.run(
        [*command, "--config", str(tmp_path / "config.json")],
        env={**os.environ, "PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 3
    assert remedy in done.stderr


@linux
def test_a_user_id_is_used_by_one_environment_at_a_time() -> None:
    users = Users(10_000_000)
    taken = [users.take() for _ in range(20_000)]
    assert len(set(taken)) == 20_000
    with pytest.raises(OSError, match="every user id"):
        users.take()
    users.give_back(taken[5])
    assert users.take() == taken[5]
    users.close()


@linux
def test_two_servers_of_one_machine_never_share_a_user_id() -> None:
    one, other = Users(20_000_000), Users(20_000_000)
    ids = [users.take() for _ in range(1_200) for users in (one, other)]
    assert len(set(ids)) == 2_400
    one.close()
    other.close()
