"""What the publisher does when the Lambda host is not as it should be."""

import asyncio
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

    async def snapshot(self) -> Snapshot:
        return Snapshot(revision=1)


async def _hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


def test_a_host_that_lives_is_told_again_what_did_not_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "RETRY_S", 0.01)
    ignores = SimpleNamespace(update=id, follow=id, routable=id, weights=id)

    async def run() -> None:
        host: Any = Host()
        parts: Any = (Store(), Proxy(), host, ignores, ignores, ignores, None)
        publisher = Publisher(Config(), tmp_path, *parts, b"key")
        path = str(tmp_path / "control.sock")
        server = await asyncio.start_unix_server(_hold, path)
        running = asyncio.ensure_future(publisher.run())
        await asyncio.wait_for(publisher._reach(1), 5)
        assert host.calls == 2
        assert publisher.host_is_there
        running.cancel()
        await asyncio.wait([running])
        server.close()

    asyncio.run(run())
