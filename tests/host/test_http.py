"""The connections of the host's servers, over real sockets."""

import asyncio
from pathlib import Path

import pytest

from albatross.host.http import HttpConnection


class Broken(HttpConnection):
    def received(self) -> None:
        raise RuntimeError("a mistake of ours")


def test_a_mistake_of_ours_is_told_as_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> bytes:
        path = str(tmp_path / "s")
        server = await asyncio.get_running_loop().create_unix_server(Broken, path)
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = await reader.read()
        writer.close()
        server.close()
        return answer

    assert asyncio.run(ask()).startswith(b"HTTP/1.1 500 ")
    (told,) = caplog.records
    assert told.levelname == "ERROR"
    assert "a mistake of ours" in caplog.text
