import pytest

OK = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "200"}}]
TEAPOT = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "418"}}]
PATH = [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/img/*"]}}]


@pytest.fixture
def listener(make_balancer, make_listener):
    return make_listener(make_balancer())


def default_of(elb, listener):
    (rule,) = (r for r in elb.describe_rules(ListenerArn=listener)["Rules"] if r["IsDefault"])
    return rule


def test_creating_answers_what_aws_answers(elb, listener):
    (created,) = elb.create_rule(
        ListenerArn=listener,
        Priority=5,
        Conditions=[
            {"Field": "path-pattern", "Values": ["/img/*"]},
            {"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example.com", "a.b"]}},
        ],
        Actions=OK,
    )["Rules"]
    prefix = listener.replace(":listener/", ":listener-rule/") + "/"
    assert created["RuleArn"].startswith(prefix)
    assert created == {
        "RuleArn": created["RuleArn"],
        "Priority": "5",
        "Conditions": [
            {
                "Field": "path-pattern",
                "Values": ["/img/*"],
                "PathPatternConfig": {"Values": ["/img/*"]},
            },
            {
                "Field": "host-header",
                "Values": ["*.example.com", "a.b"],
                "HostHeaderConfig": {"Values": ["*.example.com", "a.b"]},
            },
        ],
        "Actions": OK,
        "IsDefault": False,
        "Transforms": [],
    }


def test_the_default_action_is_a_rule_of_its_own(elb, listener):
    rule = default_of(elb, listener)
    arn = rule.pop("RuleArn")
    assert rule == {
        "Priority": "default",
        "Conditions": [],
        "Actions": OK,
        "IsDefault": True,
        "Transforms": [],
    }
    assert elb.describe_rules(RuleArns=[arn])["Rules"][0]["IsDefault"]


def test_rules_are_described_in_the_order_in_which_they_are_tried(elb, listener, make_rule):
    for priority in (100, 9, 50_000, 10):
        make_rule(listener, priority)
    rules = elb.describe_rules(ListenerArn=listener)["Rules"]
    assert [rule["Priority"] for rule in rules] == ["9", "10", "100", "50000", "default"]
    pages = elb.get_paginator("describe_rules").paginate(
        ListenerArn=listener, PaginationConfig={"PageSize": 2}
    )
    priorities = [[rule["Priority"] for rule in page["Rules"]] for page in pages]
    assert priorities == [["9", "10"], ["100", "50000"], ["default"]]


def test_describing_needs_a_listener_or_rules(elb, refused, listener, make_rule):
    rule = make_rule(listener, 1)
    describe = elb.describe_rules
    assert refused(describe) == (
        "ValidationError",
        "You must specify either listener rule ARNs or a listener ARN",
    )
    assert refused(describe, ListenerArn=listener, RuleArns=[rule]) == (
        "ValidationError",
        "Listener rule ARNs and a listener ARN cannot be specified at the same time",
    )
    gone = rule[:-16] + "0" * 16
    assert refused(describe, RuleArns=[gone]) == ("RuleNotFound", "One or more rules not found")
    assert refused(describe, RuleArns=[listener]) == (
        "ValidationError",
        f"'{listener}' is not a valid listener rule ARN",
    )


def test_a_priority_is_used_once_by_a_listener(
    elb, refused, listener, make_rule, make_balancer, make_listener
):
    make_rule(listener, 10)
    assert refused(
        elb.create_rule, ListenerArn=listener, Priority=10, Conditions=PATH, Actions=OK
    ) == ("PriorityInUse", "Priority '10' is currently in use")
    make_rule(make_listener(make_balancer("other")), 10)


@pytest.mark.parametrize("priority", [0, 50_001])
def test_priorities_go_from_1_to_50000(elb, refused, listener, priority):
    code, message = refused(
        elb.create_rule, ListenerArn=listener, Priority=priority, Conditions=PATH, Actions=OK
    )
    assert code == "ValidationError"
    assert f"Value '{priority}' at 'priority' failed to satisfy constraint" in message


def test_modifying_changes_what_is_given_only(elb, refused, listener, make_rule):
    rule = make_rule(listener, 1, path="/a")
    (changed,) = elb.modify_rule(RuleArn=rule, Actions=TEAPOT)["Rules"]
    assert changed["Actions"] == TEAPOT
    assert changed["Conditions"][0]["Values"] == ["/a"]
    (changed,) = elb.modify_rule(RuleArn=rule, Conditions=PATH)["Rules"]
    assert changed["Conditions"][0]["Values"] == ["/img/*"]
    assert changed["Actions"] == TEAPOT
    assert refused(elb.modify_rule, RuleArn=rule) == (
        "ValidationError",
        "Either conditions or actions must be specified",
    )


def test_the_default_rule_cannot_be_changed_moved_or_deleted(elb, refused, listener):
    arn = default_of(elb, listener)["RuleArn"]
    pairs = [{"RuleArn": arn, "Priority": 1}]
    for code, _ in (
        refused(elb.modify_rule, RuleArn=arn, Actions=TEAPOT),
        refused(elb.set_rule_priorities, RulePriorities=pairs),
        refused(elb.delete_rule, RuleArn=arn),
    ):
        assert code == "OperationNotPermitted"


def test_a_deleted_rule_is_gone(elb, refused, listener, make_rule):
    rule = make_rule(listener, 1)
    elb.delete_rule(RuleArn=rule)
    assert refused(elb.delete_rule, RuleArn=rule)[0] == "RuleNotFound"
    make_rule(listener, 1)


def test_priorities_are_set_together(elb, listener, make_rule):
    first, second = make_rule(listener, 1), make_rule(listener, 2)
    swap = [{"RuleArn": first, "Priority": 2}, {"RuleArn": second, "Priority": 1}]
    answer = elb.set_rule_priorities(RulePriorities=swap)["Rules"]
    assert [(rule["RuleArn"], rule["Priority"]) for rule in answer] == [(first, "2"), (second, "1")]
    rules = elb.describe_rules(ListenerArn=listener)["Rules"]
    assert [rule["RuleArn"] for rule in rules[:2]] == [second, first]
    elb.set_rule_priorities(RulePriorities=swap)  # where they are already


def test_conflicting_priorities_change_nothing(elb, refused, listener, make_rule):
    rules = [make_rule(listener, priority) for priority in (1, 2, 3)]

    def set_to(*priorities):
        pairs = zip(rules, priorities, strict=False)
        return refused(
            elb.set_rule_priorities,
            RulePriorities=[{"RuleArn": arn, "Priority": priority} for arn, priority in pairs],
        )

    assert set_to(7, 3) == ("PriorityInUse", "Priority '3' is currently in use")
    assert set_to(7, 7) == ("ValidationError", "Priority '7' was provided multiple times")
    rule = {"RuleArn": rules[0], "Priority": 9}
    for pairs in ([], [{"RuleArn": rules[0]}], [rule, rule]):
        code, _ = refused(elb.set_rule_priorities, RulePriorities=pairs)
        assert code == "ValidationError"
    now = elb.describe_rules(ListenerArn=listener)["Rules"]
    assert [rule["Priority"] for rule in now] == ["1", "2", "3", "default"]


def test_the_same_priority_may_be_set_on_two_listeners(
    elb, make_balancer, make_listener, make_rule
):
    balancer = make_balancer()
    rules = [make_rule(make_listener(balancer, port), 1) for port in (80, 81)]
    pairs = [{"RuleArn": rule, "Priority": 5} for rule in rules]
    answer = elb.set_rule_priorities(RulePriorities=pairs)["Rules"]
    assert [rule["Priority"] for rule in answer] == ["5", "5"]
