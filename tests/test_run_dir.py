"""Run directories and the lock of the data directory."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from albatross import run_dir
from albatross.setting import ConfigError


def test_a_run_directory_is_private(tmp_path):
    path, lock = run_dir.create(str(tmp_path))
    os.close(lock)
    assert Path(path).stat().st_mode & 0o777 == 0o700
    assert Path(path).name.startswith("albatross-")


def test_a_sweep_removes_what_its_server_left_and_nothing_else(tmp_path):
    alive, lock = run_dir.create(str(tmp_path))
    stale, ended = run_dir.create(str(tmp_path))
    os.close(ended)
    (Path(stale) / "sub").mkdir()
    (Path(stale) / "sub" / "file").touch()
    other = tmp_path / "albatross-notes.txt"
    other.touch()
    just_made = tmp_path / "albatross-0123abcd"
    just_made.mkdir()
    assert run_dir.sweep(str(tmp_path)) == [stale]
    assert sorted(tmp_path.iterdir()) == sorted([Path(alive), other, just_made])
    os.close(lock)


def test_a_directory_that_never_got_its_lock_is_stale_after_a_while(tmp_path):
    (tmp_path / "albatross-0123abcd").mkdir()
    os.utime(tmp_path / "albatross-0123abcd", (0, 0))
    assert run_dir.sweep(str(tmp_path)) == [str(tmp_path / "albatross-0123abcd")]


def test_a_temporary_directory_too_deep_for_sockets_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path / ("d" * 80)))
    with pytest.raises(ConfigError, match=r"TMPDIR: .* is too long a path for unix sockets"):
        run_dir.temp_dir()


def test_socket_paths_in_a_run_directory_fit(monkeypatch):
    monkeypatch.setenv("TMPDIR", "/" + "d" * 62)
    path = os.path.join(run_dir.temp_dir(), "albatross-0123abcd", "envoy-admin.sock")
    assert len(path) == run_dir.SOCKET_PATH_BYTES_MAX - 1


def test_a_second_server_on_a_data_directory_is_told_the_first_ones_pid(tmp_path):
    script = f"""
        import sys
        from albatross import run_dir
        run_dir.lock_data_dir({str(tmp_path / "data")!r})
        print("locked", flush=True)
        sys.stdin.read()
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        first.stdout.readline()
        with pytest.raises(ConfigError, match=rf"in use by another server \(pid {first.pid}\)"):
            run_dir.lock_data_dir(str(tmp_path / "data"))
        first.stdin.close()
    os.close(run_dir.lock_data_dir(str(tmp_path / "data")))


def test_a_data_directory_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be used: Not a directory"):
        run_dir.lock_data_dir(str(tmp_path / "file" / "data"))


def test_a_data_directory_that_is_a_file_is_said(tmp_path):
    (tmp_path / "data").touch()
    with pytest.raises(ConfigError, match=r"data cannot be used: it is a file\."):
        run_dir.lock_data_dir(str(tmp_path / "data"))


def test_a_temporary_directory_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigError, match=r"^TMPDIR: .*/gone cannot be read: No such file .*Set"):
        run_dir.sweep(str(tmp_path / "gone"))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is Linux's")
def test_a_disk_without_room_is_said_as_the_server_starts(tmp_path):
    (tmp_path / "config.json").symlink_to("/dev/full")
    with pytest.raises(ConfigError, match=r"^TMPDIR: .* cannot be written: No space left"):
        run_dir.write(str(tmp_path), "config.json", "{}")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "lock").symlink_to("/dev/full")
    with pytest.raises(ConfigError, match=r"data cannot be used: .*Choose another"):
        run_dir.lock_data_dir(str(tmp_path / "data"))
