"""What runs functions of each runtime, and what is said where nothing does."""

import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from albatross.host.local import interpreters, runtime_client
from albatross.host.local.interpreters import Interpreter
from albatross.host.local.runtime_client import NotInstalled
from tests.support.host import PYTHON, RunningHost, running_host

OWN = Interpreter(sys.executable, sys.version_info[:2])


@pytest.fixture(scope="module")
def host() -> Iterator[RunningHost]:
    with running_host() as running:
        yield running


@pytest.mark.parametrize(
    ("runtime", "files", "message"),
    [
        pytest.param(
            "provided.al2023",
            {"app.py": ""},
            b"Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]",
            id="no bootstrap",
        ),
        pytest.param(
            "provided.al2",
            {"bootstrap": "no program"},
            b"fork/exec /var/task/bootstrap: exec format error",
            id="no program",
        ),
        pytest.param(
            "provided",
            {"bootstrap": "#!/nowhere/sh\n"},
            b"fork/exec /var/task/bootstrap: no such file or directory",
            id="no interpreter for a script",
        ),
        pytest.param(
            "java21",
            {"app.py": ""},
            b"the runtime java21 cannot be run here: Albatross runs functions of python*, nodejs* "
            b"and provided.*. What brings its own Runtime API client runs as provided.al2023, with "
            b"an executable file `bootstrap` that starts it",
            id="a runtime that is not here",
        ),
    ],
)
def test_an_invocation_says_what_is_missing(
    host: RunningHost, runtime: str, files: dict[str, str], message: bytes
) -> None:
    ((file, source),) = files.items()
    host.deploy("missing", source, file=file, runtime=runtime)
    invoked = host.invoke("missing")
    assert invoked.function_error == "Unhandled"
    assert b'"errorType":"Runtime.InvalidEntrypoint"' in invoked.payload
    assert message in invoked.payload
    assert host.request("missing").status == 502


def test_a_bootstrap_must_be_executable(host: RunningHost) -> None:
    package = host.package("plain", "#!/bin/sh", file="bootstrap")
    (host.directory / "data" / "code" / package.digest / "bootstrap").chmod(0o644)
    host.deploy("other", "", runtime="provided.al2023", file="any")
    host.put(replace(host.functions["other"], code=package))
    assert b"fork/exec /var/task/bootstrap: permission denied" in host.invoke("other").payload


SOURCE = """
import boto3, sys
import simplejson

def handler(event, context):
    return [list(sys.version_info[:2]), boto3.__name__, sys.path[0] in __file__, "\\u00fc"]
"""


def test_another_python_of_this_machine_runs_its_functions(host: RunningHost) -> None:
    names = (f"python3.{minor}" for minor in range(13, 9, -1))
    there = [name for name in names if name != PYTHON and _is_here(name)]
    if not there:
        pytest.skip("there is no other Python on this machine")
    minor = int(there[0].partition(".")[2])
    host.deploy("another", SOURCE, runtime=there[0])
    invoked = host.invoke("another")
    assert invoked.payload.decode().startswith(f'[[3, {minor}], "boto3", true, ')
    own = {"PYTHONPATH": "/my/own"}
    host.deploy("with-path", SOURCE, runtime=there[0], environment=own)
    assert host.invoke("with-path").function_error is None


def _is_here(name: str) -> bool:
    found = interpreters.python(name)
    return found is not None and f"python{found.version[0]}.{found.version[1]}" == name


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be fetched."""
    monkeypatch.setattr(runtime_client, "_add_encoder", lambda *_: None)


def test_the_client_that_is_installed_beside_us_serves_another_python(
    tmp_path: Path, no_network: None
) -> None:
    packages = runtime_client.packages(OWN, tmp_path, compiled=False)
    code = "import awslambdaric.bootstrap, boto3, simplejson, snapshot_restore_py as s; print(s)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert str(packages) in done.stdout, done.stderr
    sources = list(packages.rglob("*.py"))
    assert packages / "boto3" / "session.py" in sources
    assert all(Path(importlib.util.cache_from_source(str(path))).exists() for path in sources)
    assert not list(packages.glob("*/*.so"))
    assert all(path.stat().st_mode & 0o044 for path in packages.rglob("*.py*"))
    assert (packages / "botocore" / "data").is_symlink()


def test_it_is_made_once_by_whoever_comes_first(
    tmp_path: Path, no_network: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    share = runtime_client._share
    monkeypatch.setattr(runtime_client, "_share", lambda *of: (made.append(of[1]), share(*of)))
    found: list[Path] = []

    def look() -> None:
        found.append(runtime_client.packages(OWN, tmp_path, compiled=False))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert made == found[:1]


def test_without_pip_the_error_names_the_remedy(tmp_path: Path) -> None:
    python = tmp_path / "python3.9"
    python.write_text("#!/bin/sh\necho $0: No module named pip >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(NotInstalled) as caught:
        runtime_client.packages(Interpreter(str(python), (3, 9)), tmp_path, compiled=False)
    message = str(caught.value)
    assert message.startswith("Python 3.9 needs the package awslambdaric, and pip could not")
    assert f"{python}: No module named pip" in message
    assert f"By hand: {python} -m pip install --target {tmp_path}/python3.9-" in message
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_without_a_cache_the_error_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotInstalled, match="XDG_CACHE_HOME"):
        runtime_client.packages(OWN, tmp_path / "file" / "cache", compiled=False)


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/my/cache")
    assert runtime_client.cache_directory() == Path("/my/cache/albatross/runtimes")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert runtime_client.cache_directory() == Path("/home/me/.cache/albatross/runtimes")


def test_a_runtime_is_looked_for_when_the_function_is_made(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with running_host() as host:
        host.deploy("early", "", runtime="ruby3.4")
        host.deploy("later", "def handler(*_): return 1")
        assert host.invoke("later").payload == b"1"
    assert "early: the runtime ruby3.4 cannot be run here" in capfd.readouterr().err
