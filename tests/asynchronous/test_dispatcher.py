"""Who is worked on, how many at one time, and what follows from it; with a real queue."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from albatross.asynchronous.delivery import Message, Undeliverable
from albatross.asynchronous.dispatcher import Dispatcher
from albatross.asynchronous.event import Event, Handling, Result
from albatross.asynchronous.letters import Chosen
from albatross.asynchronous.queue import EventQueue

PREFIX = "arn:aws:lambda:us-east-1:123456789012:function:"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"


def make(id_: str, function: str = "f", due_s: float = 0.0, payload: bytes = b"{}") -> Event:
    return Event(id=id_, arn=PREFIX + function, payload=payload, accepted_s=0.0, due_s=due_s)


class World:
    """A dispatcher with functions that a test decides about."""

    def __init__(self, queue: EventQueue, concurrency: int = 4) -> None:
        self.queue = queue
        self.now_s = 1.0
        self.calls: list[Event] = []
        self.sent: list[Message] = []
        self.result: Callable[[Event], Awaitable[Result]] = self._succeed
        self.handlings: dict[str, Handling | None] = {}
        self.is_deliverable = True
        self.waits: list[float] = []
        self.waited: Callable[[], None] = lambda: None
        self.dispatcher = Dispatcher(
            queue,
            invoke=self._invoke,
            handling=self._handling,
            deliver=self._deliver,
            concurrency=concurrency,
            retry_wait_s=0.0,
            clock=lambda: self.now_s,
            sleep=self._sleep,
        )

    async def _succeed(self, _: Event) -> Result:
        return Result(version="$LATEST", payload=b'"ok"')

    async def _invoke(self, event: Event) -> Result:
        self.calls.append(event)
        return await self.result(event)

    async def _handling(self, event: Event) -> Handling | None:
        return self.handlings.get(event.function_arn.rpartition(":")[2], Handling())

    async def _deliver(self, message: Message) -> None:
        if not self.is_deliverable:
            raise Undeliverable("nobody is there")
        self.sent.append(message)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.waited()
        await asyncio.sleep(0)

    async def until_empty(self) -> None:
        async with asyncio.timeout(10):
            while await self.queue.pending():  # noqa: ASYNC110  the disk tells nobody
                await asyncio.sleep(0)


def in_world(tmp_path, test: Callable[[World], Awaitable[None]], concurrency: int = 4) -> None:
    async def main() -> None:
        world = World(EventQueue(tmp_path, bytes_max=2**24), concurrency)
        running = asyncio.create_task(world.dispatcher.run())
        try:
            await test(world)
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            await world.queue.close()

    asyncio.run(main())


def test_every_event_is_worked_on_once_and_successes_leave_nothing_behind(tmp_path):
    async def test(world: World) -> None:
        await asyncio.gather(*(world.dispatcher.accept(make(str(n))) for n in range(50)))
        await world.until_empty()
        assert Counter(event.id for event in world.calls) == Counter(map(str, range(50)))
        assert await world.queue.letters() == ([], "")

    in_world(tmp_path, test)


def test_one_function_cannot_take_all_the_places(tmp_path):
    async def test(world: World) -> None:
        gate, running, most = asyncio.Event(), Counter[str](), Counter[str]()

        async def wait(event: Event) -> Result:
            function = event.function_arn
            running[function] += 1
            most[function] = max(most[function], running[function])
            if function.endswith(":slow"):
                await gate.wait()
            running[function] -= 1
            return Result()

        world.result = wait
        for n in range(10):
            await world.dispatcher.accept(make(f"s{n}", "slow"))
        for n in range(10):
            await world.dispatcher.accept(make(f"q{n}", "quick"))
        async with asyncio.timeout(10):
            while len(await world.queue.pending()) > 10:  # noqa: ASYNC110  the quick ones
                await asyncio.sleep(0)
        gate.set()
        await world.until_empty()
        assert most[PREFIX + "slow"] == 2
        assert len(world.calls) == 20

    in_world(tmp_path, test, concurrency=4)


def test_a_function_that_fails_is_tried_three_times_under_one_request_id(tmp_path):
    async def test(world: World) -> None:
        async def fail(_: Event) -> Result:
            return Result(version="1", function_error="Unhandled", payload=b'{"errorMessage":"no"}')

        world.result = fail
        await world.dispatcher.accept(make("a"))
        await world.until_empty()
        assert [event.id for event in world.calls] == ["a", "a", "a"]
        (letter,) = (await world.queue.letters()).letters
        assert (letter.id, letter.condition, letter.destination) == ("a", "RetriesExhausted", None)
        assert json.loads(letter.record)["requestContext"]["approximateInvokeCount"] == 3
        world.calls.clear()
        assert await world.dispatcher.replay(Chosen(id="a")) == ["a"]
        await world.until_empty()
        assert [event.id for event in world.calls] == ["a", "a", "a"]

    in_world(tmp_path, test)


@pytest.mark.parametrize(
    "fails, to",
    [
        pytest.param(False, "success", id="success"),
        pytest.param(True, "failure", id="failure"),
    ],
)
def test_a_function_as_the_destination_gets_the_record(tmp_path, fails, to):
    async def test(world: World) -> None:
        world.handlings["f"] = Handling(
            retries_max=0, on_success=PREFIX + "success", on_failure=PREFIX + "failure:live"
        )

        async def answer(event: Event) -> Result:
            failed = fails and event.arn == PREFIX + "f"
            return Result(payload=b"1", function_error="Unhandled" if failed else None)

        world.result = answer
        await world.dispatcher.accept(make("a"))
        await world.until_empty()
        first, second = world.calls
        assert second.function_arn == PREFIX + to
        assert second.id != first.id
        assert json.loads(second.payload)["requestContext"]["requestId"] == "a"

    in_world(tmp_path, test)


def test_a_failure_goes_to_its_destination_and_to_the_dead_letter_queue(tmp_path):
    async def test(world: World) -> None:
        world.handlings["f"] = Handling(
            retries_max=0, on_failure="arn:aws:s3:::bucket", dead_letter_queue=QUEUE
        )

        async def fail(_: Event) -> Result:
            return Result(function_error="Unhandled", payload=b'{"errorMessage":"no"}')

        world.result = fail
        await world.dispatcher.accept(make("a", payload=b'{"a": 1}'))
        await world.until_empty()
        record, event = world.sent
        assert record.service == "s3"
        assert json.loads(record.body)["requestContext"]["condition"] == "RetriesExhausted"
        assert (event.destination, event.body) == (QUEUE, b'{"a": 1}')
        assert event.attributes == {
            "RequestID": ("String", "a"),
            "ErrorCode": ("Number", "200"),
            "ErrorMessage": ("String", "no"),
        }
        assert await world.queue.letters() == ([], "")
        world.is_deliverable = False
        await world.dispatcher.accept(make("b"))
        await world.until_empty()
        (letter,) = (await world.queue.letters()).letters
        assert (letter.id, letter.destination) == ("b", "arn:aws:s3:::bucket")

    in_world(tmp_path, test)


@pytest.mark.parametrize(
    "handling, condition",
    [
        pytest.param(
            Handling(is_blocked=True), "ZeroReservedConcurrency", id="reserved concurrency 0"
        ),
        pytest.param(None, "RetriesExhausted", id="the function is gone"),
        pytest.param(Handling(age_max_s=0), "EventAgeExceeded", id="too old"),
    ],
)
def test_what_may_not_run_becomes_a_dead_letter_without_an_attempt(tmp_path, handling, condition):
    async def test(world: World) -> None:
        world.handlings["f"] = handling
        await world.dispatcher.accept(make("a"))
        await world.until_empty()
        assert world.calls == []
        (letter,) = (await world.queue.letters()).letters
        assert letter.condition == condition

    in_world(tmp_path, test)


def test_events_that_were_there_at_the_start_are_worked_on(tmp_path):
    async def before() -> None:
        queue = EventQueue(tmp_path, bytes_max=2**20)
        await queue.put(make("a"))
        await queue.close()

    async def test(world: World) -> None:
        await world.until_empty()
        assert [event.id for event in world.calls] == ["a"]

    asyncio.run(before())
    in_world(tmp_path, test)


@pytest.mark.parametrize("fails", [False, True])
def test_a_disk_that_fails_makes_no_function_run_again(tmp_path, caplog, fails):
    async def test(world: World) -> None:
        mended = asyncio.Event()

        async def answer(_: Event) -> Result:
            world.queue._connection.execute("pragma query_only = on")
            return Result(payload=b"1", function_error="Unhandled" if fails else None)

        def mend() -> None:
            if len(world.waits) == 8:
                world.queue._connection.execute("pragma query_only = off")
                mended.set()

        world.result, world.waited = answer, mend
        world.handlings["f"] = Handling(retries_max=0)
        await world.dispatcher.accept(make("a"))
        async with asyncio.timeout(10):
            await mended.wait()
        await world.until_empty()
        assert len(world.calls) == 1
        assert world.waits == [1, 2, 4, 8, 16, 32, 60, 60]
        assert len((await world.queue.letters()).letters) == fails

    in_world(tmp_path, test)
    told = "the queue of events cannot be used, again in 1 s: attempt to write a readonly database"
    assert told in caplog.messages


def test_an_event_that_cannot_be_handled_comes_back_later_and_later(tmp_path, caplog):
    async def test(world: World) -> None:
        faults = 8

        async def answer(_: Event) -> Result:
            if len(world.calls) <= faults:
                raise OSError("a fault of ours")
            return Result()

        world.result = answer
        await world.dispatcher.accept(make("a"))
        async with asyncio.timeout(10):
            while await world.queue.pending():
                world.now_s += 5
                world.dispatcher._wake.set()
                await asyncio.sleep(0)

    in_world(tmp_path, test)
    told = [record.args[1] for record in caplog.records]
    assert told == [5, 10, 20, 40, 80, 160, 300, 300]
