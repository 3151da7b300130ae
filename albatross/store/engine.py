"""How a database is opened: all that is particular to SQLite or to PostgreSQL.

On both a commit is durable when it returns, a transaction that writes is alone, and one that
reads sees one state.
"""

import contextlib
import errno
import os
import socket
import sqlite3
import sys
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

CONNECT_S = 5  # how long a database server may take to accept a connection
STATEMENT_S = 60  # how long it may take for one statement
# PostgreSQL manual, "Error Codes"
_SERIALIZATION_FAILURE, _DEADLOCK, _DISK_FULL = "40001", "40P01", "53100"
_NAME_BYTES_MAX = 63  # of what a session calls itself: NAMEDATALEN, less the closing zero

# A network that swallows packets must not look like a slow database for long: both ends notice
# within about ten seconds. Source: PostgreSQL manual, "Connection Settings" and "libpq".
_KEEPALIVE = {"idle": 5, "interval": 2, "count": 3}


class UnusableData(Exception):
    """The database or data directory cannot be used. The message says why, and what to do."""


def is_postgresql(url: str) -> bool:
    return url.partition(":")[0].partition("+")[0] in ("postgresql", "postgres")


def open_engine(url: str, *, writes: bool, name: str = "albatross") -> Engine:
    """Return an engine for `url`, with at most one connection. Raises UnusableData.

    `name`: what the session is called in the database server.
    """
    if is_postgresql(url):
        return _open_postgresql(url, writes=writes, name=name)
    return _open_sqlite(url, writes=writes)


def shown(engine: Engine) -> str:
    """Return which database that is, for people: no password."""
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=True)


def explain(error: BaseException) -> str:
    """Return the database's own words for `error` in one line: no statement, no parameters."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(cause).split())


def is_conflict(error: DBAPIError) -> bool:
    """Return whether the transaction lost against another and may be tried again."""
    return getattr(error.orig, "sqlstate", None) in (_SERIALIZATION_FAILURE, _DEADLOCK)


def is_full(error: BaseException) -> bool:
    """Return whether there was no room on a disk: for a file of ours, or the database's own."""
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None)
        code = getattr(error.orig, "sqlite_errorcode", None)
        return state == _DISK_FULL or code == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def is_disconnection(error: DBAPIError) -> bool:
    """Return whether the database went away: the connection is lost, or none could be made."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None) or ""
    # Without a state the client said it; 08: connection exceptions; 57P: the server is stopping.
    is_postgresql_client = type(error.orig).__module__.startswith("psycopg")
    return (
        isinstance(error, OperationalError)
        and is_postgresql_client
        and (state == "" or state.startswith(("08", "57P")))
    )


def _open_sqlite(url: str, *, writes: bool) -> Engine:
    """WAL, so that readers never wait for the writer; `synchronous=FULL` flushes the log at each
    commit; transactions begin explicitly, so that a read of several queries sees one state.
    The file can be read by its owner only: it holds functions' environment variables.
    """
    parsed = make_url(url)
    engine = create_engine(parsed, pool_size=1, max_overflow=0, hide_parameters=True)
    assert parsed.database, "an SQLite database in memory survives nothing"
    path = parsed.database

    @event.listens_for(engine, "do_connect")
    def create_private(*_: object) -> None:
        # Never a file that is there: to close it takes this process's locks off the database (fcntl
        # works so), and another program would then take away the log of a server that runs.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout = 10000")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _open_postgresql(url: str, *, writes: bool, name: str) -> Engine:
    """Writes are SERIALIZABLE; reads take a snapshot (REPEATABLE READ, read only), which between
    transactions of one writer is as good and never fails. A commit returns once it is on disk,
    whatever the role's or the database's own setting says.
    """
    parsed = _postgresql_url(url)
    try:
        engine = create_engine(
            parsed.difference_update_query(["options"]),
            pool_size=1,
            max_overflow=0,
            hide_parameters=True,
            isolation_level="SERIALIZABLE" if writes else "REPEATABLE READ",
            execution_options={} if writes else {"postgresql_readonly": True},
            connect_args={
                "connect_timeout": CONNECT_S,
                "application_name": name[:_NAME_BYTES_MAX],
                "options": " ".join([*_texts(parsed.query.get("options")), _session_settings()]),
                **{f"keepalives_{key}": value for key, value in _KEEPALIVE.items()},
            },
        )
    except ModuleNotFoundError as error:
        raise UnusableData(
            f"PostgreSQL needs the package psycopg, which cannot be imported ({error}): install "
            f"it with `{sys.executable} -m pip install 'psycopg[binary]'`"
        ) from error
    event.listen(engine, "before_cursor_execute", _look_for_no_nul, retval=True)
    return engine


def _look_for_no_nul(
    _connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any
) -> tuple[str, Any]:
    """Let a query for text with U+0000 find nothing: PostgreSQL keeps none, and refuses to look.

    U+FFFD in its place is in no name and no ARN.
    """
    if statement.startswith("SELECT") and isinstance(parameters, dict):
        parameters = {
            name: value.replace("\0", "\ufffd") if isinstance(value, str) else value
            for name, value in parameters.items()
        }
    return statement, parameters


def _texts(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the values of a parameter that a URL may have several times, or not at all."""
    return (value,) if isinstance(value, str) else value or ()


def _session_settings() -> str:
    settings = {
        "synchronous_commit": "on",
        "statement_timeout": f"{STATEMENT_S}s",
        "idle_in_transaction_session_timeout": "0",
        "client_encoding": "UTF8",
        **{f"tcp_keepalives_{key}": value for key, value in _KEEPALIVE.items()},
    }
    return " ".join(f"-c {key}={value}" for key, value in settings.items())


def _postgresql_url(url: str) -> URL:
    try:
        return make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        raise UnusableData(
            "the setting database is not a URL such as postgresql://USER@HOST:5432/NAME"
        ) from None


def session_name(data_dir: str) -> str:
    """Return by what a server is known to another that wants its database."""
    return f"albatross {os.getpid()} on {socket.gethostname()}: {data_dir}"
