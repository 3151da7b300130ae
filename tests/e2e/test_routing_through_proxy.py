"""Listeners, rules and actions as a client meets them. Sources: ALB user guide, listener rules."""

import threading
from contextlib import ExitStack

import pytest

from albatross.model import pages
from tests.support.command import zipped
from tests.support.stack import event, fixed, forward, redirect, request


@pytest.fixture(scope="module")
def front(traffic):
    """A load balancer that answers `default`; rules come and go."""
    return traffic.front(fixed(404, "default"))


def said(answer):
    return answer.body.decode()


@pytest.mark.parametrize(
    ("pattern", "host", "matches"),
    [
        pytest.param("example.com", "example.com", True, id="literal"),
        pytest.param("example.com", "EXAMPLE.com", True, id="any case of Host"),
        pytest.param("Example.COM", "example.com", True, id="any case of the pattern"),
        pytest.param("example.com", "example.com:80", True, id="a port"),
        pytest.param("example.com", "example.com:9999", True, id="any port"),
        pytest.param("example.com", "www.example.com", False, id="whole"),
        pytest.param("example.com", "example.com.evil", False, id="not a prefix"),
        pytest.param("example.com", "exampleXcom", False, id="a dot is a dot"),
        pytest.param("*.example.com", "a.b.example.com", True, id="star"),
        pytest.param("*.example.com", "example.com", False, id="star needs the dot"),
        pytest.param("*.example.com", ".example.com", True, id="star of nothing"),
        pytest.param("*.com", "evil.com:80", True, id="star and port"),
        pytest.param("ex?mple.com", "example.com", True, id="question mark"),
        pytest.param("ex?mple.com", "exmple.com", False, id="question mark is one"),
        pytest.param("example.??.com", "example.abc.com", False, id="not two for three"),
        pytest.param("a-*.example.com", "a-1.example.com", True, id="star within"),
    ],
)
def test_host_header(front, pattern, host, matches):
    with front.rule(fixed(200, "rule"), host_header=[pattern]):
        assert said(front.get("/", host=host)) == ("rule" if matches else "default")


def test_host_of_an_absolute_target_and_the_first_of_two_lines_count(front):
    with front.rule(fixed(200, "rule"), host_header=["a.com"]):
        assert said(front.get("http://a.com/x", host="b.com")) == "rule"
        assert said(front.get("http://b.com/x", host="a.com")) == "default"
        assert said(front.get("/", "Host: b.com", host="a.com")) == "rule"
        assert said(front.get("/", "Host: a.com", host="b.com")) == "default"


@pytest.mark.parametrize(
    ("pattern", "target", "matches"),
    [
        pytest.param("/img/*", "/img/", True, id="star of nothing"),
        pytest.param("/img/*", "/img/a/b.png?x", True, id="star crosses slashes"),
        pytest.param("/img/*", "/img", False, id="the slash counts"),
        pytest.param("/img/*", "/IMG/a", False, id="case counts"),
        pytest.param("/img/*", "/x/img/a", False, id="whole"),
        pytest.param("/img/*/pics", "/img/a/b/pics", True, id="star within"),
        pytest.param("/img/*/pics", "/img/a/b/pics/", False, id="to the end"),
        pytest.param("/a?c", "/abc", True, id="question mark"),
        pytest.param("/a?c", "/ac", False, id="question mark is one"),
        pytest.param("/a?c", "/a?c", False, id="question mark is no query"),
        pytest.param("/a", "/a?/b", True, id="the query is not looked at"),
        pytest.param("/a*b", "/a?b", False, id="nor by a star"),
        pytest.param("*", "//", True, id="everything"),
        pytest.param("*.php", "/x/y.php", True, id="star first"),
        pytest.param("/a.c", "/abc", False, id="a dot is a dot"),
        pytest.param("/$-_.~\"'@:+&", "/$-_.~\"'@:+&", True, id="all characters"),
        pytest.param("/api/*", "/x/../api/y", True, id="dot segments"),
        pytest.param("/api/*", "/api/../x", False, id="out by dot segments"),
        pytest.param("/api/*", "/../api/x", True, id="above the root"),
        pytest.param("/api/*", "/%61pi/x", True, id="an escaped letter"),
        pytest.param("/api/*", "/%2e%2E/api/x", True, id="escaped dots"),
        pytest.param("/api/*", "/api%2Fx", False, id="an escaped slash"),
        pytest.param("/api/*", "//api/x", False, id="two slashes"),
        pytest.param("/a%*", "/a%zz", None, id="percent is no pattern"),
        pytest.param("/a?b", "/a%b", True, id="a lone percent is a character"),
        pytest.param("/a???b", "/a%2fb", True, id="an escape is three"),
    ],
)
def test_path_pattern(front, pattern, target, matches):
    if matches is None:
        with pytest.raises(front.stack.elb.exceptions.ClientError):
            front.rule(fixed(200), path_pattern=[pattern]).__enter__()
        return
    with front.rule(fixed(200, "rule"), path_pattern=[pattern]):
        assert said(front.get(target)) == ("rule" if matches else "default")


def test_matching_leaves_the_path_alone(front):
    with front.rule(forward(front.stack.group()), path_pattern=["/api/*"]):
        for path in ("/x/../api/y", "/%61pi/%7e/./", "/api//%2F"):
            assert event(front.get(f"{path}?a=/../%2e"))["path"] == path


def test_values_are_alternatives_and_conditions_all_hold(front):
    conditions = {"host_header": ["a.com", "*.b.com"], "path_pattern": ["/x", "/y/*"]}
    with front.rule(fixed(200, "rule"), **conditions):
        for host, path, expected in (
            ("a.com", "/x", "rule"),
            ("q.b.com", "/y/z", "rule"),
            ("a.com", "/z", "default"),
            ("b.com", "/x", "default"),
        ):
            assert said(front.get(path, host=host)) == expected


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


@pytest.mark.parametrize(
    ("parts", "target", "location"),
    [
        pytest.param(
            {"protocol": "HTTPS", "port": "443"},
            "/a/b%20c?x=1&y",
            "https://example.com:443/a/b%20c?x=1&y",
            id="to HTTPS",
        ),
        pytest.param({"host": "new.com"}, "/", "http://new.com:PORT/", id="host"),
        pytest.param(
            {"host": "www.#{host}"}, "/p?", "http://www.example.com:PORT/p", id="empty query"
        ),
        pytest.param(
            {"port": "8443"},
            "//a//?b",
            "http://example.com:8443//a//?b",
            id="port, and slashes stay",
        ),
        pytest.param(
            {"path": "/#{host}/#{port}/x/#{path}"},
            "/p/q?q=1",
            "http://example.com:PORT/example.com/PORT/x/p/q?q=1",
            id="keywords in the path",
        ),
        pytest.param(
            {"path": "/new", "query": "#{query}&p=#{protocol}&h=#{host}&o=#{port}&f=#{path}"},
            "/old/?q=%231",
            "http://example.com:PORT/new?q=%231&p=http&h=example.com&o=PORT&f=old/",
            id="keywords in the query",
        ),
        pytest.param(
            {"path": "/x", "query": ""}, "/p?q=1", "http://example.com:PORT/x", id="no query"
        ),
        pytest.param({"path": "/#{path}/#{path}"}, "/a", "http://example.com:PORT/a/a", id="twice"),
        pytest.param({"path": "/#{path}x"}, "/", "http://example.com:PORT/x", id="an empty path"),
        pytest.param(
            {"path": "/new"}, "/%zz%1?%", "http://example.com:PORT/new?%", id="percent signs"
        ),
        pytest.param(
            {
                "protocol": "HTTPS",
                "host": "#{host}",
                "port": "#{port}",
                "path": "/#{path}",
                "query": "#{query}",
            },
            "/a?b",
            "https://example.com:PORT/a?b",
            id="all keywords",
        ),
        pytest.param(
            {"protocol": "#{protocol}", "host": "a.b"},
            "/../x/./y",
            "http://a.b:PORT/../x/./y",
            id="the path as sent",
        ),
    ],
)
@pytest.mark.parametrize("port", [80, 18080])
def test_redirect(traffic, port, parts, target, location):
    front = traffic.shared_front(port)
    for status in (301, 302):
        front.default(redirect(status, **parts))
        answer = front.get(target, host="example.com:1234")
        assert answer.status == status
        assert answer.reason == pages.reason(status)
        assert answer.header("Location") == location.replace("PORT", str(port))
        assert said(answer) == pages.page(status)
        assert answer.header("Content-Length") == {301: "134", 302: "110"}[status]
        assert (answer.header("Server"), answer.header("Content-Type")) == (
            "awselb/2.0",
            "text/html",
        )
        assert answer.header("Date")
        assert not answer.closed


@pytest.mark.parametrize(
    "data",
    [
        request("POST /a", body="x" * 1000),
        request("FOO /a"),
        request("PUT /a", "Transfer-Encoding: chunked", body=b"1\r\na\r\n0\r\n\r\n"),
        request("GET /a", "Connection: Upgrade", "Upgrade: websocket"),
        b"GET /a HTTP/1.0\r\nHost: example.com\r\n\r\n",
    ],
    ids=["POST", "FOO", "chunked", "WebSocket", "HTTP/1.0"],
)
def test_every_request_is_redirected(traffic, data):
    front = traffic.shared_front(80)
    front.default(redirect(302, host="b.com"))
    answer = front.send(data)
    assert (answer.status, answer.header("Location")) == (302, "http://b.com:80/a")


@pytest.mark.parametrize(
    ("length", "status"), [pytest.param(8192, 302, id="8 K"), pytest.param(8193, 507, id="more")]
)
def test_a_location_of_more_than_8_k_is_refused(traffic, length, status):
    front = traffic.shared_front(80)
    front.default(redirect(302, host="x.com"))
    answer = front.get("/" + "p" * (length - len("http://x.com:80/")))
    assert (answer.status, said(answer)) == (status, pages.page(status))


@pytest.mark.parametrize(
    ("action", "status", "content_type", "body"),
    [
        pytest.param(fixed(200, "hi"), 200, "text/plain; charset=utf-8", b"hi", id="no type"),
        pytest.param(
            fixed(404, "hi", "text/plain"), 404, "text/plain; charset=utf-8", b"hi", id="plain"
        ),
        pytest.param(
            fixed(503, "a{}", "text/css"), 503, "text/css; charset=utf-8", b"a{}", id="CSS"
        ),
        pytest.param(
            fixed(200, "<b>é", "text/html"),
            200,
            "text/html; charset=utf-8",
            "<b>é".encode(),
            id="HTML",
        ),
        pytest.param(
            fixed(400, "1", "application/javascript"),
            400,
            "application/javascript",
            b"1",
            id="script",
        ),
        pytest.param(
            fixed(500, "{}", "application/json"), 500, "application/json", b"{}", id="JSON"
        ),
        pytest.param(
            fixed(200, "x" * 1024),
            200,
            "text/plain; charset=utf-8",
            b"x" * 1024,
            id="1,024 characters",
        ),
        pytest.param(fixed(299), 299, None, b"", id="empty"),
        pytest.param(fixed(404, None, "text/html"), 404, None, b"", id="a type of nothing"),
        pytest.param(
            fixed(413, "large"),
            413,
            "text/plain; charset=utf-8",
            b"large",
            id="a status of the balancer's",
        ),
        pytest.param(
            fixed(431, "431"),
            431,
            "text/plain; charset=utf-8",
            b"431",
            id="a status that is changed elsewhere",
        ),
        pytest.param(fixed(204, "x"), 204, None, b"", id="204 has no body"),
    ],
)
def test_fixed_response(traffic, action, status, content_type, body):
    front = traffic.shared_front(80)
    front.default(action)
    for method in ("GET", "FOO", "OPTIONS", "HEAD"):
        answer = front.send(request(f"{method} /"), head=method == "HEAD")
        assert answer.status == status
        assert answer.body == (b"" if method == "HEAD" else body)
        assert answer.header("Content-Type") == content_type
        assert answer.header("Server") == "awselb/2.0"
        assert answer.header("Date")
        if body or (status != 204 and method != "HEAD"):
            assert answer.header("Content-Length") == str(len(body))
        else:
            assert answer.header("Content-Length") is None


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


def test_a_port_without_a_listener_refuses_connections(traffic):
    front = traffic.front(fixed(200, "hi"))
    assert said(front.get()) == "hi"
    traffic.elb.delete_listener(ListenerArn=front.listener)
    with pytest.raises(ConnectionRefusedError):
        front.connect()


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


def test_rules_trade_priorities_in_one_call(front):
    with (
        front.rule(fixed(200, "one"), 1, path_pattern=["/*"]) as one,
        front.rule(fixed(200, "two"), 2, path_pattern=["/*"]) as two,
    ):
        assert said(front.get()) == "one"
        front.stack.elb.set_rule_priorities(
            RulePriorities=[{"RuleArn": one, "Priority": 2}, {"RuleArn": two, "Priority": 1}]
        )
        assert said(front.get()) == "two"
