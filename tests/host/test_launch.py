"""Ends of processes: who is killed, and who no longer is."""

import asyncio
import subprocess
import sys

from albatross.host.local import launch

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_process_that_was_reaped_is_not_killed_again_for_its_number_may_be_a_strangers() -> None:
    with subprocess.Popen(SLEEP, start_new_session=True) as stranger:
        ended = subprocess.Popen(["true"])
        ended.wait()
        ended.pid = stranger.pid  # as the kernel gives numbers again
        launch.kill(ended)
        assert stranger.poll() is None
        launch.kill(stranger)
        assert stranger.wait(10) == -9


def test_what_a_process_leaves_in_its_group_can_be_killed_when_its_end_is_told() -> None:
    leaves = "import subprocess, sys; subprocess.Popen(['sleep', '60'], stdout=sys.stdout)"
    command = [sys.executable, "-c", leaves]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)

    async def until_told() -> None:
        told = asyncio.Event()
        launch.on_exit(process, told.set)
        await asyncio.wait_for(told.wait(), 10)

    asyncio.run(until_told())
    assert process.returncode is None  # not reaped: the number is still its own
    launch.kill(process)
    with process:
        assert process.stdout is not None
        assert process.stdout.read() == b""  # at its end once nobody holds the other
    assert process.returncode == 0
