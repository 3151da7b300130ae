"""Version 2: which rule forwards to which target group, and an index of resources by place."""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations

_RULES = sa.text("SELECT arn, document FROM resources WHERE kind = 'rule'")


def upgrade(op: Operations) -> None:
    uses = op.create_table(
        "uses",
        sa.Column("arn", sa.String, primary_key=True),
        sa.Column("used", sa.String, primary_key=True),
    )
    op.create_index("uses_by_used", "uses", ["used"])
    op.create_index(
        "resources_by_place", "resources", ["parent", "kind", "account", "region", "name"]
    )
    op.drop_index("resources_by_parent", "resources")
    rows = [
        {"arn": rule.arn, "used": used}
        for rule in op.get_bind().execute(_RULES)
        for used in _targets(json.loads(rule.document)["action"])
    ]
    op.bulk_insert(uses, rows)


def _targets(action: dict[str, Any]) -> Iterator[str]:
    """Yield the target groups of an action, each once. The first version knew one an action."""
    if "target_group_arn" in action:
        yield action["target_group_arn"]
    yield from dict.fromkeys(group["arn"] for group in action.get("target_groups", ()))
