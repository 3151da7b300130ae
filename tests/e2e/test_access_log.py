"""Access logs survive the end of any process of the server."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.support.access_logs import Logs, turn_on
from tests.support.command import until
from tests.support.stack import Front, fixed, stack


@pytest.fixture(scope="module")
def logs() -> Iterator[Logs]:
    with stack(ALBATROSS_LOG_INTERVAL_S="1") as running:
        yield Logs(running)


def test_logs_go_on_when_the_proxy_or_the_control_plane_is_replaced(logs: Logs) -> None:
    front = logs.stack.front(fixed(200, "hi"))
    turn_on(front)
    for name in ("proxy", "control"):
        before = logs.stack.server.pids()
        os.kill(before[name], signal.SIGKILL)
        until(lambda old=before[name], name=name: _pid(logs, name) not in (0, old))
        logs.stack.server.until_ready()
        until(lambda: _answers(front))
        assert front.get(f"/after-{name}").status == 200
        until(lambda name=name: any(f":80/after-{name} " in line for line in logs.lines()))


def _pid(logs: Logs, name: str) -> int:
    try:
        return logs.stack.server.pids()[name]
    except ValueError:  # nobody answers
        return 0


def _answers(front: Front) -> bool:
    try:
        return front.get("/").status == 200
    except (OSError, EOFError):
        return False


def test_what_was_requested_just_before_the_end_is_in_the_files() -> None:
    with stack() as running:
        logs = Logs(running)
        front = logs.stack.front(fixed(200, "hi"))
        turn_on(front)
        for n in range(20):
            front.get(f"/last/{n}")
        assert running.server.stop() == 0
        assert len(logs.lines()) == 20
        assert not list(running.server.place.data.glob("log-spool/**/*.log.gz"))
