"""The proxy's notes in segments. Here a stand-in of the proxy writes and opens the file anew."""

import asyncio
from pathlib import Path

import pytest

from albatross.telemetry.raw_log import RawLog


class Writer:
    """Appends to a file as the proxy does: to the one it has open until it is told to reopen."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path.open("ab", buffering=0)
        self.held = b""  # written at the next opening
        self.is_away = False

    async def reopen(self) -> None:
        if self.is_away:
            raise ConnectionRefusedError
        self.file.close()
        self.file = self.path.open("ab", buffering=0)
        self.file.write(self.held)
        self.held = b""


async def read(raw: RawLog) -> list[str]:
    return [line async for batch in raw.lines() for line in batch]


@pytest.fixture
def writer(tmp_path):
    writer = Writer(tmp_path / "requests.log")
    yield writer
    writer.file.close()


def test_every_line_is_read_once(writer):
    async def go() -> None:
        raw = RawLog(writer.path, writer.reopen)
        assert await read(raw) == []
        writer.file.write(b"one\ntwo\n")
        assert await read(raw) == ["one", "two"]
        writer.file.write(b"three\n")
        assert await read(raw) == ["three"]
        assert await read(raw) == []

    asyncio.run(go())


def test_what_the_proxy_holds_comes_with_the_next_segment(writer):
    async def go() -> None:
        raw = RawLog(writer.path, writer.reopen)
        writer.file.write(b"one\n")
        writer.held = b"two\n"
        assert await read(raw) == ["one"]
        assert await read(raw) == ["two"]

    asyncio.run(go())


def test_nothing_is_lost_while_the_proxy_does_not_answer(writer):
    async def go() -> None:
        raw = RawLog(writer.path, writer.reopen)
        writer.file.write(b"one\n")
        writer.is_away = True
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                await read(raw)
            writer.file.write(b"more\n")
        writer.is_away = False
        assert await read(raw) == ["one", "more", "more"]

    asyncio.run(go())


def test_a_reader_that_is_stopped_goes_on_where_it_was(writer, monkeypatch):
    monkeypatch.setattr("albatross.telemetry.raw_log._BATCH_BYTES", 1)

    async def go() -> None:
        raw = RawLog(writer.path, writer.reopen)
        writer.file.write(b"one\ntwo\nthree\n")
        stopped = raw.lines()
        assert await anext(stopped) == ["one"]
        await stopped.aclose()
        assert await read(raw) == ["two", "three"]

    asyncio.run(go())


def test_half_a_line_of_a_proxy_that_was_killed_is_left_out(writer):
    async def go() -> None:
        raw = RawLog(writer.path, writer.reopen)
        writer.file.write(b"one\ntw")
        assert await read(raw) == ["one"]

    asyncio.run(go())


def test_a_segment_of_a_killed_reader_and_the_file_are_both_rest(writer):
    async def go() -> None:
        writer.path.with_name("requests.log.segment").write_bytes(b"one\n")
        writer.file.write(b"two\xff\n")
        raw = RawLog(writer.path, writer.reopen)
        assert [line async for batch in raw.rest() for line in batch] == ["one", "two\xff"]
        assert list(writer.path.parent.iterdir()) == []

    asyncio.run(go())


def test_without_a_file_there_are_no_lines(tmp_path):
    async def go() -> None:
        raw = RawLog(tmp_path / "requests.log", asyncio.Event().wait)
        assert await read(raw) == []
        assert [batch async for batch in raw.rest()] == []

    asyncio.run(go())
