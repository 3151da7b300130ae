"""What an environment makes of a runtime that is faster than those who have started it."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from albatross.host.deadline import Deadline
from albatross.host.environment import Environment
from albatross.host.failures import InitFailure
from albatross.host.invocation import Invocation, Outcome
from albatross.host.observe.logs import Logs
from albatross.host.states import State
from albatross.model.function import Directory
from tests.support.host import make_function


class Owner:
    def __init__(self) -> None:
        self.idle: list[Environment] = []

    def ready(self, environment: Environment) -> None:
        self.idle.append(environment)

    def gone(self, environment: Environment, failure: InitFailure | None) -> None:
        raise AssertionError

    def finished(self, invocation: Invocation, outcome: Outcome) -> None:
        raise AssertionError

    def printed(self, environment: Environment, text: bytes) -> None:
        raise AssertionError


class Connection:
    def send_event(self, invocation: Invocation, function_arn: str, deadline_ms: int) -> None:
        raise AssertionError


@pytest.mark.parametrize("first", ["the process", "its question"])
def test_a_runtime_may_ask_before_its_process_is_known(tmp_path: Path, first: str) -> None:
    async def run(process: subprocess.Popen[bytes]) -> None:
        function, owner = make_function("fast", Directory(path="/code")), Owner()
        log = Logs(tmp_path).stream(function, "1" * 32)
        environment = Environment("1" * 32, function, owner, tmp=tmp_path, function_log=log)
        environment.journal.begin()
        if first == "the process":
            environment.run(process, 0.05)
            environment.park(Connection())
        else:
            environment.park(Connection())
            assert not owner.idle  # nobody is to use what cannot be ended yet
            environment.run(process, 0.05)
        assert owner.idle == [environment]
        assert environment.init_ms is not None
        await asyncio.sleep(0.1)  # longer than its init phase may take
        assert environment.state is State.IDLE
        assert process.poll() is None

    with subprocess.Popen(
        ["sleep", "60"], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        try:
            asyncio.run(run(process))
        finally:
            process.kill()


def test_a_deadline_that_moves_on_is_not_missed() -> None:
    async def run() -> None:
        missed = asyncio.Event()
        deadline, loop = Deadline(missed.set), asyncio.get_running_loop()
        deadline.set(loop.time() + 0.01)
        deadline.set(loop.time() + 60)
        await asyncio.sleep(0.05)
        assert not missed.is_set()
        deadline.set(loop.time() + 0.01)
        deadline.clear()
        await asyncio.sleep(0.05)
        assert not missed.is_set()
        deadline.set(loop.time() + 0.01)  # before that which it has looked for
        await asyncio.wait_for(missed.wait(), 10)
        deadline.close()

    asyncio.run(run())
