"""Functions that are forks of a process that has imported what they need: they cannot tell."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from albatross.host.local import launch, spawner
from albatross.host.local.runtimes import PYTHON_RUNTIME
from albatross.host.local.spawning import Template
from albatross.host.local.template import VARIABLE, argument
from albatross.host.local.variables import of_template
from albatross.model.function import Directory
from tests.support.command import until
from tests.support.host import RunningHost, make_function, running_host

pytestmark = pytest.mark.skipif(not spawner.is_possible(), reason="asks the Linux kernel")

# What a program can find out about itself, but for what is random in any case.
LOOK = """
import sys
MODULES = sorted(sys.modules)
import gc, json, locale, logging, os, resource, signal, subprocess, threading, time, warnings

def limits():
    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    return {name: resource.getrlimit(getattr(resource, name)) for name in names}

def fds():
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            found[fd] = os.readlink(f"/proc/self/fd/{fd}").partition(":")[0]
        except OSError:
            pass  # that of the directory
    return found

def status(*names):
    lines = open("/proc/self/status").read().splitlines()
    return [line for line in lines if line.startswith(names)]

def env():
    return subprocess.run(["env"], stdout=subprocess.PIPE, text=True).stdout

def stream(found):
    return [found.encoding, found.errors, found.line_buffering, found.isatty(), found.fileno()]

def handler(event, context):
    main = sys.modules["__main__"]
    return {
        "argv": sys.argv, "orig": sys.orig_argv, "path": sys.path, "modules": MODULES,
        "flags": str(sys.flags), "bytecode": sys.dont_write_bytecode, "main": main.__spec__.name,
        "environ": sorted(os.environ), "c": env().count("="),
        "stdin": stream(sys.__stdin__), "stdout": stream(sys.__stdout__),
        "stderr": stream(sys.__stderr__), "locale": [locale.getlocale(), locale.getencoding()],
        "time": [time.tzname, time.timezone], "warnings": [str(each) for each in warnings.filters],
        "signals": {str(n): str(signal.getsignal(n)) for n in signal.valid_signals()},
        "masked": str(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "kernel": status("Name", "Umask", "Groups", "Sig", "Shd", "Cap", "NoNewPrivs"),
        "logging": [logging.root.level, len(logging.root.handlers)],
        "loggers": sorted(logging.root.manager.loggerDict),
        "fds": fds(), "limits": limits(), "nice": os.nice(0), "policy": os.sched_getscheduler(0),
        "session": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()],
        "threads": [each.name for each in threading.enumerate()],
        "native": threading.get_native_id() == os.getpid(), "cwd": os.getcwd(),
        "gc": [gc.isenabled(), gc.get_threshold()], "oom": open("/proc/self/oom_score_adj").read(),
        "readable": os.access("/proc/self/environ", os.R_OK),
        "mounts": len(open("/proc/mounts").readlines()),
    }
"""
ABOUT = """
import os, random, threading, uuid

FORKED = b"AWS_LAMBDA_FUNCTION_NAME" not in open("/proc/self/environ", "rb").read()

def handler(event, context):
    if not event:
        return {"forked": FORKED, "random": random.random(), "uuid": str(uuid.uuid4()),
                "memory": os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]}
    SOURCE
"""
_names = (f"function-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def host() -> Iterator[RunningHost]:
    with running_host() as host:
        deadline = time.monotonic() + 20
        while not is_forked(host):  # until the template is ready, functions are started otherwise
            assert time.monotonic() < deadline
        yield host


def about(source: str = "pass") -> str:
    return ABOUT.replace("    SOURCE", textwrap.indent(source, "    "))


def run(host: RunningHost, source: str, event: object = None, **changes: Any) -> Any:
    """Return what a new function answers."""
    name = next(_names)
    host.deploy(name, source, **changes)
    invoked = host.invoke(name, event)
    assert invoked.function_error is None, invoked.payload
    return json.loads(invoked.payload)


def is_forked(host: RunningHost, source: str = about(), **changes: Any) -> bool:
    found: bool = run(host, source, **changes)["forked"]
    return found


def template(host: RunningHost) -> int:
    """Return the process that is forked: the one child of the host's that says so."""
    tasks = Path("/proc", str(host.process.pid), "task").glob("*/children")
    (found,) = (
        int(pid)
        for children in tasks
        for pid in children.read_text().split()
        if Path("/proc", pid, "comm").read_text() == "template\n"
    )
    return found


def test_a_function_finds_itself_as_if_it_had_been_executed(host: RunningHost) -> None:
    fork = run(host, LOOK)
    executed = run(host, LOOK, environment={"PYTHONNODEBUGRANGES": ""})
    executed["environ"].remove("PYTHONNODEBUGRANGES")
    executed["c"] -= 1
    for what in fork:
        assert fork[what] == executed[what], what
    assert fork.keys() == executed.keys()


@pytest.mark.parametrize("log_format", ["JSON", "Text"])
def test_how_it_logs_is_its_own_choice(host: RunningHost, log_format: str) -> None:
    name = next(_names)
    source = "import logging\ndef handler(event, context):\n    logging.getLogger().error('here')\n"
    extra = {"LoggingConfig": {"LogFormat": log_format}}
    host.deploy(name, source, extra=extra)
    host.invoke(name)
    assert ('"message": "here"' in host.log(name)) == (log_format == "JSON")


def test_forks_share_no_chance_and_no_variables(host: RunningHost) -> None:
    found = [run(host, about(), memory_mb=128 + n) for n in range(3)]
    assert len({each["random"] for each in found}) == len({each["uuid"] for each in found}) == 3
    assert [each["memory"] for each in found] == ["128", "129", "130"]


def test_what_other_functions_have_been_told_is_not_in_a_forks_memory(host: RunningHost) -> None:
    secret = "s3cr3t-" + os.urandom(8).hex()
    assert is_forked(host, environment={"SECRET": secret})
    source = f"""
import re

def handler(event, context):
    wanted, found = re.compile(b"[s]{secret[1:]}"), 0
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            low, high = (int(each, 16) for each in line.split()[0].split("-"))
            if " rw-p " in line:
                memory.seek(low)
                found += len(wanted.findall(memory.read(high - low)))
    return found
"""
    assert run(host, source) == 0


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(
            "import subprocess\nreturn subprocess.check_output(['echo', '-n', event], text=True)",
            id="a program",
        ),
        pytest.param(
            "from concurrent.futures import ThreadPoolExecutor\n"
            "with ThreadPoolExecutor(4) as pool:\n"
            "    return pool.submit(lambda: event).result()",
            id="threads",
        ),
        pytest.param(
            "from multiprocessing import Pipe, Process\n"
            "ours, theirs = Pipe()\n"
            "process = Process(target=theirs.send, args=(event,))\n"
            "process.start()\n"
            "process.join()\n"
            "return ours.recv()",
            id="processes",
        ),
        pytest.param(
            "import asyncio\nreturn asyncio.run(asyncio.sleep(0.01, event))", id="an event loop"
        ),
        pytest.param(
            "import ctypes, dataclasses, pickle, resource, select, socket\n"
            "return pickle.loads(pickle.dumps(event))",
            id="modules that the template has used",
        ),
        pytest.param(
            "import signal\n"
            "signal.signal(signal.SIGALRM, lambda *_: None)\n"
            "signal.alarm(1)\n"
            "signal.pause()\n"
            "return event",
            id="signals",
        ),
        pytest.param("import boto3\nreturn boto3.client('sts') and event", id="an SDK"),
    ],
)
def test_functions_do_what_they_do_elsewhere(host: RunningHost, source: str) -> None:
    assert run(host, about(source), "x", timeout_s=20) == "x"


def test_modules_of_a_function_come_before_what_the_template_has_used(host: RunningHost) -> None:
    name = next(_names)
    source = "import pickle\ndef handler(event, context):\n    return pickle.MINE\n"
    package = host.package(name, source)
    (host.directory / "data" / "code" / package.digest / "pickle.py").write_text("MINE = 7\n")
    host.put(make_function(name, package))
    assert host.invoke(name).payload == b"7"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"environment": {"PYTHONHASHSEED": "0"}}, id="a variable of Python's"),
        pytest.param({"environment": {"LD_PRELOAD": ""}}, id="one of the linker's"),
        pytest.param({"environment": {"LC_ALL": "C"}}, id="a locale"),
        pytest.param({"file": "libown.so"}, id="a library"),
    ],
)
def test_what_an_interpreter_must_know_when_it_starts_is_told_to_a_new_one(
    host: RunningHost, changes: dict[str, Any]
) -> None:
    name = next(_names)
    package = host.package(name, about())
    if file := changes.pop("file", None):
        (host.directory / "data" / "code" / package.digest / file).touch()
    host.put(make_function(name, package, **changes))
    assert not json.loads(host.invoke(name).payload)["forked"]


def test_code_in_a_directory_is_read_anew_and_left_as_it_is(
    host: RunningHost, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    for text in ("one", "two"):  # of one size, within a second
        (tmp_path / "part.py").write_text(f"TEXT = {text!r}\n")
        (tmp_path / "app.py").write_text(
            f"import part\n{about()}\ndef handler(event, context):\n    return FORKED, part.TEXT\n"
        )
        name = next(_names)
        host.put(make_function(name, Directory(path=str(tmp_path))))
        assert json.loads(host.invoke(name).payload) == [True, text]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["app.py", "part.py"]


def test_another_takes_the_place_of_a_template_that_has_ended(host: RunningHost) -> None:
    os.kill(template(host), signal.SIGKILL)
    assert is_forked(host) in (True, False)  # it is answered in any case
    deadline = time.monotonic() + 20
    while not is_forked(host):
        assert time.monotonic() < deadline
    assert template(host)


def test_the_template_ends_with_the_host() -> None:
    with running_host() as host:
        deadline = time.monotonic() + 20
        while not is_forked(host):
            assert time.monotonic() < deadline
        pid = template(host)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_fork_that_cannot_be_made_what_it_is_to_be_says_why(tmp_path: Path) -> None:
    found = Template(launch.channel_number, [sys.executable, str(PYTHON_RUNTIME)], of_template())
    found.prepare()
    until(found.works)
    plan = launch.Launch(
        command=("python",), environment={}, directory=Path("/nowhere"), tmp=tmp_path, forks=True
    )
    with pytest.raises(subprocess.SubprocessError, match="FileNotFoundError"):
        launch.start(plan, template=found)
    found.close()
    assert not found.works()


def test_a_template_whose_host_has_gone_ends_without_a_word() -> None:
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs:
        asked = argument(theirs.fileno(), launch.channel_number(), os.getpid())
        done = subprocess.run(
            [sys.executable, str(PYTHON_RUNTIME)],
            env={VARIABLE: asked},
            pass_fds=[theirs.fileno(), launch.channel_number()],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
