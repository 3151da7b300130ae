"""Attributes of listeners and load balancers act, as soon as the API has answered.

Those that concern what a function receives, and the idle timeout, are tested with that.
Sources: ALB user guide, "HTTP header modification", "Edit attributes".
"""

from collections.abc import Iterator

import pytest

from tests.support.stack import Front, Stack, fixed, forward, redirect, request

HSTS = "max-age=31536000; includeSubDomains; preload"


def modify_listener(front: Front, **attributes: str) -> None:
    front.stack.elb.modify_listener_attributes(
        ListenerArn=front.listener,
        Attributes=[
            {"Key": f"routing.http.response.{key}", "Value": value}
            for key, value in attributes.items()
        ],
    )


@pytest.fixture(scope="module")
def front(traffic: Stack) -> Iterator[Front]:
    front = traffic.front()
    targetless = traffic.elb.create_target_group(Name="targetless", TargetType="lambda")
    empty = forward(targetless["TargetGroups"][0]["TargetGroupArn"])
    with (
        front.rule(fixed(404, "no"), 1, path_pattern=["/fixed"]),
        front.rule(redirect(301, host="b"), 2, path_pattern=["/moved"]),
        front.rule(empty, 3, path_pattern=["/empty"]),
    ):
        yield front


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(request("GET /"), 200, id="a function's response"),
        pytest.param(request("GET /-/raise"), 502, id="a function's error"),
        pytest.param(request("GET /fixed"), 404, id="a fixed response"),
        pytest.param(request("GET /moved"), 301, id="a redirect"),
        pytest.param(request("GET /empty"), 503, id="no target"),
        pytest.param(request("POST /", "Content-Length: 1048577"), 413, id="too large"),
        pytest.param(request("GET /", "Connection: upgrade", "Upgrade: websocket"), 400, id="400"),
        pytest.param(request("TRACE /"), 405, id="405"),
    ],
)
def test_a_listeners_headers_are_on_every_response(front: Front, data: bytes, status: int) -> None:
    modify_listener(
        front,
        **{
            "strict_transport_security.header_value": HSTS,
            "access_control_allow_origin.header_value": "*",
            "server.enabled": "false",
        },
    )
    found = front.send(data)
    assert found.status == status
    assert found.header("Strict-Transport-Security") == HSTS
    assert found.header("Access-Control-Allow-Origin") == "*"
    assert found.header("Server") is None
    modify_listener(
        front,
        **{
            "strict_transport_security.header_value": "",
            "access_control_allow_origin.header_value": "",
            "server.enabled": "true",
        },
    )
    found = front.send(data)
    assert found.header("Strict-Transport-Security") is None
    assert found.header("Access-Control-Allow-Origin") is None
    assert found.header("Server") == "awselb/2.0"


def test_a_listeners_header_takes_the_place_of_the_functions(front: Front) -> None:
    document = {"statusCode": 200, "headers": {"x-frame-options": "ALLOWALL", "server": "mine"}}
    assert front.reply(document).header("X-Frame-Options") == "ALLOWALL"
    modify_listener(front, **{"x_frame_options.header_value": "DENY", "server.enabled": "false"})
    found = front.reply(document)
    assert found.header("X-Frame-Options") == "DENY"
    assert found.header("Server") is None
    modify_listener(front, **{"x_frame_options.header_value": "", "server.enabled": "true"})


@pytest.mark.parametrize(
    ("mode", "status"),
    [("monitor", 200), ("defensive", 200), ("strictest", 400)],
)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(request("GET /", body="abc"), id="a body"),
        pytest.param(request("GET /", body=""), id="an empty body"),
    ],
)
def test_a_get_with_a_body_by_desync_mitigation_mode(
    front: Front, mode: str, status: int, data: bytes
) -> None:
    front.set(routing__http__desync_mitigation_mode=mode)
    assert front.send(data).status == status
    assert front.get().status == 200
    assert front.post("/", body="abc").status == 200


def test_deletion_protection_keeps_a_load_balancer(traffic: Stack) -> None:
    front = traffic.front(fixed(200), deletion_protection__enabled="true")
    with pytest.raises(traffic.elb.exceptions.OperationNotPermittedException):
        traffic.elb.delete_load_balancer(LoadBalancerArn=front.balancer)
    assert front.get().status == 200
    front.set(deletion_protection__enabled="false")
    traffic.elb.delete_load_balancer(LoadBalancerArn=front.balancer)
