"""`albatross backup`, `albatross restore` and `--database`, as a user runs them."""

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from albatross.store.directory import FILE, VERSION
from tests.support.command import (
    Server,
    fixed,
    free_port,
    get,
    make_balancer,
    make_listener,
    place,
    serve_function,
    serving,
)
from tests.support.postgresql import Postgresql, postgresql


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgresql]:
    with postgresql() as server:
        yield server


@pytest.fixture(scope="module")
def other(postgres: Postgresql) -> Iterator[tuple[Server, str]]:
    """A server with PostgreSQL, and its database."""
    url = postgres.schema()
    with place() as where, serving(where, "--database", url) as found:
        yield found, url


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with place() as where, serving(where) as found:
        yield found


def call(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return server.place.ask(*arguments, "--endpoint", server.url)


def listen(server: Server, name: str, body: str) -> int:
    port = free_port()
    make_listener(server, make_balancer(server, name), port, fixed(body))
    return port


def test_everything_moves_from_sqlite_to_a_server_with_postgresql(server, other, tmp_path):
    port = serve_function(server, "moves")
    file = tmp_path / "backup.tar"
    made = call(server, "backup", str(file))
    assert (made.returncode, made.stderr) == (0, "")
    assert file.stat().st_mode & 0o777 == 0o600
    server.client("elbv2").delete_load_balancer(
        LoadBalancerArn=server.client("elbv2").describe_load_balancers(Names=["moves"])[
            "LoadBalancers"
        ][0]["LoadBalancerArn"]
    )
    assert get(port) == (0, "")
    there, _ = other
    restored = call(there, "restore", str(file))
    assert (restored.returncode, restored.stderr) == (0, "")
    assert get(port, "/there") == (200, "hello /there")
    assert not (there.place.data / "state.db").exists()
    assert call(there, "backup", str(tmp_path / "again.tar")).returncode == 0


def test_traffic_follows_a_restore_at_once(server, tmp_path):
    port = listen(server, "follows", "before")
    file = tmp_path / "backup.tar"
    assert call(server, "backup", str(file)).returncode == 0
    revision = server.status()["revision"]
    elb = server.client("elbv2")
    arn = elb.describe_load_balancers(Names=["follows"])["LoadBalancers"][0]["LoadBalancerArn"]
    (listener,) = elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    elb.modify_listener(ListenerArn=listener["ListenerArn"], DefaultActions=fixed("after"))
    assert get(port) == (200, "after")
    new = listen(server, "new", "new")
    assert call(server, "restore", str(file)).returncode == 0
    assert get(port) == (200, "before")
    assert get(new) == (0, "")
    assert server.status()["revision"] == revision + 4, "two to make, one to change, one to restore"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(b"something else", "cannot be restored: it is cut off", id="no backup"),
        pytest.param(None, "does not exist", id="no file"),
    ],
)
def test_what_cannot_be_restored_is_said(server, tmp_path, content, fault):
    path = tmp_path / "backup.tar"
    if content is not None:
        path.write_bytes(content)
    done = call(server, "restore", str(path))
    assert done.returncode != 0
    assert fault in done.stderr and "Traceback" not in done.stderr


def test_the_server_says_which_backups_it_cannot_take(server, tmp_path):
    path = tmp_path / "backup.tar"
    assert call(server, "backup", str(path)).returncode == 0
    newer = path.read_bytes().replace(b'"schema_version": ', b'"schema_version":9')
    path.write_bytes(newer)
    done = call(server, "restore", str(path))
    assert done.returncode == 1
    assert "a newer Albatross" in done.stderr


def test_a_backup_that_cannot_be_written_is_said(server, tmp_path):
    done = call(server, "backup", str(tmp_path / "missing" / "backup.tar"))
    assert done.returncode == 1
    assert "No such file or directory" in done.stderr


def test_a_backup_for_which_there_is_no_room_is_said(server, tmp_path, monkeypatch):
    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    done = call(server, "backup", str(tmp_path / "b.tar"))
    assert (done.returncode, done.stderr) == (
        1,
        f"Error: {tmp_path}/b.tar: No space left on device\n",
    )
    assert not list(tmp_path.iterdir())


def test_without_a_server_that_is_said(tmp_path):
    with place() as where:
        done = where.ask("backup", str(tmp_path / "f"), "--endpoint", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert "No server answers at http://127.0.0.1:1" in done.stderr
    assert list(tmp_path.iterdir()) == []


def refused(where: Path, *arguments: str) -> str:
    """Return why a server does not start."""
    with place() as own:
        done = own.call("serve", "--port", "0", "--data-dir", str(where), *arguments)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_second_server_on_one_database_is_refused(other, tmp_path):
    first, url = other
    said = refused(tmp_path, "--database", url)
    assert "in use by another server (albatross " in said
    assert str(first.place.data) in said


def test_a_database_that_is_not_there_is_said(tmp_path):
    said = refused(tmp_path, "--database", "postgresql://me:secret@127.0.0.1:1/none")
    assert "cannot use the database postgresql://me:***@127.0.0.1:1/none" in said
    assert "secret" not in said


def test_a_data_directory_of_another_database_or_a_newer_version_is_refused(
    server, postgres, tmp_path
):
    """Of a copy of the directory, which no server uses."""
    copy = shutil.copytree(server.place.data, tmp_path / "data")
    said = refused(copy, "--database", postgres.schema())
    assert "belongs to another database" in said
    (copy / FILE).write_text(json.dumps({"version": VERSION + 1}))
    assert "written by a newer Albatross" in refused(copy)
