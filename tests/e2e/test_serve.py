"""`albatross serve` as a whole: boto3 on one side, HTTP on the other; processes come and go."""

import asyncio
import base64
import json
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from albatross.host.client import HostClient
from albatross.xds import admin
from albatross.xds.names import LAMBDA_CLUSTER
from tests.support.command import (
    HELLO,
    Place,
    Server,
    fixed,
    free_port,
    get,
    is_alive,
    listens,
    make_balancer,
    make_function,
    make_listener,
    place,
    serve_function,
    serving,
    until,
    zipped,
)
from tests.support.server import client
from tests.support.stack import fixed as fixed_response

pytestmark = pytest.mark.timeout(60)

FUNCTION = """
import os, sys, time
def handler(event, context):
    print("seen by the log")
    if event.get("raise"):
        raise ValueError("on purpose")
    time.sleep(event.get("sleep", 0))
    client = context.client_context
    trace = os.environ.get("_X_AMZN_TRACE_ID")
    if event.get("trace"):
        return trace
    return {"event": event, "client": client.custom if client else None}
"""
SLOW = """
import time
def handler(event, context):
    time.sleep(1)
    return {"statusCode": 200, "body": "finished"}
"""
# Made as version 1, then replaced.
VERSIONED = """
import os
def handler(event, context):
    return "old, " + os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
"""
VERSION = {"FunctionName": "versioned", "Qualifier": "1"}
CERTIFICATE = {"DomainName": "www.example.com", "KeyAlgorithm": "EC_prime256v1"}


@pytest.fixture(scope="module")
def new() -> Iterator[tuple[Server, dict[str, int]]]:
    """A server, and the size of each of its processes in MiB before anything was asked of it."""
    with place() as where, serving(where) as server:
        pids = {"supervisor": server.process.pid, **server.pids()}
        yield server, {name: resident_mb(pid) for name, pid in pids.items()}


def resident_mb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))


@pytest.fixture(scope="module")
def server(new) -> Server:
    return new[0]


@pytest.fixture
def own_place() -> Iterator[Place]:
    with place() as where:
        yield where


def test_a_request_reaches_a_function_through_a_load_balancer(server):
    port = serve_function(server, "hello")
    assert get(port, "/world") == (200, "hello /world")


def test_a_change_is_in_force_when_the_api_answers(server):
    elb = server.client("elbv2")
    port = free_port()
    listener = make_listener(server, make_balancer(server, "force"), port, fixed("default"))
    assert get(port) == (200, "default")
    for n in range(1, 11):
        rule = elb.create_rule(
            ListenerArn=listener,
            Priority=n,
            Conditions=[{"Field": "path-pattern", "Values": [f"/{n}"]}],
            Actions=fixed(f"rule {n}"),
        )["Rules"][0]["RuleArn"]
        assert get(port, f"/{n}") == (200, f"rule {n}")
        elb.delete_rule(RuleArn=rule)
        assert get(port, f"/{n}") == (200, "default")
    elb.delete_listener(ListenerArn=listener)
    assert get(port)[0] == 0


def test_a_port_in_use_is_refused_with_its_owner_and_nothing_is_stored(server):
    elb = server.client("elbv2")
    balancer = make_balancer(server, "taken")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(elb.exceptions.InvalidConfigurationRequestException) as caught:
            make_listener(server, balancer, port, fixed("x"))
    message = caught.value.response["Error"]["Message"]
    assert message.startswith(f"Port {port} on 127.0.0.1 is in use by ")
    assert f"(pid {os.getpid()})" in message
    assert elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"] == []
    make_listener(server, balancer, port, fixed("x"))
    assert get(port) == (200, "x")


def test_a_listener_cannot_have_the_apis_own_port(server):
    with pytest.raises(ClientError, match="is in use by"):
        make_listener(server, make_balancer(server, "api"), server.port, fixed("x"))


def test_load_balancers_on_one_port_are_told_apart_by_name(server):
    port = free_port()
    for name in ("one", "two"):
        make_listener(server, make_balancer(server, name), port, fixed(name))
    found = server.client("elbv2").describe_load_balancers(Names=["one", "two"])["LoadBalancers"]
    for balancer in found:
        assert get(port, Host=balancer["DNSName"]) == (200, balancer["LoadBalancerName"])


@pytest.fixture(scope="module")
def invoke(server):
    make_function(server, "invoked", FUNCTION)
    functions = server.client("lambda")
    return lambda **params: functions.invoke(FunctionName="invoked", **params)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{\r\n  "custom": {"a": "b"}\n}', id="over several lines"),
        pytest.param('{"custom": {"a": "\u00e9\u2603\u2028"}}', id="of any language"),
    ],
)
def test_a_client_context_reaches_the_function_as_it_is(invoke, text):
    answer = invoke(ClientContext=base64.b64encode(text.encode()).decode())
    assert json.load(answer["Payload"])["client"] == json.loads(text)["custom"]


@pytest.mark.parametrize(
    ("given", "root", "sampled"),
    [
        pytest.param(None, r"1-[0-9a-f]{8}-[0-9a-f]{24}", "0", id="none"),
        pytest.param(
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
            "1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
            "1",
            id="the caller's",
        ),
        pytest.param("Root=\u00e9", r"1-[0-9a-f]{8}-[0-9a-f]{24}", "0", id="no header"),
    ],
)
def test_an_invocation_is_traced_and_the_caller_told_under_which_id(
    server, invoke, given, root, sampled
):
    functions = client("lambda", server.url, access_key="123456789012")
    if given is not None:
        functions.meta.events.register(
            "before-send.lambda.Invoke",
            lambda request, **_: request.headers.update({"X-Amzn-Trace-Id": given}),
        )
    answer = functions.invoke(FunctionName="invoked", Payload=b'{"trace": 1}')
    seen = json.load(answer["Payload"])
    assert re.fullmatch(f"Root={root};Parent=[0-9a-f]{{16}};Sampled={sampled}", seen)
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-trace-id"] == seen


@pytest.mark.parametrize("name", ["control", "host", "proxy"])
def test_a_process_that_is_killed_is_replaced_and_serves_as_before(server, name):
    port = serve_function(server, f"kill-{name}")
    assert get(port, "/a") == (200, "hello /a")
    before = server.pids()[name]
    os.kill(before, signal.SIGKILL)
    until(lambda: server.pids()[name] not in (0, before))
    server.until_ready()
    assert get(port, "/b") == (200, "hello /b")


def connections_to_host(server: Server) -> int:
    """Return how many connections the proxy believes to have to the Lambda host."""
    (run_directory,) = server.place.run_directories()
    name = f"cluster.{LAMBDA_CLUSTER}.upstream_cx_active"
    answer = asyncio.run(admin.request(run_directory, "GET", f"/stats?format=json&filter=^{name}$"))
    return sum(stat["value"] for stat in json.loads(answer)["stats"])


def test_requests_that_come_while_there_is_no_lambda_host_wait_for_the_next(server):
    port = serve_function(server, "waits")
    assert get(port, "/a") == (200, "hello /a")
    before = server.pids()["host"]
    os.kill(before, signal.SIGKILL)
    until(lambda: not is_alive(before))
    until(lambda: connections_to_host(server) == 0)  # what is sent on a cut one would be lost
    paths = [f"/{number}" for number in range(20)]
    with ThreadPoolExecutor(len(paths)) as threads:
        answers = list(threads.map(lambda path: get(port, path), paths))
    assert answers == [(200, f"hello {path}") for path in paths]
    server.until_ready()


def test_invocations_wait_for_the_next_lambda_host(server):
    make_function(server, "invoked-later")
    before = server.pids()["host"]
    os.kill(before, signal.SIGKILL)
    until(lambda: not is_alive(before))
    answer = server.client("lambda").invoke(FunctionName="invoked-later", Payload=b'{"path":"/a"}')
    assert json.load(answer["Payload"])["body"] == "hello /a"
    server.until_ready()


def test_listeners_keep_their_ports_while_the_control_plane_is_replaced(server):
    port = free_port()
    make_listener(server, make_balancer(server, "keep"), port, fixed("kept"))
    before = server.pids()["control"]
    os.kill(before, signal.SIGKILL)
    while server.pids()["control"] in (0, before):
        assert get(port) == (200, "kept")
    server.until_ready()
    errors = [one["error"] for lb in server.status()["load_balancers"] for one in lb["listeners"]]
    assert errors and not any(errors)


def test_status_and_hosts_show_what_is_served(server):
    port = free_port()
    make_listener(server, make_balancer(server, "shown"), port, fixed("x"))
    make_function(server, "shown")
    name = server.client("elbv2").describe_load_balancers(Names=["shown"])["LoadBalancers"][0]
    printed = server.place.call("status", "--endpoint", server.url).stdout
    assert ", ready\n" in printed
    assert f"load balancer shown: {name['DNSName']}\n" in printed
    assert f"  HTTP {port}: http://127.0.0.1:{port}\n" in printed
    assert "function shown: python3" in printed
    as_json = json.loads(server.place.ask("status", "--json", "--endpoint", server.url).stdout)
    assert as_json["ready"] is True
    hosts = server.place.ask("hosts", "--endpoint", server.url).stdout.splitlines()
    assert f"127.0.0.1 {name['DNSName']}" in hosts


def test_all_processes_together_are_small_when_idle(new):
    _, sizes = new
    assert sizes["supervisor"] <= 15, sizes
    assert sum(sizes.values()) <= 200, sizes


@dataclass
class Killed:
    """What was left of a server whose supervisor was killed, and the server that came after it."""

    processes: list[int]
    run_directory: Path
    server: Server
    function_port: int
    taken_port: int  # of a listener, and of `other`
    other: socket.socket


@pytest.fixture(scope="module")
def killed() -> Iterator[Killed]:
    with place() as where:
        with serving(where) as server:
            function_port, taken_port = serve_function(server, "durable"), free_port()
            make_listener(server, make_balancer(server, "later"), taken_port, fixed("taken"))
            server.client("acm").request_certificate(**CERTIFICATE)
            make_versions(server)
            assert get(function_port) == (200, "hello /")
            pids = [*server.pids().values()]
            server.process.kill()
            server.process.wait()
            until(lambda: not any(map(is_alive, pids)))
            assert get(function_port)[0] == 0
        (left,) = where.run_directories()
        with socket.create_server(("127.0.0.1", taken_port)) as other, serving(where) as server:
            yield Killed(pids, left, server, function_port, taken_port, other)


def make_versions(server: Server) -> None:
    make_function(server, "versioned", VERSIONED, Publish=True)
    api = server.client("lambda")
    api.put_provisioned_concurrency_config(**VERSION, ProvisionedConcurrentExecutions=1)
    api.update_function_code(FunctionName="versioned", ZipFile=zipped(HELLO))
    api.create_alias(FunctionName="versioned", Name="live", FunctionVersion="1")


def test_no_process_outlives_a_supervisor_that_is_killed(killed):
    assert not any(map(is_alive, killed.processes))


def test_everything_acknowledged_survives_a_kill_of_every_process(killed):
    assert get(killed.function_port, "/again") == (200, "hello /again")
    where = killed.server.place
    assert killed.run_directory not in where.run_directories(), "what a dead server left is swept"
    listed = killed.server.client("acm").list_certificates(Includes={"keyTypes": ["EC_prime256v1"]})
    assert len(listed["CertificateSummaryList"]) == 1
    assert len(list((where.data / "certificates").iterdir())) == 1


def test_versions_and_what_is_kept_ready_survive_a_kill(killed):
    api = killed.server.client("lambda")
    until(lambda: api.get_provisioned_concurrency_config(**VERSION)["Status"] == "READY")
    answer = api.invoke(FunctionName="versioned:live")
    assert json.load(answer["Payload"]) == "old, provisioned-concurrency"


def test_a_stored_listener_whose_port_is_in_use_is_said_and_served_once_it_is_free(killed):
    port, where = killed.taken_port, killed.server.place
    shown = where.ask("status", "--endpoint", killed.server.url).stdout
    assert f"HTTP {port}: does not listen: Port {port} on 127.0.0.1 is in use by" in shown
    killed.other.close()
    until(lambda: get(port) == (200, "taken"), seconds=5)


@dataclass
class Stopped:
    """What happened when a server was told to stop while a function was at work."""

    status: int
    answers: list[tuple[int, str]]
    processes: list[int]
    place: Place
    hosts: Path


@pytest.fixture(scope="module")
def stopped() -> Iterator[Stopped]:
    with place() as where:
        hosts = where.folder / "hosts"
        hosts.write_text("127.0.0.1 localhost\n")
        with serving(where, "--hosts-file", str(hosts)) as server:
            port = serve_function(server, "slow", SLOW)
            (balancer,) = server.client("elbv2").describe_load_balancers()["LoadBalancers"]
            until(lambda: f"127.0.0.1 {balancer['DNSName']}\n" in hosts.read_text())
            assert get(port) == (200, "finished")
            pids = [*server.pids().values()]
            answers: list[tuple[int, str]] = []
            client = threading.Thread(target=lambda: answers.append(get(port)))
            client.start()
            until(lambda: is_busy(server))
            server.process.send_signal(signal.SIGTERM)
            until(lambda: not listens(port), seconds=0.9)
            status = server.process.wait(10)
            client.join()
        yield Stopped(status, answers, pids, where, hosts)


def test_a_stop_lets_requests_in_flight_finish_and_leaves_nothing(stopped):
    assert stopped.status == 0
    assert stopped.answers == [(200, "finished")]
    assert not any(map(is_alive, stopped.processes))
    assert stopped.place.run_directories() == []


def test_the_hosts_file_is_kept_current_and_cleaned_up(stopped):
    assert stopped.hosts.read_text() == "127.0.0.1 localhost\n"


def is_busy(server: Server) -> bool:
    """Tell whether a function is at work."""
    (run_dir,) = server.place.run_directories()
    statistics = asyncio.run(HostClient(str(run_dir / "control.sock")).statistics())
    return any(pool["running"] for pool in statistics["pools"])


def test_a_second_interrupt_stops_at_once(own_place):
    with serving(own_place) as server:
        port = serve_function(server, "stuck", SLOW.replace("sleep(1)", "sleep(20)"), Timeout=60)
        client = threading.Thread(target=lambda: get(port))
        client.start()
        until(lambda: is_busy(server))
        pids = [*server.pids().values()]
        server.process.send_signal(signal.SIGINT)
        until(lambda: not listens(port))
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(3) == 0
        client.join()
    assert not any(map(is_alive, pids))
    assert own_place.run_directories() == []


def test_a_second_server_on_the_same_data_is_refused_with_the_firsts_pid(server):
    second = server.place.call("serve", "--port", "0", "--data-dir", str(server.place.data))
    assert second.returncode == 1
    assert f"is in use by another server (pid {server.process.pid})" in second.stderr
    assert len(server.place.run_directories()) == 1


def test_an_api_port_in_use_is_refused_with_its_owner(server, own_place):
    second = own_place.call("serve", "--port", str(server.port), "--data-dir", str(own_place.data))
    assert second.returncode == 1
    assert second.stderr.startswith(f"Error: Port {server.port} on 127.0.0.1 is in use by ")
    assert "(pid " in second.stderr
    assert own_place.run_directories() == []


def test_each_load_balancer_can_have_an_address_of_its_own(traffic):
    """The setting `addresses`, which that server has."""
    fronts = [traffic.front(fixed_response(200, name)) for name in ("first", "second")]
    assert len({front.address for front in fronts}) == 2
    assert [front.get().body for front in fronts] == [b"first", b"second"]
