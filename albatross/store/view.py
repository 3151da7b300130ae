"""The last snapshot, brought up to date by what has changed since."""

import logging
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, select

from albatross.model.certificate import Certificate, PrivateBytes
from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.rule import Rule
from albatross.model.snapshot import ListenerRules, Snapshot
from albatross.store import codec
from albatross.store.codec import Resource
from albatross.store.schema import resources, state

if TYPE_CHECKING:
    from albatross.store.keys import Keys

log = logging.getLogger(__name__)

_FIELDS = {
    "load-balancer": "load_balancers",
    "listener": "listeners",
    "target-group": "target_groups",
    "function": "functions",
    "function-version": "versions",
    "function-alias": "aliases",
    "certificate": "certificates",
    "trust-store": "trust_stores",
}

# Statements are made once: that takes longer than to run them.
_REVISION = select(state.c.revision)
# Sorted by us: for a sorted answer SQLite would read the whole table.
_CHANGED = select(resources.c.arn, resources.c.seq, resources.c.kind, resources.c.document).where(
    resources.c.revision > bindparam("since")
)


class View:
    """Belongs to the reader thread, except for what says otherwise."""

    def __init__(self, keys: "Keys") -> None:
        self._keys = keys
        self._is_stale = False
        self._deleted: deque[tuple[int, list[str]]] = deque()
        self._forget()

    def _forget(self) -> None:
        self._rows: dict[str, tuple[int, Any]] = {}  # resources by ARN, with `seq`
        # Resources by kind and ARN, in order of creation: new ones come in this order.
        self._resources: dict[str, dict[str, Any]] = {kind: {} for kind in _FIELDS}
        self._rules: defaultdict[str, dict[str, Rule]] = defaultdict(dict)  # by listener and ARN
        self._snapshot: Snapshot | None = None

    def reset(self) -> None:
        """Read everything anew at the next refresh. Any thread may call it."""
        self._is_stale = True

    def note_deleted(self, revision: int, arns: list[str]) -> None:
        """Say, right before the commit of this revision, what it deletes."""
        self._deleted.append((revision, arns))

    def forget_deleted(self, revision: int) -> None:
        """Take that back: the commit has failed."""
        if self._deleted and self._deleted[-1][0] == revision:
            self._deleted.pop()

    def refresh(self, connection: Connection) -> Snapshot:
        """Return the snapshot that `connection` sees. It costs what changed, not what there is."""
        if self._is_stale:
            self._is_stale = False
            self._forget()
        revision = int(connection.execute(_REVISION).scalar_one())
        last = self._snapshot or Snapshot(revision=-1)
        if last.revision == revision:
            return last
        touched: defaultdict[str, set[str]] = defaultdict(set)  # by kind: parents
        self._drop_deleted(last.revision, revision, touched)
        self._take_changed(connection, last.revision, touched)
        fields = {
            field: (
                tuple(self._resources[kind].values()) if kind in touched else getattr(last, field)
            )
            for kind, field in _FIELDS.items()
        }
        keys = last.keys
        if Certificate.kind in touched:
            keys = self._read_keys(fields["certificates"], keys)
        by_listener = self._by_listener(last.by_listener, touched[Rule.kind])
        self._snapshot = Snapshot(
            revision=revision,
            keys=keys,
            by_listener=by_listener,
            used=None if _may_use_others(last, by_listener, touched) else last.balancer_of_group,
            **fields,
        )
        return self._snapshot

    def _drop_deleted(self, since: int, until: int, touched: Mapping[str, set[str]]) -> None:
        while self._deleted and self._deleted[0][0] <= until:
            revision, arns = self._deleted.popleft()
            if revision > since:
                for arn in arns:
                    self._drop(arn, touched)

    def _take_changed(
        self, connection: Connection, since: int, touched: Mapping[str, set[str]]
    ) -> None:
        changed = connection.execute(_CHANGED, {"since": since})
        for row in sorted(changed, key=lambda row: int(row.seq)):
            if row.kind not in _FIELDS and row.kind != Rule.kind:
                continue
            known = self._rows.get(row.arn)
            if known is not None and known[0] != row.seq:  # deleted and made again
                self._drop(row.arn, touched)
            resource = codec.decode(row.kind, row.document)
            self._rows[row.arn] = (row.seq, resource)
            self._like(resource)[row.arn] = resource
            touched[row.kind].add(resource.parent)

    def _drop(self, arn: str, touched: Mapping[str, set[str]]) -> None:
        row = self._rows.pop(arn, None)
        if row is not None:
            _, resource = row
            del self._like(resource)[arn]
            touched[resource.kind].add(resource.parent)

    def _like(self, resource: Resource) -> dict[str, Any]:
        """Return the resources of its kind, of a rule: the rules of its listener."""
        if isinstance(resource, Rule):
            return self._rules[resource.listener_arn]
        return self._resources[resource.kind]

    def _by_listener(
        self, last: Mapping[str, ListenerRules], touched: Collection[str]
    ) -> Mapping[str, ListenerRules]:
        if not touched:
            return last
        found = dict(last)
        for arn in touched:
            found.pop(arn, None)
            if rules := self._rules[arn]:
                found[arn] = ListenerRules.of(rules.values())
            else:
                del self._rules[arn]
        return found

    def _read_keys(
        self, certificates: Iterable[Certificate], known: Mapping[str, PrivateBytes]
    ) -> dict[str, PrivateBytes]:
        keys = {}
        for certificate in certificates:
            key_id = certificate.key_id
            try:
                keys[key_id] = known[key_id] if key_id in known else self._keys.read(key_id)
            except OSError as error:
                log.error("the private key of %s cannot be read: %s", certificate.arn, error)
        return keys


def _may_use_others(
    last: Snapshot, by_listener: Mapping[str, ListenerRules], touched: Mapping[str, set[str]]
) -> bool:
    """Tell whether load balancers may use other target groups than in the snapshot `last`."""
    if LoadBalancer.kind in touched or Listener.kind in touched:
        return True
    nothing = ListenerRules((), ())
    return any(
        last.by_listener.get(arn, nothing).target_group_arns
        != by_listener.get(arn, nothing).target_group_arns
        for arn in touched[Rule.kind]
    )
