"""What Envoy is told to note of requests, and when.

How its notes become lines is tested in tests/telemetry, whole requests in tests/e2e.
"""

from dataclasses import replace

import pytest
from google.protobuf.json_format import MessageToDict

from albatross.model.request_record import SEPARATOR, Choice, Record
from albatross.model.rule import (
    Action,
    FixedResponse,
    Forward,
    PathPattern,
    Redirect,
    WeightedTargetGroup,
)
from albatross.model.snapshot import Snapshot
from albatross.xds import names
from albatross.xds.translate import Binding, Observed, Resources, translate
from tests.support.envoy import PREFIX, TARGET_GROUP, Balancer, target_group, to_snapshot

ON = {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": "logs"}
SOCKET = "127.0.0.1:8080"


def resources_of(*balancers: Balancer, snapshot: Snapshot | None = None) -> Resources:
    return translate(
        snapshot or to_snapshot(*balancers),
        {one.listener_arn: Binding("127.0.0.1", 8080) for one in balancers},
        lambda_socket="/run/lambda.sock",
        lambda_idle_timeout=True,
        observed=Observed("/run/requests.log"),
    )


def switches(*balancers: Balancer) -> dict[str, int]:
    runtime = MessageToDict(resources_of(*balancers).runtimes[names.RUNTIME])
    found: dict[str, int] = runtime.get("layer", {})
    return found


def notes_of(resources: Resources) -> list[str]:
    """What is noted of the choice of each route."""
    table = resources.routes[SOCKET]
    return [
        " ".join(Choice.of(route.name) or ())
        for route in table.virtual_hosts[0].routes  # type: ignore[attr-defined]
    ]


@pytest.mark.parametrize(
    ("balancers", "is_on"),
    [
        pytest.param([Balancer()], False, id="no log"),
        pytest.param([Balancer(attributes=ON)], True, id="a log"),
        pytest.param([Balancer(), Balancer("b", attributes=ON)], True, id="another's log"),
    ],
)
def test_a_socket_is_logged_when_one_of_its_load_balancers_is(
    balancers: list[Balancer], is_on: bool
) -> None:
    assert switches(*balancers) == ({f"albatross.access_log.{SOCKET}": 100} if is_on else {})


def test_a_log_that_is_turned_on_leaves_listener_and_routes_as_they_are() -> None:
    off, on = resources_of(Balancer()), resources_of(Balancer(attributes=ON))
    assert off.listeners == on.listeners
    assert off.routes == on.routes


def test_a_record_has_every_field() -> None:
    listener = str(resources_of(Balancer()).listeners[SOCKET])
    assert listener.count("\\037") == len(Record._fields) - 1
    assert ord(SEPARATOR) == 0o37


@pytest.mark.parametrize(
    ("action", "words"),
    [
        pytest.param(Forward.to(TARGET_GROUP), f"forward {TARGET_GROUP}", id="forward"),
        pytest.param(FixedResponse(status_code=200), "fixed-response -", id="fixed response"),
        pytest.param(Redirect(status_code=301, host="b"), "redirect -", id="redirect"),
    ],
)
def test_a_route_says_which_rule_it_is(action: Action, words: str) -> None:
    balancer = Balancer(rules=[((PathPattern(values=("/x",)),), action)], default=action)
    start = f"{PREFIX}:loadbalancer/app/web/1 http 80"
    assert notes_of(resources_of(balancer)) == [f"{start} 10 {words}", f"{start} 0 {words}"]


def test_routes_of_a_choice_name_the_group_that_was_chosen() -> None:
    groups = (TARGET_GROUP, f"{TARGET_GROUP[:-1]}2")
    weighted = tuple(WeightedTargetGroup(arn=arn) for arn in groups)
    balancer = Balancer(default=Forward(target_groups=weighted))
    snapshot = replace(
        to_snapshot(balancer),
        target_groups=tuple(replace(target_group(), arn=arn) for arn in groups),
    )
    assert [
        note.split(" ")[-1] for note in notes_of(resources_of(balancer, snapshot=snapshot))
    ] == [
        *groups,
        "-",
    ]
