"""Telemetry on its way to one extension: batches, to a port of the environment's own machine.

Source: Lambda guide, "Telemetry API": destinations, buffering, retries.
"""

import asyncio
import base64
import hashlib
import logging
from contextlib import suppress

import orjson

from albatross.host.observe.records import timestamp
from albatross.host.observe.subscription import Subscription

log = logging.getLogger(__name__)

_RETRY_S_MIN, _RETRY_S_MAX = 0.05, 2.0
# For the other side to close a connection, once it has answered; and to take what is left.
_CLOSING_S = 1.0
_DROPPED = (
    "Some logs were dropped because the downstream consumer is slower than the logs production rate"
)


class Stream:
    """Collects events and sends them in batches, in order. Memory is bounded: the rest is lost.

    A batch goes out when it has `items_max` events or `bytes_max` bytes, or after `timeout_s`. One
    that cannot be delivered is sent again and again, ever more rarely, until `close`.
    """

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self._waiting: list[bytes] = []
        self._bytes = 0
        self._dropped_records = self._dropped_bytes = 0
        self._due = asyncio.Event()
        self._idle = asyncio.Event()  # all has been delivered
        self._idle.set()
        self._ending = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._writer: asyncio.StreamWriter | None = None  # of a TCP destination
        self._task = self._loop.create_task(self._run())

    def put(self, event: bytes) -> None:
        """Take an event, as JSON."""
        subscription = self.subscription
        self._idle.clear()
        if self._is_full:
            self._dropped_records += 1
            self._dropped_bytes += len(event)
            self._due.set()
            return
        self._waiting.append(event)
        self._bytes += len(event)
        if self._is_full:
            self._due.set()
        elif self._timer is None:
            self._timer = self._loop.call_later(subscription.timeout_s, self.flush)

    def flush(self) -> None:
        """Send what there is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._due.set()

    async def delivered(self) -> None:
        """Send what there is; return when it has arrived."""
        self.flush()
        await self._idle.wait()

    async def close(self) -> None:
        """The environment is gone: who still listens gets what is left, if it takes that now."""
        self._ending.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.delivered(), _CLOSING_S)
        if self._timer is not None:
            self._timer.cancel()
        self._task.cancel()
        if self._writer is not None:
            self._writer.close()

    @property
    def _is_full(self) -> bool:
        subscription = self.subscription
        return len(self._waiting) >= subscription.items_max or self._bytes >= subscription.bytes_max

    async def _run(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            if batch := self._take():
                await self._deliver(batch)
            if not self._waiting:
                self._idle.set()

    def _take(self) -> list[bytes]:
        batch, self._waiting, self._bytes = self._waiting, [], 0
        if self._dropped_records and "platform" in self.subscription.types:
            record = {
                "droppedBytes": self._dropped_bytes,
                "droppedRecords": self._dropped_records,
                "reason": _DROPPED,
            }
            told = {"time": timestamp(), "type": "platform.logsDropped", "record": record}
            batch.append(orjson.dumps(told))
        self._dropped_records = self._dropped_bytes = 0
        return batch

    async def _deliver(self, batch: list[bytes]) -> None:
        wait_s = _RETRY_S_MIN
        while True:
            try:
                if self.subscription.target is None:
                    await self._send_lines(batch)
                else:
                    await self._post(b"[" + b",".join(batch) + b"]")
                return
            except OSError as error:
                log.debug("telemetry for port %d: %s", self.subscription.port, error)
            if self._ending.is_set():
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), wait_s)
            wait_s = min(2 * wait_s, _RETRY_S_MAX)

    async def _send_lines(self, batch: list[bytes]) -> None:
        """Write the batch as lines on a connection that stays. Raises OSError."""
        if self._writer is None or self._writer.is_closing():
            _, self._writer = await asyncio.open_connection("127.0.0.1", self.subscription.port)
        self._writer.write(b"".join(event + b"\n" for event in batch))
        await self._writer.drain()

    async def _post(self, body: bytes) -> None:
        """Send one request on a connection of its own. Raises OSError."""
        subscription = self.subscription
        reader, writer = await asyncio.open_connection("127.0.0.1", subscription.port)
        try:
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
            head = (
                f"{subscription.method} {subscription.target} HTTP/1.1\r\n"
                f"Host: {subscription.authority}\r\nContent-Type: application/json\r\n"
                f"Sequence-Id: {digest}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()
            started = await reader.readline()
            _, _, rest = started.partition(b" ")
            if not rest.startswith(b"2"):
                raise ConnectionError(f"answered {started[:60]!r}")
            with suppress(TimeoutError):  # so that the other side may end its answer in peace
                await asyncio.wait_for(_rest(reader), _CLOSING_S)
        except ValueError as error:  # a line without an end
            raise ConnectionError(str(error)) from error
        finally:
            writer.close()


async def _rest(reader: asyncio.StreamReader) -> None:
    while await reader.read(4096):
        pass
