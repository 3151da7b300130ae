"""Slow start and anomaly mitigation through the real proxy. Their steps are in tests/health/.

Source: ALB user guide, "Edit target group attributes".
"""

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.backends import Backends, backends
from tests.support.command import until
from tests.support.groups import at, by, make_group, set_group, until_healthy
from tests.support.stack import Stack, forward


@pytest.fixture(scope="module")
def servers() -> Iterator[Backends]:
    with backends() as found:
        yield found


def test_a_target_in_slow_start_gets_few_requests(traffic: Stack, servers: Backends) -> None:
    first, later = servers.start("first"), servers.start("later")
    group = make_group(traffic, first)
    set_group(traffic, group, slow_start__duration_seconds="900")
    front = traffic.front(forward(group))
    until_healthy(traffic, group)
    traffic.elb.register_targets(TargetGroupArn=group, Targets=[at(later)])
    until_healthy(traffic, group)
    found = Counter(by(front.get()) for _ in range(60))
    assert 1 <= found["later"] <= 6  # 5 % to 100 %
    set_group(traffic, group, slow_start__duration_seconds="0")
    found = Counter(by(front.get()) for _ in range(60))
    assert 28 <= found["later"] <= 32


@pytest.mark.timeout(60)
def test_a_target_that_fails_is_anomalous_and_gets_fewer_requests(
    traffic: Stack, servers: Backends
) -> None:
    failing, *others = (servers.start(name) for name in ("failing", "one", "two"))
    group = make_group(traffic, failing, *others)
    set_group(
        traffic,
        group,
        load_balancing__algorithm__type="weighted_random",
        load_balancing__algorithm__anomaly_mitigation="on",
    )
    front = traffic.front(forward(group))
    until_healthy(traffic, group)

    def anomalies() -> dict[int, tuple[str, str]]:
        shown = traffic.elb.describe_target_health(
            TargetGroupArn=group, Include=["AnomalyDetection"]
        )
        return {
            one["Target"]["Port"]: tuple(one["AnomalyDetection"].values())
            for one in shown["TargetHealthDescriptions"]
        }

    assert set(anomalies().values()) == {("normal", "no")}
    failing.status = "500 Broken"

    def is_mitigated() -> bool:
        for _ in range(10):
            front.get()
        return anomalies()[failing.port] == ("anomalous", "yes")

    until(is_mitigated)
    assert [anomalies()[other.port] for other in others] == [("normal", "no")] * 2
    found = Counter(json.loads(front.get().body)["by"] for _ in range(200))
    assert found["failing"] < 60
    assert min(found["one"], found["two"]) > 40
