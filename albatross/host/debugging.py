"""Functions that run under a debugger: debugpy for Python, the inspector of Node.js.

Such a function has one environment at a time, whose debugger listens on a port of the loopback
interface, the same after each reload. Nothing of it is ended because of time: a breakpoint holds
it for as long as one likes.
"""

import asyncio
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from albatross.host.runtimes import Runtime, Unavailable
from albatross.model.function import LATEST, Function

ADDRESS = "127.0.0.1"
TIMEOUT_S = 7 * 24 * 3600  # of a function under a debugger
_FREE_S = 10.0  # how long the debugger of the environment before may take to end
_LOOK_S = 0.02
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
    give_up_s = loop.time() + _FREE_S
    while True:  # nothing tells of the end of a debugger that is no child of ours
        try:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((ADDRESS, port))
            return
        except OSError as error:
            if loop.time() > give_up_s:
                raise OSError(f"the port {port} for the debugger: {error.strerror}") from error
        await asyncio.sleep(_LOOK_S)


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
    options = ("-Xfrozen_modules=off", *listen, "--configure-subProcess", "False")
    variables = {**runtime.variables, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    return replace(runtime, command=(interpreter, *options, *rest), variables=variables)


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
