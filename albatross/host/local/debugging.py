"""Functions that run under a debugger: debugpy for Python, the inspector of Node.js.

Such a function has one environment at a time, whose debugger listens on a port of the loopback
interface, the same after each reload. Nothing of it is ended because of time: a breakpoint holds
it for as long as one likes.
"""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from albatross.host.local.runtimes import Runtime, Unavailable
from albatross.model.function import LATEST, Function

ADDRESS = "127.0.0.1"
TIMEOUT_S = 7 * 24 * 3600  # of a function under a debugger
_FREE_S = 10.0  # how long the debugger of the environment before may take to end
_POLITE_S = 1.0  # how long it is waited for before it is told to
_LOOK_S = 0.05
_PROBE_S = 20


@dataclass(frozen=True, slots=True)
class Debugging:
    """Which functions run under a debugger, by name, on which port; whether they wait for one."""

    ports: Mapping[str, int] = field(default_factory=dict)
    waits: bool = False

    def port(self, function: Function) -> int | None:
        """Return the port of the debugger of `function`: only $LATEST has one."""
        return self.ports.get(function.name) if function.version == LATEST else None

    def relaxed(self, function: Function) -> Function:
        """Return `function`, if it has a debugger without a limit to its time."""
        return function if self.port(function) is None else replace(function, timeout_s=TIMEOUT_S)

    def wrapped(self, runtime: Runtime, function: Function) -> Runtime:
        """Return how to run `function` with its debugger. Raises Unavailable. May take a second."""
        port = self.port(function)
        if port is None:
            return runtime
        if function.runtime.startswith("python"):
            return _python(runtime, port, waits=self.waits)
        if function.runtime.startswith("nodejs"):
            return _node(runtime, port, waits=self.waits)
        raise Unavailable(f"there is no debugger for the runtime {function.runtime}")


async def until_free(port: int) -> None:
    """Wait until `port` can be listened on. Raises OSError when that takes too long."""
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    give_up_s = started_s + _FREE_S
    while True:  # nothing tells of the end of a debugger that is no child of ours
        try:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((ADDRESS, port))
            return
        except OSError as error:
            if loop.time() > give_up_s:
                raise OSError(f"the port {port} for the debugger: {error.strerror}") from error
        if loop.time() > started_s + _POLITE_S:
            _end_adapter(port)
        await asyncio.sleep(_LOOK_S)


def _end_adapter(port: int) -> None:
    """End the part of debugpy that has outlived its program, because an editor does not let go.

    It has left the process group of its environment. Only Linux tells which process it is.
    """
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        is_adapter = any(each.endswith(b"debugpy/adapter") for each in words[:4])
        if is_adapter and str(port).encode() in words[1:]:
            with suppress(OSError):
                os.kill(int(path.parent.name), signal.SIGTERM)


def _python(runtime: Runtime, port: int, *, waits: bool) -> Runtime:
    interpreter, *rest = runtime.command
    probe = [interpreter, "-c", "import debugpy"]
    done = subprocess.run(probe, capture_output=True, timeout=_PROBE_S, check=False)
    if done.returncode != 0:
        raise Unavailable(
            f"{interpreter} has no debugger: install it with `{interpreter} -m pip install debugpy`"
        )
    wait = ("--wait-for-client",) if waits else ()
    listen = ("-m", "debugpy", "--listen", f"{ADDRESS}:{port}", *wait)
    # What is run is a script or `-m MODULE`: what comes before is for the interpreter.
    at = next(n for n, each in enumerate(rest) if each == "-m" or each.endswith(".py"))
    options = (*rest[:at], "-Xfrozen_modules=off", *listen, "--configure-subProcess", "False")
    variables = {**runtime.variables, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    command = (interpreter, *options, *rest[at:])
    return replace(runtime, command=command, variables=variables, forks=False)


def _node(runtime: Runtime, port: int, *, waits: bool) -> Runtime:
    interpreter, *rest = runtime.command
    flag = "--inspect"
    if waits:
        asked = "process.allowedNodeEnvironmentFlags.has('--inspect-wait')"
        probe = [interpreter, "-p", asked]
        done = subprocess.run(probe, capture_output=True, timeout=_PROBE_S, check=False)
        # Older ones can only stop at the first line of all, which is the runtime's.
        flag = "--inspect-wait" if done.stdout.strip() == b"true" else "--inspect-brk"
    return replace(runtime, command=(interpreter, f"{flag}={ADDRESS}:{port}", *rest))
