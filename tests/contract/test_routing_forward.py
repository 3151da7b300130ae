"""The action forward, sentence by sentence. Sources: ALB user guide, "Action types for listener
rules", "Quotas"; elbv2 API, `ForwardActionConfig`, `TargetGroupStickinessConfig`.
"""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from albatross.model import pages
from tests.support.envoy import Answer
from tests.support.rules import Document, refused, weighted
from tests.support.stack import Front, Stack, event, fixed, forward


@pytest.fixture(scope="module")
def groups(traffic: Stack) -> list[str]:
    return [traffic.group() for _ in range(6)]


@pytest.fixture(scope="module")
def front(traffic: Stack, groups: list[str]) -> Front:
    """A load balancer to which all `groups` belong; tests set its default action."""
    front = traffic.front(weighted(dict.fromkeys(groups[:5], 1)))
    traffic.elb.create_rule(
        ListenerArn=front.listener,
        Priority=1,
        Conditions=[{"Field": "path-pattern", "Values": ["/sixth"]}],
        Actions=[forward(groups[5])],
    )
    return front


def shown(front: Front, action: Document) -> Document:
    """Set the default action and return it as it is described."""
    front.default(action)
    (listener,) = front.stack.elb.describe_listeners(ListenerArns=[front.listener])["Listeners"]
    (found,) = listener["DefaultActions"]
    assert isinstance(found, dict)
    return found


def refusal(elb: Any, front: Front, action: Document) -> tuple[str, str]:
    return refused(elb.modify_listener, ListenerArn=front.listener, DefaultActions=[action])


def group_of(answer: Answer) -> str:
    arn: str = event(answer)["requestContext"]["elb"]["targetGroupArn"]
    return arn


def cookies(answer: Answer) -> dict[str, str]:
    """Return the lines of cookies that are set, by the cookie's name, without it."""
    lines = [value for name, value in answer.headers if name.lower() == "set-cookie"]
    return dict(line.split("=", 1) for line in lines)


class TestTargetGroups:
    def test_targetgrouparn_alone(self, front: Front, groups: list[str]) -> None:
        assert shown(front, forward(groups[0])) == {
            "Type": "forward",
            "TargetGroupArn": groups[0],
            "ForwardConfig": {
                "TargetGroups": [{"TargetGroupArn": groups[0], "Weight": 1}],
                "TargetGroupStickinessConfig": {"Enabled": False},
            },
        }
        assert group_of(front.get()) == groups[0]

    @pytest.mark.parametrize("number", [1, 5])
    def test_forwardconfig_targetgroups_1_to_5(
        self, front: Front, groups: list[str], number: int
    ) -> None:
        action = weighted(dict.fromkeys(groups[:number], 1))
        config = shown(front, action)["ForwardConfig"]
        assert config["TargetGroups"] == action["ForwardConfig"]["TargetGroups"]
        assert group_of(front.get()) in groups[:number]

    def test_a_sixth_is_refused(self, elb: Any, front: Front, groups: list[str]) -> None:
        code, _ = refusal(elb, front, weighted(dict.fromkeys(groups, 1)))
        assert code == "TooManyActions"

    @pytest.mark.parametrize("weight", [0, 999])
    def test_weight_0_to_999(self, front: Front, groups: list[str], weight: int) -> None:
        config = shown(front, weighted({groups[0]: weight, groups[1]: 1}))["ForwardConfig"]
        assert config["TargetGroups"][0]["Weight"] == weight

    @pytest.mark.parametrize("weight", [-1, 1000])
    def test_no_other_weight(self, elb: Any, front: Front, groups: list[str], weight: int) -> None:
        code, message = refusal(elb, front, weighted({groups[0]: weight, groups[1]: 1}))
        assert code == "ValidationError"
        assert str(weight) in message

    def test_weights_required_when_more_than_1(
        self, elb: Any, front: Front, groups: list[str]
    ) -> None:
        tuples = [{"TargetGroupArn": arn} for arn in groups[:2]]
        action = {"Type": "forward", "ForwardConfig": {"TargetGroups": tuples}}
        code, message = refusal(elb, front, action)
        assert (code, "weight must be specified" in message) == ("ValidationError", True)
        one = {"Type": "forward", "ForwardConfig": {"TargetGroups": tuples[:1]}}
        assert shown(front, one)["TargetGroupArn"] == groups[0]

    def test_both_only_if_the_same_single_tg(
        self, elb: Any, front: Front, groups: list[str]
    ) -> None:
        one, other = forward(groups[0]), forward(groups[1])
        config = weighted({groups[0]: 1})
        assert shown(front, {**one, **config})["TargetGroupArn"] == groups[0]
        for action in ({**other, **config}, {**one, **weighted({groups[0]: 1, groups[1]: 1})}):
            code, _ = refusal(elb, front, action)
            assert code == "ValidationError"

    def test_a_group_that_is_not_there_is_targetgroupnotfound(
        self, elb: Any, front: Front, groups: list[str]
    ) -> None:
        gone = groups[0][:-16] + "0" * 16
        assert refusal(elb, front, forward(gone)) == (
            "TargetGroupNotFound",
            f"Target group '{gone}' not found",
        )

    def test_a_tg_belongs_to_one_lb_only_targetgroupassociationlimit(
        self, elb: Any, traffic: Stack, groups: list[str]
    ) -> None:
        other = traffic.front(fixed())
        code, message = refusal(elb, other, forward(groups[0]))
        assert code == "TargetGroupAssociationLimit"
        assert message == (
            "The following target groups cannot be associated with more than one load balancer: "
            f"{groups[0]}"
        )


class TestChoice:
    def test_random_choice_proportional_to_weight(self, front: Front, groups: list[str]) -> None:
        front.default(weighted({groups[0]: 30, groups[1]: 10}))
        found = Counter(group_of(front.get()) for _ in range(200))
        assert set(found) == set(groups[:2])
        assert 115 <= found[groups[0]] <= 182  # of 150: five standard deviations

    def test_weight_0_no_new_traffic(self, front: Front, groups: list[str]) -> None:
        front.default(weighted({groups[0]: 0, groups[1]: 1}))
        assert {group_of(front.get()) for _ in range(20)} == {groups[1]}

    def test_no_fail_over_to_another_tg_when_the_chosen_one_is_empty(
        self, front: Front, groups: list[str]
    ) -> None:
        stack = front.stack
        empty = stack.elb.create_target_group(Name=stack.name(), TargetType="lambda")
        arn = empty["TargetGroups"][0]["TargetGroupArn"]
        front.default(weighted({arn: 1, groups[0]: 1}))
        answers = [front.get() for _ in range(40)]
        assert {answer.status for answer in answers} == {200, 503}
        assert {group_of(one) for one in answers if one.status == 200} == {groups[0]}

    def test_all_weights_0_503(self, front: Front, groups: list[str]) -> None:
        front.default(weighted({groups[0]: 0, groups[1]: 0}))
        answer = front.get()
        assert (answer.status, answer.body.decode()) == (503, pages.page(503))


class TestStickiness:
    @pytest.mark.parametrize("seconds", [1, 604_800])
    def test_durationseconds_1_to_604800(
        self, front: Front, groups: list[str], seconds: int
    ) -> None:
        action = weighted({groups[0]: 1, groups[1]: 1}, sticky_s=seconds)
        config = shown(front, action)["ForwardConfig"]["TargetGroupStickinessConfig"]
        assert config == {"Enabled": True, "DurationSeconds": seconds}

    @pytest.mark.parametrize("seconds", [0, -1, 604_801])
    def test_no_other_durationseconds(
        self, elb: Any, front: Front, groups: list[str], seconds: int
    ) -> None:
        action = weighted({groups[0]: 1, groups[1]: 1})
        stickiness = {"Enabled": True, "DurationSeconds": seconds}
        action["ForwardConfig"]["TargetGroupStickinessConfig"] = stickiness
        code, message = refusal(elb, front, action)
        assert (code, str(seconds) in message) == ("ValidationError", True)

    def test_durationseconds_required_if_enabled(
        self, elb: Any, front: Front, groups: list[str]
    ) -> None:
        action = weighted({groups[0]: 1, groups[1]: 1})
        action["ForwardConfig"]["TargetGroupStickinessConfig"] = {"Enabled": True}
        code, message = refusal(elb, front, action)
        assert (code, "DurationSeconds" in message) == ("ValidationError", True)

    def test_cookie_awsalbtg_opaque_plus_twin_awsalbtgcors_same_value_samesite_none_secure(
        self, front: Front, groups: list[str]
    ) -> None:
        front.default(weighted({groups[0]: 1, groups[1]: 1}, sticky_s=60))
        answer = front.get()
        found = cookies(answer)
        assert list(found) == ["AWSALBTG", "AWSALBTGCORS"]
        assert found["AWSALBTGCORS"] == f"{found['AWSALBTG']}; SameSite=None; Secure"
        value = found["AWSALBTG"].partition(";")[0]
        assert group_of(answer).rpartition("/")[2] not in value

    def test_cookie_attributes_expires_date_plus_7d_path(
        self, front: Front, groups: list[str]
    ) -> None:
        front.default(weighted({groups[0]: 1, groups[1]: 1}, sticky_s=60))
        line = cookies(front.get())["AWSALBTG"]
        found = re.fullmatch(r"[^;\s]+; Expires=([^;]+ GMT); Path=/", line)
        assert found
        off = parsedate_to_datetime(found[1]) - datetime.now(UTC) - timedelta(days=7)
        assert abs(off) < timedelta(seconds=10)

    def test_a_client_with_the_cookie_stays_also_with_lambda_tgs(
        self, front: Front, groups: list[str]
    ) -> None:
        front.default(weighted(dict.fromkeys(groups[:5], 1), sticky_s=60))
        first = front.get()
        value = cookies(first)["AWSALBTG"].partition(";")[0]
        for name in ("AWSALBTG", "AWSALBTGCORS"):
            answers = [front.get("/", f"Cookie: a=b; {name}={value}; c=d") for _ in range(8)]
            assert {group_of(answer) for answer in answers} == {group_of(first)}
        assert len({group_of(front.get()) for _ in range(40)}) > 1

    def test_cookie_naming_a_tg_not_in_the_rule_new_choice(
        self, front: Front, groups: list[str]
    ) -> None:
        front.default(weighted({groups[0]: 1, groups[1]: 0}, sticky_s=60))
        value = cookies(front.get())["AWSALBTG"].partition(";")[0]
        front.default(weighted({groups[2]: 1, groups[3]: 0}, sticky_s=60))
        answer = front.get("/", f"Cookie: AWSALBTG={value}")
        assert group_of(answer) == groups[2]
        assert cookies(answer)["AWSALBTG"].partition(";")[0] != value

    @pytest.mark.parametrize("value", ["%41%42", "", "x", "0" * 64])
    def test_a_url_encoded_or_unknown_cookie_value_is_none(
        self, front: Front, groups: list[str], value: str
    ) -> None:
        front.default(weighted({groups[0]: 1, groups[1]: 0}, sticky_s=60))
        answer = front.get("/", f"Cookie: AWSALBTG={value}")
        assert group_of(answer) == groups[0]
        assert list(cookies(answer)) == ["AWSALBTG", "AWSALBTGCORS"]

    def test_no_cookie_where_it_is_not_enabled(self, front: Front, groups: list[str]) -> None:
        front.default(weighted({groups[0]: 1, groups[1]: 1}))
        assert cookies(front.get()) == {}
