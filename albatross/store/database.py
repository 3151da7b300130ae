"""The two connections of a store: one that writes, one that reads.

A connection that is lost is made anew, and the transaction runs again if it has not happened. On
PostgreSQL the connection that writes holds an advisory lock: it is the only one in that schema.
"""

import logging
import random
import secrets
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from albatross.model.errors import ServiceUnavailable
from albatross.store import ownership
from albatross.store.engine import (
    UnusableData,
    explain,
    is_conflict,
    is_disconnection,
    open_engine,
    shown,
)
from albatross.store.schema import prepare, read_state

PATIENCE_S = 15.0  # how long an absent database is waited for before operations fail
CONFLICTS_MAX = 10  # attempts that others' transactions may spoil
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 1.0

T = TypeVar("T")

log = logging.getLogger(__name__)


class DatabaseAway(ServiceUnavailable):
    """The database does not answer. `in_doubt`: the transaction may have been committed."""

    def __init__(self, message: str, *, in_doubt: bool) -> None:
        super().__init__(message)
        self.in_doubt = in_doubt


class Database:
    """Opened by its constructor, which raises UnusableData. Writes come from one thread, reads
    from another.

    `reconnected` is called in the thread of writes when its connection has been made anew: until
    then another may have written.
    """

    def __init__(self, url: str, *, name: str, reconnected: Callable[[], None]) -> None:
        self._write_engine = open_engine(url, writes=True, name=name)
        self._read_engine = open_engine(url, writes=False, name=name)
        self._away_since_s: float | None = None  # when the writer found the database absent
        self.problem: str | None = None  # why the last write did not reach it, for people
        if self._write_engine.dialect.name == "postgresql":
            is_first = True

            @event.listens_for(self._write_engine, "connect")
            def own(connection: Any, _: object) -> None:
                nonlocal is_first
                try:
                    ownership.take(connection, name, shown(self._write_engine))
                except BaseException:
                    connection.close()
                    raise
                if not is_first:
                    log.warning("the database is there again")
                    reconnected()
                is_first = False

        try:
            self.state = prepare(self._write_engine)
        except BaseException:
            self.close()
            raise

    def write(self, attempt: Callable[[Connection, str], T]) -> T:
        """Run `attempt` in a transaction and return its result once that is durable.

        It is given a mark, to be left in `state` if it changes anything, and may run several
        times: after a conflict, and when the connection was lost before the commit. Raises
        DatabaseAway after PATIENCE_S, and what `attempt` raises.
        """
        mark = secrets.token_hex(8)
        conflicts, tries, in_doubt = 0, 0, False
        result: T
        while True:
            committing = False
            try:
                with self._write_engine.begin() as connection:
                    if in_doubt and read_state(connection).last_write == mark:
                        break
                    in_doubt = False
                    result = attempt(connection, mark)
                    committing = True
                break
            except DBAPIError as error:
                if is_disconnection(error):
                    in_doubt |= committing
                    self._absent(error, in_doubt)
                elif is_conflict(error) and conflicts < CONFLICTS_MAX:
                    conflicts += 1
                else:
                    raise
            except UnusableData as error:  # another server has taken the database meanwhile
                self._absent(error, in_doubt)
            _pause(tries)
            tries += 1
        self._away_since_s = self.problem = None
        return result

    def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` on one consistent state and return its result. Raises DatabaseAway."""
        begun_s = time.monotonic()
        tries = 0
        while True:
            try:
                with self._read_engine.begin() as connection:
                    return fn(connection)
            except DBAPIError as error:
                if not is_disconnection(error):
                    raise
                since_s = self._away_since_s or begun_s
                if time.monotonic() > since_s + PATIENCE_S:
                    raise self._away(error, in_doubt=False) from error
            _pause(tries)
            tries += 1

    def recover(self) -> int | None:
        """Try once to reach an absent database, in the thread of writes. Return its revision."""
        try:
            with self._write_engine.begin() as connection:
                revision = read_state(connection).revision
        except (DBAPIError, UnusableData) as error:
            self.problem = explain(error)
            return None
        self._away_since_s = self.problem = None
        return revision

    def close(self) -> None:
        self._read_engine.dispose()
        self._write_engine.dispose()

    def _absent(self, error: Exception, in_doubt: bool) -> None:
        """Note that the database is away. Raises DatabaseAway once that has lasted too long."""
        now_s = time.monotonic()
        if self._away_since_s is None:
            self._away_since_s = now_s
            log.warning("the database is away: %s", explain(error))
        self.problem = explain(error)
        if now_s > self._away_since_s + PATIENCE_S:
            raise self._away(error, in_doubt=in_doubt) from error

    def _away(self, error: Exception, *, in_doubt: bool) -> DatabaseAway:
        outcome = "The change may have been made" if in_doubt else "Nothing has been changed"
        return DatabaseAway(
            f"The database {shown(self._write_engine)} does not answer: {explain(error)}. "
            f"{outcome}; try again later.",
            in_doubt=in_doubt,
        )


def _pause(tries: int) -> None:
    """Wait before the next try, longer each time and never in step with others."""
    longest_s: float = min(_FIRST_PAUSE_S * 2**tries, _LONGEST_PAUSE_S)
    time.sleep(longest_s * random.uniform(0.5, 1.0))
