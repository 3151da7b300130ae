"""Algorithms, slow start, anomalies and deregistration, row by row.

Source: ALB user guide, "Edit target group attributes", "Target groups" (deregistration delay).
"""

import threading
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from tests.support.backends import Backend, Backends
from tests.support.command import until
from tests.support.envoy import Answer
from tests.support.groups import at, by, make_group, set_group, states, until_healthy
from tests.support.stack import Front, Stack, forward, request

pytestmark = pytest.mark.timeout(60)  # anomalies are looked for every five seconds


def front_of(
    traffic: Stack, *targets: Backend, attributes: dict[str, str] | None = None, **params: Any
) -> tuple[Front, str]:
    """Have a load balancer in front of a group of healthy targets."""
    group = make_group(traffic, *targets, **params)
    if attributes:
        set_group(traffic, group, **attributes)
    front = traffic.front(forward(group))
    until_healthy(traffic, group)
    return front, group


def sequence(front: Front, count: int, target: str = "/") -> list[str]:
    """Return who has answered requests on one connection, in turn."""
    found = []
    with front.connect() as client:
        for _ in range(count):
            client.write(request(f"GET {target}"))
            found.append(by(client.read()))
    return found


def wait_in_thread(front: Front, answers: list[Answer]) -> threading.Thread:
    """Ask for /wait in a thread, which ends when the server lets it."""
    thread = threading.Thread(target=lambda: answers.append(front.get("/wait")))
    thread.start()
    return thread


def test_round_robin_sequential_per_node(traffic: Stack, servers: Backends) -> None:
    front, _ = front_of(traffic, *(servers.start(name) for name in "abc"))

    def is_in_turn() -> bool:
        found = sequence(front, 12)
        return all(len(set(found[start : start + 3])) == 3 for start in range(10))

    until(is_in_turn)  # news of the targets' health begin a new turn


def test_least_outstanding_requests(traffic: Stack, servers: Backends) -> None:
    both = servers.start("one"), servers.start("two")
    lor = {"load_balancing__algorithm__type": "least_outstanding_requests"}
    front, group = front_of(traffic, *both, attributes=lor)
    answers: list[Answer] = []
    thread = wait_in_thread(front, answers)
    until(lambda: sum(len(one.seen) for one in both) == 1)
    (free,) = (one.name for one in both if not one.seen)
    assert set(sequence(front, 12)) == {free}
    set_group(traffic, group, load_balancing__algorithm__type="round_robin")
    assert set(sequence(front, 4)) == {"one", "two"}
    for one in both:
        one.release.set()
    thread.join()
    assert by(answers[0]) != free


def test_weighted_random_random_equal_weights(traffic: Stack, servers: Backends) -> None:
    random = {"load_balancing__algorithm__type": "weighted_random"}
    front, _ = front_of(traffic, *(servers.start(name) for name in "abc"), attributes=random)
    found = sequence(front, 600)
    assert all(120 < count < 280 for count in Counter(found).values())  # six sigmas of 200
    assert any(first == second for first, second in pairwise(found))  # not in turn


# Anomalies: three groups, looked at together.

MITIGATED = {
    "load_balancing__algorithm__type": "weighted_random",
    "load_balancing__algorithm__anomaly_mitigation": "on",
}


@pytest.fixture(scope="module")
def anomalous(traffic: Stack, servers: Backends) -> dict[str, tuple[Front, str, Backend]]:
    """Groups in which one target fails, after that has been noticed where it will be."""
    well = [servers.start(name) for name in ("one", "two")]
    failing = servers.start("failing", status="500 Broken")
    unreachable = servers.start("unreachable")
    servers.stop(unreachable)
    found = {}
    for name, targets, attributes in (
        ("HTTP 5xx", [failing, *well], MITIGATED),
        ("connection errors", [unreachable, *well], MITIGATED),
        ("not mitigated", [failing, *well], {"load_balancing__algorithm__type": "weighted_random"}),
        ("two targets", [failing, well[0]], MITIGATED),
    ):
        checks = {"HealthCheckPort": str(well[0].port)}  # so that all of them are healthy
        front, group = front_of(traffic, *targets, attributes=attributes, **checks)
        found[name] = (front, group, targets[0])

    def are_noticed() -> bool:
        for front, *_ in found.values():
            for _ in range(5):
                front.get()
        return all(
            anomalies(traffic, group)[target.port][0] == "anomalous"
            for name, (_, group, target) in found.items()
            if name != "two targets"
        )

    until(are_noticed)
    return found


def anomalies(traffic: Stack, group: str) -> dict[int, tuple[str, str]]:
    """Return result and mitigation of each target by its port."""
    shown = traffic.elb.describe_target_health(TargetGroupArn=group, Include=["AnomalyDetection"])
    found = {}
    for one in shown["TargetHealthDescriptions"]:
        assert set(one["AnomalyDetection"]) == {"Result", "MitigationInEffect"}
        detection = one["AnomalyDetection"]
        found[one["Target"]["Port"]] = (detection["Result"], detection["MitigationInEffect"])
    return found


Groups = dict[str, tuple[Front, str, Backend]]


@pytest.mark.parametrize("signal", ["HTTP 5xx", "connection errors"])
def test_atw_anomaly_mitigation_signals_http_5xx_and_connection_errors(
    traffic: Stack, anomalous: Groups, signal: str
) -> None:
    front, group, target = anomalous[signal]
    until(lambda: anomalies(traffic, group)[target.port] == ("anomalous", "yes"))
    others = {port: one for port, one in anomalies(traffic, group).items() if port != target.port}
    assert list(others.values()) == [("normal", "no")] * 2
    found = Counter(front.get().status for _ in range(200))
    assert found[200] > 140  # a third would fail


def test_anomaly_result_without_mitigation(traffic: Stack, anomalous: Groups) -> None:
    _, group, target = anomalous["not mitigated"]
    assert anomalies(traffic, group)[target.port] == ("anomalous", "no")


def test_atw_needs_at_least_3_healthy_targets(traffic: Stack, anomalous: Groups) -> None:
    _, group, _ = anomalous["two targets"]
    assert set(anomalies(traffic, group).values()) == {("normal", "no")}


def test_anomalies_are_shown_where_include_asks_for_them(traffic: Stack, anomalous: Groups) -> None:
    _, group, _ = anomalous["HTTP 5xx"]
    for include, is_shown in (({}, False), ({"Include": []}, False), ({"Include": ["All"]}, True)):
        shown = traffic.elb.describe_target_health(TargetGroupArn=group, **include)
        for one in shown["TargetHealthDescriptions"]:
            assert ("AnomalyDetection" in one) is is_shown


def test_slow_start_for_newly_healthy_targets_only_if_another_target_is_already_past_it(
    traffic: Stack, servers: Backends
) -> None:
    one, two, later = (servers.start(name) for name in ("one", "two", "later"))
    slow = {"slow_start__duration_seconds": "900"}
    front, group = front_of(traffic, one, two, attributes=slow)
    assert Counter(sequence(front, 20)) == {"one": 10, "two": 10}
    traffic.elb.register_targets(TargetGroupArn=group, Targets=[at(later)])
    until_healthy(traffic, group)
    assert 1 <= Counter(sequence(front, 60))["later"] <= 6  # 5 % to 100 %
    set_group(traffic, group, slow_start__duration_seconds="0")
    assert 18 <= Counter(sequence(front, 60))["later"] <= 22


def test_slow_start_linear_ramp(traffic: Stack, servers: Backends) -> None:
    """After a tenth of the least duration the share has grown with it."""
    one, later = servers.start("one"), servers.start("later")
    slow = {"slow_start__duration_seconds": "30"}
    front, group = front_of(traffic, one, attributes=slow)
    traffic.elb.register_targets(TargetGroupArn=group, Targets=[at(later)])
    until_healthy(traffic, group)
    first = Counter(sequence(front, 100))["later"]
    assert 1 <= first <= 20
    until(lambda: Counter(sequence(front, 100))["later"] >= first + 4)


def test_deregistration_state_draining_until_the_delay_ends_then_gone(
    traffic: Stack, servers: Backends
) -> None:
    leaving, staying = servers.start("leaving"), servers.start("staying")
    delay = {"deregistration_delay__timeout_seconds": "1"}
    front, group = front_of(traffic, leaving, attributes=delay)
    answers: list[Answer] = []
    thread = wait_in_thread(front, answers)
    until(lambda: len(leaving.seen) == 1)
    traffic.elb.register_targets(TargetGroupArn=group, Targets=[at(staying)])
    traffic.elb.deregister_targets(TargetGroupArn=group, Targets=[at(leaving)])
    assert states(traffic, group)[leaving.port] == "draining"
    assert set(sequence(front, 6)) == {"staying"}
    until(lambda: leaving.port not in states(traffic, group))
    (asked,) = traffic.elb.describe_target_health(TargetGroupArn=group, Targets=[at(leaving)])[
        "TargetHealthDescriptions"
    ]
    assert asked["TargetHealth"]["State"] == "unused"
    leaving.release.set()
    thread.join()
    assert by(answers[0]) == "leaving"


def test_deregistration_delay_0_gone_at_once(traffic: Stack, servers: Backends) -> None:
    only = servers.start("only")
    delay = {"deregistration_delay__timeout_seconds": "0"}
    front, group = front_of(traffic, only, attributes=delay)
    traffic.elb.deregister_targets(TargetGroupArn=group, Targets=[at(only)])
    assert states(traffic, group) == {}
    assert front.get().status == 503


def test_target_that_drains_closing_early_5xx(traffic: Stack, servers: Backends) -> None:
    only = servers.start("only")
    front, group = front_of(traffic, only)
    answers: list[Answer] = []
    thread = wait_in_thread(front, answers)
    until(lambda: len(only.seen) == 1)
    traffic.elb.deregister_targets(TargetGroupArn=group, Targets=[at(only)])
    servers.stop(only)
    thread.join()
    assert answers[0].status == 502
    assert states(traffic, group) == {only.port: "draining"}


def test_lambda_selection_is_trivial(traffic: Stack) -> None:
    front = traffic.front()
    assert all(front.get().status == 200 for _ in range(3))
