"""Listeners, rules and actions as a client meets them. Sources: ALB user guide, listener rules."""

import threading
from contextlib import ExitStack

import pytest

from tests.support.command import zipped
from tests.support.stack import event, fixed, forward, redirect, request


@pytest.fixture(scope="module")
def front(traffic):
    """A load balancer that answers `default`; rules come and go."""
    return traffic.front(fixed(404, "default"))


def said(answer):
    return answer.body.decode()


def test_rules_are_tried_by_priority_and_changes_are_in_force_at_once(front):
    elb = front.stack.elb
    with ExitStack() as rules:
        arns = {
            name: rules.enter_context(
                front.rule(fixed(200, name), priority, path_pattern=[pattern])
            )
            for name, priority, pattern in (
                ("wide", 50_000, "/a*"),
                ("narrow", 20, "/ab*"),
                ("narrower", 3, "/abc"),
            )
        }

        def answers():
            return [said(front.get(path)) for path in ("/a", "/ab", "/abc", "/b")]

        assert answers() == ["wide", "narrow", "narrower", "default"]
        elb.set_rule_priorities(RulePriorities=[{"RuleArn": arns["wide"], "Priority": 1}])
        assert answers() == ["wide", "wide", "wide", "default"]
        elb.modify_rule(RuleArn=arns["wide"], Actions=[fixed(200, "changed")])
        assert answers() == ["changed", "changed", "changed", "default"]
        elb.modify_rule(
            RuleArn=arns["wide"], Conditions=[{"Field": "path-pattern", "Values": ["/b"]}]
        )
        assert answers() == ["default", "narrow", "narrower", "changed"]
        front.default(fixed(403, "denied"))
        assert answers() == ["denied", "narrow", "narrower", "changed"]
        front.default(fixed(404, "default"))
    assert answers() == ["default"] * 4


def test_changes_do_not_touch_open_connections_and_requests_in_flight(traffic):
    group = traffic.group()
    front = traffic.front(forward(group))
    with front.connect() as slow, front.connect() as idle:
        idle.write(request("GET /"))
        assert idle.read().status == 200
        slow.write(request("GET /-/sleep/in-flight/0.6"))
        for n in range(1, 6):
            front.set(routing__http__xff_header_processing__mode="remove" if n % 2 else "append")
            with front.rule(fixed(200, f"rule {n}"), n, path_pattern=["/rule"]):
                idle.write(request("GET /rule"))
                assert said(idle.read()) == f"rule {n}"
            idle.write(request("GET /rule"))
            assert ("x-forwarded-for" in event(idle.read())["headers"]) == (n % 2 == 0)
        attribute = {"Key": "lambda.multi_value_headers.enabled", "Value": "true"}
        traffic.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[attribute])
        idle.write(request("GET /"))
        assert "multiValueHeaders" in event(idle.read())
        answer = slow.read()
        assert (answer.status, said(answer), answer.closed) == (200, '"in-flight"', False)


def test_a_new_function_code_serves_the_next_request(traffic):
    source = "def handler(event, context):\n    return {'statusCode': 200, 'body': '%s'}"
    arn = traffic.make(source % "one")
    front = traffic.front(forward(traffic.group(function=arn)))
    with front.connect() as client:
        for text in ("one", "two", "three"):
            traffic.functions.update_function_code(FunctionName=arn, ZipFile=zipped(source % text))
            client.write(request("GET /"))
            assert said(client.read()) == text


def test_requests_flow_while_rules_change(traffic):
    front = traffic.front(forward(traffic.group()))
    stop, statuses = threading.Event(), []

    def ask():
        with front.connect() as client:
            while not stop.is_set():
                client.write(request("GET /x"))
                answer = client.read()
                statuses.append((answer.status, answer.closed))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(1, 15):
        with front.rule(fixed(200), n, path_pattern=["/y"]):
            pass
    stop.set()
    for thread in threads:
        thread.join()
    assert len(statuses) > 20
    assert set(statuses) == {(200, False)}


def test_a_fixed_response_does_not_look_at_the_size_of_a_body(traffic):
    front = traffic.shared_front(80)
    front.default(fixed(200, "hi"))
    head = request("POST /", "Content-Length: 2000000", body=None)
    assert said(front.send(head)) == "hi"


@pytest.mark.parametrize("size", [1, 65_536])
@pytest.mark.parametrize("action", [fixed(200, "hi"), redirect(302, host="b.com")])
def test_a_small_body_that_nobody_wants_leaves_the_connection_open(traffic, action, size):
    front = traffic.shared_front(80)
    front.default(action)
    with front.connect() as client:
        for _ in range(2):
            client.write(request("POST /", body="x" * size))
            answer = client.read()
            assert answer.status == (302 if "RedirectConfig" in action else 200)
            assert not answer.closed


def test_a_small_body_may_come_later_than_its_headers(traffic):
    front = traffic.shared_front(80)
    front.default(fixed(200, "hi"))
    with front.connect() as client:
        client.write(request("POST /", "Content-Length: 3", body=None) + b"ab")
        client.write(b"c" + request("GET /next"))
        assert [said(client.read()) for _ in range(2)] == ["hi", "hi"]


def test_two_listeners_of_a_load_balancer_have_their_own_rules(traffic):
    front = traffic.front(fixed(200, "80"))
    made = traffic.elb.create_listener(
        LoadBalancerArn=front.balancer,
        Protocol="HTTP",
        Port=18081,
        DefaultActions=[fixed(200, "2")],
    )
    assert made["Listeners"][0]["Port"] == 18081
    front.real_port, first = 18081, front.real_port
    assert said(front.get()) == "2"
    front.real_port = first
    assert said(front.get()) == "80"


def test_a_listener_moves_to_another_port_with_its_rules(traffic):
    front = traffic.front(fixed(404, "default"), port=18082)
    with front.rule(fixed(200, "rule"), path_pattern=["/x"]):
        traffic.elb.modify_listener(ListenerArn=front.listener, Port=18083)
        with pytest.raises(ConnectionRefusedError):
            front.connect()
        front.real_port = 18083
        assert [said(front.get(path)) for path in ("/x", "/")] == ["rule", "default"]
