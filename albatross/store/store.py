"""All state that survives a restart: one writer, one reader, each with a connection of its own."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, select

from albatross.model import leniency
from albatross.model.arn import Scope
from albatross.model.certificate import Certificate
from albatross.model.health import HealthReader, NothingChecked
from albatross.model.remote import NO_REMOTES, RemoteFunctions
from albatross.model.snapshot import Snapshot
from albatross.store import codec
from albatross.store.database import Database, DatabaseAway
from albatross.store.schema import read_state, resources
from albatross.store.transaction import Transaction
from albatross.store.view import View

if TYPE_CHECKING:
    from albatross.store.keys import Keys
    from albatross.store.packages import Packages

AWAY_LOOK_S = 1.0  # how often to look whether a database that is away has come back

T = TypeVar("T")

log = logging.getLogger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Store:
    """Opened by its constructor, which raises UnusableData; then used from one event loop.

    Writes run one after the other: nothing comes between an operation's check and its change. A
    read sees everything that was acknowledged before it began.
    """

    def __init__(
        self,
        url: str,
        packages: "Packages",
        keys: "Keys",
        *,
        strict: bool,
        lenient: str = "",
        on_commit: Callable[[int], None],
        clock: Callable[[], datetime] = _utc_now,
        health: HealthReader | None = None,
        quotas: Mapping[str, int] = MappingProxyType({}),
        remotes: RemoteFunctions = NO_REMOTES,
        name: str = "albatross",
        check: Callable[[str], None] = lambda store_id: None,
        is_fresh: bool = True,
    ) -> None:
        """`name`: of the session in the database. `check`: is given the id of the database before
        anything is changed beside it. `is_fresh`: nothing runs that may use the packages.
        """
        self._packages = packages
        self._keys = keys
        self._lenient = leniency.allowed(strict=strict, kept=lenient)
        self._quotas = quotas
        self._remotes = remotes
        self._on_commit = on_commit
        self._clock = clock
        self._health = health or NothingChecked()
        self._view = View(keys)
        self._database = Database(url, name=name, reconnected=self._view.reset)
        self.revision = self._database.state.revision
        try:
            check(self._database.state.store_id)
        except BaseException:
            self._database.close()
            raise
        self._is_awaited = False  # somebody looks for an absent database
        self._is_closed = False
        self._writer = ThreadPoolExecutor(1, "store-writer")
        self._reader = ThreadPoolExecutor(1, "store-reader")
        self._settle()
        self._collect_keys()
        self._packages.remove(self._collect_packages(at_once=is_fresh))

    async def write(self, scope: Scope, fn: Callable[[Transaction], T]) -> T:
        """Run `fn` in a transaction and return its result once that is durable.

        Where `fn` raises, nothing has happened. A commit that changed something calls `on_commit`
        in the event loop before this returns, even when the caller has been cancelled meanwhile.
        """
        loop = asyncio.get_running_loop()
        run = copy_context().run  # `fn` may ask by which name the caller knows the server
        return await loop.run_in_executor(self._writer, run, self._write, loop, scope, fn)

    async def read(self, scope: Scope, fn: Callable[[Transaction], T]) -> T:
        """Run `fn` on one consistent state and return its result."""
        loop = asyncio.get_running_loop()
        run = copy_context().run
        return await loop.run_in_executor(self._reader, run, self._read, scope, fn)

    async def snapshot(self) -> Snapshot:
        """Return all resources of all scopes as they are now; wait for a database that is away."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await loop.run_in_executor(self._reader, self._take_snapshot)
            except DatabaseAway:
                await asyncio.sleep(AWAY_LOOK_S)

    async def scopes(self) -> list[Scope]:
        """Return the accounts and Regions that have resources."""
        query = select(resources.c.account, resources.c.region).distinct()
        loop = asyncio.get_running_loop()
        rows = await loop.run_in_executor(
            self._reader,
            lambda: self._database.read(lambda connection: connection.execute(query).all()),
        )
        return sorted(
            (Scope(row.account, row.region) for row in rows),
            key=lambda scope: (scope.account, scope.region),
        )

    async def collect_packages(self) -> None:
        """Remove the packages that no function has had for a while. Raises DatabaseAway."""
        loop = asyncio.get_running_loop()
        aside = await loop.run_in_executor(self._writer, self._collect_packages)
        await asyncio.to_thread(self._packages.remove, aside)

    async def inspect(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` on one consistent state of all scopes. No private key is removed meanwhile."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reader, self._database.read, fn)

    async def settle(self) -> None:
        """Complete the last restore, if it was committed: its keys are then in their places."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writer, self._settle)

    @property
    def problem(self) -> str | None:
        """Why changes do not reach the database, for people; None where they do."""
        return self._database.problem

    async def close(self) -> None:
        """Finish what was begun and close the database."""
        await asyncio.to_thread(self._close)

    def _write(
        self, loop: asyncio.AbstractEventLoop, scope: Scope, fn: Callable[[Transaction], T]
    ) -> T:
        made: list[Transaction] = []  # one an attempt

        def attempt(connection: Connection, mark: str) -> tuple[Transaction, T]:
            self._forget_last(made)
            transaction = self._transaction(connection, scope, mark)
            made.append(transaction)
            result = fn(transaction)
            if transaction.revision is not None and transaction.deleted:
                self._view.note_deleted(transaction.revision, transaction.deleted)
            return transaction, result

        try:
            transaction, result = self._database.write(attempt)
        except BaseException as error:
            self._forget_last(made)
            if isinstance(error, DatabaseAway):
                loop.call_soon_threadsafe(self._await_database, loop)
            if not (isinstance(error, DatabaseAway) and error.in_doubt):
                self._remove_keys(made)
            raise
        self._remove_keys([one for one in made if one is not transaction])
        for key_id in transaction.dropped_keys:
            # By the reader, after any snapshot that still knows it has been taken.
            self._reader.submit(self._keys.remove, key_id)
        if transaction.revision is not None:
            self.revision = transaction.revision
            loop.call_soon_threadsafe(self._on_commit, transaction.revision)
        return result

    def _forget_last(self, made: Sequence[Transaction]) -> None:
        """Take back what the last attempt announced: it has failed."""
        if made and made[-1].revision is not None:
            self._view.forget_deleted(made[-1].revision)

    def _remove_keys(self, made: Sequence[Transaction]) -> None:
        for transaction in made:
            for key_id in transaction.added_keys:
                self._keys.remove(key_id)

    def _await_database(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look for the database until it is there: a commit in doubt may then be in effect."""
        if not self._is_awaited and not self._is_closed:
            self._is_awaited = True
            loop.call_later(AWAY_LOOK_S, self._look_for_database, loop)

    def _look_for_database(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._is_closed:
            self._writer.submit(self._recover, loop)

    def _recover(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_awaited = False
        revision = self._database.recover()
        if revision is None:
            loop.call_soon_threadsafe(self._await_database, loop)
        else:
            self._settle()
            self.revision = revision
            loop.call_soon_threadsafe(self._on_commit, revision)

    def _read(self, scope: Scope, fn: Callable[[Transaction], T]) -> T:
        return self._database.read(
            lambda connection: fn(self._transaction(connection, scope, None))
        )

    def _settle(self) -> None:
        self._keys.settle(self._database.read(read_state).last_restore)

    def _collect_keys(self) -> None:
        """Remove the keys of no certificate."""
        query = select(resources.c.document).where(resources.c.kind == Certificate.kind)
        documents = self._database.read(
            lambda connection: connection.execute(query).scalars().all()
        )
        certificates = [codec.decode(Certificate.kind, text) for text in documents]
        self._keys.collect({certificate.key_id for certificate in certificates})

    def _collect_packages(self, *, at_once: bool = False) -> Path | None:
        """Put aside the packages of no function: those replaced or deleted long enough ago."""
        query = select(resources.c.kind, resources.c.document)
        query = query.where(resources.c.kind.in_(codec.WITH_PACKAGES))
        rows = self._database.read(lambda connection: connection.execute(query).all())
        found = [codec.decode(row.kind, row.document) for row in rows]
        in_use = {package.digest for each in found for package in codec.packages(each)}
        in_use |= {name for each in found if (name := codec.merged_layers(each))}
        return self._packages.collect(in_use, at_once=at_once)

    def _take_snapshot(self) -> Snapshot:
        return self._database.read(self._view.refresh)

    def _transaction(self, connection: Connection, scope: Scope, mark: str | None) -> Transaction:
        return Transaction(
            connection,
            scope,
            now=self._clock(),
            packages=self._packages,
            keys=self._keys,
            health=self._health,
            lenient=self._lenient,
            quotas=self._quotas,
            remotes=self._remotes,
            mark=mark,
        )

    def _close(self) -> None:
        self._is_closed = True
        self._writer.shutdown()
        self._reader.shutdown()
        self._database.close()
