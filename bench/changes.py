"""How long a changed rule takes to be in effect, among few and among many rules."""

import asyncio
import math
import socket
import tempfile
import time
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

RULES_EACH = 100
BALANCERS = (1, 100)
CHANGES = 40
_SCOPE = Scope("123456789012", "us-east-1")
_PREFIX = f"arn:aws:elasticloadbalancing:{_SCOPE.region}:{_SCOPE.account}"
_NETWORK = "127.83.7.0/24"
_PORT = 8083
_PROCESSES = ("control", "proxy")


def measure() -> Section:
    section = Section(
        title="Changes",
        about=(
            f"{RULES_EACH} rules a load balancer; one rule changes (ModifyRule), {CHANGES} times. "
            "From sending the call until a request, sent when it is answered, gets the new answer."
        ),
        columns=("", "median ms", "p99 ms", "control plane ms", "proxy ms"),
    )
    for balancers, limit_ms in zip(BALANCERS, (10, 100), strict=True):
        took_s, control_s, proxy_s = _changes(balancers)
        name = f"{balancers * RULES_EACH:,} rules"
        section.rows.append(
            (
                name,
                f"{median(took_s) * 1000:.1f}",
                f"{sorted(took_s)[math.ceil(len(took_s) * 0.99) - 1] * 1000:.1f}",
                f"{control_s * 1000:.1f}",
                f"{proxy_s * 1000:.1f}",
            )
        )
        section.targets.append(
            Target(f"a rule changes among {name}, median", median(took_s) * 1000, limit_ms, " ms")
        )
    return section


def _changes(balancers: int) -> tuple[list[float], float, float]:
    """Return how long each change took, and the processor's seconds for one, in two processes."""
    with tempfile.TemporaryDirectory(prefix="bench-data-") as data:
        asyncio.run(_fill(Path(data), balancers))
        settings = {"data_dir": data, "addresses": _NETWORK, "log_level": "warning"}
        with server.serve(settings) as running:
            elbv2 = deployment.client("elbv2", running.api)
            pids = running.pids()
            _change(elbv2, balancers - 1, -1)
            before = [procfs.cpu_s(pids[name]) for name in _PROCESSES]
            took_s = [_change(elbv2, number * 7 % balancers, number) for number in range(CHANGES)]
            after = [procfs.cpu_s(pids[name]) for name in _PROCESSES]
        control_s, proxy_s = (
            (end - begin) / CHANGES for begin, end in zip(before, after, strict=True)
        )
        return took_s, control_s, proxy_s


def _change(elbv2: Any, balancer: int, number: int) -> float:
    """Change the last rule of a load balancer; return the seconds until that is in effect."""
    wanted = f"change {number} "
    request = f"GET /rule-{RULES_EACH} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
    arn = _rule_arn(balancer, RULES_EACH)
    with socket.create_connection((f"127.83.7.{balancer + 1}", _PORT), timeout=5) as connection:
        begun_s = time.monotonic()
        elbv2.modify_rule(RuleArn=arn, Actions=[deployment.fixed_response(wanted)])
        while time.monotonic() < begun_s + 5:
            connection.sendall(request)
            if wanted.encode() in connection.recv(65536):
                return time.monotonic() - begun_s
    raise RuntimeError(f"change {number} is not in effect")


def _rule_arn(balancer: int, number: int) -> str:
    return f"{_PREFIX}:listener-rule/app/lb-{balancer}/{balancer:016x}/{1:016x}/{number:016x}"


async def _fill(data: Path, balancers: int) -> None:
    """Make the load balancers, each with a listener and its rules."""
    store = Store(
        f"sqlite:///{data / 'state.db'}",
        Packages(data),
        Keys(data),
        strict=False,
        on_commit=lambda _: None,
    )
    for number in range(balancers):
        await store.write(_SCOPE, partial(_make, number=number))
    await store.close()


def _make(tx: Transaction, number: int) -> None:
    name = f"lb-{number}"
    balancer = LoadBalancer(
        arn=f"{_PREFIX}:loadbalancer/app/{name}/{number:016x}",
        name=name,
        dns_name=f"{name}-1.us-east-1.elb.localhost",
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
    for rule in range(RULES_EACH + 1):
        tx.put(
            Rule(
                arn=_rule_arn(number, rule),
                listener_arn=listener.arn,
                priority=rule or None,
                conditions=(PathPattern(values=(f"/rule-{rule}",)),) if rule else (),
                action=FixedResponse(status_code=200, message_body=f"rule {rule}"),
            )
        )
