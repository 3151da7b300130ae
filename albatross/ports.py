"""Where listeners really listen, and who is in the way of a port.

A listener's port is the real port. One below 1024 that this user may not bind is moved up by 8000.
"""

import errno
import os
import socket
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# differs from AWS: a listener whose port this server may not bind (most often one below 1024) is
# reached at that port plus 8000; the API shows the port that was asked for.
MAPPED_BY = 8000
COMMAND_CHARACTERS_MAX = 200  # of a command line in a message


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that listens on a port. `pid` is None where it is another user's."""

    pid: int | None
    command: str
    parent_pid: int | None = None

    def __str__(self) -> str:
        who = "an Albatross server" if " -m albatross." in self.command else self.command
        return f"{who} (pid {self.pid})" if self.pid else who


@dataclass(frozen=True, slots=True)
class Wish:
    """A listener that wants `port` on `address`. Listeners of one `group` cannot share a socket."""

    key: str
    group: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a listener really listens, or in `error` why it does not."""

    address: str
    port: int
    error: str | None = None


def choose(
    wishes: Iterable[Wish], held: Iterable[tuple[str, int]], *, supervisor: int | None = None
) -> dict[str, Place]:
    """Return each wish's place by its key. `held`: addresses and ports that our own proxy has open.

    Two wishes of different groups may get the same place; of one group the earlier one gets it.
    `supervisor`: the pid whose children's ports are our own too, as those of a proxy that was
    there before this process.
    """
    ours = set(held)
    places: dict[str, Place] = {}
    taken: dict[tuple[str, str, int], int] = {}  # group, address and port: who has it wanted which
    for wish in wishes:
        port, error = _find(wish.address, wish.port, ours, supervisor)
        first = taken.setdefault((wish.group, wish.address, port), wish.port)
        if error is None and first != wish.port:
            error = (
                f"Port {port} already stands in for another one of the same load balancer: "
                f"{min(first, wish.port)} takes rights that this server does not have."
            )
        places[wish.key] = Place(wish.address, port, error)
    return places


def _find(
    address: str, port: int, ours: set[tuple[str, int]], supervisor: int | None
) -> tuple[int, str | None]:
    """Return the port to use in place of `port`, and why it cannot be used, or None."""
    if (address, port) in ours:
        return port, None
    fault = _probe(address, port)
    if fault != errno.EACCES:
        return port, _words(address, port, fault, supervisor)
    stand_in = port + MAPPED_BY
    if (address, stand_in) in ours:
        return stand_in, None
    return stand_in, _words(address, stand_in, _probe(address, stand_in), supervisor)


def in_use(address: str, port: int) -> str | None:
    """Return why `port` cannot be bound on `address`, for people, or None when it can be."""
    return _words(address, port, _probe(address, port), None)


def _words(address: str, port: int, fault: int | None, supervisor: int | None) -> str | None:
    match fault:
        case None:
            return None
        case errno.EADDRINUSE:
            found = owner(address, port)
            if found and found.parent_pid == supervisor and found.pid != os.getpid():
                return None
            who = found or "another process"
            return f"Port {port} on {address} is in use by {who}. Stop it or choose another port."
        case errno.EADDRNOTAVAIL:
            return (
                f"{address} is no address of this machine. Choose one with --bind or --addresses."
            )
        case errno.EACCES:
            return (
                f"Port {port} takes rights that this user does not have. Choose one from 1024 up."
            )
        case _:
            return f"Port {port} on {address} cannot be opened: {os.strerror(fault)}."


def _probe(address: str, port: int) -> int | None:
    """Return the errno with which binding fails, or None."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error.errno
    return None


def owner(address: str, port: int) -> Owner | None:
    """Return who listens on TCP `port` of `address`, as /proc says (Linux). None: not known."""
    if not sys.platform.startswith("linux"):
        return None
    sockets = _listening(address, port)
    if not sockets:
        return None
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if sockets.keys() & _sockets_of(pid):
            return Owner(int(pid), _command(pid), _parent(pid))
    uid = next(iter(sockets.values()))
    return Owner(None, f"a process of user {uid}")


def has_listener(address: str, port: int) -> bool | None:
    """Return whether someone listens on TCP `port` of `address`, without a connection. None: only
    Linux tells.
    """
    return bool(_listening(address, port)) if sys.platform.startswith("linux") else None


def _listening(address: str, port: int) -> Mapping[str, int]:
    """Return inode and owner's user id of each socket in the way of `address` and `port`."""
    wanted, sockets = _hex(address), {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as lines:
                next(lines)
                rows = [line.split() for line in lines]
        except OSError:
            continue
        for row in rows:
            host, _, number = row[1].partition(":")
            meets = host == wanted or not (int(host, 16) and int(wanted, 16))  # 0: any address
            if row[3] == "0A" and int(number, 16) == port and meets:
                sockets[row[9]] = int(row[7])
    return sockets


def _hex(address: str) -> str:
    """Return `address` as /proc/net/tcp writes it: words of 32 bits in the machine's byte order."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed, step = socket.inet_pton(family, address), -1 if sys.byteorder == "little" else 1
    return b"".join(packed[i : i + 4][::step] for i in range(0, len(packed), 4)).hex().upper()


def _sockets_of(pid: str) -> set[str]:
    found = set()
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            for entry in entries:
                target = os.readlink(entry.path)
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    except OSError:
        pass  # gone, or another user's
    return found


def _command(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().decode(errors="replace").split("\0")
    except OSError:
        return "a process"
    return shortened(" ".join(words).strip()) or "a process"


def shortened(command: str) -> str:
    """Return a command line of bearable length, with an ellipsis where it was cut."""
    if len(command) <= COMMAND_CHARACTERS_MAX:
        return command
    return command[:COMMAND_CHARACTERS_MAX] + " ..."


def _parent(pid: str) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return None
