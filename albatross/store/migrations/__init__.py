"""Steps from each version of the schema to the next, written with Alembic's operations.

A step says everything itself: it does not import `schema.py` or the classes of `model/`, which go
on to change. It runs inside the transaction of its caller, so a crash leaves the version before.
"""

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection

from albatross.store.migrations import version_2, version_3

STEPS = {2: version_2.upgrade, 3: version_3.upgrade}


def upgrade(connection: Connection, since: int, until: int) -> None:
    """Make of a database of version `since` one of version `until`."""
    operations = Operations(MigrationContext.configure(connection))
    for version in range(since + 1, until + 1):
        STEPS[version](operations)
