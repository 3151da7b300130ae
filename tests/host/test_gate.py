"""How many environments are started at one time."""

import asyncio

import pytest

from albatross.host.local import gate
from albatross.host.local.gate import Gate


@pytest.fixture(autouse=True)
def two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "AT_ONCE", 2)
    monkeypatch.setattr(gate, "PATIENCE_S", 30)


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_the_third_waits_until_one_is_up() -> None:
    async def run() -> None:
        places, up = Gate(), asyncio.Event()
        await places.enter()
        await places.enter()
        third = asyncio.ensure_future(places.enter())
        places.leave(up)
        await turn()
        assert not third.done()
        up.set()
        await third

    asyncio.run(run())


def test_one_that_does_not_get_up_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "PATIENCE_S", 0)

    async def run() -> None:
        places = Gate()
        for _ in range(5):
            await places.enter()
            places.leave(asyncio.Event())

    asyncio.run(asyncio.wait_for(run(), 5))


def test_one_that_was_given_up_leaves_its_place() -> None:
    async def run() -> None:
        places = Gate()
        for _ in range(2):
            await places.enter()
        waits = [asyncio.ensure_future(places.enter()) for _ in range(2)]
        await turn()
        waits[0].cancel()
        places.leave()
        await waits[1]

    asyncio.run(run())
