"""How a proxy leaves: no request in flight is lost."""

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest

from albatross.xds import admin
from tests.support.envoy import DEADLINE_S, Answer, Balancer, Proxy

MakeProxy = Callable[[], tuple[Proxy, subprocess.Popen[bytes]]]


@pytest.fixture
def slow_request(
    make_proxy: MakeProxy,
) -> Iterator[tuple[Proxy, subprocess.Popen[bytes], list[Answer]]]:
    """A request that takes half a second is in flight; its answer goes to the list."""
    proxy, envoy = make_proxy()
    proxy.serve(Balancer())
    answers: list[Answer] = []
    client = threading.Thread(target=lambda: answers.append(proxy.get("/", "x-reply-after: 0.5")))
    client.start()
    while not proxy.run(admin.active_requests(proxy.run_dir)):
        pass
    yield proxy, envoy, answers
    client.join()


def test_draining_refuses_connections_and_waits_for_requests(
    slow_request: tuple[Proxy, subprocess.Popen[bytes], list[Answer]],
) -> None:
    proxy, envoy, answers = slow_request
    idle = proxy.connect()
    assert proxy.run(admin.drain(proxy.run_dir, DEADLINE_S))
    with pytest.raises(ConnectionRefusedError):
        proxy.connect()
    idle.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert idle.read().closed
    envoy.send_signal(signal.SIGTERM)
    assert envoy.wait(DEADLINE_S) == 0
    assert [answer.status for answer in answers] == [200]
    idle.close()


def test_draining_gives_up_after_its_time(
    slow_request: tuple[Proxy, subprocess.Popen[bytes], list[Answer]],
) -> None:
    assert not slow_request[0].run(admin.drain(slow_request[0].run_dir, 0.05))


def test_what_envoy_does_not_know_is_an_error(proxy: Proxy) -> None:
    with pytest.raises(admin.AdminError, match="404"):
        proxy.run(admin.request(proxy.run_dir, "GET", "/no-such-page"))
