"""Envoys for the tests of this folder."""

import asyncio
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.envoy import DEADLINE_S, Proxy, echo, start_envoy


@pytest.fixture(scope="session")
def event_loop_thread() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _close(upstream: asyncio.Server) -> None:
    upstream.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=DEADLINE_S)  # Envoy is gone, so they end by themselves


@pytest.fixture(scope="session")
def make_proxy(
    event_loop_thread: asyncio.AbstractEventLoop,
) -> Iterator[Callable[[], tuple[Proxy, subprocess.Popen[bytes]]]]:
    """Start an Envoy with its control plane and upstream; all end with the session."""
    started: list[tuple[Proxy, subprocess.Popen[bytes], Any]] = []

    def make() -> tuple[Proxy, subprocess.Popen[bytes]]:
        proxy = Proxy(Path(tempfile.mkdtemp(prefix="alb")), event_loop_thread)
        path = str(proxy.run_dir / "lambda.sock")
        upstream = proxy.run(asyncio.start_unix_server(echo, path, limit=1 << 21))
        proxy.run(proxy.server.start())
        envoy = start_envoy(proxy.run_dir)
        started.append((proxy, envoy, upstream))

        async def connected() -> None:
            async with asyncio.timeout(DEADLINE_S):
                while not proxy.server.connected:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

        proxy.run(connected())
        return proxy, envoy

    yield make
    for proxy, envoy, _ in started:
        envoy.kill()
        envoy.wait()
        proxy.run(proxy.server.stop(0))
    for proxy, _, upstream in started:
        proxy.run(_close(upstream))
        shutil.rmtree(proxy.run_dir)


@pytest.fixture(scope="session")
def proxy(make_proxy: Callable[[], tuple[Proxy, subprocess.Popen[bytes]]]) -> Proxy:
    """An Envoy that all tests share; each publishes what it needs."""
    return make_proxy()[0]
