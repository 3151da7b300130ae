"""What rules cost a request: one, a hundred, a thousand of them."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from pathlib import Path
from statistics import median

import procfs
import proxy
import server
import wrk
from report import Section, Target
from rule_cases import CASES, Case

from albatross.model.rule import FixedResponse, Forward, Rule
from albatross.model.snapshot import ListenerRules, Snapshot
from albatross.xds import bootstrap
from albatross.xds.server import XdsServer
from albatross.xds.translate import Binding, Observed, Resources, translate

_HELLO = FixedResponse(status_code=200, content_type="text/plain", message_body="hello")
_NOBODY = FixedResponse(status_code=500)
_RATIO_MAX = {100: 1.3, 1000: 1.1}  # of processor time, against one rule
_LOAD_S = 1.0  # each time: many short turns tell more than few long ones on a busy machine

Key = tuple[str, int]  # a case's name, and the number of its rules


def measure(rounds: int) -> Section:
    section = Section(
        title="Rules",
        about=(
            "The proxy's processor time for a request that the last of so many rules takes, in "
            "microseconds and against one rule. Hosts and paths: literal hosts, starts of paths, "
            "paths, and hosts with paths, in turn. All kinds: each kind of condition in turn. "
            "Several: rules of several conditions and regular expressions. Fixed responses, unless "
            f"passed on, and then with the access log. Medians of {rounds} turns."
        ),
        columns=("", "1 rule", "100", "ratio", "1,000", "ratio"),
    )
    with tempfile.TemporaryDirectory(prefix="bench-") as text, ExitStack() as stack:
        directory = Path(text)
        backend = str(directory / "lambda.sock")
        command = [sys.executable, proxy._script("backend.py"), backend]
        stack.enter_context(proxy._process(command))
        ports, resources = _tables(directory, backend)
        pid = stack.enter_context(_envoy(directory, resources, list(ports.values())))
        for case in CASES:
            loads = {(case.name, size): (pid, ports[case.name, size]) for size in case.sizes}
            found = _cpu_us(case, loads, rounds)
            section.rows.append(_row(case, found))
            section.targets.append(_target(case, found))
    return section


def _row(case: Case, found: dict[Key, float]) -> tuple[str, ...]:
    one = found[case.name, 1]
    cells = [case.name, f"{one:.1f}"]
    for size in (100, 1000):
        us = found.get((case.name, size))
        cells += [f"{us:.1f}", f"{us / one:.2f}"] if us else ["", ""]
    return tuple(cells)


def _target(case: Case, found: dict[Key, float]) -> Target:
    one, size = found[case.name, 1], case.sizes[-1]
    what = f"{case.name}, {size:,} rules against 1"
    return Target(what, found[case.name, size] / one, _RATIO_MAX[size])


def _cpu_us(case: Case, loads: dict[Key, tuple[int, int]], rounds: int) -> dict[Key, float]:
    """Return the median of the processor's microseconds for a request, by pid and port, in turn."""
    found: dict[Key, list[float]] = {key: [] for key in loads}
    for turn in range(rounds + 1):
        for key, (pid, port) in loads.items():
            number = key[1] - 1
            path = case.path.format(number)
            host = case.host and case.host.format(number)
            before_s = procfs.cpu_s(pid)
            load = wrk.load(
                port, path, connections=proxy.CONNECTIONS, duration_s=_LOAD_S, host=host
            )
            if turn:  # the first warms up
                found[key].append((procfs.cpu_s(pid) - before_s) / load.requests * 1e6)
    return {key: median(times) for key, times in found.items()}


def _tables(directory: Path, backend: str) -> tuple[dict[Key, int], Resources]:
    """Return a port for each case and number of rules; and what serves them."""
    ports, whole = {}, Resources()
    for case in CASES:
        for size in case.sizes:
            port = server.free_port()
            ports[case.name, size] = port
            part = translate(
                _snapshot(case, size, port),
                {proxy._listener(port).arn: Binding("127.0.0.1", port)},
                lambda_socket=backend,
                lambda_idle_timeout=True,
                observed=Observed(str(directory / "requests.log")),
            )
            _add(part, whole)
    return ports, whole


def _add(part: Resources, whole: Resources) -> None:
    for field in fields(Resources):
        if field.name != "runtimes":
            getattr(whole, field.name).update(getattr(part, field.name))
    for name, runtime in part.runtimes.items():
        whole.runtimes.setdefault(name, type(runtime)()).MergeFrom(runtime)


def _snapshot(case: Case, size: int, port: int) -> Snapshot:
    base = proxy._snapshot(port)
    listener, group = base.listeners[0], base.target_groups[0]
    # All is on for what is passed on, the access log too.
    logs = {"access_logs.s3.enabled": "true"} if case.forward else {}
    balancer = replace(base.load_balancers[0], attributes=logs)
    action = Forward.to(group.arn) if case.forward else _HELLO
    arn = listener.arn.replace(":listener/", ":listener-rule/")
    rules = [
        Rule(
            arn=f"{arn}/{n}",
            listener_arn=listener.arn,
            priority=n + 1,
            conditions=(case.last if n == size - 1 else case.conditions)(n),
            action=action if n == size - 1 else _NOBODY,
        )
        for n in range(size)
    ]
    default = Rule(
        arn=f"{arn}/default",
        listener_arn=listener.arn,
        priority=None,
        conditions=(),
        action=_NOBODY,
    )
    by_listener = {listener.arn: ListenerRules.of((*rules, default))}
    return replace(base, load_balancers=(balancer,), by_listener=by_listener)


@contextmanager
def _envoy(directory: Path, resources: Resources, ports: list[int]) -> Iterator[int]:
    with proxy._loop() as loop:
        xds = XdsServer(str(directory / bootstrap.XDS_SOCKET))
        loop(_publish(xds, resources))
        command = bootstrap.command(directory, concurrency=1, drain_s=1, log_level="error")
        with proxy._process(command) as pid:
            for port in ports:
                server.wait_for_port(port)
            yield pid
        loop(xds.stop(0))


async def _publish(xds: XdsServer, resources: Resources) -> None:
    await xds.start()
    xds.publish(resources, 1)
