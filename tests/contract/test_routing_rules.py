"""Rules, row by row. Sources: ALB user guide, "Listener rules for your Application Load Balancer",
"Quotas"; elbv2 API, `CreateRule`, `ModifyRule`, `SetRulePriorities`.
"""

from typing import Any

import pytest

from tests.support.rules import (
    ANY,
    Document,
    header,
    host,
    host_rewrite,
    method,
    path,
    query,
    refused,
    rule,
    source,
    url_rewrite,
)
from tests.support.stack import Front, Stack, event, fixed, forward, redirect, request


def create(elb: Any, front: Front, **params: Any) -> Document:
    """Make a rule that every request matches, but for `params`."""
    made: Document = elb.create_rule(
        **{
            "ListenerArn": front.listener,
            "Priority": 1,
            "Conditions": [ANY],
            "Actions": [fixed(200, "rule")],
            **params,
        }
    )["Rules"][0]
    return made


def is_taken(elb: Any, front: Front, *conditions: Document) -> bool:
    """Have a rule with these conditions for a moment."""
    made = create(elb, front, Conditions=list(conditions))
    elb.delete_rule(RuleArn=made["RuleArn"])
    return [one["Field"] for one in made["Conditions"]] == [one["Field"] for one in conditions]


class TestPriority:
    @pytest.mark.parametrize("priority", [1, 50_000])
    def test_1_to_50000(self, elb: Any, front: Front, priority: int) -> None:
        made = create(elb, front, Priority=priority)
        assert made["Priority"] == str(priority)
        assert front.get().body == b"rule"
        elb.delete_rule(RuleArn=made["RuleArn"])

    @pytest.mark.parametrize(
        ("priority", "constraint"),
        [
            (0, "Member must have value greater than or equal to 1"),
            (-1, "Member must have value greater than or equal to 1"),
            (50_001, "Member must have value less than or equal to 50000"),
        ],
    )
    def test_others_are_refused(
        self, elb: Any, front: Front, priority: int, constraint: str
    ) -> None:
        assert refused(lambda: create(elb, front, Priority=priority)) == (
            "ValidationError",
            f"1 validation error detected: Value '{priority}' at 'priority' failed to satisfy "
            f"constraint: {constraint}",
        )

    def test_unique_per_listener_priorityinuse(
        self, elb: Any, front: Front, traffic: Stack
    ) -> None:
        other = traffic.front(fixed(404, "default"))
        with rule(front, ANY, action=fixed(200), priority=7):
            assert refused(lambda: create(elb, front, Priority=7)) == (
                "PriorityInUse",
                "Priority '7' is currently in use",
            )
            with rule(other, ANY, action=fixed(200, "of another listener"), priority=7):
                assert other.get().body == b"of another listener"

    def test_lowest_first_first_match_wins(self, front: Front) -> None:
        with (
            rule(front, path("/a*"), action=fixed(200, "30"), priority=30),
            rule(front, path("/a/b"), action=fixed(200, "4"), priority=4),
            rule(front, path("/a/*"), action=fixed(200, "5"), priority=5),
            rule(front, path("/a/b/c"), action=fixed(200, "never"), priority=31),
        ):
            said = {target: front.get(target).body for target in ("/a/b", "/a/b/c", "/ab", "/b")}
        assert said == {"/a/b": b"4", "/a/b/c": b"5", "/ab": b"30", "/b": b"default"}


def test_rules_per_lb_100_default_rules_excluded(elb: Any, traffic: Stack) -> None:
    front = traffic.front(fixed(404, "default"))
    second = elb.create_listener(
        LoadBalancerArn=front.balancer, Protocol="HTTP", Port=81, DefaultActions=[fixed()]
    )["Listeners"][0]["ListenerArn"]
    for number in range(100):
        listener = (front.listener, second)[number % 2]
        last = create(elb, front, ListenerArn=listener, Priority=number + 1)
    for listener in (front.listener, second):
        code, message = refused(
            lambda listener=listener: create(elb, front, ListenerArn=listener, Priority=500)
        )
        assert code == "TooManyRules"
        assert "limit of '100' rules" in message
    elb.delete_rule(RuleArn=last["RuleArn"])
    assert create(elb, front, Priority=500)["Priority"] == "500"
    elb.delete_load_balancer(LoadBalancerArn=front.balancer)


class TestConditions:
    @pytest.mark.parametrize(
        "condition",
        [host("a.example.com"), method("GET"), path("/a"), source("10.0.0.0/8")],
        ids=lambda condition: condition["Field"],
    )
    def test_at_most_one_each_of_host_header_http_request_method_path_pattern_source_ip(
        self, elb: Any, front: Front, condition: Document
    ) -> None:
        assert is_taken(elb, front, condition)
        assert refused(lambda: create(elb, front, Conditions=[condition, condition])) == (
            "ValidationError",
            f"A rule can only have one '{condition['Field']}' condition",
        )

    def test_any_number_of_http_header_and_query_string(self, elb: Any, front: Front) -> None:
        headers = [header("X-A", "1"), header("X-A", "2"), header("X-B", "1")]
        assert is_taken(elb, front, *headers, query(("a", "1")), query(("a", "2")))

    def test_all_conditions_anded(self, front: Front) -> None:
        conditions = [
            host("and.example.com"),
            path("/and"),
            header("X-A", "1"),
            query(("q", "1")),
            method("PUT"),
        ]
        good = ("PUT /and?q=1", "X-A: 1", "and.example.com")
        with rule(front, *conditions, action=fixed(200, "rule")):
            said = []
            for line, name, authority in (
                good,
                ("GET /and?q=1", *good[1:]),
                ("PUT /or?q=1", *good[1:]),
                ("PUT /and?q=2", *good[1:]),
                (good[0], "X-A: 2", good[2]),
                (*good[:2], "or.example.com"),
            ):
                said.append(front.send(request(line, name, host=authority)).body)
        assert said == [b"rule", *[b"default"] * 5]

    def test_two_http_header_conditions_anded(self, front: Front) -> None:
        with rule(front, header("X-A", "1*"), header("X-A", "*2"), action=fixed(200, "rule")):
            assert front.get("/", "X-A: 12").body == b"rule"
            assert front.get("/", "X-A: 13").body == b"default"

    def test_values_within_one_condition_ored(self, front: Front) -> None:
        with rule(front, path("/a", "/b"), method("GET", "PUT"), action=fixed(200, "rule")):
            said = [
                front.send(request(line)).body
                for line in ("GET /a", "PUT /b", "GET /b", "GET /c", "POST /a")
            ]
        assert said == [b"rule"] * 3 + [b"default"] * 2

    def test_a_condition_is_required_createrule_needs_conditions_and_actions(
        self, elb: Any, front: Front
    ) -> None:
        assert refused(lambda: create(elb, front, Conditions=[])) == (
            "ValidationError",
            "A condition must be specified",
        )
        assert refused(lambda: create(elb, front, Actions=[])) == (
            "ValidationError",
            "An action must be specified",
        )
        params = {"ListenerArn": front.listener, "Priority": 1}
        for given, missing in (
            ({"Conditions": [ANY]}, "actions"),
            ({"Actions": [fixed()]}, "conditions"),
        ):
            code, message = refused(elb.create_rule, **params, **given)
            assert code == "ValidationError"
            assert f"'{missing}' failed to satisfy constraint: Member must not be null" in message


class TestMatchEvaluations:
    @pytest.mark.parametrize(
        "conditions",
        [
            [path("/1", "/2", "/3")],
            [path("/1", "/2", "/3"), host("a.b", "c.d")],
            [header("X-A", *"12"), query(*"34"), method("GET")],
        ],
        ids=["3 of one", "5 of two", "5 of three"],
    )
    def test_3_values_per_condition_5_per_rule_are_taken(
        self, elb: Any, front: Front, conditions: list[Document]
    ) -> None:
        assert is_taken(elb, front, *conditions)

    @pytest.mark.parametrize(
        "conditions",
        [
            [path("/1", "/2", "/3"), host("a.b", "c.d", "e.f")],
            [header("X-A", *"12"), query(*"34"), method("GET", "PUT")],
            [source(*(f"10.0.0.{n}/32" for n in range(6)))],
            [path(regex=["a", "b", "c"]), host("a.b", "c.d", "e.f")],
        ],
        ids=["6 of two", "6 of three", "6 of one", "with expressions"],
    )
    def test_more_than_5_per_rule_in_all_are_refused(
        self, elb: Any, front: Front, conditions: list[Document]
    ) -> None:
        code, message = refused(lambda: create(elb, front, Conditions=conditions))
        assert code == "ValidationError"
        assert message.startswith("A rule can only have '5' condition values")

    def test_wildcards_per_rule_6_on_the_quota_page(self, elb: Any, front: Front) -> None:
        assert is_taken(elb, front, path("/*a?b*"), host("*.??.com"))
        assert is_taken(elb, front, query(("a*", "b*"), (r"\*", r"\?")), path("*?*?"))
        assert refused(
            lambda: create(elb, front, Conditions=[path("/*a?b*"), host("*.???.com")])
        ) == (
            "ValidationError",
            "A rule can only have '6' condition wildcards",
        )


class TestActions:
    def test_exactly_one_of_forward_redirect_fixed_response(self, elb: Any, front: Front) -> None:
        for actions in (
            [fixed(), fixed()],
            [fixed(), redirect(host="a.com")],
            [{**fixed(), "Order": 1}, {**redirect(host="a.com"), "Order": 2}],
        ):
            code, message = refused(lambda actions=actions: create(elb, front, Actions=actions))
            assert code in ("InvalidLoadBalancerAction", "TooManyActions")
            assert "exactly one action of type 'forward', 'redirect' or 'fixed-response'" in message

    @pytest.mark.parametrize(
        "kind", ["authenticate-oidc", "authenticate-cognito", "jwt-validation"]
    )
    def test_what_may_come_before_it_is_refused_by_name_in_this_version(
        self, elb: Any, front: Front, kind: str
    ) -> None:
        actions = [{"Type": kind, "Order": 1}, {**fixed(), "Order": 2}]
        for call in (
            lambda: create(elb, front, Actions=actions),
            lambda: elb.modify_listener(ListenerArn=front.listener, DefaultActions=actions),
        ):
            code, message = refused(call)
            assert code == "NotImplemented"
            assert f"The action type '{kind}' is not implemented" in message

    def test_a_type_that_there_is_not(self, elb: Any, front: Front) -> None:
        code, message = refused(lambda: create(elb, front, Actions=[{"Type": "drop"}]))
        assert code == "ValidationError"
        assert message.startswith(
            "1 validation error detected: Value 'drop' at 'actions.1.member.type' failed to "
            "satisfy constraint: Member must satisfy enum value set: ["
        )

    @pytest.mark.parametrize("order", [1, 50_000])
    def test_order_1_to_50000(self, elb: Any, front: Front, order: int) -> None:
        made = create(elb, front, Actions=[{**fixed(), "Order": order}])
        assert made["Actions"][0]["Order"] == order
        elb.delete_rule(RuleArn=made["RuleArn"])

    @pytest.mark.parametrize("order", [0, 50_001])
    def test_no_other_order(self, elb: Any, front: Front, order: int) -> None:
        code, message = refused(lambda: create(elb, front, Actions=[{**fixed(), "Order": order}]))
        assert code == "ValidationError"
        assert "at 'actions.1.member.order'" in message


class TestTransforms:
    def test_at_most_1_host_header_rewrite_and_1_url_rewrite(self, elb: Any, front: Front) -> None:
        one, other = host_rewrite("a", "b"), url_rewrite("a", "b")
        made = create(elb, front, Transforms=[one, other])
        assert made["Transforms"] == [one, other]
        elb.delete_rule(RuleArn=made["RuleArn"])
        for twice in (one, other):
            assert refused(lambda twice=twice: create(elb, front, Transforms=[twice, twice])) == (
                "ValidationError",
                f"A rule can only have one '{twice['Type']}' transform",
            )

    def test_not_on_the_default_rule(self, elb: Any, front: Front) -> None:
        (default,) = elb.describe_rules(ListenerArn=front.listener)["Rules"]
        code, _ = refused(
            elb.modify_rule, RuleArn=default["RuleArn"], Transforms=[url_rewrite("a", "b")]
        )
        assert code == "OperationNotPermitted"


class TestSetRulePriorities:
    def test_several_at_once_no_conflicts_in_the_end_state(self, front: Front) -> None:
        elb = front.stack.elb
        with (
            rule(front, ANY, action=fixed(200, "one"), priority=1) as one,
            rule(front, ANY, action=fixed(200, "two"), priority=2) as two,
            rule(front, ANY, action=fixed(200, "three"), priority=3) as three,
        ):
            turned = [(one, 3), (two, 1), (three, 2)]
            answer = elb.set_rule_priorities(
                RulePriorities=[{"RuleArn": arn, "Priority": n} for arn, n in turned]
            )
            assert {each["RuleArn"]: each["Priority"] for each in answer["Rules"]} == {
                arn: str(n) for arn, n in turned
            }
            assert front.get().body == b"two"
            for taken in ([(one, 1)], [(one, 5), (two, 2)]):
                code, _ = refused(
                    elb.set_rule_priorities,
                    RulePriorities=[{"RuleArn": arn, "Priority": n} for arn, n in taken],
                )
                assert code == "PriorityInUse"
            assert front.get().body == b"two"

    def test_default_rule_cannot_be_moved_operationnotpermitted(
        self, elb: Any, front: Front
    ) -> None:
        (default,) = elb.describe_rules(ListenerArn=front.listener)["Rules"]
        code, message = refused(
            elb.set_rule_priorities,
            RulePriorities=[{"RuleArn": default["RuleArn"], "Priority": 1}],
        )
        assert code == "OperationNotPermitted"
        assert "default rule" in message.lower()

    def test_a_rule_that_is_not_there_is_rulenotfound(self, elb: Any, front: Front) -> None:
        (default,) = elb.describe_rules(ListenerArn=front.listener)["Rules"]
        gone = default["RuleArn"][:-16] + "0" * 16
        for call, params in (
            (elb.set_rule_priorities, {"RulePriorities": [{"RuleArn": gone, "Priority": 1}]}),
            (elb.delete_rule, {"RuleArn": gone}),
            (elb.modify_rule, {"RuleArn": gone, "Actions": [fixed()]}),
            (elb.describe_rules, {"RuleArns": [gone]}),
        ):
            code, _ = refused(call, **params)
            assert code == "RuleNotFound"


class TestCharactersOnlyVisibleAsciiIsMatched:
    @pytest.mark.parametrize("character", ["\x00", "\x01", "\x09", "\x1f", "\x7f", "é"])
    @pytest.mark.parametrize("kind", ["host-header", "path-pattern", "http-header", "query-string"])
    def test_control_characters_0x00_0x1f_0x7f_excluded(
        self, elb: Any, front: Front, kind: str, character: str
    ) -> None:
        value = f"a{character}b"
        condition = {
            "host-header": host(f"{value}.com"),
            "path-pattern": path(f"/{value}"),
            "http-header": header("X-A", value),
            "query-string": query(("k", value)),
        }[kind]
        code, _ = refused(lambda: create(elb, front, Conditions=[condition]))
        assert code == "ValidationError"


def test_modify_rule_either_conditions_or_actions_must_be_specified(elb: Any, front: Front) -> None:
    with rule(front, ANY, action=fixed(200, "rule")) as arn:
        assert refused(elb.modify_rule, RuleArn=arn) == (
            "ValidationError",
            "Either conditions or actions must be specified",
        )


def test_a_rule_that_changes_is_in_force_when_the_call_returns(
    front: Front, traffic: Stack
) -> None:
    with rule(front, path("/now"), action=fixed(200, "before")) as arn:
        for n in range(5):
            traffic.elb.modify_rule(RuleArn=arn, Actions=[fixed(200, f"after {n}")])
            assert front.get("/now").body == f"after {n}".encode()
        traffic.elb.modify_rule(RuleArn=arn, Actions=[forward(traffic.group())])
        assert event(front.get("/now"))["path"] == "/now"
