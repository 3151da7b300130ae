"""Tables, and what makes a database fit for them: created, brought up to date, or refused."""

import secrets
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    inspect,
    select,
)
from sqlalchemy.exc import DBAPIError

from albatross.store.engine import UnusableData, explain, shown

SCHEMA_VERSION = 3  # store/migrations/ has a step from each version to the next

metadata = MetaData()

# One row. `revision` counts the commits that changed something, and `last_write` is the mark of
# the latest of them: whoever lost the connection while committing sees by it what became of that.
# `last_restore` is the mark of the last backup that was restored.
# `store_id` tells which data directory belongs to this database.
state = Table(
    "state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("schema_version", Integer, nullable=False),
    Column("revision", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
    Column("store_id", String, nullable=False),
    Column("last_write", String, nullable=False),
    Column("last_restore", String, nullable=False),
)

# `seq` is the order of creation, `revision` that of the row's last change.
resources = Table(
    "resources",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("arn", String, nullable=False, unique=True),
    Column("kind", String, nullable=False),
    Column("account", String, nullable=False),
    Column("region", String, nullable=False),
    Column("name", String, nullable=False),
    Column("parent", String),
    Column("document", Text, nullable=False),
    Column("revision", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
    Index("resources_by_name", "kind", "account", "region", "name"),
    Index("resources_by_place", "parent", "kind", "account", "region", "name"),
    Index("resources_by_revision", "revision"),
)

# `position` keeps the order in which tags were given.
tags = Table(
    "tags",
    metadata,
    Column("arn", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
    Column("position", Integer, nullable=False),
)

# Which rule forwards to which target group: what documents say too, to be found from the other end.
uses = Table(
    "uses",
    metadata,
    Column("arn", String, primary_key=True),
    Column("used", String, primary_key=True),
    Index("uses_by_used", "used"),
)


@dataclass(frozen=True, slots=True)
class State:
    """What the row of `state` says."""

    revision: int
    store_id: str
    last_write: str
    last_restore: str


def prepare(engine: Engine) -> State:
    """Create the tables where there are none, bring them up to date, return the state.

    All of it happens in one transaction. Raises UnusableData for a file that is no database of
    ours, a database that cannot be reached or written, or one that is newer.
    """
    try:
        with engine.begin() as connection:
            return _prepare(connection)
    except (DBAPIError, OSError) as error:
        why = explain(error)
        if "not a database" in why or "malformed" in why:  # in SQLite's words
            why += ": start with another --data-dir, and bring a backup back with albatross restore"
        raise UnusableData(f"cannot use the database {shown(engine)}: {why}") from error


def _prepare(connection: Connection) -> State:
    if not inspect(connection).has_table(state.name):
        metadata.create_all(connection)
        connection.execute(
            state.insert().values(
                id=1,
                schema_version=SCHEMA_VERSION,
                revision=0,
                store_id=secrets.token_hex(16),
                last_write="",
                last_restore="",
            )
        )
    version = connection.execute(select(state.c.schema_version)).scalar_one()
    if version > SCHEMA_VERSION:
        raise UnusableData(
            f"the database {shown(connection.engine)} was written by a newer Albatross (schema "
            f"version {version}, this one knows {SCHEMA_VERSION}): run that version, or choose "
            "another data directory or database"
        )
    if version < SCHEMA_VERSION:
        from albatross.store import migrations  # memory: a migration is needed once

        migrations.upgrade(connection, version, SCHEMA_VERSION)
        connection.execute(state.update().values(schema_version=SCHEMA_VERSION))
    return read_state(connection)


def read_state(connection: Connection) -> State:
    """Return what the row of `state` says now."""
    columns = (state.c.revision, state.c.store_id, state.c.last_write, state.c.last_restore)
    row = connection.execute(select(*columns)).one()
    return State(int(row.revision), row.store_id, row.last_write, row.last_restore)
