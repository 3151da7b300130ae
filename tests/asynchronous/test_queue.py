"""The queue on disk: what it keeps, and for how long."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from albatross.asynchronous import letters as dead_letters
from albatross.asynchronous.event import Event, Letter
from albatross.asynchronous.letters import Chosen
from albatross.asynchronous.queue import EventQueue, QueueFull

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
MIB = 1024 * 1024


def make(id_: str, payload: bytes = b"{}") -> Event:
    return Event(id=id_, arn=ARN, payload=payload, accepted_s=1.0, due_s=2.0, client_context="{}")


def letter(id_: str, at_s: float = 1.0, payload: bytes = b"{}", arn: str = ARN) -> Letter:
    return Letter(
        id=id_,
        arn=arn,
        at_s=at_s,
        condition="RetriesExhausted",
        destination=None,
        reason="why",
        payload=payload,
        record=b"{}",
    )


def test_events_survive_until_they_are_finished_and_so_does_what_has_happened_to_them(tmp_path):
    async def first() -> None:
        queue = EventQueue(tmp_path, bytes_max=MIB)
        await asyncio.gather(*(queue.put(make(str(n))) for n in range(20)))
        event = await queue.get("3")
        assert event == make("3")
        await queue.postpone(Event(**{**_fields(event), "due_s": 9.0, "failures": 1}))
        await queue.finish(make("4"), follow=[make("follower")], dead=[letter("4")])
        await queue.close()

    async def second() -> None:
        queue = EventQueue(tmp_path, bytes_max=MIB)
        pending = {id_: due_s for due_s, id_, _ in await queue.pending()}
        assert pending.keys() == {str(n) for n in range(20) if n != 4} | {"follower"}
        assert pending["3"] == 9.0
        again = await queue.get("3")
        assert again is not None
        assert again.failures == 1
        assert await queue.get("4") is None
        assert (await queue.letters()).letters == [letter("4")]
        await queue.close()

    asyncio.run(first())
    asyncio.run(second())


def _fields(event: Event | None) -> dict[str, object]:
    assert event is not None
    return {name: getattr(event, name) for name in Event.__dataclass_fields__}


def test_what_was_put_is_there_after_the_process_is_killed(tmp_path):
    script = (
        "import asyncio, os, sys, time\n"
        "from pathlib import Path\n"
        "from albatross.asynchronous.event import Event\n"
        "from albatross.asynchronous.queue import EventQueue\n"
        "async def main():\n"
        "    queue = EventQueue(Path(sys.argv[1]), bytes_max=2**20)\n"
        "    for n in range(10**6):\n"
        "        await queue.put(Event(id=str(n), arn='a', payload=b'1', accepted_s=1, due_s=1))\n"
        "        print(n, flush=True)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = [int(next(process.stdout)) for _ in range(50)]
        os.kill(process.pid, signal.SIGKILL)
        told += [int(line) for line in process.stdout]

    async def look() -> set[str]:
        queue = EventQueue(tmp_path, bytes_max=MIB)
        pending = await queue.pending()
        await queue.close()
        return {id_ for _, id_, _ in pending}

    assert {str(n) for n in told} <= asyncio.run(look())


def test_the_queue_is_bounded_and_has_room_again_when_events_are_finished(tmp_path):
    async def main() -> None:
        queue = EventQueue(tmp_path, bytes_max=10_000)
        big = make("big", b"x" * 8_000)
        await queue.put(big)
        with pytest.raises(QueueFull):
            await queue.put(make("next", b"x" * 2_000))
        await queue.finish(big)
        await queue.put(make("next", b"x" * 2_000))
        await queue.close()
        again = EventQueue(tmp_path, bytes_max=10_000)
        with pytest.raises(QueueFull):
            await again.put(big)
        await again.close()

    asyncio.run(main())


def test_dead_letters_are_bounded_and_the_oldest_go(tmp_path, monkeypatch):
    monkeypatch.setattr(dead_letters, "LETTERS_MAX", 3)
    monkeypatch.setattr(dead_letters, "LETTERS_BYTES_MAX", 1_000)

    async def main() -> None:
        queue = EventQueue(tmp_path, bytes_max=MIB)
        for n in range(6):
            await queue.put(make(str(n)))
        for n in range(5):
            await queue.finish(make(str(n)), dead=[letter(str(n), at_s=float(n))])
        assert [one.id for one in (await queue.letters()).letters] == ["2", "3", "4"]
        await queue.finish(make("5"), dead=[letter("5", 5.0, b"x" * 993)])
        assert [one.id for one in (await queue.letters()).letters] == ["4", "5"]
        assert await queue.delete_letters(Chosen(id="4")) == ["4"]
        assert await queue.replay(Chosen(), 7.0) == [(7.0, "5", ARN)]
        assert await queue.letters() == ([], "")
        again = await queue.get("5")
        assert again is not None
        assert (again.arn, again.payload, again.due_s) == (ARN, b"x" * 993, 7.0)
        await queue.close()

    asyncio.run(main())


def test_dead_letters_are_listed_in_pages_that_lose_none_when_others_go(tmp_path, monkeypatch):
    monkeypatch.setattr(dead_letters, "PAGE_LETTERS_MAX", 2)
    monkeypatch.setattr(dead_letters, "PAGE_BYTES_MAX", 1_000)

    async def main() -> None:
        queue = EventQueue(tmp_path, bytes_max=MIB)
        await queue.put(make("0"))
        large = letter("4", 2.0, b"x" * 1_000)
        kept = [*(letter(str(n)) for n in range(4)), large, letter("5", 3.0)]
        await queue.finish(make("0"), dead=kept)
        first = await queue.letters()
        assert [one.id for one in first.letters] == ["0", "1"]
        await queue.delete_letters(Chosen(id="1"))
        second = await queue.letters(after=first.next)
        assert [one.id for one in second.letters] == ["2", "3"]
        third = await queue.letters(after=second.next)
        assert third.letters == [large]
        assert await queue.letters(after=third.next) == ([letter("5", 3.0)], "")
        for bad in ("x", "1", "1.0,x", f"1.0,{1 << 63}"):
            with pytest.raises(ValueError, match=r"invalid|convert|number"):
                await queue.letters(after=bad)
        await queue.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        pytest.param("", ["a", "b", "c", "d"], id="all"),
        pytest.param("f", ["a", "b"], id="a name, with all qualifiers"),
        pytest.param(f"{ARN}:live", ["b"], id="an ARN"),
        pytest.param("ff_", ["d"], id="a name with what is a pattern elsewhere"),
        pytest.param("function", [], id="no name"),
    ],
)
def test_dead_letters_are_found_by_function(tmp_path, function, expected):
    async def main() -> None:
        queue = EventQueue(tmp_path, bytes_max=MIB)
        await queue.put(make("0"))
        arns = {"a": ARN, "b": f"{ARN}:live", "c": f"{ARN}ff", "d": f"{ARN}f_"}
        await queue.finish(make("0"), dead=[letter(id_, arn=arn) for id_, arn in arns.items()])
        found = await queue.letters(Chosen(function=function))
        assert [one.id for one in found.letters] == expected
        assert await queue.delete_letters(Chosen(function=function)) == expected
        await queue.close()

    asyncio.run(main())


def test_nothing_is_left_of_what_is_cleared_and_nothing_follows_from_it(tmp_path):
    async def main() -> None:
        queue = EventQueue(tmp_path, bytes_max=10_000)
        big = make("big", b"x" * 8_000)
        await queue.put(big)
        await queue.clear()
        await queue.finish(big, follow=[make("follower")], dead=[letter("big")])
        assert await queue.pending() == []
        assert await queue.letters() == ([], "")
        await queue.put(big)
        await queue.close()

    asyncio.run(main())


def test_a_disk_that_does_not_take_an_event_is_told_and_the_queue_goes_on(tmp_path):
    async def main() -> None:
        queue = EventQueue(tmp_path, bytes_max=MIB)
        queue._connection.execute("pragma query_only = on")
        with pytest.raises(sqlite3.Error):
            await queue.put(make("1"))
        queue._connection.execute("pragma query_only = off")
        await queue.put(make("1"))
        assert len(await queue.pending()) == 1
        await queue.close()

    asyncio.run(main())


def test_nobody_else_may_read_the_file(tmp_path):
    async def main() -> None:
        queue = EventQueue(tmp_path, bytes_max=MIB)
        await queue.put(make("1"))
        modes = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir()}
        await queue.close()
        assert set(modes.values()) == {0}, modes

    asyncio.run(main())
