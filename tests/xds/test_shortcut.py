"""Ordinary requests pass by the script: native/ordinary.c does to them what it would."""

import asyncio
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from albatross.model.request_record import NO_CHOICE
from albatross.model.rule import (
    Action,
    Condition,
    FixedResponse,
    Forward,
    HostHeader,
    Redirect,
    WeightedTargetGroup,
)
from albatross.model.snapshot import Snapshot
from albatross.model.target_group import Target
from albatross.xds import names, shortcut
from tests.support.envoy import TARGET_GROUP, Answer, Balancer, Proxy, echo, to_snapshot

pytestmark = pytest.mark.skipif(
    shortcut.library() is None,
    reason="albatross/xds/native is not compiled: install a C compiler, then `make setup`",
)

# What differs from one time to the next.
TRACE = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
CLIENT_PORT = re.compile(r"127\.0\.0\.1:\d+")
MARK = "x-script"
MARKING = f'function envoy_on_request(handle) handle:headers():add("{MARK}", "ran") end'


def get(*lines: str, target: str = "/", host: str = "a") -> str:
    return "\r\n".join([f"GET {target} HTTP/1.1", f"Host: {host}", *lines, "", ""])


def send(method: str, *lines: str, body: str = "") -> str:
    return "\r\n".join([f"{method} / HTTP/1.1", "Host: a", *lines, "", body])


# What is sent, and whether it is ordinary for a function and for a server behind port 80.
REQUESTS = {
    "plain": (get(), True, True),
    "path and query": (get(target="/a/b.c?x=1&y=2+3;~"), True, True),
    "a path that ends in a dot": (get(target="/a."), True, True),
    "a longest path": (get(target=f"/{'a' * 8191}"), True, True),
    "a longer path": (get(target=f"/{'a' * 8192}"), False, False),
    "an escape": (get(target="/%41"), False, False),
    "an escape in the query": (get(target="/?a=%41"), False, False),
    "a dot segment": (get(target="/a/../b"), False, False),
    "a name with a dot before it": (get(target="/.a"), False, False),
    "no path": (get(target="http://a"), True, True),
    "host in capitals": (get(host="A"), True, False),
    "host with a port": (get(host="a:80"), False, False),
    "two hosts": (get("Host: b"), False, False),
    "no host": ("GET / HTTP/1.0\r\n\r\n", True, True),
    "an address": (get(host="[::1]"), False, False),
    "a trace": (get("X-Amzn-Trace-Id: Root=1-1-1"), False, False),
    "an empty trace": (get("X-Amzn-Trace-Id:"), False, False),
    "forwarded for": (get("X-Forwarded-For: 203.0.113.1"), False, False),
    "forwarded": (get("X-Forwarded-Proto: https", "X-Forwarded-Port: 1"), True, True),
    "a referer": (get("Referer: http://a/b"), True, True),
    "a referer that is none": (get("Referer: a b"), False, False),
    "internal headers": (get("X-Albatross-Size: 1", "X-Albatross-Group: 2"), True, True),
    "an upgrade": (get("Upgrade: h2c", "Connection: upgrade"), True, True),  # Envoy drops it
    "grpc": (get("Content-Type: application/grpc+proto"), False, False),
    "many headers": (get(*(f"H{n}: v" for n in range(40))), True, True),
    "more headers": (get(*(f"H{n}: v" for n in range(70))), False, False),
    "large headers": (get(f"H: {'v' * 3900}"), True, True),
    "larger headers": (get(f"H: {'v' * 4096}"), False, False),
    "cookies": (get("Cookie: a=b", "Cookie: c=d"), True, True),
    "a length of nothing": (get("Content-Length: 0"), False, False),
    "a body of a GET": (get("Content-Length: 1") + "x", False, False),
    "an imitation": (get("Transfer_Encoding: chunked"), False, False),
    "chunks": (
        send("POST", "Transfer-Encoding: chunked", body="1\r\nx\r\n0\r\n\r\n"),
        False,
        False,
    ),
    "a body": (send("POST", "Content-Length: 1", body="x"), True, True),
    "no body": (send("PUT"), False, True),
    "a body of a DELETE": (send("DELETE", "Content-Length: 1", body="x"), True, True),
    "no body of a DELETE": (send("DELETE"), True, True),
    "a patch": (send("PATCH", "Content-Length: 2", body="xy"), True, True),
    "a method of its own": (send("PURGE"), False, False),
}

Answers = dict[str, Answer]  # by the names of requests


@pytest.fixture(scope="module")
def server_port(event_loop_thread: asyncio.AbstractEventLoop) -> Iterator[int]:
    """A server on a port of its own that tells what it received."""
    starting = asyncio.start_server(echo, "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(starting, event_loop_thread).result()
    yield server.sockets[0].getsockname()[1]
    event_loop_thread.call_soon_threadsafe(server.close)


@pytest.fixture(scope="module", params=["function", "server"])
def snapshot(request: pytest.FixtureRequest, server_port: int) -> Snapshot:
    """A load balancer on port 80 that forwards everything to a function, or to a server."""
    one = to_snapshot(Balancer())
    if request.param == "function":
        return one
    target = Target(id="127.0.0.1", port=server_port)
    group = replace(one.target_groups[0], target_type="ip", port=server_port, targets=(target,))
    return replace(one, target_groups=(group,))


def answers(proxy: Proxy, snapshot: Snapshot) -> Answers:
    proxy.serve_snapshot(snapshot)
    return {name: proxy.send(sent) for name, (sent, *_) in REQUESTS.items()}


@pytest.fixture(scope="module")
def with_shortcut(proxy: Proxy, snapshot: Snapshot) -> Answers:
    return answers(proxy, snapshot)


@pytest.fixture(scope="module")
def by_script_alone(proxy: Proxy, snapshot: Snapshot) -> Answers:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shortcut, "library", lambda: None)
        return answers(proxy, snapshot)


@pytest.fixture(scope="module")
def marked(proxy: Proxy, snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Answers where the script does nothing but leave a mark."""
    library = shortcut.library()
    assert library is not None
    copy = Path(shutil.copy(library, tmp_path_factory.mktemp("native")))  # filters are kept by path
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shortcut, "library", lambda: copy)
        patch.setattr(shortcut, "_SCRIPT", MARKING)
        return answers(proxy, snapshot)


@pytest.mark.parametrize("name", REQUESTS)
def test_only_what_is_not_ordinary_goes_through_the_script(
    name: str, marked: Answers, snapshot: Snapshot
) -> None:
    _, for_function, for_server = REQUESTS[name]
    is_server = snapshot.target_groups[0].target_type == "ip"
    received = marked[name].received
    assert received.header(MARK) == (None if (for_server if is_server else for_function) else "ran")


@pytest.mark.parametrize("name", REQUESTS)
def test_targets_get_the_same_by_the_script_alone(
    name: str, with_shortcut: Answers, by_script_alone: Answers
) -> None:
    ours, its = with_shortcut[name], by_script_alone[name]
    assert (ours.status, ours.closed) == (its.status, its.closed)
    assert lasting(ours) == lasting(its)


def lasting(answer: Answer) -> str:
    """What `answer` says without what differs from one time to the next."""
    return CLIENT_PORT.sub("CLIENT", TRACE.sub("TRACE", answer.body.decode()))


def test_every_request_has_a_trace_of_its_own(with_shortcut: Answers) -> None:
    headers = [one.received.header("x-amzn-trace-id") or "" for one in with_shortcut.values()]
    traces = [trace for header in headers for trace in TRACE.findall(header)]
    assert len(set(traces)) == len(headers)


@pytest.mark.parametrize(
    ("attributes", "port", "host", "is_ordinary"),
    [
        pytest.param({}, 8080, "a:8080", True, id="with its port"),
        pytest.param({}, 8080, "a:1", True, id="with any port"),
        pytest.param({}, 8080, "a", False, id="without a port, which is added"),
        pytest.param({}, 8080, "[::1]:8080", False, id="an IPv6 address"),
        pytest.param({}, 8080, ":8080", True, id="nothing but a port"),
        pytest.param({}, 8080, "8080", False, id="nothing but a number"),
        pytest.param({}, 80, "a:80", False, id="with a port, which is removed"),
        pytest.param({"preserve_host_header.enabled": "true"}, 80, "A:1", True, id="kept"),
        pytest.param({"xff_header_processing.mode": "remove"}, 80, "a", True, id="no XFF"),
        pytest.param({"xff_header_processing.mode": "preserve"}, 80, "a", True, id="XFF kept"),
        pytest.param({"desync_mitigation_mode": "monitor"}, 80, "a", True, id="monitored"),
        pytest.param({"desync_mitigation_mode": "strictest"}, 80, "a", False, id="strictest"),
        pytest.param({"xff_client_port.enabled": "true"}, 80, "a", False, id="client port"),
        pytest.param({"drop_invalid_header_fields.enabled": "true"}, 80, "a", False, id="drops"),
    ],
)
def test_what_a_load_balancer_is_told_counts(
    proxy: Proxy,
    attributes: dict[str, str],
    port: int,
    host: str,
    is_ordinary: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    told = {f"routing.http.{key}": text for key, text in attributes.items()}
    balancer = Balancer(port=port, attributes=told)
    proxy.serve(balancer)
    ours = proxy.get(host=host)
    library = shortcut.library()
    assert library is not None
    copy = Path(shutil.copy(library, tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(shortcut, "library", lambda: None)
        proxy.serve(balancer)
        assert lasting(proxy.get(host=host)) == lasting(ours)
        patch.setattr(shortcut, "library", lambda: copy)
        patch.setattr(shortcut, "_SCRIPT", MARKING)
        proxy.serve(balancer)
        assert (proxy.get(host=host).received.header(MARK) is None) == is_ordinary


def test_a_file_that_cannot_be_loaded_is_left_out(tmp_path: Path) -> None:
    broken = tmp_path / "ordinary.so"
    assert shortcut.library(broken) is None
    broken.write_text("for another platform")
    assert shortcut.library(broken) is None


# With rules that have regular expressions for hosts, which see Host without its port.
@pytest.mark.parametrize(
    ("request_", "status", "is_ordinary"),
    [
        pytest.param(get(host="a:8080"), 200, True, id="a port is left out of sight"),
        pytest.param(get(host="a:1"), 200, True, id="any port"),
        pytest.param(get(host="b:8080"), 404, False, id="another rule's"),
        pytest.param(get(host="c:8080"), 200, False, id="one of several target groups"),
        pytest.param(get(host="a"), 200, False, id="a port is added"),
        pytest.param(get("X-Amzn-Trace-Id: Root=1-1-1", host="a:8080"), 200, False, id="a trace"),
        pytest.param(get(target="/%41", host="a:8080"), 200, False, id="an escape"),
        pytest.param(get(host=f"{'a' * 300}:8080"), 404, False, id="a long host"),
        pytest.param(get(host="[::1]:8080"), 404, False, id="an address"),
        pytest.param(send("POST").replace("Host: a", "Host: a:8080"), 200, False, id="no length"),
        pytest.param(send("PURGE").replace("Host: a", "Host: a:8080"), 200, False, id="a method"),
    ],
)
def test_a_route_is_chosen_without_the_port_of_a_host(
    proxy: Proxy,
    request_: str,
    status: int,
    is_ordinary: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    several = (WeightedTargetGroup(arn=TARGET_GROUP), WeightedTargetGroup(arn=TARGET_GROUP))
    rules: list[tuple[tuple[Condition, ...], Action]] = [
        ((HostHeader(values=(), regex_values=("^a$",)),), Forward.to(TARGET_GROUP)),
        ((HostHeader(values=(), regex_values=("^c$",)),), Forward(target_groups=several)),
    ]
    balancer = Balancer(port=8080, rules=rules, default=FixedResponse(status_code=404))
    proxy.serve(balancer)
    ours = proxy.send(request_)
    assert ours.status == status
    library = shortcut.library()
    assert library is not None
    copy = Path(shutil.copy(library, tmp_path))
    monkeypatch.setattr(shortcut, "library", lambda: None)
    proxy.serve(balancer)
    its = proxy.send(request_)
    assert its.status == status
    assert lasting(ours) == lasting(its)
    monkeypatch.setattr(shortcut, "library", lambda: copy)
    monkeypatch.setattr(shortcut, "_SCRIPT", MARKING)
    proxy.serve(balancer)
    answer = proxy.send(request_)
    passed_by = answer.status == 200 and answer.received.header(MARK) is None
    assert passed_by == is_ordinary


def test_a_request_that_is_not_ordinary_runs_the_script_on_the_route_that_is_chosen(
    proxy: Proxy,
) -> None:
    rules: list[tuple[tuple[Condition, ...], Action]] = [
        ((HostHeader(values=(), regex_values=("^a$",)),), Redirect(status_code=301, host="d"))
    ]
    proxy.serve(Balancer(port=8080, rules=rules, default=FixedResponse(status_code=404)))
    assert proxy.get(host="a:8080").header("location") == "http://d:8080/"
    assert proxy.get(host="b:8080").status == 404


def test_names_of_routes_tell_where_requests_may_be_ordinary() -> None:
    usual = {"action": "forward", "version": "HTTP1", "xff_port": "false", "drop_invalid": "false"}
    of_function = usual | {"kind": "lambda", "host": "append", "xff": "append", "desync": "monitor"}
    name = names.route(NO_CHOICE, of_function)
    assert name.endswith(" - a")
    assert names.route(NO_CHOICE, of_function | {"kind": "server"}).endswith(" - A")
    assert names.route(NO_CHOICE, of_function | {"mtls_leaf": "x"}).endswith(" - -")
    assert names.route(NO_CHOICE, {}).endswith(" - -")
    assert names.route(NO_CHOICE, of_function, bare_host=True).endswith(" - a*")
    assert names.other_route(name).endswith(" - a=")
    assert names.apart_route(name, []).endswith(" - a+")
    assert names.apart_route(name, ["/b", "/c"]).endswith(" /b,/c -+")  # another may come first
