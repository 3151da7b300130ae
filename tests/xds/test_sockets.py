"""What is kept between translations is what would be made anew."""

import random
from dataclasses import replace

import pytest

from albatross.model.rule import FixedResponse, Forward, HostHeader, PathPattern, Rule
from albatross.model.snapshot import ListenerRules, Snapshot
from albatross.xds.memo import Memo
from albatross.xds.translate import Binding, DanglingName, Resources, translate
from tests.support.envoy import TARGET_GROUP, Balancer, to_snapshot

CHANGES = 60
PATHS = [((PathPattern(values=(f"/{n}",)),), FixedResponse(status_code=200)) for n in range(30)]
HOSTS = [((HostHeader(values=("a.test",)),), FixedResponse(status_code=201))]


def made(snapshot: Snapshot, shared: bool, memo: Memo | None = None) -> Resources:
    ports = [80 if shared else 80 + n for n in range(len(snapshot.listeners))]
    bindings = {
        listener.arn: Binding("127.0.0.1", port)
        for listener, port in zip(snapshot.listeners, ports, strict=True)
    }
    return translate(snapshot, bindings, lambda_socket="s", lambda_idle_timeout=True, memo=memo)


def with_rules(before: Snapshot, listener_arn: str, rules: list[Rule]) -> Snapshot:
    """Return `before` with other rules of one listener, the others being the very same objects."""
    by_listener = {**before.by_listener, listener_arn: ListenerRules.of(rules)}
    return replace(before, by_listener=by_listener)


def changed(before: Snapshot, choose: random.Random) -> Snapshot:
    """Return `before` with one change of a kind that users make."""
    listener = choose.choice(before.listeners)
    *rules, default = before.by_listener[listener.arn].rules
    match choose.randrange(6):
        case 0 if rules:
            action = FixedResponse(status_code=200, message_body=str(choose.random()))
            return with_rules(
                before, listener.arn, [replace(rules[0], action=action), *rules[1:], default]
            )
        case 1 if rules:
            return with_rules(before, listener.arn, [*rules[1:], default])
        case 2:
            other = replace(default, action=Forward.to(TARGET_GROUP))
            return with_rules(before, listener.arn, [*rules, other])
        case 3:
            (group,) = before.target_groups
            timeout = {"deregistration_delay.timeout_seconds": str(choose.randrange(99))}
            return replace(before, target_groups=(replace(group, attributes=timeout),))
        case 4:
            number = choose.randrange(len(before.load_balancers))
            balancers = list(before.load_balancers)
            logs = {"access_logs.s3.enabled": choose.choice(("true", "false"))}
            balancers[number] = replace(balancers[number], attributes=logs)
            return replace(before, load_balancers=tuple(balancers))
    return replace(before, revision=before.revision + 1)


@pytest.mark.parametrize("shared", [False, True], ids=["a socket each", "one socket"])
@pytest.mark.parametrize("seed", range(3))
def test_many_changes_in_a_row_give_what_a_fresh_translation_gives(shared: bool, seed: int) -> None:
    choose, memo = random.Random(seed), Memo()
    snapshot = to_snapshot(
        Balancer("one", rules=PATHS), Balancer("two", rules=HOSTS), Balancer("three", rules=HOSTS)
    )
    for _ in range(CHANGES):
        assert made(snapshot, shared, memo) == made(snapshot, shared)
        snapshot = changed(snapshot, choose)


def test_what_a_rule_changes_is_its_own_table_alone() -> None:
    memo, before = Memo(), to_snapshot(*(Balancer(f"b{n}", rules=PATHS) for n in range(4)))
    old = made(before, False, memo)
    listener = before.listeners[2]
    *rules, default = before.by_listener[listener.arn].rules
    new = made(with_rules(before, listener.arn, [*rules[1:], default]), False, memo)
    kinds = ("listeners", "routes", "clusters", "endpoints", "runtimes")
    others = {
        name
        for kind in kinds
        for name, one in getattr(new, kind).items()
        if one is not getattr(old, kind)[name] and one != getattr(old, kind)[name]
    }
    assert others == {"127.0.0.1:82"}
    assert new.listeners["127.0.0.1:82"] is old.listeners["127.0.0.1:82"]


def test_a_snapshot_that_is_refused_leaves_the_last_one_as_it_was() -> None:
    memo, good = Memo(), to_snapshot(Balancer("one", rules=PATHS), Balancer("two"))
    made(good, False, memo)
    listener = good.listeners[0]
    bad = with_rules(good, listener.arn, list(good.by_listener[listener.arn].rules[:-1]))
    with pytest.raises(DanglingName):
        made(bad, False, memo)
    assert made(good, False, memo) == made(good, False)
