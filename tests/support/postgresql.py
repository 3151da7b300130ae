"""A PostgreSQL server for tests, started here from the distribution's programs.

It listens on a unix socket in a temporary directory only. PostgreSQL refuses to run as root, so
then it runs as `postgres` or `nobody`.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.command import until

PORT = 5432  # only a part of the socket's name


def _program(name: str) -> str | None:
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name)
    return shutil.which(name, path=os.pathsep.join([*map(str, homes[::-1]), os.environ["PATH"]]))


def require() -> None:
    """Skip the test where there is no PostgreSQL; fail it on CI, which installs that."""
    if _program("initdb") is None:
        reason = "PostgreSQL is not installed (Debian: apt install postgresql)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@dataclass
class Postgresql:
    """A server. `start` and `kill` may be called again and again."""

    folder: Path
    user: str | None  # to run as; None: as we do
    process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = field(default_factory=count)

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        program = _program("postgres")
        assert program is not None
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "shared_buffers": "16MB",
            "max_connections": "40",
        }
        flags = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        self.process = self._run([program, "-D", str(self.folder / "data"), "-p", str(PORT)], flags)
        until(self._accepts)

    def stop(self) -> None:
        """Stop it at once, as an administrator does: sessions end, nothing is lost."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)

    def kill(self) -> None:
        """Kill all of its processes. Its shared memory is then free for the next start."""
        assert self.process is not None
        pids = self._pids()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(20)
        until(lambda: not any(map(_is_running, pids)))

    def kill_sessions(self) -> None:
        """Have the server end the sessions of all its clients."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )

    def url(self, schema: str | None = None, *, user: str = "albatross") -> str:
        """Return the URL of a schema of the database, or of the database."""
        options = f"&options={quote(f'-csearch_path={schema}')}" if schema else ""
        return f"postgresql://{user}@/postgres?host={quote(str(self.folder), safe='')}{options}"

    def schema(self) -> str:
        """Make an empty schema and return its URL."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE SCHEMA {name}")
        return self.url(name)

    def execute(self, statement: str) -> list[Any]:
        import psycopg

        dsn = f"host={self.folder} port={PORT} user=albatross dbname=postgres"
        with psycopg.connect(dsn, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _run(self, command: list[str], flags: list[str]) -> subprocess.Popen[bytes]:
        log = (self.folder / "log").open("ab")
        with log:
            return subprocess.Popen(
                [*command, *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                user=self.user,
                group=pwd.getpwnam(self.user).pw_gid if self.user else None,
                extra_groups=[] if self.user else None,
                start_new_session=True,
            )

    def _accepts(self) -> bool:
        import psycopg

        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _pids(self) -> list[int]:
        assert self.process is not None
        first = self.process.pid
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, children)]


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _other_user() -> str | None:
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@contextmanager
def postgresql() -> Iterator[Postgresql]:
    """Run a server of its own, removed afterwards. Skips where PostgreSQL is absent."""
    require()
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    server = Postgresql(folder, _other_user())
    try:
        if server.user:
            shutil.chown(folder, server.user)
        program = _program("initdb")
        assert program is not None
        flags = ["--username=albatross", "--auth=trust", "--no-locale", "--encoding=UTF8"]
        made = server._run(
            [program, "-D", str(folder / "data")], [*flags, "--no-sync", "--no-instructions"]
        )
        status = made.wait(60)
        assert status == 0, f"initdb: {status}: {(folder / 'log').read_text()}"
        server.start()
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.kill()
        shutil.rmtree(folder)
