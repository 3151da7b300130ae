"""The events that are accepted and not done with, and the dead letters: on disk.

A SQLite file in the data directory, `events.db`. What is put is durable when `put` returns. One
thread does all of it; calls that come while it commits share the next commit.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, TypeVar

from albatross.asynchronous.event import Event, Letter

T = TypeVar("T")

FILE_NAME = "events.db"
LETTERS_MAX = 10_000  # the oldest go
LETTERS_BYTES_MAX = 256 * 1024 * 1024
_OVERHEAD_BYTES = 1024  # of an event beside its payload

_SCHEMA = """
create table if not exists events (
    id text primary key, arn text not null, payload blob not null, client_context text,
    accepted_s real not null, due_s real not null, failures integer not null,
    throttles integer not null
);
create table if not exists letters (
    id text primary key, arn text not null, at_s real not null, condition text not null,
    destination text, reason text not null, payload blob not null, record blob not null
);
create index if not exists letters_by_time on letters (at_s);
"""
_EVENT_COLUMNS = ", ".join(one.name for one in fields(Event))
_LETTER_COLUMNS = ", ".join(one.name for one in fields(Letter))
_EVENT_MARKS = ", ".join("?" * len(fields(Event)))
_LETTER_MARKS = ", ".join("?" * len(fields(Letter)))


class QueueFull(Exception):
    """There is no room for another event."""


class EventQueue:
    """Events and dead letters. Methods raise sqlite3.Error where the disk does not do."""

    def __init__(self, directory: Path, *, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._thread = ThreadPoolExecutor(1, "event-queue")
        self._waiting: list[tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]]] = []
        self._committing: asyncio.Task[None] | None = None
        self._connection = self._open(directory / FILE_NAME)
        rows = self._connection.execute("select sum(length(payload)), count(*) from events")
        size, count = rows.fetchone()
        self._bytes = (size or 0) + count * _OVERHEAD_BYTES

    @staticmethod
    def _open(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        path.chmod(0o600)  # payloads may hold secrets
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.executescript(_SCHEMA)
        return connection

    async def put(self, event: Event) -> None:
        """Keep a new event. Raises QueueFull."""
        size = len(event.payload) + _OVERHEAD_BYTES
        if self._bytes + size > self._bytes_max:
            raise QueueFull
        self._bytes += size
        try:
            await self._do(lambda connection: _insert(connection, [event]))
        except BaseException:
            self._bytes -= size
            raise

    async def get(self, id_: str) -> Event | None:
        return await self._do(lambda connection: _event(connection, id_))

    async def pending(self) -> list[tuple[float, str, str]]:
        """Return when each event is due, its id, and the ARN that it is for."""
        return await self._do(
            lambda connection: connection.execute("select due_s, id, arn from events").fetchall()
        )

    async def postpone(self, event: Event) -> None:
        """Note when `event` is tried again, and what has happened to it."""

        def update(connection: sqlite3.Connection) -> None:
            values = (event.due_s, event.failures, event.throttles, event.id)
            connection.execute(
                "update events set due_s = ?, failures = ?, throttles = ? where id = ?", values
            )

        await self._do(update)

    async def finish(
        self, event: Event, *, follow: Iterable[Event] = (), letters: Iterable[Letter] = ()
    ) -> None:
        """Forget `event`; in the same transaction keep what follows from it.

        Nothing follows from one that is forgotten already.
        """
        following, kept = list(follow), list(letters)

        def finish(connection: sqlite3.Connection) -> bool:
            deleted = connection.execute("delete from events where id = ?", (event.id,))
            if deleted.rowcount:
                _insert(connection, following)
                _keep(connection, kept)
            return bool(deleted.rowcount)

        if await self._do(finish):
            self._bytes += sum(len(one.payload) + _OVERHEAD_BYTES for one in following)
            self._bytes -= len(event.payload) + _OVERHEAD_BYTES

    async def clear(self) -> None:
        """Forget all events and dead letters."""

        def clear(connection: sqlite3.Connection) -> None:
            connection.execute("delete from events")
            connection.execute("delete from letters")

        await self._do(clear)
        self._bytes = 0

    async def letters(self, id_: str | None = None) -> list[Letter]:
        """Return the dead letters, the oldest first, or the one with that id."""

        def select(connection: sqlite3.Connection) -> list[Letter]:
            rows = connection.execute(
                f"select {_LETTER_COLUMNS} from letters where ? is null or id = ? "
                "order by at_s, rowid",
                (id_, id_),
            )
            return [Letter(**dict(zip(_LETTER_NAMES, row, strict=True))) for row in rows]

        return await self._do(select)

    async def delete_letters(self, ids: Iterable[str]) -> None:
        listed = [(id_,) for id_ in ids]
        await self._do(lambda c: c.executemany("delete from letters where id = ?", listed).close())

    async def replay(self, letters: Iterable[Letter], events: Iterable[Event]) -> None:
        """Put `events` in place of dead letters."""
        gone, new = [(letter.id,) for letter in letters], list(events)

        def swap(connection: sqlite3.Connection) -> None:
            connection.executemany("delete from letters where id = ?", gone)
            _insert(connection, new)

        await self._do(swap)
        self._bytes += sum(len(one.payload) + _OVERHEAD_BYTES for one in new)

    async def close(self) -> None:
        if self._committing is not None:
            await self._committing
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()

    # Within

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, future))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_waiting())
        return await future

    async def _commit_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                try:
                    works = [work for work, _ in batch]
                    results = await loop.run_in_executor(self._thread, self._commit, works)
                except Exception as error:
                    _refuse(batch, error)
                    continue
                for (_, future), result in zip(batch, results, strict=True):
                    if not future.done():
                        future.set_result(result)
        finally:
            self._committing = None

    def _commit(self, works: list[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
        self._connection.execute("begin immediate")
        try:
            results = [work(self._connection) for work in works]
            self._connection.execute("commit")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            raise
        return results


_LETTER_NAMES = [one.name for one in fields(Letter)]
_EVENT_NAMES = [one.name for one in fields(Event)]


def _refuse(batch: list[tuple[Any, asyncio.Future[Any]]], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)


def _insert(connection: sqlite3.Connection, events: Iterable[Event]) -> None:
    connection.executemany(
        f"insert or replace into events ({_EVENT_COLUMNS}) values ({_EVENT_MARKS})",
        [astuple(event) for event in events],
    )


def _event(connection: sqlite3.Connection, id_: str) -> Event | None:
    rows = connection.execute(f"select {_EVENT_COLUMNS} from events where id = ?", (id_,))
    row = rows.fetchone()
    return Event(**dict(zip(_EVENT_NAMES, row, strict=True))) if row else None


def _keep(connection: sqlite3.Connection, letters: list[Letter]) -> None:
    """Keep more dead letters; the oldest make room."""
    if not letters:
        return
    connection.executemany(
        f"insert or replace into letters ({_LETTER_COLUMNS}) values ({_LETTER_MARKS})",
        [astuple(letter) for letter in letters],
    )
    connection.execute(
        "delete from letters where rowid in (select rowid from (select rowid, "
        "row_number() over newest as place, "
        "sum(length(payload) + length(record)) over newest as bytes "
        "from letters window newest as (order by at_s desc, rowid desc)) "
        "where place > ? or bytes > ?)",
        (LETTERS_MAX, LETTERS_BYTES_MAX),
    )
