"""The life of an execution environment: init, invoke, reset, freeze, memory; in a real host."""

import asyncio
import json
import os
import re
import sys
import textwrap
import time
from collections.abc import Iterator
from typing import Any

import pytest

from albatross.host import failures
from albatross.host.local import memory
from tests.support.command import until
from tests.support.host import RunningHost, function_arn, running_host

linux = pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")


@pytest.fixture(scope="module")
def host() -> Iterator[RunningHost]:
    with running_host(memory_unlimited="free, let-*") as host:
        yield host


def report(tail: bytes) -> dict[str, str]:
    """Return the members of the REPORT line in a log."""
    line = re.findall(r"REPORT (.*)", tail.decode())[-1]
    return dict(part.split(": ", 1) for part in line.split("\t") if ": " in part)


# Init within an invocation


SLOW_INIT = """
import os, time
started = time.monotonic()
if os.path.exists('/tmp/slow'):
    time.sleep(0.6)

def handler(event, context):
    if event == 'crash':
        open('/tmp/slow', 'w').close()
        os._exit(1)
    if event == 'hang':
        time.sleep(60)
    return context.get_remaining_time_in_millis()
"""


def test_after_a_reset_the_init_phase_is_part_of_the_invocation(host: RunningHost) -> None:
    host.deploy("suppressed", SLOW_INIT, timeout_s=3)
    first = host.invoke("suppressed", "crash")
    assert "Init Duration" in report(first.log_tail)
    assert report(first.log_tail)["Error Type"] == "Runtime.ExitError"
    second = host.invoke("suppressed")
    told = report(second.log_tail)
    assert "Init Duration" not in told
    assert float(told["Duration"].removesuffix(" ms")) >= 600
    assert json.loads(second.payload) <= 2400  # of the function's 3 seconds
    third = report(host.invoke("suppressed").log_tail)
    assert float(third["Duration"].removesuffix(" ms")) < 600


def test_an_init_phase_after_a_reset_can_use_up_the_function_s_timeout(host: RunningHost) -> None:
    source = SLOW_INIT.replace("0.6", "30")
    host.deploy("outlasts", source, timeout_s=1)
    host.invoke("outlasts", "crash")
    invoked = host.invoke("outlasts")
    assert json.loads(invoked.payload)["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 1.00 seconds" in json.loads(invoked.payload)["errorMessage"]
    assert "Phase: invoke\tStatus: timeout" in host.log("outlasts")


def test_a_timeout_resets_the_environment_too(host: RunningHost) -> None:
    host.deploy("hangs", SLOW_INIT, timeout_s=1)
    timed_out = host.invoke("hangs", "hang")
    assert report(timed_out.log_tail)["Status"] == "timeout"
    assert "Init Duration" not in report(host.invoke("hangs").log_tail)


@pytest.mark.parametrize(
    ("source", "error_type", "shown"),
    [
        pytest.param("import nowhere\n", "Runtime.ImportModuleError", "", id="an import error"),
        pytest.param(
            "import os\nos._exit(7)\n", "Runtime.ExitError", "exit status 7", id="an exit"
        ),
    ],
)
def test_an_init_phase_that_fails_is_reported_and_tried_again(
    host: RunningHost, source: str, error_type: str, shown: str
) -> None:
    name = error_type.replace(".", "-")
    host.deploy(name, source)
    for _ in range(2):
        document = json.loads(host.invoke(name).payload)
        assert document["errorType"] == error_type
        assert shown in document["errorMessage"]
    lines = re.findall(r"INIT_REPORT Init Duration: [\d.]+ ms\t(.*)", host.log(name))
    assert lines == [f"Phase: init\tStatus: error\tError Type: {error_type}"] * 2
    host.deploy(name, "def handler(e, c): return 1\n")
    assert host.invoke(name).payload == b"1"


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        pytest.param(
            "Runtime.ImportModuleError", "Runtime.ImportModuleError", id="one of Lambda's"
        ),
        pytest.param("Function.NoSuchMethod", "Function.NoSuchMethod", id="one of a function"),
        pytest.param("Function.2", "Function.Unknown", id="of a function, misshapen"),
        pytest.param("KeyError", "Runtime.Unknown", id="an exception"),
        pytest.param("", "Runtime.Unknown", id="none"),
    ],
)
def test_names_of_errors_are_normalised_in_lambda_s_own_records(told: str, kind: str) -> None:
    assert failures.kind_of(told) == kind


def test_what_a_crash_has_left_goes_when_no_invocation_follows() -> None:
    with running_host(environment_idle_s=1) as short:
        short.deploy("left", SLOW_INIT)
        short.invoke("left", "crash")
        folder = short.directory / "run" / "environments"
        assert list(folder.iterdir())
        until(lambda: not list(folder.iterdir()))


def test_a_host_that_keeps_environments_ready_ends_all_the_same() -> None:
    with running_host() as host:
        host.deploy("ready", "def handler(e, c): return 1\n")
        host.provisioned = {function_arn("ready"): 2}
        host.apply()
        until(lambda: _ready(host) == 2)


def _ready(host: RunningHost) -> int:
    pools: Any = asyncio.run(host.client.statistics())["pools"]
    return sum(pool["provisioned_ready"] for pool in pools)


# Memory


HOG = """
import os, subprocess, sys, time

def handler(event, context):
    if event == 'child':
        script = "x = bytearray(300 << 20); import time; time.sleep(20)"
        subprocess.run([sys.executable, "-c", script])
    kept = []
    for _ in range(event if isinstance(event, int) else 0):
        kept.append(bytearray(os.urandom(1 << 20)))
    time.sleep(0.5)
    return len(kept)
"""


@linux
@pytest.mark.parametrize(
    "event", [pytest.param(400, id="itself"), pytest.param("child", id="in a child")]
)
def test_a_function_that_uses_more_memory_than_it_has_is_ended(
    host: RunningHost, event: object
) -> None:
    host.deploy("hog", HOG, timeout_s=15, memory_mb=128)
    invoked = host.invoke("hog", event)
    document = json.loads(invoked.payload)
    assert document == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {invoked.request_id} "
        "Error: Runtime exited with error: signal: killed",
    }
    told = report(invoked.log_tail)
    assert told["Status"] == "error"
    assert told["Error Type"] == "Runtime.OutOfMemory"
    assert told["Max Memory Used"] == told["Memory Size"] == "128 MB"
    assert host.invoke("hog", 10).payload == b"10"


MAPS = """
import mmap, time

def handler(event, context):
    file = open("large", "rb")
    with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        read = sum(mapped[at] for at in range(0, len(mapped), 4096))
        time.sleep(0.5)
    return read
"""


@linux
def test_pages_of_files_that_a_function_maps_are_not_its_memory(host: RunningHost) -> None:
    host.deploy("maps", MAPS, timeout_s=15, memory_mb=128)
    code = host.directory / "data" / "code" / host.package("maps", MAPS).digest
    with (code / "large").open("wb") as file:
        file.truncate(300 << 20)
    for _ in range(2):
        invoked = host.invoke("maps")
        assert invoked.payload == b"0", invoked.payload
        assert report(invoked.log_tail)["Max Memory Used"] == "128 MB"


@linux
@pytest.mark.parametrize("name", ["free", "let-me"])
def test_functions_named_by_the_setting_may_use_more(host: RunningHost, name: str) -> None:
    host.deploy(name, HOG, timeout_s=15, memory_mb=128)
    invoked = host.invoke(name, 200)
    assert invoked.payload == b"200"
    assert int(report(invoked.log_tail)["Max Memory Used"].removesuffix(" MB")) > 200


@linux
def test_a_process_that_ends_at_once_has_used_memory_too(host: RunningHost) -> None:
    host.deploy("gone", "import os\nos._exit(7)\n")
    host.invoke("gone")
    reported = re.findall(r"Max Memory Used: (\d+) MB", host.log("gone"))
    assert reported
    assert 0 not in map(int, reported)


@linux
def test_memory_is_that_of_a_process_and_its_descendants() -> None:
    import subprocess

    script = "import subprocess, sys; subprocess.run(['sleep', '60'])"
    with subprocess.Popen([sys.executable, "-c", script], start_new_session=True) as process:
        deadline = time.monotonic() + 10
        while len(memory.tree(process.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        pids = memory.tree(process.pid)
        assert len(pids) == 2
        assert memory.resident_kb(pids) > memory.resident_kb(pids[:1]) > 1000
        assert 0 < memory.proportional_kb(pids) <= memory.resident_kb(pids)
        assert memory.anonymous_kb(pids[0]) < memory.proportional_kb(pids)
        os.killpg(process.pid, 9)


@pytest.mark.parametrize("processes", [1, 64, 65, 66, 1024])
def test_of_very_many_processes_some_are_looked_at_and_all_counted(processes: int) -> None:
    looked_at: list[int] = []

    def measure(pids: list[int]) -> int:
        looked_at.extend(pids)
        return sum(1_000_000 if pid == 1 else 10 for pid in pids)

    found = memory.about(measure, list(range(1, processes + 1)))
    assert found == 1_000_000 + 10 * (processes - 1)
    assert min(processes, 33) <= len(looked_at) == len(set(looked_at)) <= 65


MANY = """
import os, time

def handler(event, context):
    for _ in range(150):
        if os.fork() == 0:
            kept = bytearray(os.urandom(2**20)) * 2
            time.sleep(20)
            os._exit(0)
    time.sleep(20)
"""


@linux
def test_many_processes_together_may_use_no_more_than_the_function_has(host: RunningHost) -> None:
    host.deploy("many", MANY, memory_mb=128, timeout_s=20)
    invoked = host.invoke("many")
    assert b"signal: killed" in invoked.payload
    assert report(invoked.log_tail)["Max Memory Used"] == "128 MB"


# Freezing


COUNTS = """
import threading, time
ticks = 0

def count():
    global ticks
    while True:
        ticks += 1
        time.sleep(0.01)

threading.Thread(target=count, daemon=True).start()

def handler(event, context):
    return ticks
"""


@pytest.mark.parametrize(
    "transport",
    [
        pytest.param("channel", id="by the channel"),
        pytest.param("http", id="by the Runtime API"),
    ],
)
def test_background_work_stops_between_invocations_if_wanted(transport: str) -> None:
    with running_host(freeze=True, runtime_transport=transport, environment_idle_s=60) as host:
        assert ticks_between_invocations(host) < 10


def test_background_work_goes_on_between_invocations_else(host: RunningHost) -> None:
    assert ticks_between_invocations(host) >= 10


def ticks_between_invocations(host: RunningHost) -> int:
    host.deploy("counts", textwrap.dedent(COUNTS))
    first: int = json.loads(host.invoke("counts").payload)
    time.sleep(0.5)
    second: int = json.loads(host.invoke("counts").payload)
    return second - first
