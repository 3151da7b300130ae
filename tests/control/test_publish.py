"""What the publisher does when the Lambda host is not as it should be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from albatross.config import Config
from albatross.control import publish
from albatross.control.publish import Publisher
from albatross.model.snapshot import Snapshot


class Proxy:
    def __init__(self) -> None:
        self.nacks: dict[str, str] = {}

    def publish(self, resources: Any, revision: int) -> None:
        pass

    async def wait_applied(self, revision: int, timeout_s: float) -> bool:
        return True


class Host:
    """It lives, but the first call to it fails."""

    def __init__(self) -> None:
        self.calls = 0

    async def apply(self, view: Any, before: Any) -> None:
        self.calls += 1
        if self.calls == 1:
            raise OSError("too many open files")


class Store:
    revision = 1
    _snapshot = Snapshot(revision=1)

    async def snapshot(self) -> Snapshot:
        return self._snapshot


class Lost(Host):
    """It takes its configuration, and ends; the next one is there at once."""

    def __init__(self) -> None:
        super().__init__()
        self.followers: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def apply(self, view: Any, before: Any) -> None:
        self.calls += 1
        if self.calls == 1:
            (await self.followers.get()).close()
            await self.followers.get()  # of the next one

    async def follow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.followers.put_nowait(writer)
        await _hold(reader, writer)


async def _hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


@asynccontextmanager
async def publishing(folder: Path, host: Any, hold: Any) -> AsyncIterator[Publisher]:
    ignores = SimpleNamespace(update=id, follow=id, routable=id, weights=id)
    parts: Any = (Store(), Proxy(), host, ignores, ignores, ignores, None)
    publisher = Publisher(Config(), folder, *parts, b"key")
    server = await asyncio.start_unix_server(hold, str(folder / "control.sock"))
    running = asyncio.ensure_future(publisher.run())
    try:
        yield publisher
    finally:
        running.cancel()
        await asyncio.wait([running])
        server.close()


def test_a_host_that_lives_is_told_again_what_did_not_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "RETRY_S", 0.01)

    async def run() -> None:
        host = Host()
        async with publishing(tmp_path, host, _hold) as publisher:
            await asyncio.wait_for(publisher._reach(1), 5)
            assert host.calls == 2
            assert publisher.host_is_there

    asyncio.run(run())


def test_a_host_that_is_replaced_while_the_one_before_answers_is_told_all(tmp_path: Path) -> None:
    async def run() -> None:
        host = Lost()
        async with publishing(tmp_path, host, host.follow) as publisher:
            await asyncio.wait_for(publisher._reach(1), 5)
            assert host.calls == 2

    asyncio.run(run())
