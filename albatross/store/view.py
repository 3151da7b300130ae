"""The last snapshot, brought up to date by what has changed since."""

import logging
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from albatross.model.certificate import Certificate, PrivateBytes
from albatross.model.rule import Rule
from albatross.model.snapshot import ListenerRules, Snapshot
from albatross.store import codec
from albatross.store.schema import resources, state

if TYPE_CHECKING:
    from albatross.store.keys import Keys

log = logging.getLogger(__name__)

_FIELDS = {
    "load-balancer": "load_balancers",
    "listener": "listeners",
    "rule": "rules",
    "target-group": "target_groups",
    "function": "functions",
    "certificate": "certificates",
    "trust-store": "trust_stores",
}


class View:
    """Belongs to the reader thread, except for `note_deleted`."""

    def __init__(self, keys: "Keys") -> None:
        self._keys = keys
        # By kind and ARN: seq and resource. New rows come in order of seq, and so do these.
        self._rows: dict[str, dict[str, tuple[int, Any]]] = {kind: {} for kind in _FIELDS}
        self._kinds: dict[str, str] = {}  # by ARN
        self._rules: defaultdict[str, dict[str, Rule]] = defaultdict(dict)  # by listener and ARN
        self._deleted: deque[tuple[int, list[str]]] = deque()
        self._snapshot: Snapshot | None = None

    def note_deleted(self, revision: int, arns: list[str]) -> None:
        """Say what the commit of this revision has deleted, in the order of commits.

        For speed only: what nobody has said is found by looking at every row.
        """
        if arns:
            self._deleted.append((revision, arns))

    def refresh(self, connection: Connection) -> Snapshot:
        """Return the snapshot that `connection` sees. It costs what changed, not what there is."""
        revision = int(connection.execute(select(state.c.revision)).scalar_one())
        last = self._snapshot or Snapshot(revision=-1)
        if last.revision == revision:
            return last
        touched: defaultdict[str, set[str]] = defaultdict(set)  # by kind: parents
        self._drop_deleted(last.revision, revision, touched)
        self._take_changed(connection, last.revision, touched)
        self._drop_missing(connection, touched)
        fields = {
            field: (
                tuple(resource for _, resource in self._rows[kind].values())
                if kind in touched
                else getattr(last, field)
            )
            for kind, field in _FIELDS.items()
        }
        keys = last.keys
        if Certificate.kind in touched:
            keys = self._read_keys(fields["certificates"], keys)
        grouped = self._by_listener(last.by_listener, touched[Rule.kind])
        self._snapshot = Snapshot(revision=revision, keys=keys, grouped=grouped, **fields)
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
        columns = (resources.c.arn, resources.c.seq, resources.c.kind, resources.c.document)
        changed = select(*columns).where(resources.c.revision > since).order_by(resources.c.seq)
        for row in connection.execute(changed):
            known = self._rows[row.kind].get(row.arn)
            if known is not None and known[0] != row.seq:  # deleted and made again
                self._drop(row.arn, touched)
            resource = codec.decode(row.kind, row.document)
            self._rows[row.kind][row.arn] = (row.seq, resource)
            self._kinds[row.arn] = row.kind
            touched[row.kind].add(resource.parent)
            if isinstance(resource, Rule):
                self._rules[resource.listener_arn][resource.arn] = resource

    def _drop_missing(self, connection: Connection, touched: Mapping[str, set[str]]) -> None:
        count = connection.execute(select(func.count()).select_from(resources)).scalar_one()
        if count != len(self._kinds):  # every row of the table is here, so the rest was deleted
            there = set(connection.execute(select(resources.c.arn)).scalars())
            for arn in self._kinds.keys() - there:
                self._drop(arn, touched)

    def _drop(self, arn: str, touched: Mapping[str, set[str]]) -> None:
        kind = self._kinds.pop(arn, None)
        if kind is not None:
            _, resource = self._rows[kind].pop(arn)
            touched[kind].add(resource.parent)
            if isinstance(resource, Rule):
                del self._rules[resource.listener_arn][arn]

    def _by_listener(
        self, last: Mapping[str, ListenerRules], touched: Iterable[str]
    ) -> Mapping[str, ListenerRules]:
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
