"""Tables, and how a database is opened. Everything particular to SQLite is in `open_engine`."""

import os

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
    create_engine,
    event,
    inspect,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from albatross.model.rule import Rule
from albatross.store import codec

SCHEMA_VERSION = 2

metadata = MetaData()

# One row. `revision` counts the commits that changed something.
state = Table(
    "state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("schema_version", Integer, nullable=False),
    Column("revision", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
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


class UnusableData(Exception):
    """The database cannot be used. The message says why, and what to do, to a person."""


def open_engine(url: str, *, writes: bool) -> Engine:
    """Return an engine for `url`. On SQLite a commit is on disk when it returns.

    SQLite: WAL, so that readers never wait for the writer; `synchronous=FULL` flushes the log at
    each commit; transactions begin explicitly, so that a read of several queries sees one state.
    The file can be read by its owner only: it holds functions' environment variables.
    """
    parsed = make_url(url)
    engine = create_engine(parsed, pool_size=1, max_overflow=0, hide_parameters=True)
    if engine.dialect.name != "sqlite":
        return engine
    assert parsed.database, "an SQLite database in memory survives nothing"
    path = parsed.database

    @event.listens_for(engine, "do_connect")
    def create_private(*_: object) -> None:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    @event.listens_for(engine, "connect")
    def configure(connection: "object", _: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("PRAGMA busy_timeout = 10000")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _bring_up_to_date(connection: Connection) -> None:
    """Make of a database of version 1 one of version 2."""
    uses.create(connection, checkfirst=True)
    for index in resources.indexes:
        index.create(connection, checkfirst=True)
    connection.exec_driver_sql("DROP INDEX IF EXISTS resources_by_parent")
    rules = select(resources.c.document).where(resources.c.kind == Rule.kind)
    for document in connection.execute(rules).scalars().all():
        rule = codec.decode(Rule.kind, document)
        for arn in rule.target_group_arns:
            connection.execute(uses.insert().values(arn=rule.arn, used=arn))
    connection.execute(state.update().values(schema_version=SCHEMA_VERSION))


def prepare(engine: Engine) -> int:
    """Create the tables where there are none, check the version, return the revision.

    Raises UnusableData for a file that is no database of ours, cannot be written, or is newer.
    """
    database = engine.url.database
    try:
        with engine.begin() as connection:
            if not inspect(connection).has_table(state.name):
                metadata.create_all(connection)
                connection.execute(
                    state.insert().values(id=1, schema_version=SCHEMA_VERSION, revision=0)
                )
            row = connection.execute(select(state)).one()
            if row.schema_version < SCHEMA_VERSION:
                _bring_up_to_date(connection)
    except (DBAPIError, OSError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise UnusableData(f"cannot use the database {database}: {cause}") from error
    if row.schema_version > SCHEMA_VERSION:
        raise UnusableData(
            f"the database {database} was written by a newer Albatross (schema version "
            f"{row.schema_version}, this one knows {SCHEMA_VERSION}): run that version, or choose "
            "another data directory"
        )
    return int(row.revision)
