"""The store with ten thousand rules: how long a start, a write and a page take, and the memory.

With ALBATROSS_BENCH_DATABASE, the URL of an empty PostgreSQL database, that is measured too.
"""

import asyncio
import http.client
import math
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import procfs
import server
from report import Section, Target

import changes
from albatross.store.keys import Keys
from albatross.store.packages import Packages
from albatross.store.store import Store

BALANCERS, RULES_EACH = 96, 100  # as AWS's default quotas have it
RULES_OF_LAST = 400  # of one more load balancer: a whole page of DescribeRules
CALLS = 200  # so that the 99th percentile is not just the slowest
CLIENTS, WRITES_EACH = 8, 40
_PROCESSES = ("control", "proxy")
_PORT = changes._PORT
_NETWORK = "127.83.9.0/24"
_SIGNED = (
    "AWS4-HMAC-SHA256 Credential=123456789012/20260101/us-east-1/elasticloadbalancing/"
    "aws4_request, SignedHeaders=host, Signature=0"
)


def measure() -> Section:
    rules = BALANCERS * RULES_EACH + RULES_OF_LAST
    section = Section(
        title="Store",
        about=(
            f"A server with {rules:,} rules. Start: from the command until it is ready and all "
            "rules are in effect, each process's processor time beside it. CreateRule and "
            f"DescribeRules ({RULES_OF_LAST} rules): over plain HTTP, one after the other, each "
            f"rule for another load balancer. Writes: CreateRule by {CLIENTS} clients at once. "
            "Memory is resident."
        ),
        columns=(
            "",
            "start s",
            "control s",
            "proxy s",
            "CreateRule p50 ms",
            "p99 ms",
            "control ms",
            "proxy ms",
            "DescribeRules p50 ms",
            "writes/s",
            "control MB",
            "proxy MB",
        ),
    )
    for name, url in _databases():
        found = _measure(url)
        section.rows.append((name, *(f"{value:.{digits}f}" for value, digits in found)))
        if name == "SQLite":
            start, create, page = (found[column][0] for column in (0, 3, 7))
            section.targets += [
                Target(f"start with {rules:,} rules", start, 2, " s"),
                Target(f"CreateRule among {rules:,} rules, median", create, 10, " ms"),
                Target(f"DescribeRules, {RULES_OF_LAST} rules, median", page, 20, " ms"),
            ]
    return section


def _databases() -> Iterator[tuple[str, str]]:
    yield "SQLite", ""
    if url := os.environ.get("ALBATROSS_BENCH_DATABASE"):
        yield "PostgreSQL", url


def _measure(database: str) -> list[tuple[float, int]]:
    """Return the columns of a row, each with its number of digits."""
    with tempfile.TemporaryDirectory(prefix="bench-data-") as data:
        asyncio.run(_fill(Path(data), database))
        settings = {
            "data_dir": data,
            "addresses": _NETWORK,
            "log_level": "warning",
            "quotas": "rules-per-application-load-balancer=100000",
            **({"database": database} if database else {}),
        }
        with server.serve(settings) as running:
            _wait_for_the_last_rule()
            start_s = time.monotonic() - running.started_s
            pids = running.pids()
            cpu = [procfs.cpu_s(pids[name]) for name in _PROCESSES]
            memory = [procfs.memory(pids[name]).rss_kb / 1024 for name in _PROCESSES]
            priorities = count(10_000)
            before = [procfs.cpu_s(pids[name]) for name in _PROCESSES]
            created = [
                _create(running.api_port, next(priorities), balancer=number % BALANCERS)
                for number in range(CALLS)
            ]
            after = [procfs.cpu_s(pids[name]) for name in _PROCESSES]
            pages = [_describe(running.api_port) for _ in range(CALLS)]
            rate = _writes_a_second(running.api_port, priorities)
    p99 = sorted(created)[math.ceil(len(created) * 0.99) - 1]
    return [
        *((value, 2) for value in (start_s, *cpu)),
        *((value * 1000, 1) for value in (median(created), p99)),
        *((1000 * (end - begin) / CALLS, 1) for begin, end in zip(before, after, strict=True)),
        (median(pages) * 1000, 1),
        (rate, 0),
        *((value, 0) for value in memory),
    ]


async def _fill(data: Path, database: str) -> None:
    store = Store(
        database or f"sqlite:///{data / 'state.db'}",
        Packages(data),
        Keys(data),
        strict=False,
        on_commit=lambda _: None,
    )
    for number in range(BALANCERS + 1):
        rules = RULES_EACH if number < BALANCERS else RULES_OF_LAST
        await store.write(changes._SCOPE, partial(changes._make, number=number, rules=rules))
    await store.close()


def _wait_for_the_last_rule() -> None:
    request = f"GET /rule-{RULES_OF_LAST} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
    wanted = f"rule {RULES_OF_LAST}".encode()
    while True:
        with socket.create_connection(
            (f"127.83.9.{BALANCERS + 1}", _PORT), timeout=5
        ) as connection:
            connection.sendall(request)
            if wanted in connection.recv(65536):
                return


def _create(
    port: int,
    priority: int,
    connection: http.client.HTTPConnection | None = None,
    *,
    balancer: int = 0,
) -> float:
    return _call(
        port,
        connection,
        Action="CreateRule",
        ListenerArn=_listener_arn(balancer),
        Priority=str(priority),
        **{
            "Conditions.member.1.Field": "path-pattern",
            "Conditions.member.1.Values.member.1": f"/made-{priority}",
            "Actions.member.1.Type": "fixed-response",
            "Actions.member.1.FixedResponseConfig.StatusCode": "200",
        },
    )


def _describe(port: int) -> float:
    return _call(
        port,
        None,
        Action="DescribeRules",
        ListenerArn=_listener_arn(BALANCERS),
        PageSize=str(RULES_OF_LAST),
    )


def _writes_a_second(port: int, priorities: Iterator[int]) -> float:
    wanted = [[next(priorities) for _ in range(WRITES_EACH)] for _ in range(CLIENTS)]

    def write(mine: list[int]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for priority in mine:
            _create(port, priority, connection)
        connection.close()

    begun_s = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(write, wanted))
    return CLIENTS * WRITES_EACH / (time.monotonic() - begun_s)


def _listener_arn(balancer: int) -> str:
    return changes._rule_arn(balancer, 0).replace(":listener-rule/", ":listener/")[:-17]


def _call(port: int, connection: http.client.HTTPConnection | None, **form: str) -> float:
    """Return the seconds that a call took."""
    used = connection or http.client.HTTPConnection("127.0.0.1", port)
    body = urlencode({"Version": "2015-12-01", **form})
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": _SIGNED}
    begun_s = time.monotonic()
    used.request("POST", "/", body, headers)
    answer = used.getresponse()
    content = answer.read()
    took_s = time.monotonic() - begun_s
    if answer.status != 200:
        raise RuntimeError(content.decode())
    if connection is None:
        used.close()
    return took_s
