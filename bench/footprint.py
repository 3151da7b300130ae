"""How much memory a server takes, idle and under load."""

import threading
import time

import deployment
import procfs
import server
import wrk
from lambda_path import HELLO
from procfs import Memory
from report import Section, Target

SETTLE_S = 2.0
LOAD_S = 4.0


def measure() -> Section:
    with server.serve({"log_level": "warning"}) as running:
        made = deployment.Deployment(running.api, server.free_port())
        time.sleep(SETTLE_S)
        idle = _by_process(running)
        group_arn = made.function("hello", (HELLO / "app.py").read_text())
        made.rule(1, "/*", deployment.forward(group_arn))
        load = threading.Thread(
            target=wrk.load,
            args=(made.port, "/"),
            kwargs={"connections": 16, "duration_s": LOAD_S},
        )
        load.start()
        time.sleep(LOAD_S * 0.75)
        busy = _by_process(running)
        functions = [procfs.memory(pid) for pid in running.environments()]
        load.join()
    section = Section(
        title="Memory",
        about=(
            "Resident memory of `albatross serve` in MB: idle, with one load balancer and one "
            "listener, and under load of 16 connections to a function. PSS counts a page that n "
            "processes share as one nth for each. What functions take comes on top."
        ),
        columns=("process", "idle RSS", "idle PSS", "busy RSS", "busy PSS"),
    )
    for name in idle:
        section.rows.append(_row(name, idle[name], busy[name]))
    all_idle, all_busy = _sum(list(idle.values())), _sum(list(busy.values()))
    section.rows.append(_row("together", all_idle, all_busy))
    section.rows.append(_row(f"{len(functions)} functions", Memory(0, 0), _sum(functions)))
    what = "idle, all processes together (RSS)"
    section.targets.append(Target(what, all_idle.rss_kb / 1024, 200, " MB"))
    return section


def _by_process(running: server.Server) -> dict[str, Memory]:
    found = {name: procfs.memory(pid) for name, pid in running.pids().items()}
    return {**found, "spawner": _sum([procfs.memory(pid) for pid in running.spawners()])}


def _sum(memories: list[Memory]) -> Memory:
    return sum(memories, Memory(0, 0))


def _row(name: str, idle: Memory, busy: Memory) -> tuple[str, ...]:
    values = (idle.rss_kb, idle.pss_kb, busy.rss_kb, busy.pss_kb)
    return (name, *(f"{value / 1024:.1f}" for value in values))
