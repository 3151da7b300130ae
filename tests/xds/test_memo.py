"""What has not changed is not made again."""

from dataclasses import replace

from albatross.model.rule import FixedResponse, PathPattern
from albatross.model.snapshot import ListenerRules
from albatross.xds.memo import Memo
from albatross.xds.translate import Binding, translate
from tests.support.envoy import Balancer, to_snapshot


def test_equal_arguments_give_the_very_object_of_the_last_time() -> None:
    memo = Memo()
    first = memo.call("slot", list, (1, 2))
    assert memo.call("slot", list, (1, 2)) is first
    assert memo.call("another", list, (1, 2)) is not first
    assert memo.call("slot", list, (1, 3)) == [1, 3]
    assert memo.call("slot", tuple, (1, 3)) == (1, 3)


def test_what_is_not_used_is_forgotten() -> None:
    memo = Memo()
    first = memo.call("slot", list, (1, 2))
    memo.forget_unused()
    assert memo.call("slot", list, (1, 2)) is first
    memo.forget_unused()
    memo.forget_unused()
    assert memo.call("slot", list, (1, 2)) is not first


def test_a_changed_rule_makes_one_route_table_anew_and_nothing_else() -> None:
    rules = [((PathPattern(values=("/x",)),), FixedResponse(status_code=201))]
    before = to_snapshot(Balancer("one", rules=rules), Balancer("two", rules=rules))
    bindings = {one.arn: Binding("127.0.0.1", n) for n, one in enumerate(before.listeners, 1)}
    first = before.listeners[0].arn
    rule, default = before.by_listener[first].rules
    changed = replace(rule, action=FixedResponse(status_code=202))
    of_first = ListenerRules.of((changed, default))
    after = replace(before, by_listener={**before.by_listener, first: of_first})
    memo = Memo()
    old, new = (
        translate(one, bindings, lambda_socket="s", lambda_idle_timeout=True, memo=memo)
        for one in (before, after)
    )
    assert new.routes["127.0.0.1:1"] != old.routes["127.0.0.1:1"]
    assert new.routes["127.0.0.1:2"] is old.routes["127.0.0.1:2"]
    assert new.listeners["127.0.0.1:2"] is old.listeners["127.0.0.1:2"]
    assert new == translate(after, bindings, lambda_socket="s", lambda_idle_timeout=True)
