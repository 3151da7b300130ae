"""What an operation sees of the store: one account in one Region, one moment, all or nothing."""

import builtins
import secrets
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Select, bindparam, func, select

from albatross.model.arn import Scope
from albatross.model.certificate import Certificate
from albatross.model.health import HealthReader
from albatross.model.leniency import Leniency
from albatross.model.remote import RemoteFunctions
from albatross.model.rule import Rule
from albatross.store import codec
from albatross.store.codec import Resource
from albatross.store.schema import resources, state, tags, uses

if TYPE_CHECKING:
    from albatross.store.keys import Keys
    from albatross.store.packages import Packages

R = TypeVar("R", bound=Resource)

# Statements are made once: that takes longer than to run them.
_INSERT = resources.insert()
_UPDATE = resources.update().where(resources.c.arn == bindparam("of"))
_DELETE = resources.delete().where(resources.c.arn == bindparam("of"))
_AMONG = [resources.c[name] == bindparam(name) for name in ("kind", "account", "region")]
_COUNT = select(func.count()).where(*_AMONG, resources.c.parent == bindparam("parent"))
_ADD_USES = uses.insert()
_DROP_USES = uses.delete().where(uses.c.arn == bindparam("of"))
_USERS = select(uses.c.arn).where(uses.c.used == bindparam("used"))
_USED_BELOW = (
    select(uses.c.arn, uses.c.used)
    .join(resources, resources.c.arn == uses.c.arn)
    .where(*_AMONG, resources.c.parent.in_(bindparam("parents", expanding=True)))
)
_TAGS = (
    select(tags.c.key, tags.c.value).where(tags.c.arn == bindparam("arn")).order_by(tags.c.position)
)
_ADD_TAGS = tags.insert()
_DROP_TAGS = tags.delete().where(tags.c.arn == bindparam("of"))
_NEXT_REVISION = state.update().values(revision=state.c.revision + 1, last_write=bindparam("mark"))
_REVISION = select(state.c.revision)


@cache
def _documents(*columns: str) -> Select[tuple[str]]:
    """Return the query for documents by these columns, in order of creation; made once each."""
    where = (resources.c[column] == bindparam(column) for column in columns)
    return select(resources.c.document).where(*where).order_by(resources.c.seq)


class Transaction:
    """Reads and writes of one operation, within `scope`. Valid until its function returns.

    A resource of another account or Region is as absent as one that never was.
    """

    def __init__(
        self,
        connection: Connection,
        scope: Scope,
        *,
        now: datetime,
        packages: "Packages",
        keys: "Keys",
        health: HealthReader,
        lenient: Collection[Leniency],
        quotas: Mapping[str, int],
        remotes: RemoteFunctions,
        mark: str | None,
    ) -> None:
        self.scope = scope
        self.now = now
        self.packages = packages
        self.keys = keys
        self.health = health
        self.added_keys: list[str] = []
        self.dropped_keys: list[str] = []
        self.deleted: list[str] = []  # ARNs
        self.lenient = lenient  # what is taken although AWS refuses it
        self.quotas = quotas  # those that are not the default ones
        self.remotes = remotes  # functions that run elsewhere
        self._connection = connection
        self._mark = mark  # of a transaction that may write
        self._revision: int | None = None  # that of this transaction, once it has changed something

    def get(self, cls: type[R], arn: str) -> R | None:
        """Return the resource with `arn`, or None where there is none of that class."""
        rows = self._select(cls, arn=arn)
        return rows[0] if rows else None

    def get_from_anywhere(self, cls: type[R], arn: str) -> R | None:
        """Return the resource of any account and Region. Whether the caller may have it, its own
        policy says: look there.
        """
        query = select(resources.c.document).where(
            resources.c.kind == cls.kind, resources.c.arn == arn
        )
        found = self._connection.execute(query).first()
        return None if found is None else codec.decode(str(cls.kind), found.document)

    def list(
        self, cls: type[R], *, name: str | None = None, parent: str | None = None
    ) -> builtins.list[R]:
        """Return the resources of `cls`, of that name or parent if given, in order of creation."""
        where = {"name": name, "parent": parent}
        return self._select(cls, **{key: to for key, to in where.items() if to is not None})

    def put(self, resource: Resource) -> None:
        """Insert `resource`, or replace what has its ARN and keep its place in the order."""
        assert self._within_scope(resource.arn), resource.arn
        document = codec.encode(resource)
        query = _documents("arn")
        found = self._connection.execute(query, {"arn": resource.arn}).first()
        if found is not None and found.document == document:
            return
        values = {
            "name": resource.name,
            "parent": resource.parent,
            "document": document,
            "revision": self._next_revision(),
        }
        if found is None:
            values |= {"arn": resource.arn, "kind": resource.kind}
            values |= {"account": self.scope.account, "region": self.scope.region}
            self._connection.execute(_INSERT, values)
        else:
            self._connection.execute(_UPDATE, {**values, "of": resource.arn})
        if isinstance(resource, Rule):
            if found is not None:
                self._connection.execute(_DROP_USES, {"of": resource.arn})
            self._note_uses(resource)

    def delete(self, arn: str) -> None:
        """Delete the resource with `arn` and its tags. Nothing happens where there is none."""
        if self._within_scope(arn):
            deleted = self._connection.execute(_DELETE, {"of": arn})
            self._connection.execute(_DROP_USES, {"of": arn})
            untagged = self._connection.execute(_DROP_TAGS, {"of": arn})
            if deleted.rowcount:
                self.deleted.append(arn)
            if deleted.rowcount or untagged.rowcount:
                self._next_revision()

    def arns(self) -> builtins.list[str]:
        """Return the ARNs of all resources."""
        query = select(resources.c.arn).where(
            resources.c.account == self.scope.account, resources.c.region == self.scope.region
        )
        return builtins.list(self._connection.execute(query).scalars())

    def count(self, cls: type[R], *, parent: str) -> int:
        """Return how many resources of `cls` have that parent."""
        values = {**self._among(cls), "parent": parent}
        return int(self._connection.execute(_COUNT, values).scalar_one())

    def users(self, arn: str) -> builtins.list[str]:
        """Return the ARNs of the rules that forward to the target group `arn`."""
        return builtins.list(self._connection.execute(_USERS, {"used": arn}).scalars())

    def used_below(self, listener_arns: Iterable[str]) -> set[tuple[str, str]]:
        """Return each rule of these listeners with each target group to which it forwards."""
        values = {**self._among(Rule), "parents": builtins.list(listener_arns)}
        return {(row.arn, row.used) for row in self._connection.execute(_USED_BELOW, values)}

    def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of `arn` in the order in which they were put."""
        if not self._within_scope(arn):
            return {}
        return {row.key: row.value for row in self._connection.execute(_TAGS, {"arn": arn})}

    def put_tags(self, arn: str, tags_: Mapping[str, str]) -> None:
        """Replace all tags of `arn`."""
        assert self._within_scope(arn), arn
        if builtins.list(self.tags(arn).items()) == builtins.list(tags_.items()):
            return
        self._next_revision()
        self._connection.execute(_DROP_TAGS, {"of": arn})
        rows = [
            {"arn": arn, "key": key, "value": value, "position": position}
            for position, (key, value) in enumerate(tags_.items())
        ]
        if rows:
            self._connection.execute(_ADD_TAGS, rows)

    def add_key(self, pem: bytes) -> str:
        """Keep a private key and return its id. It is gone again if this transaction fails."""
        assert self._mark, "an operation that only reads must not write"
        key_id = self.keys.add(pem)
        self.added_keys.append(key_id)
        return key_id

    def drop_key(self, key_id: str) -> None:
        """Delete a private key once this transaction is committed."""
        self.dropped_keys.append(key_id)

    def replace_everything(
        self,
        resources_: Iterable[Resource],
        rows: builtins.list[dict[str, Any]],
        tags_: builtins.list[dict[str, Any]],
        *,
        restore_id: str,
    ) -> None:
        """Replace all of all scopes. `rows`: those of `resources_`, but for sequence and revision.

        Private keys that nothing refers to afterwards are dropped.
        """
        is_certificate = resources.c.kind == Certificate.kind
        for document in self._connection.execute(
            select(resources.c.document).where(is_certificate)
        ).scalars():
            self.drop_key(codec.decode(Certificate.kind, document).key_id)
        self.deleted += self._connection.execute(select(resources.c.arn)).scalars()
        for table in (resources, tags, uses):
            self._connection.execute(table.delete())
        revision = self._next_revision()
        self._connection.execute(state.update().values(last_restore=restore_id))
        if rows:
            columns = [{**row, "revision": revision} for row in rows]
            self._connection.execute(_INSERT, columns)
        if tags_:
            self._connection.execute(_ADD_TAGS, tags_)
        for resource in resources_:
            if isinstance(resource, Rule):
                self._note_uses(resource)
            elif isinstance(resource, Certificate) and resource.key_id in self.dropped_keys:
                self.dropped_keys.remove(resource.key_id)

    def new_id(self) -> str:
        """Return 16 random hexadecimal digits, as ARNs of the elbv2 API end with."""
        return secrets.token_hex(8)

    @property
    def revision(self) -> int | None:
        """The store's revision after this transaction; None where it changed nothing."""
        return self._revision

    def _within_scope(self, arn: str) -> bool:
        return arn.split(":")[3:5] == [self.scope.region, self.scope.account]

    def _select(self, cls: type[R], **where: str) -> builtins.list[R]:
        values = {**self._among(cls), **where}
        rows = self._connection.execute(_documents(*values), values)
        return [codec.decode(values["kind"], row.document) for row in rows]

    def _among(self, cls: type[R]) -> dict[str, str]:
        """Return what the columns of the resources of `cls` in this scope have in common."""
        kind: Any = cls.kind
        return {"kind": kind, "account": self.scope.account, "region": self.scope.region}

    def _note_uses(self, rule: Rule) -> None:
        rows = [{"arn": rule.arn, "used": arn} for arn in rule.target_group_arns]
        if rows:
            self._connection.execute(_ADD_USES, rows)

    def _next_revision(self) -> int:
        assert self._mark, "an operation that only reads must not write"
        if self._revision is None:
            self._connection.execute(_NEXT_REVISION, {"mark": self._mark})
            self._revision = int(self._connection.execute(_REVISION).scalar_one())
        return self._revision
