"""All processes are killed at random moments of a stream of writes, again and again.

ALBATROSS_TEST_CRASHES=500 says how often; ALBATROSS_TEST_SEED repeats a run.
"""

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from tests.support import consistency
from tests.support.command import Place, Server, free_port, is_alive, place, until
from tests.support.postgresql import Postgresql, postgresql
from tests.support.writes import Writer

CRASHES = int(os.environ.get("ALBATROSS_TEST_CRASHES", "4"))
SEED = int(os.environ.get("ALBATROSS_TEST_SEED", str(random.randrange(1 << 32))))
WRITERS = 3
LONGEST_S = 0.4  # of writing before a crash


def start(where: Place, port: int, arguments: list[str]) -> Server:
    flags = ("--port", str(port), "--data-dir", str(where.data), "--log-level", "error")
    process = where.start("serve", *flags, *arguments, stderr=subprocess.DEVNULL)
    return Server(where, process, port)


def kill(server: Server) -> None:
    """Kill every process of the server."""
    pids = [server.process.pid, *server.pids().values()]
    kill_pids(pids)
    server.process.wait()
    until(lambda: not any(map(is_alive, pids)))


def kill_pids(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def writing(writers: list[Writer]) -> Iterator[None]:
    """Let all write while the body runs. An answer that must not be fails the test."""
    stop = threading.Event()
    with ThreadPoolExecutor(len(writers)) as threads:
        running = [threads.submit(writer.run, stop) for writer in writers]
        try:
            yield
        finally:
            stop.set()
    for one in running:
        one.result()


def crash(server: Server, database: Postgresql | None, chance: random.Random) -> bool:
    """Kill the server, its database, or both. Return whether the server is to be started again."""
    what = chance.choice(["server", "server", "database", "both"]) if database else "server"
    pids = [server.process.pid, *server.pids().values()]
    time.sleep(chance.uniform(0, LONGEST_S))
    if what != "database":
        kill_pids(pids)
    if what != "server":
        assert database is not None
        database.kill()
        database.start()
    if what != "database":
        server.process.wait()
        until(lambda: not any(map(is_alive, pids)))
    return what != "database"


def examine(server: Server, writers: list[Writer], url: str | None, chance: random.Random) -> None:
    """Everything acknowledged is there, nothing is there by half, and requests are served."""
    faults = [fault for writer in writers for fault in writer.settle()]
    faults += consistency.faults(server.place.data, database=url or consistency.DATABASE)
    faults += chance.choice(writers).faults_of_traffic()
    assert faults == [], "\n".join([f"seed {SEED}", *faults])


@pytest.mark.timeout(60 + 6 * CRASHES)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_whatever_was_acknowledged_survives_the_end_of_all_processes(kind: str) -> None:
    if kind == "sqlite":
        crash_again_and_again(None)
    else:
        with postgresql() as database:
            crash_again_and_again(database)


def crash_again_and_again(database: Postgresql | None) -> None:
    chance = random.Random(SEED)
    url = database.url() if database else None
    arguments = ["--database", url] if url else []
    with place() as where:
        server = start(where, free_port(), arguments)
        try:
            server.until_ready()
            writers = [
                Writer(server, f"{number:012d}", free_port(), random.Random(f"{SEED} {number}"))
                for number in range(1, WRITERS + 1)
            ]
            for writer in writers:
                writer.set_up()
            revision = 0
            for number in range(1, CRASHES + 1):
                with writing(writers):
                    ended = crash(server, database, chance)
                if ended:
                    server.process = start(where, server.port, arguments).process
                server.until_ready()
                examine(server, writers, url, chance)
                before, revision = revision, server.status()["revision"]
                assert revision >= before
                acknowledged = sum(writer.acknowledged for writer in writers)
                if number % 50 == 0:
                    told = f"{number} crashes, {acknowledged} writes acknowledged, seed {SEED}"
                    print(told, flush=True)  # noqa: T201
            assert acknowledged > CRASHES, "they did write"
        finally:
            if server.process.poll() is None:
                kill(server)
