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

from albatross.asynchronous import letters
from albatross.asynchronous.event import Event, Letter
from albatross.asynchronous.letters import ALL, Chosen, Page

T = TypeVar("T")

Entry = tuple[float, str, str]  # when an event is due, its id, and the ARN that it is for

FILE_NAME = "events.db"
_OVERHEAD_BYTES = 1024  # of an event beside its payload

_SCHEMA = """
create table if not exists events (
    id text primary key, arn text not null, payload blob not null, client_context text,
    accepted_s real not null, due_s real not null, failures integer not null,
    throttles integer not null
);
"""
_EVENT_COLUMNS = ", ".join(one.name for one in fields(Event))
_EVENT_MARKS = ", ".join("?" * len(fields(Event)))


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
        connection.executescript(_SCHEMA + letters.SCHEMA)
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

    async def pending(self) -> list[Entry]:
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
        self, event: Event, *, follow: Iterable[Event] = (), dead: Iterable[Letter] = ()
    ) -> None:
        """Forget `event`; in the same transaction keep what follows from it.

        Nothing follows from one that is forgotten already.
        """
        following, kept = list(follow), list(dead)

        def finish(connection: sqlite3.Connection) -> bool:
            deleted = connection.execute("delete from events where id = ?", (event.id,))
            if deleted.rowcount:
                _insert(connection, following)
                letters.keep(connection, kept)
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

    async def letters(self, chosen: Chosen = ALL, after: str = "") -> Page:
        """Return dead letters, the oldest first, `after` those of a page. Raises ValueError."""
        place = letters.place(after)
        return await self._do(lambda connection: letters.page(connection, chosen, place))

    async def delete_letters(self, chosen: Chosen) -> list[str]:
        """Forget dead letters. Return the ids."""
        return await self._do(lambda connection: letters.delete(connection, chosen))

    async def replay(self, chosen: Chosen, now_s: float) -> list[Entry]:
        """Put events, due at once, in place of dead letters."""
        found = await self._do(lambda connection: letters.replay(connection, chosen, now_s))
        self._bytes += sum(size + _OVERHEAD_BYTES for _, _, size in found)
        return [(now_s, id_, arn) for id_, arn, _ in found]

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
