"""A small process that starts those of environments in the place of the host (Linux).

To fork costs what the forking process has of memory: milliseconds in which the host, which is
large, does nothing else, and more when it goes on and its pages have to be copied. This one has
little, and its children are the host's: CLONE_PARENT. So the host waits for them as for its own,
and they live on when the spawner is gone.

The host sends one order at a time, pickled, with the descriptors that it needs, and gets a number
of eight bytes: the child's process id, or an error, negative. Why a child has not become the
function's program it says itself, on the descriptor `problem`: an error's number, 0 where the
program was not even tried, and its text.
"""

import ctypes
import os
import pickle
import platform
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn, assert_never

from albatross.host.local import child, mounts

_ORDER_BYTES_MAX = 128 * 1024  # below what a socket buffers by default
_DESCRIPTORS_MAX = 5
ANSWER_BYTES = 8
_CLONE_PARENT = 0x8000
_CLONE = {"x86_64": 56, "aarch64": 220, "riscv64": 220}.get(platform.machine())
SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)  # those that Python ignores


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A process to start. Its descriptors come beside it: output, problem, then as it says."""

    command: Sequence[str]
    environment: dict[str, str]
    setup: child.Setup  # `joins` is there when its namespaces are among the descriptors
    has_channel: bool
    channel_number: int


@dataclass(frozen=True, slots=True)
class EndAll:
    """Kill every process of a user."""

    user: int


class Try:
    """Start a process that ends at once."""


Request = Order | EndAll | Try


def is_possible() -> bool:
    """Tell whether this machine's kernel can be asked."""
    return sys.platform == "linux" and _CLONE is not None


def main(control: int, channel_number: int, host: int) -> None:
    """Serve orders that come from the socket `control` until the host closes it."""
    child.die_with(host)
    hold(channel_number)
    with socket.socket(fileno=control) as orders:
        orders.set_inheritable(False)
        while True:
            data, descriptors, _, _ = socket.recv_fds(orders, _ORDER_BYTES_MAX, _DESCRIPTORS_MAX)
            if not data:
                return
            for descriptor in descriptors:  # `recv_fds` forgets its flags
                os.set_inheritable(descriptor, False)
            try:
                done = _serve(pickle.loads(data), descriptors)
            except OSError as error:
                done = -(error.errno or 1)
            for descriptor in descriptors:
                os.close(descriptor)
            orders.send(done.to_bytes(ANSWER_BYTES, "little", signed=True))


def hold(number: int) -> None:
    """Take a descriptor's number, so that nothing else gets it."""
    held = os.open(os.devnull, os.O_RDONLY)
    if held != number:
        os.dup2(held, number, inheritable=False)
        os.close(held)


def _serve(request: Request, descriptors: list[int]) -> int:
    match request:
        case Order():
            pid = clone()
            if pid == 0:
                _run(request, *descriptors)
            return pid
        case EndAll(user):
            return _end_all(user)
        case Try():
            return clone() or os._exit(0)
        case _:
            assert_never(request)


def clone() -> int:
    """Fork a child of the host's: its process id, or 0 in the child. Raises OSError."""
    assert _CLONE is not None
    libc = ctypes.PyDLL(None, use_errno=True)  # which keeps Python's lock: nobody else wants it
    pid: int = libc.syscall(_CLONE, _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    if pid < 0:
        raise OSError(ctypes.get_errno(), "clone")
    return pid


def _run(order: Order, output: int, problem: int, *others: int) -> NoReturn:
    """Become what `order` says, or say on `problem` why not."""
    try:
        settle(order, output, list(others))
        try:
            os.execvpe(order.command[0], list(order.command), order.environment)
        except OSError as error:
            found = f"{error.errno or 0} {error.strerror}"
    except BaseException as error:
        found = f"0 {type(error).__name__}: {error}"
    try:
        os.write(problem, found.encode(errors="replace"))
    finally:
        os._exit(255)


def settle(order: Order, output: int, others: list[int]) -> None:
    """Make of this process, a fresh child, what `order` says but its program. Raises OSError.

    `others`: the descriptors of its channel, and of the namespaces that it joins.
    """
    os.setsid()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if order.has_channel:
        os.dup2(others.pop(0), order.channel_number)
    setup = order.setup
    if setup.joins is not None:
        mount, *users = others
        joins = mounts.Namespace(mounts=mount, users=users[0] if users else None)
        setup = replace(setup, joins=joins)
    child.settle(setup)


def _end_all(user: int) -> int:
    """Kill every process of `user`, in one go of the kernel's; return 0. Raises OSError."""
    pid = os.fork()
    if pid == 0:
        try:
            child.become(user)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    return 0
