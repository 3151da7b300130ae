"""A process that has AWS's Python client imported; environments are forks of it (Linux).

An interpreter takes 10 ms to start and 16 more for what the client imports; of that a fork has 1.
`host/python/runtime.py` calls `serve`, which returns in each fork: that goes on as if the
interpreter had just been started for it. What a fork is to be it alone reads, from a descriptor of
its own, and this process knows no function: so no fork has anything of another's.
"""

import ctypes
import gc
import os
import pickle
import signal
import socket
import struct
import sys
import time
from pathlib import Path

from albatross.host.local import child, spawner

VARIABLE = "_ALBATROSS_TEMPLATE"  # tells runtime.py to be one, and what `serve` needs
ASK = b"?"
READY = b"ready".ljust(spawner.ANSWER_BYTES)
NAME = "template"  # in lists of processes
_COMM = Path("/proc/self/comm")
_DESCRIPTORS_MAX = 6  # one for the order, and those of spawner.py
_OPEN_MAX = 256  # more this process never has
_PR_SET_DUMPABLE = 4
# Source: capset(2), version 3: of this process; effective, permitted, inheritable, twice 32 bits.
_CAPABILITY_HEADER = struct.pack("=Ii", 0x20080522, 0)
_NO_CAPABILITIES = bytes(2 * 3 * 4)
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def argument(control: int, channel_number: int, host: int) -> str:
    """Return what `VARIABLE` is to be."""
    root = Path(__file__).parents[3]
    return f"{control} {channel_number} {host} {root}"


def serve(control: int, channel_number: int, host: int) -> list[str]:
    """Fork for whoever asks by the socket `control`; return in each fork: the command's options.

    Ends with the host, or when that closes the socket.
    """
    child.die_with(host)
    spawner.hold(channel_number)
    name = _COMM.read_text().strip()
    _COMM.write_text(NAME)
    gc.collect()
    gc.freeze()  # forks share what no collection touches
    with socket.socket(fileno=control) as asked:
        if not _is_told(asked, READY):
            os._exit(0)
        while True:
            data, descriptors, _, _ = socket.recv_fds(asked, len(ASK), _DESCRIPTORS_MAX)
            if not data:
                os._exit(0)
            try:
                done = _fork()
            except OSError as error:
                done = -(error.errno or 1)
            if done == 0:
                asked.detach()  # it is closed with all others
                _COMM.write_text(name)
                return _become(channel_number, *descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            if not _is_told(asked, done.to_bytes(spawner.ANSWER_BYTES, "little", signed=True)):
                os._exit(0)


def _is_told(asked: socket.socket, answer: bytes) -> bool:
    """Send `answer`; False: nobody asks any more."""
    try:
        asked.send(answer)
    except OSError:
        return False
    return True


def _fork() -> int:
    """Do as `os.fork`, for a child of the host's. Raises OSError."""
    ctypes.pythonapi.PyOS_BeforeFork()
    try:
        pid = spawner.clone()
    except OSError:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
        raise
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    else:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
    return pid


def _become(
    channel_number: int, description: int, output: int, problem: int, *others: int
) -> list[str]:
    """Become what the order says, or end and say on `problem` why."""
    try:
        with open(description, "rb") as file:
            order: spawner.Order = pickle.load(file)
        spawner.settle(order, output, list(others))
        for number in spawner.SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # as Python does at its start
        _as_if_executed(order)
    except BaseException as error:
        os.write(problem, f"0 {type(error).__name__}: {error}".encode(errors="replace"))
        os._exit(255)
    os.closerange(3, channel_number)
    os.closerange(channel_number + 1, _OPEN_MAX)
    return list(order.command[1:-1])


def _as_if_executed(order: spawner.Order) -> None:
    """Do what the start of a program would have done, and an interpreter by its variables."""
    assert _libc is not None
    # A program of a user's has no capabilities; whoever makes a namespace has all of them there.
    if os.getuid() and _libc.capset(_CAPABILITY_HEADER, _NO_CAPABILITIES):
        raise OSError(ctypes.get_errno(), "capset")
    _libc.prctl(_PR_SET_DUMPABLE, 1)  # a change of user takes /proc/self away
    coerced = {name: os.environ[name] for name in ("LC_CTYPE",) if name in os.environ}  # PEP 538
    os.environ.clear()
    os.environ.update(coerced | order.environment)
    time.tzset()
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in order.environment
    sys.orig_argv[:] = order.command
