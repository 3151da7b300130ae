"""Version 3: the database has an id, each commit and each restore a mark."""

import secrets

import sqlalchemy as sa
from alembic.operations import Operations


def upgrade(op: Operations) -> None:
    # With defaults, which a new column of a table with rows needs; nothing relies on them later.
    defaults = {"store_id": secrets.token_hex(16), "last_write": "", "last_restore": ""}
    for name, default in defaults.items():
        op.add_column("state", sa.Column(name, sa.String, nullable=False, server_default=default))
