"""Ports with real sockets: who is in the way, and where a listener goes instead."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from albatross import ports
from albatross.ports import MAPPED_BY, Place, Wish

linux = pytest.mark.skipif(sys.platform != "linux", reason="owners are read from /proc")


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of 127.0.0.1 on which this process listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def without_rights(monkeypatch) -> None:
    """Make ports below 1024 ask for rights, as they do where a test does not run as root."""
    real = ports._probe

    def probe(address: str, port: int) -> int | None:
        return ports.errno.EACCES if port < 1024 else real(address, port)

    monkeypatch.setattr(ports, "_probe", probe)


def wish(port: int, *, key: str = "a", group: str = "lb-1", address: str = "127.0.0.1") -> Wish:
    return Wish(key, group, address, port)


def test_a_free_port_is_the_place(free):
    assert ports.choose([wish(free)], ()) == {"a": Place("127.0.0.1", free)}


@linux
def test_a_port_in_use_is_said_with_its_owner(taken):
    place = ports.choose([wish(taken)], ())["a"]
    assert place.error
    assert place.error.startswith(f"Port {taken} on 127.0.0.1 is in use by ")
    assert f"(pid {os.getpid()})" in place.error


@linux
def test_the_owner_is_the_process_that_listens():
    script = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', 0));"
        "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        port = int(other.stdout.readline())
        found = ports.owner("127.0.0.1", port)
        other.stdin.close()
    assert (found.pid, found.parent_pid) == (other.pid, os.getpid())
    assert found.command.startswith(sys.executable)


@linux
def test_one_who_listens_on_all_addresses_is_in_the_way_of_each():
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert ports.owner("127.0.0.1", server.getsockname()[1]).pid == os.getpid()


@linux
def test_one_who_listens_on_another_address_is_not_in_the_way():
    with socket.create_server(("127.0.0.2", 0)) as server:
        port = server.getsockname()[1]
        elsewhere = "127.0.0.3"  # where no other test listens
        assert ports.owner(elsewhere, port) is None
        assert ports.in_use(elsewhere, port) is None


def test_what_our_own_proxy_holds_is_free_to_it(taken):
    assert ports.choose([wish(taken)], [("127.0.0.1", taken)])["a"].error is None


@linux
def test_a_port_held_by_a_proxy_from_before_is_our_own():
    """The proxy outlives a control plane; both are children of the supervisor."""
    script = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', 0));"
        "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as proxy:
        port = int(proxy.stdout.readline())
        ours = ports.choose([wish(port)], (), supervisor=os.getpid())["a"]
        others = ports.choose([wish(port)], (), supervisor=os.getppid())["a"]
        proxy.stdin.close()
    assert ours.error is None
    assert others.error is not None


@linux
def test_the_servers_own_api_port_is_not_the_proxys(taken):
    assert ports.choose([wish(taken)], (), supervisor=os.getppid())["a"].error


def test_a_port_that_takes_rights_moves_up(without_rights):
    assert ports.choose([wish(81)], ()) == {"a": Place("127.0.0.1", 81 + MAPPED_BY)}


@pytest.mark.parametrize("ports_wanted", [(81, 81 + MAPPED_BY), (81 + MAPPED_BY, 81)])
def test_of_one_load_balancer_the_earlier_listener_gets_the_port(without_rights, ports_wanted):
    first, second = ports_wanted
    places = ports.choose([wish(first, key="a"), wish(second, key="b")], ())
    assert places["a"] == Place("127.0.0.1", 81 + MAPPED_BY)
    assert "stands in for another one of the same load balancer" in places["b"].error


def test_load_balancers_share_a_socket(free, without_rights):
    wishes = [wish(free, key="a", group="lb-1"), wish(free, key="b", group="lb-2")]
    places = ports.choose(wishes, ())
    assert places["a"] == places["b"] == Place("127.0.0.1", free)


def test_what_is_in_the_way_of_the_port_it_moves_to_is_said(without_rights):
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 8099))
        server.listen()
        place = ports.choose([wish(99)], ())["a"]
    assert place.error.startswith("Port 8099 on 127.0.0.1 is in use by ")


def test_an_address_that_this_machine_does_not_have_is_said():
    place = ports.choose([wish(8080, address="192.0.2.1")], ())["a"]
    assert place.error.startswith("192.0.2.1 is no address of this machine.")


def test_ports_below_1024_without_rights_are_explained(without_rights):
    assert ports.in_use("127.0.0.1", 80).startswith("Port 80 takes rights")


def test_a_command_line_in_a_message_is_whole_or_seen_to_be_cut():
    assert ports.shortened("python -m http.server 8080") == "python -m http.server 8080"
    assert ports.shortened("x" * 300) == "x" * 200 + " ..."


def test_another_server_in_the_way_is_called_by_its_name() -> None:
    command = "/opt/venv/bin/python3 -P -m albatross.supervisor /tmp/albatross-x 3 5 4"
    assert str(ports.Owner(7, command)) == "an Albatross server (pid 7)"
