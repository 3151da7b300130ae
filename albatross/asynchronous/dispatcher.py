"""Takes events from the queue to their functions, again where they fail, and on to destinations.

At least once: an event leaves the queue when what follows from it is kept.
"""

import asyncio
import logging
import sqlite3
import time
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from heapq import heappop, heappush
from typing import TypeVar
from uuid import uuid4

from albatross.asynchronous import retry
from albatross.asynchronous.delivery import Message, Undeliverable
from albatross.asynchronous.event import Condition, Event, Handling, Letter, Result
from albatross.asynchronous.letters import Chosen
from albatross.asynchronous.queue import Entry, EventQueue
from albatross.asynchronous.record import record

RECORD_BYTES_MAX = 1024 * 1024  # of a function's event; queues and topics take no more either
_AGAIN_S, _AGAIN_S_MAX = 5.0, 300.0  # after a fault of ours; each time twice as long
_DISK_S, _DISK_S_MAX = 1.0, 60.0  # likewise when the queue cannot be read or written
_SHARE = 2  # one function has at most 1/2 of what may run at one time

T = TypeVar("T")

log = logging.getLogger(__name__)


class Dispatcher:
    """`invoke` never raises; `handling` returns None for a function that is not there."""

    def __init__(
        self,
        queue: EventQueue,
        *,
        invoke: Callable[[Event], Awaitable[Result]],
        handling: Callable[[Event], Awaitable[Handling | None]],
        deliver: Callable[[Message], Awaitable[None]],
        concurrency: int,
        retry_wait_s: float,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._queue = queue
        self._invoke = invoke
        self._handling = handling
        self._deliver = deliver
        self._concurrency = concurrency
        self._share = max(1, concurrency // _SHARE)
        self._retry_wait_s = retry_wait_s
        self._clock = clock
        self._sleep = sleep
        self._due: list[Entry] = []  # a heap
        self._held: defaultdict[str, deque[Entry]] = defaultdict(deque)  # by function, at its share
        self._running: Counter[str] = Counter()  # by function
        self._faults: Counter[str] = Counter()  # of ours in a row, by event
        self._new: set[str] | None = set()  # accepted before what was there has been read
        self._wake = asyncio.Event()

    async def accept(self, event: Event) -> None:
        """Take a new event. It is durable when this returns. Raises QueueFull, sqlite3.Error."""
        if self._new is not None:
            self._new.add(event.id)
        await self._queue.put(event)
        self._schedule(event)

    async def run(self) -> None:
        """Work for ever. What is cancelled is done again after the next start."""
        for entry in await self._queue.pending():
            if self._new is None or entry[1] not in self._new:
                heappush(self._due, entry)
        self._new = None
        async with asyncio.TaskGroup() as group:
            while True:
                self._start_due(group)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pause_s()):
                        await self._wake.wait()
                self._wake.clear()

    async def replay(self, chosen: Chosen) -> list[str]:
        """Invoke the functions of dead letters with their events once more. Return the ids."""
        entries = await self._queue.replay(chosen, self._clock())
        for entry in entries:
            heappush(self._due, entry)
        self._wake.set()
        return [id_ for _, id_, _ in entries]

    # Within

    def _schedule(self, event: Event) -> None:
        heappush(self._due, (event.due_s, event.id, event.arn))
        self._wake.set()

    def _is_full(self) -> bool:
        return self._running.total() >= self._concurrency

    def _pause_s(self) -> float | None:
        if not self._due or self._is_full():
            return None
        return max(0.0, self._due[0][0] - self._clock())

    def _start_due(self, group: asyncio.TaskGroup) -> None:
        now_s = self._clock()
        while self._due and self._due[0][0] <= now_s and not self._is_full():
            entry = heappop(self._due)
            function = _function(entry)
            if self._running[function] >= self._share:
                self._held[function].append(entry)
                continue
            self._running[function] += 1
            group.create_task(self._work(entry))

    async def _work(self, entry: Entry) -> None:
        _, id_, arn = entry
        function = _function(entry)
        try:
            await self._attempt(id_)
            del self._faults[id_]
        except Exception:  # the queue must live on; the event is still in it
            wait_s = min(_AGAIN_S * 2.0 ** self._faults[id_], _AGAIN_S_MAX)
            self._faults[id_] += 1
            log.exception("the event %s cannot be handled now, but maybe in %g s", id_, wait_s)
            heappush(self._due, (self._clock() + wait_s, id_, arn))
        finally:
            self._running[function] -= 1
            held = self._held[function]
            if held:
                heappush(self._due, held.popleft())
            else:
                del self._held[function]
            if not self._running[function]:
                del self._running[function]
            self._wake.set()

    async def _attempt(self, id_: str) -> None:
        event = await self._with_disk(lambda: self._queue.get(id_))
        if event is None:
            return
        handling = await self._handling(event)
        if handling is None:
            # AWS is silent: events for a function, version or alias that is deleted meanwhile
            # become dead letters.
            await self._end(event, Condition.RETRIES_EXHAUSTED, None, Handling(), "it is deleted")
            return
        ending = retry.before(event, handling, self._clock())
        if ending is not None:
            await self._end(event, ending, None, handling)
            return
        result = await self._invoke(event)
        wait_s = self._retry_wait_s
        found = retry.after(event, result, handling, self._clock(), retry_wait_s=wait_s)
        if isinstance(found, Event):
            await self._with_disk(lambda: self._queue.postpone(found))
            self._schedule(found)
        else:
            await self._end(event, found, result, handling)

    async def _end(
        self,
        event: Event,
        condition: Condition,
        result: Result | None,
        handling: Handling,
        why: str = "",
    ) -> None:
        """Send the record to where it goes, and forget the event."""
        now_s = self._clock()
        document = record(event, condition, result, now_s)
        is_success = condition is Condition.SUCCESS
        to = handling.on_success if is_success else handling.on_failure
        messages = [Message.record(event, to, document, is_success=is_success)] if to else []
        if handling.dead_letter_queue and not is_success:
            messages.append(Message.dead_letter(event, handling.dead_letter_queue, result))
        follow: list[Event] = []
        faults: list[tuple[str | None, str]] = []
        for message in messages:
            try:
                if message.is_for_function:
                    follow.append(_follower(message, now_s))
                else:
                    await self._deliver(message)
            except Undeliverable as error:
                faults.append((message.destination, str(error)))
        if not messages and not is_success:
            faults.append((None, why or "nothing is configured to take it"))
        letters = [_letter(event, condition, document, now_s, *fault) for fault in faults[:1]]
        for letter in letters:
            log.warning(
                "the event %s for %s (%s) is a dead letter, see `albatross dead-letters`: %s",
                *(letter.id, letter.arn, letter.condition, letter.reason),
            )
        await self._with_disk(lambda: self._queue.finish(event, follow=follow, dead=letters))
        for one in follow:
            self._schedule(one)

    async def _with_disk(self, work: Callable[[], Awaitable[T]]) -> T:
        """Return what `work` makes of the queue, as soon as the disk does.

        The function's place stays taken meanwhile: what has run is not run again, and what has
        not run waits.
        """
        wait_s = _DISK_S
        while True:
            try:
                return await work()
            except sqlite3.Error as error:
                log.error("the queue of events cannot be used, again in %g s: %s", wait_s, error)
            await self._sleep(wait_s)
            wait_s = min(wait_s * 2, _DISK_S_MAX)


def _function(entry: Entry) -> str:
    return ":".join(entry[2].split(":")[:7])


def _follower(message: Message, now_s: float) -> Event:
    """Return the event by which a destination function gets a record. Raises Undeliverable."""
    if len(message.body) > RECORD_BYTES_MAX:
        raise Undeliverable(f"the record has more than {RECORD_BYTES_MAX} bytes")
    return Event(
        id=str(uuid4()),
        arn=message.destination,
        payload=message.body,
        accepted_s=now_s,
        due_s=now_s,
    )


def _letter(
    event: Event,
    condition: Condition,
    document: bytes,
    now_s: float,
    destination: str | None,
    reason: str,
) -> Letter:
    return Letter(
        id=event.id,
        arn=event.arn,
        at_s=now_s,
        condition=condition.value,
        destination=destination,
        reason=reason,
        payload=event.payload,
        record=document,
    )
