"""How long a changed rule takes to be in effect, among few and among many rules."""

import asyncio
import math
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import deployment
import procfs
import server
from report import Section, Target

from albatross.model.arn import Scope
from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer, Zone
from albatross.model.rule import FixedResponse, PathPattern, Rule
from albatross.store.keys import Keys
from albatross.store.packages import Packages
from albatross.store.store import Store
from albatross.store.transaction import Transaction

CHANGES = 100
WARM_UP = 5
TURNS, CHANGES_A_TURN = 30, 20  # of the comparison of few rules with many
_SCOPE = Scope("123456789012", "us-east-1")
_PREFIX = f"arn:aws:elasticloadbalancing:{_SCOPE.region}:{_SCOPE.account}"
_NETWORKS = ("127.83.7", "127.83.6")  # /24
_PORT = 8083
_PROCESSES = ("control", "proxy")


@dataclass(frozen=True, slots=True)
class Case:
    """So many load balancers with so many rules each; `shared`: all on one socket."""

    balancers: int
    rules_each: int
    limit_ms: float | None = None
    shared: bool = False

    @property
    def rules(self) -> int:
        return self.balancers * self.rules_each

    @property
    def name(self) -> str:
        plural = "" if self.balancers == 1 else "s"
        shared = " on one socket" if self.shared else ""
        return f"{self.rules:,} rules, {self.balancers} load balancer{plural}{shared}"


CASES = (
    Case(1, 100, 10),
    Case(100, 1),
    Case(100, 10),
    Case(100, 100, 100),
    Case(10, 100, shared=True),
)
FEW, MANY = CASES[0], CASES[3]  # 100 rules in the table that changes, alone and among 99 others
GROWTH_MAX = 1.2  # of processor time by change: of many rules, its caches hold none


@dataclass(frozen=True, slots=True)
class Serving:
    """A server with the rules of a case. A load balancer each has an address in `network`."""

    case: Case
    network: str
    elbv2: Any
    pids: Sequence[int]  # of `_PROCESSES`

    def address(self, balancer: int) -> str:
        return "127.0.0.1" if self.case.shared else f"{self.network}.{balancer + 1}"

    def cpu_s(self) -> list[float]:
        return [procfs.cpu_s(pid) for pid in self.pids]


def measure() -> Section:
    section = Section(
        title="Changes",
        about=(
            f"One rule changes (ModifyRule), {CHANGES} times, each time of another load balancer. "
            "From sending the call until a request, sent when it is answered, gets the new answer; "
            "and the processor's time for one change. A table of routes is made and sent whole: "
            "that of one load balancer, or of those that share a socket. The proxy builds it whole."
        ),
        columns=("", "median ms", "p99 ms", "control plane ms", "proxy ms"),
    )
    for case in CASES:
        took_s, control_s, proxy_s = _changes(case)
        section.rows.append(
            (
                case.name,
                f"{median(took_s) * 1000:.1f}",
                f"{sorted(took_s)[math.ceil(len(took_s) * 0.99) - 1] * 1000:.1f}",
                f"{control_s * 1000:.1f}",
                f"{proxy_s * 1000:.1f}",
            )
        )
        if case.limit_ms is not None:
            what = f"a rule changes among {case.rules:,} rules, median"
            found_ms = median(took_s) * 1000
            section.targets.append(Target(what, found_ms, case.limit_ms, " ms"))
    what = f"control plane's time for a change, {MANY.rules:,} rules against {FEW.rules}"
    section.targets.append(Target(what, _growth(), GROWTH_MAX))
    return section


def _changes(case: Case) -> tuple[list[float], float, float]:
    """Return how long each change took, and the processor's seconds for one, in two processes."""
    with _serving(case, _NETWORKS[0]) as served:
        before = served.cpu_s()
        took_s = [_change(served, number) for number in range(CHANGES)]
        after = served.cpu_s()
    control_s, proxy_s = ((end - begin) / CHANGES for begin, end in zip(before, after, strict=True))
    return took_s, control_s, proxy_s


def _growth() -> float:
    """Return the control plane's time for a change among many rules, divided by that among few.

    Both servers run at once and take turns: what else the machine does then slows down both.
    """
    ratios = []
    with _serving(FEW, _NETWORKS[0]) as few, _serving(MANY, _NETWORKS[1]) as many:
        for turn in range(TURNS):
            spent_s = []
            for each in (few, many):
                before, *_ = each.cpu_s()
                for number in range(CHANGES_A_TURN):
                    _change(each, turn * CHANGES_A_TURN + number)
                after, *_ = each.cpu_s()
                spent_s.append(after - before)
            ratios.append(spent_s[1] / spent_s[0])
    return median(ratios)


@contextmanager
def _serving(case: Case, network: str) -> Iterator[Serving]:
    """Start a server with the rules of `case`, and make a few changes."""
    with tempfile.TemporaryDirectory(prefix="bench-data-") as data:
        asyncio.run(_fill(Path(data), case))
        settings = {"data_dir": data, "log_level": "warning"}
        if not case.shared:
            settings["addresses"] = f"{network}.0/24"
        with server.serve(settings) as running:
            pids = running.pids()
            elbv2 = deployment.client("elbv2", running.api)
            found = Serving(case, network, elbv2, [pids[name] for name in _PROCESSES])
            for number in range(WARM_UP):
                _change(found, -1 - number)
            yield found


def _change(served: Serving, number: int) -> float:
    """Change the last rule of a load balancer; return the seconds until that is in effect."""
    case, wanted = served.case, f"change {number} "
    balancer = number * 7 % case.balancers
    request = f"GET /rule-{case.rules_each} HTTP/1.1\r\nHost: {_dns_name(balancer)}\r\n\r\n"
    arn = _rule_arn(balancer, case.rules_each)
    with socket.create_connection((served.address(balancer), _PORT), timeout=5) as connection:
        begun_s = time.monotonic()
        served.elbv2.modify_rule(RuleArn=arn, Actions=[deployment.fixed_response(wanted)])
        while time.monotonic() < begun_s + 5:
            connection.sendall(request.encode())
            if wanted.encode() in connection.recv(65536):
                return time.monotonic() - begun_s
    raise RuntimeError(f"change {number} is not in effect")


def _dns_name(balancer: int) -> str:
    return f"lb-{balancer}-1.us-east-1.elb.localhost"


def _rule_arn(balancer: int, number: int) -> str:
    return f"{_PREFIX}:listener-rule/app/lb-{balancer}/{balancer:016x}/{1:016x}/{number:016x}"


async def _fill(data: Path, case: Case) -> None:
    """Make the load balancers, each with a listener and its rules."""
    store = Store(
        f"sqlite:///{data / 'state.db'}",
        Packages(data),
        Keys(data),
        strict=False,
        on_commit=lambda _: None,
    )
    for number in range(case.balancers):
        await store.write(_SCOPE, partial(_make, number=number, rules=case.rules_each))
    await store.close()


def _make(tx: Transaction, number: int, rules: int) -> None:
    name = f"lb-{number}"
    balancer = LoadBalancer(
        arn=f"{_PREFIX}:loadbalancer/app/{name}/{number:016x}",
        name=name,
        dns_name=_dns_name(number),
        scheme="internet-facing",
        ip_address_type="ipv4",
        zones=(Zone(subnet_id="subnet-1", name="us-east-1a"),),
        security_groups=(),
        vpc_id="vpc-1",
        created_at=datetime.now(UTC),
        slot=number,
    )
    listener = Listener(
        arn=f"{_PREFIX}:listener/app/{name}/{number:016x}/{1:016x}",
        load_balancer_arn=balancer.arn,
        port=_PORT,
        protocol="HTTP",
    )
    tx.put(balancer)
    tx.put(listener)
    for rule in range(rules + 1):
        tx.put(
            Rule(
                arn=_rule_arn(number, rule),
                listener_arn=listener.arn,
                priority=rule or None,
                conditions=(PathPattern(values=(f"/rule-{rule}",)),) if rule else (),
                action=FixedResponse(status_code=200, message_body=f"rule {rule}"),
            )
        )
