"""All state that survives a restart: one writer, one reader, each with a connection of its own."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, select

from albatross.model.arn import Scope
from albatross.model.certificate import Certificate
from albatross.model.function import Function, Package
from albatross.model.health import HealthReader, NothingChecked
from albatross.model.snapshot import Snapshot
from albatross.store import codec
from albatross.store.schema import open_engine, prepare, resources
from albatross.store.transaction import Transaction
from albatross.store.view import View

if TYPE_CHECKING:
    from albatross.store.keys import Keys
    from albatross.store.packages import Packages

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
        on_commit: Callable[[int], None],
        clock: Callable[[], datetime] = _utc_now,
        health: HealthReader | None = None,
        quotas: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._packages = packages
        self._keys = keys
        self._strict = strict
        self._quotas = quotas
        self._on_commit = on_commit
        self._clock = clock
        self._health = health or NothingChecked()
        self._write_engine = open_engine(url, writes=True)
        self.revision = prepare(self._write_engine)
        self._read_engine = open_engine(url, writes=False)
        self._writer = ThreadPoolExecutor(1, "store-writer")
        self._reader = ThreadPoolExecutor(1, "store-reader")
        self._view = View(keys)
        self._collect_keys()
        self._collect_packages()

    async def write(self, scope: Scope, fn: Callable[[Transaction], T]) -> T:
        """Run `fn` in a transaction and return its result once that is durable.

        Where `fn` raises, nothing has happened. A commit that changed something calls `on_commit`
        in the event loop before this returns, even when the caller has been cancelled meanwhile.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, self._write, loop, scope, fn)

    async def read(self, scope: Scope, fn: Callable[[Transaction], T]) -> T:
        """Run `fn` on one consistent state and return its result."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reader, self._read, scope, fn)

    async def snapshot(self) -> Snapshot:
        """Return all resources of all scopes as they are now."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reader, self._take_snapshot)

    async def close(self) -> None:
        """Finish what was begun and close the database."""
        await asyncio.to_thread(self._close)

    def _write(
        self, loop: asyncio.AbstractEventLoop, scope: Scope, fn: Callable[[Transaction], T]
    ) -> T:
        transaction = None
        try:
            with self._write_engine.begin() as connection:
                transaction = self._transaction(connection, scope, writes=True)
                result = fn(transaction)
                if transaction.revision is not None and transaction.deleted:
                    self._view.note_deleted(transaction.revision, transaction.deleted)
        except BaseException:
            if transaction is not None and transaction.revision is not None:
                self._view.forget_deleted(transaction.revision)
            for key_id in transaction.added_keys if transaction is not None else ():
                self._keys.remove(key_id)
            raise
        for key_id in transaction.dropped_keys:
            # By the reader, after any snapshot that still knows it has been taken.
            self._reader.submit(self._keys.remove, key_id)
        if transaction.revision is not None:
            self.revision = transaction.revision
            loop.call_soon_threadsafe(self._on_commit, transaction.revision)
        return result

    def _read(self, scope: Scope, fn: Callable[[Transaction], T]) -> T:
        with self._read_engine.begin() as connection:
            return fn(self._transaction(connection, scope, writes=False))

    def _collect_keys(self) -> None:
        """Remove the keys of no certificate."""
        certificates = [codec.decode(Certificate.kind, text) for text in self._all(Certificate)]
        self._keys.collect({certificate.key_id for certificate in certificates})

    def _collect_packages(self) -> None:
        """Remove the packages of no function: those replaced or deleted since the last start."""
        functions = [codec.decode(Function.kind, text) for text in self._all(Function)]
        codes = [function.code for function in functions]
        self._packages.collect({code.sha256 for code in codes if isinstance(code, Package)})

    def _all(self, cls: type[Certificate | Function]) -> Sequence[str]:
        """Return the documents of all resources of `cls`, in all scopes."""
        documents = select(resources.c.document).where(resources.c.kind == cls.kind)
        with self._read_engine.begin() as connection:
            return connection.execute(documents).scalars().all()

    def _take_snapshot(self) -> Snapshot:
        with self._read_engine.begin() as connection:
            return self._view.refresh(connection)

    def _transaction(self, connection: Connection, scope: Scope, *, writes: bool) -> Transaction:
        return Transaction(
            connection,
            scope,
            now=self._clock(),
            packages=self._packages,
            keys=self._keys,
            health=self._health,
            strict=self._strict,
            quotas=self._quotas,
            writes=writes,
        )

    def _close(self) -> None:
        self._writer.shutdown()
        self._reader.shutdown()
        self._read_engine.dispose()
        self._write_engine.dispose()
