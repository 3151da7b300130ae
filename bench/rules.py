"""What rules cost a request: one, a hundred, a thousand of them, without and with an index."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import median

import procfs
import proxy
import server
import wrk
from report import Section, Target

from albatross.model.rule import (
    Condition,
    FixedResponse,
    Forward,
    HostHeader,
    HttpHeader,
    HttpRequestMethod,
    PathPattern,
    QueryParameter,
    QueryString,
    Rule,
    SourceIp,
)
from albatross.model.snapshot import Snapshot
from albatross.xds import bootstrap, index
from albatross.xds.server import XdsServer
from albatross.xds.translate import Binding, Resources, translate

_HELLO = FixedResponse(status_code=200, content_type="text/plain", message_body="hello")
_NOBODY = FixedResponse(status_code=500)


def _prefix(n: int) -> Condition:
    return PathPattern(values=(f"/svc{n}/*",))


def _host(n: int) -> Condition:
    return HostHeader(values=(f"h{n}.example.com",))


def _mixed(n: int) -> Condition:
    """Return each kind of condition in turn; the hundredth is a path with wildcards."""
    kinds: tuple[Condition, ...] = (
        _prefix(n),
        _host(n),
        HostHeader(values=(f"*.t{n}.example.com",)),
        HttpHeader(header_name="user-agent", values=(f"*agent{n}*",)),
        QueryString(values=(QueryParameter(key="v", value=f"{n}*"),)),
        SourceIp(values=(f"10.{n % 256}.0.0/16",)),
        HttpRequestMethod(values=(f"M{n}",)),
        PathPattern(values=(f"/exact{n}",)),
        PathPattern(values=(f"*/wild{n}/*",)),
        PathPattern(values=(f"/svc{n}/*/x",)),
    )
    return kinds[n % len(kinds)]


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    condition: Callable[[int], Condition]
    path: str  # `{}` is the number of the last rule
    host: str | None = None
    forward: bool = False


_CASES = (
    _Case("path prefix, fixed response", _prefix, "/svc{}/x"),
    _Case("literal host, fixed response", _host, "/", host="h{}.example.com"),
    _Case("mixed kinds, fixed response", _mixed, "/svc{}/a/x"),
    _Case("mixed kinds, passed on", _mixed, "/svc{}/a/x", forward=True),
)
_SIZES = (1, 100, 1000)


def measure(rounds: int, duration_s: float) -> Section:
    section = Section(
        title="Rules",
        about=(
            "The proxy's processor time for a request that the last of so many rules takes, in "
            "microseconds and against one rule. Plain: Envoy tries one after the other. Indexed: "
            f"as Albatross configures it. Mixed: each of the kinds of conditions in turn. Medians "
            f"of {rounds} rounds."
        ),
        columns=(
            "",
            "1 rule",
            "100 plain",
            "ratio",
            "100",
            "ratio",
            "1,000 plain",
            "1,000",
            "ratio",
        ),
    )
    with tempfile.TemporaryDirectory(prefix="bench-") as text, ExitStack() as stack:
        directory = Path(text)
        backend = str(directory / "lambda.sock")
        command = [sys.executable, proxy._script("backend.py"), backend]
        stack.enter_context(proxy._process(command))
        bare = stack.enter_context(proxy._bare(directory, backend))
        ports, resources = _tables(directory, backend)
        pid = stack.enter_context(_envoy(directory, resources, list(ports.values())))
        least_us = _cpu_us(bare[0], bare[1], proxy.PASSED_ON, None, rounds, duration_s)
        for case in _CASES:
            found = {
                key: _cpu_us(
                    pid,
                    ports[case.name, *key],
                    case.path.format(key[0] - 1),
                    case.host and case.host.format(key[0] - 1),
                    *(rounds, duration_s),
                )
                for key in ((1, True), (100, False), (100, True), (1000, False), (1000, True))
            }
            section.rows.append(_row(case, found))
            section.targets += _targets(case, found, least_us)
    return section


def _row(case: _Case, found: dict[tuple[int, bool], float]) -> tuple[str, ...]:
    one = found[1, True]
    plain, indexed = found[100, False], found[100, True]
    return (
        case.name,
        f"{one:.1f}",
        f"{plain:.1f}",
        f"{plain / one:.2f}",
        f"{indexed:.1f}",
        f"{indexed / one:.2f}",
        f"{found[1000, False]:.1f}",
        f"{found[1000, True]:.1f}",
        f"{found[1000, True] / one:.2f}",
    )


def _targets(case: _Case, found: dict[tuple[int, bool], float], least_us: float) -> list[Target]:
    one = found[1, True]
    if case.condition is not _mixed:
        return [Target(f"{case.name}, 1,000 rules against 1", found[1000, True] / one, 1.1)]
    targets = [Target(f"{case.name}, 100 rules against 1", found[100, True] / one, 1.3)]
    if case.forward:
        what = "passed on with everything on, one rule, against a bare Envoy"
        targets.append(Target(what, one / least_us, 1.4))
    return targets


def _cpu_us(
    pid: int, port: int, path: str, host: str | None, rounds: int, duration_s: float
) -> float:
    """Return the median of the processor's microseconds for a request."""
    found = []
    for _ in range(rounds):
        before_s = procfs.cpu_s(pid)
        load = wrk.load(port, path, connections=proxy.CONNECTIONS, duration_s=duration_s, host=host)
        found.append((procfs.cpu_s(pid) - before_s) / load.requests * 1e6)
    return median(found)


def _tables(directory: Path, backend: str) -> tuple[dict[tuple[str, int, bool], int], Resources]:
    """Return a port for each case, number of rules, and whether indexed; and what serves them."""
    ports, whole = {}, Resources()
    for case in _CASES:
        for size in _SIZES:
            for indexed in (True, False):
                port = server.free_port()
                ports[case.name, size, indexed] = port
                with _index(indexed):
                    part = translate(
                        _snapshot(case, size, port),
                        {proxy._listener(port).arn: Binding("127.0.0.1", port)},
                        lambda_socket=backend,
                        lambda_idle_timeout=True,
                        request_log=str(directory / "requests.log"),
                    )
                _add(part, whole)
    return ports, whole


def _add(part: Resources, whole: Resources) -> None:
    for field in fields(Resources):
        if field.name != "runtimes":
            getattr(whole, field.name).update(getattr(part, field.name))
    for name, runtime in part.runtimes.items():
        whole.runtimes.setdefault(name, type(runtime)()).MergeFrom(runtime)


def _snapshot(case: _Case, size: int, port: int) -> Snapshot:
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
            conditions=(case.condition(n),),
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
    return replace(base, load_balancers=(balancer,), rules=(*rules, default))


@contextmanager
def _index(on: bool) -> Iterator[None]:
    before = index.ROUTES_MIN
    index.ROUTES_MIN = before if on else sys.maxsize
    try:
        yield
    finally:
        index.ROUTES_MIN = before


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
