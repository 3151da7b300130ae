"""What must be true of the store at every moment, after any calls, refusals, races and crashes.

`faults(directory)` reads the database and the files of a data directory, beside a running server or
after one; `faults_of_api(elb)` asks the API. Both return sentences, none where all is well:

    assert consistency.faults(place.data) == []
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from sqlalchemy import select

from albatross.model.arn import scope_of
from albatross.model.certificate import Certificate
from albatross.model.function import Function, Package
from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.rule import Rule
from albatross.model.target_group import TargetGroup
from albatross.model.trust_store import TrustStore
from albatross.store import codec, schema
from albatross.store.engine import open_engine

DATABASE = "state.db"
TAGS_MAX = 50
# Of these only one in an account and Region may have a name.
_NAMED = (LoadBalancer, TargetGroup, TrustStore, Function)


@dataclass(frozen=True)
class Contents:
    """All rows of one moment, and what their documents say, by ARN."""

    revision: int
    rows: list[Any]
    resources: dict[str, Any]
    tags: list[Any]
    uses: list[Any]

    def of(self, cls: type[Any]) -> list[Any]:
        return [one for one in self.resources.values() if isinstance(one, cls)]


def faults(directory: Path, *, database: str = DATABASE, at_rest: bool = False) -> list[str]:
    """Return what is wrong with the state in a data directory.

    `database`: a file there, or the URL of another database. `at_rest`: the server has just started
    and has had no call since, so that it has collected what a crash may leave behind, such as a
    private key of no certificate.
    """
    contents = _read(database if "://" in database else f"sqlite:///{directory / database}")
    found = [fault for look in _LOOKS for fault in look(contents)]
    return sorted([*found, *_of_files(contents, directory, at_rest=at_rest)])


def _read(url: str) -> Contents:
    engine = open_engine(url, writes=False)
    try:
        with engine.begin() as connection:
            rows = list(connection.execute(select(schema.resources).order_by("seq")))
            tags = list(connection.execute(select(schema.tags).order_by("arn", "position")))
            uses = list(connection.execute(select(schema.uses)))
            revision = connection.execute(select(schema.state.c.revision)).scalar_one()
    finally:
        engine.dispose()
    resources = {row.arn: codec.decode(row.kind, row.document) for row in rows}
    return Contents(revision, rows, resources, tags, uses)


def _columns(contents: Contents) -> Iterator[str]:
    """Columns say what the document says; no row is newer than the store."""
    for row in contents.rows:
        resource = contents.resources[row.arn]
        scope = scope_of(resource.arn)
        told = (resource.arn, resource.kind, resource.name, resource.parent)
        if (row.arn, row.kind, row.name, row.parent) != told:
            yield f"{row.arn}: the columns of its row say otherwise than its document"
        if (row.account, row.region) != (scope.account, scope.region):
            yield f"{row.arn}: is kept under {row.account} in {row.region}"
        if not 0 < row.revision <= contents.revision:
            yield f"{row.arn}: revision {row.revision}, the store's is {contents.revision}"
        if row.parent is not None and row.parent not in contents.resources:
            yield f"{row.arn}: an orphan, {row.parent} is not there"
        if codec.encode(resource) != row.document:
            yield f"{row.arn}: its document reads back differently"


def _names(contents: Contents) -> Iterator[str]:
    for cls in _NAMED:
        named = ((scope_of(one.arn), one.name) for one in contents.of(cls))
        yield from _repeated(f"{cls.kind}s with the name", named)
    slots = ((scope_of(one.arn), one.slot) for one in contents.of(LoadBalancer))
    yield from _repeated("load balancers with the slot", slots)
    names = (one.dns_name for one in contents.of(LoadBalancer))
    yield from _repeated("load balancers with the DNS name", names)


def _listeners(contents: Contents) -> Iterator[str]:
    ports = ((one.load_balancer_arn, one.port) for one in contents.of(Listener))
    yield from _repeated("listeners on", ports)
    defaults = Counter(rule.listener_arn for rule in contents.of(Rule) if rule.is_default)
    for listener in contents.of(Listener):
        if defaults[listener.arn] != 1:
            yield f"{listener.arn}: has {defaults[listener.arn]} default rules"
        if (listener.protocol == "HTTPS") != bool(listener.certificates):
            yield f"{listener.arn}: {listener.protocol} with {listener.certificates}"
        for arn in listener.certificates:
            if not isinstance(contents.resources.get(arn), Certificate):
                yield f"{listener.arn}: its certificate {arn} is not there"
        trust = listener.mutual_authentication.trust_store_arn
        if trust is not None and not isinstance(contents.resources.get(trust), TrustStore):
            yield f"{listener.arn}: its trust store {trust} is not there"


def _rules(contents: Contents) -> Iterator[str]:
    places = ((rule.listener_arn, rule.priority) for rule in contents.of(Rule))
    yield from _repeated("rules with the priority", places)
    balancers: dict[str, set[str]] = defaultdict(set)
    for rule in contents.of(Rule):
        listener = contents.resources.get(rule.listener_arn)
        for arn in rule.target_group_arns:
            if not isinstance(contents.resources.get(arn), TargetGroup):
                yield f"{rule.arn}: forwards to {arn}, which is not there"
            if isinstance(listener, Listener):
                balancers[arn].add(listener.load_balancer_arn)
    for arn, users in balancers.items():
        if len(users) > 1:
            yield f"{arn}: is used by {len(users)} load balancers"


def _uses(contents: Contents) -> Iterator[str]:
    """Which rule uses which target group is noted as the rules say it."""
    noted = {(row.arn, row.used) for row in contents.uses}
    told = {(rule.arn, arn) for rule in contents.of(Rule) for arn in rule.target_group_arns}
    for arn, used in sorted(noted - told):
        yield f"{arn}: is noted to use {used} and does not"
    for arn, used in sorted(told - noted):
        yield f"{arn}: uses {used}, which is not noted"


def _tags(contents: Contents) -> Iterator[str]:
    positions: dict[str, list[int]] = defaultdict(list)
    for row in contents.tags:
        positions[row.arn].append(row.position)
    for arn, taken in positions.items():
        if arn not in contents.resources:
            yield f"{arn}: has tags and is not there"
        if taken != list(range(len(taken))) or len(taken) > TAGS_MAX:
            yield f"{arn}: its tags are at the positions {taken}"


def _targets(contents: Contents) -> Iterator[str]:
    for group in contents.of(TargetGroup):
        yield from _repeated(f"targets in {group.arn}:", (one.key for one in group.targets))
        if group.target_type == "lambda" and len(group.targets) > 1:
            yield f"{group.arn}: has {len(group.targets)} functions"


_LOOKS: tuple[Callable[[Contents], Iterator[str]], ...] = (
    *(_columns, _names, _listeners, _rules, _uses, _tags, _targets),
)


def _of_files(contents: Contents, directory: Path, *, at_rest: bool) -> Iterator[str]:
    """What resources refer to lies in its file; `at_rest`, no key is there for nobody."""
    keys = {one.key_id: one.arn for one in contents.of(Certificate)}
    files = {path.stem for path in (directory / "certificates").glob("*.key")}
    for key_id in keys.keys() - files:
        yield f"{keys[key_id]}: its private key is not there"
    if at_rest and files - keys.keys():
        yield f"private keys of no certificate: {sorted(files - keys.keys())}"
    for function in contents.of(Function):
        if isinstance(function.code, Package):
            archive = directory / "packages" / f"{function.code.digest}.zip"
            if not archive.is_file():
                yield f"{function.arn}: its package is not there"
    for trust in contents.of(TrustStore):
        for digest in (trust.bundle, *(one.content for one in trust.revocations)):
            if not (directory / "trust" / digest).is_file():
                yield f"{trust.arn}: its file {digest} is not there"


def _repeated(what: str, keys: Iterable[Any]) -> Iterator[str]:
    for key, times in Counter(keys).items():
        if times > 1:
            yield f"{times} {what} {key}"


def faults_of_api(elb: Any) -> list[str]:
    """Return what is wrong with the answers of the API about one account, which rests meanwhile."""
    found: list[str] = []
    users: dict[str, set[str]] = defaultdict(set)
    arns: list[str] = []
    for balancer in _all(elb, "describe_load_balancers", "LoadBalancers"):
        arn = balancer["LoadBalancerArn"]
        arns.append(arn)
        listeners = _all(elb, "describe_listeners", "Listeners", LoadBalancerArn=arn)
        found += _repeated(f"listeners of {arn} on port", (one["Port"] for one in listeners))
        for listener in listeners:
            rules = _all(elb, "describe_rules", "Rules", ListenerArn=listener["ListenerArn"])
            arns += [listener["ListenerArn"], *(rule["RuleArn"] for rule in rules)]
            found += _of_rules(listener, rules)
            for group in _used(rules):
                users[group].add(arn)
    groups = _all(elb, "describe_target_groups", "TargetGroups")
    arns += [group["TargetGroupArn"] for group in groups]
    for group in groups:
        arn = group["TargetGroupArn"]
        if set(group["LoadBalancerArns"]) != users.pop(arn, set()):
            found.append(f"{arn}: is said to be used by {group['LoadBalancerArns']}")
        elb.describe_target_health(TargetGroupArn=arn)
    found += [f"{arn}: is forwarded to and not there" for arn in users]
    for start in range(0, len(arns), 20):
        try:
            elb.describe_tags(ResourceArns=arns[start : start + 20])
        except ClientError as error:
            found.append(f"tags cannot be described: {error}")
    return found


def _of_rules(listener: Any, rules: list[Any]) -> Iterator[str]:
    arn = listener["ListenerArn"]
    priorities = [rule["Priority"] for rule in rules]
    yield from _repeated(f"rules of {arn} with priority", priorities)
    ordered = sorted(int(one) for one in priorities[:-1])
    if [*map(str, ordered), "default"] != priorities:
        yield f"{arn}: its rules come in the order {priorities}"
    elif rules[-1]["Actions"] != listener["DefaultActions"] or not rules[-1]["IsDefault"]:
        yield f"{arn}: its default rule is not its default action"


def _used(rules: list[Any]) -> set[str]:
    return {
        group["TargetGroupArn"]
        for rule in rules
        for action in rule["Actions"]
        for group in action.get("ForwardConfig", {}).get("TargetGroups", ())
    }


def _all(elb: Any, operation: str, member: str, **params: Any) -> list[Any]:
    pages = elb.get_paginator(operation).paginate(**params)
    return [one for page in pages for one in page[member]]
