"""What processes print is read as fast as their budget allows, and no faster."""

import asyncio
import os
import select
import subprocess
import sys

import pytest

from albatross.host.observe import output
from albatross.host.observe.logs import READ_BYTES_MAX
from albatross.host.observe.output import BURST_BYTES, BYTES_PER_S, Budget, Output


def start(source: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE)
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    return process


def test_a_burst_is_read_at_once_and_then_as_much_as_time_has_brought() -> None:
    budget = Budget(100.0)
    budget.take(BURST_BYTES - READ_BYTES_MAX, 100.0)
    assert budget.wait_s(100.0) == 0
    budget.take(READ_BYTES_MAX, 100.0)
    assert budget.wait_s(100.0) == pytest.approx(READ_BYTES_MAX / BYTES_PER_S)
    assert budget.wait_s(101.0) == 0


def test_silence_saves_up_no_more_than_a_burst() -> None:
    budget = Budget(0.0)
    budget.take(0, 1e6)
    budget.take(BURST_BYTES, 1e6)
    assert budget.wait_s(1e6) > 0


@pytest.mark.parametrize(
    ("text", "times"), [("x", 1), ("\n", 33)], ids=["one line", "short lines, which cost more"]
)
def test_what_is_beyond_the_burst_waits_in_the_pipe(
    monkeypatch: pytest.MonkeyPatch, text: str, times: int
) -> None:
    monkeypatch.setattr(output, "BURST_BYTES", times * 256 * 1024)
    monkeypatch.setattr(output, "BYTES_PER_S", 1)
    may_be_read = output.BURST_BYTES // times
    process = start(f"import sys\nwhile True: sys.stdout.buffer.write(b{text!r} * 65536)")
    read = 0

    async def run() -> None:
        spent = asyncio.Event()

        def printed(data: bytes, _: object) -> None:
            nonlocal read
            read += len(data)
            if read > may_be_read - READ_BYTES_MAX:
                spent.set()

        reader = Output(process, printed)
        await spent.wait()
        for _ in range(20):
            reader.read_rest()  # as an answer does
            await asyncio.sleep(0.001)
        assert read <= may_be_read + READ_BYTES_MAX
        process.kill()
        process.wait()
        reader.close()

    asyncio.run(asyncio.wait_for(run(), 10))
    assert may_be_read - READ_BYTES_MAX < read <= may_be_read + 3 * READ_BYTES_MAX


def test_a_process_that_closes_its_output_is_not_looked_at_again_and_again() -> None:
    process = start("import os, sys, time\nos.close(1)\ntime.sleep(60)")
    assert process.stdout is not None
    descriptor = process.stdout.fileno()

    async def run() -> bool:
        reader = Output(process, lambda *_: None)
        hung_up = select.poll()
        hung_up.register(descriptor, 0)
        await asyncio.to_thread(hung_up.poll)
        for _ in range(3):
            await asyncio.sleep(0)
        still_looks = asyncio.get_running_loop().remove_reader(descriptor)
        process.kill()
        process.wait()
        reader.close()
        return still_looks

    assert not asyncio.run(asyncio.wait_for(run(), 10))
