"""Requests while the Lambda host is being replaced: nothing listens on its socket."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from albatross.model import pages
from tests.support.envoy import Balancer, Proxy

AWAY_S = 0.3


@pytest.fixture(scope="module")
def own_proxy(make_proxy: Callable[[], tuple[Proxy, subprocess.Popen[bytes]]]) -> Proxy:
    proxy = make_proxy()[0]
    proxy.serve(Balancer())
    return proxy


@pytest.fixture
def away(own_proxy: Proxy) -> Iterator[Callable[[], object]]:
    """Take the host's socket away; yield what puts it back."""
    path = own_proxy.run_dir / "lambda.sock"
    hidden = path.rename(path.with_suffix(".away"))
    own_proxy.serve(Balancer())

    def back() -> Path:
        return hidden.rename(path)

    yield back
    if hidden.exists():
        back()


# One test after the other: from the first answer on, the proxy has a connection that it keeps.
def test_requests_get_502_where_no_host_comes(own_proxy: Proxy, away: Callable[[], object]) -> None:
    answer = own_proxy.get("/")
    assert (answer.status, answer.body.decode()) == (502, pages.page(502))


def test_requests_wait_for_the_next_host(own_proxy: Proxy, away: Callable[[], object]) -> None:
    body = "x" * 100_000
    texts = [
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
        f"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n{body}",
    ]
    clients = [own_proxy.connect() for _ in range(20)]
    for number, client in enumerate(clients):
        client.write(texts[number % 2])
    timer = threading.Timer(AWAY_S, away)
    timer.start()
    answers = [client.read() for client in clients]
    timer.join()
    assert [answer.status for answer in answers] == [200] * len(clients)
    assert {answer.received.body for answer in answers} == {"", body}
    for client in clients:
        client.close()
