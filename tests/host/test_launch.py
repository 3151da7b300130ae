"""Ends of processes: who is killed, and who no longer is."""

import asyncio
import os
import subprocess
import sys

from albatross.host import launch

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
    async def run() -> None:
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        leaves = "import subprocess, sys; subprocess.Popen(['sleep', '60'], stdout=sys.stdout)"
        reads, writes = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-c", leaves], stdout=writes, start_new_session=True
        )
        os.close(writes)
        launch.on_exit(process, told.set)
        async with asyncio.timeout(10):
            await told.wait()
            assert process.returncode is None  # not reaped: the number is still its own
            launch.kill(process)
            assert process.wait() == 0
            with os.fdopen(reads, "rb") as pipe:  # at its end once nobody holds the other
                assert await loop.run_in_executor(None, pipe.read) == b""

    asyncio.run(run())
