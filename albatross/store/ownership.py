"""Which server a PostgreSQL database belongs to: the one whose session holds an advisory lock.

The lock ends with the session, however that ends; whoever holds it is named by its session. It
covers one schema of one database. Source: PostgreSQL manual, "Advisory Locks".
"""

import time
from typing import Any

from albatross.store.engine import UnusableData

_KEY = 0x414C4254  # "ALBT": the first of the lock's two numbers; the second is the schema's hash
_PREDECESSOR_S = 20.0  # a killed predecessor's session is noticed within its keepalive
_STRANGER_S = 2.0  # a server that has just been stopped gives up its session in this time
_LOOK_S = 0.05

_TRY = "SELECT pg_try_advisory_lock(%s, hashtext(coalesce(current_schema(), '')))"
_HOLDER = """
SELECT activity.application_name FROM pg_locks AS locks
JOIN pg_stat_activity AS activity ON activity.pid = locks.pid
WHERE locks.locktype = 'advisory' AND locks.granted AND locks.classid = %s AND locks.objsubid = 2
  AND locks.objid = hashtext(coalesce(current_schema(), ''))::bit(32)::bigint::oid
  AND locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def take(connection: Any, name: str, database: str) -> None:
    """Take the lock for `connection` (of psycopg). `name` is that of its session.

    Raises UnusableData where another server has it.
    """
    begun_s = time.monotonic()
    while True:
        with connection.cursor() as cursor:
            taken = cursor.execute(_TRY, (_KEY,)).fetchone()[0]
            row = None if taken else cursor.execute(_HOLDER, (_KEY,)).fetchone()
        connection.rollback()  # ends the transaction; the lock is the session's
        if taken:
            return
        holder = row[0] if row else None  # None: it has just gone, or may not be shown
        patience_s = _PREDECESSOR_S if _is_predecessor(holder, name) else _STRANGER_S
        if time.monotonic() > begun_s + patience_s:
            raise UnusableData(
                f"the database {database} is in use by another server ({holder or 'unknown'}): "
                "stop it, or choose another database with --database"
            )
        time.sleep(_LOOK_S)


def _is_predecessor(holder: str | None, name: str) -> bool:
    """Return whether that may be a session of our own data directory, which only one server has."""
    return holder is None or holder.partition(" on ")[2] == name.partition(" on ")[2] != ""
