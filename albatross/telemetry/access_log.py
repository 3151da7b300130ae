"""The access logs of all load balancers: from the proxy's notes to files, at its own pace."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable

from albatross.model.load_balancer import LoadBalancer
from albatross.model.request_record import Choice, Entrance, Record, parse
from albatross.telemetry import destination
from albatross.telemetry.destination import Destination
from albatross.telemetry.line import line
from albatross.telemetry.raw_log import RawLog
from albatross.telemetry.spool import Spool

TURN_S = 0.5
LATE_S = 10.0  # so long after a log is turned off, notes of requests before that still count

log = logging.getLogger(__name__)


class AccessLog:
    """Writes the lines of the load balancers of which it has heard that their logs are on."""

    def __init__(
        self, raw: RawLog, spool: Spool, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._raw = raw
        self._spool = spool
        self._clock = clock
        self._destinations: dict[str, Destination] = {}  # of the logs that are on, by ARN
        self._late: dict[str, tuple[Destination, float]] = {}  # of others, with their end
        self._fault = ""  # the last one that was said

    def follow(self, balancers: Iterable[LoadBalancer]) -> None:
        """Take note of whose logs are on. Called before the proxy hears of it."""
        before = self._destinations
        found = {one.arn: to for one in balancers if (to := destination.of(one))}
        self._destinations = found
        now_s = self._clock()
        left = {arn: (to, now_s + LATE_S) for arn, to in before.items() if arn not in found}
        self._late = {arn: late for arn, late in self._late.items() if late[1] > now_s} | left
        for arn, to in found.items():
            if before.get(arn) != to:
                try:
                    self._spool.write_test_file(to, now_s)
                except OSError as error:
                    self._complain(error)

    async def run(self) -> None:
        """Write for ever."""
        loop = asyncio.get_running_loop()
        while True:
            next_s = loop.time() + TURN_S
            await self.turn(spread_s=TURN_S)
            await asyncio.sleep(next_s - loop.time())

    async def close(self) -> None:
        """Complete all files, after `run`'s end and after the proxy has written all it has."""
        try:
            async for batch in self._raw.rest():
                self._write(batch)
            await asyncio.to_thread(self._spool.finish)
        except OSError as error:
            self._complain(error)

    async def turn(self, *, spread_s: float = 0.0) -> None:
        """Write what there is, with pauses of `spread_s` together.

        What fails is said once; notes not read wait for the next turn.
        """
        try:
            await asyncio.to_thread(self._spool.finish_due, self._clock())
        except OSError as error:
            self._complain(error)
        try:
            async for batch in self._raw.lines(spread_s):
                self._write(batch)
        except OSError as error:
            self._complain(error)

    def _write(self, batch: list[str]) -> None:
        by_file: dict[tuple[Destination, str], list[str]] = defaultdict(list)
        for text in batch:
            record = parse(text)
            if record is None:
                self._complain(f"not a record of a request: {text[:100]!r}")
                continue
            try:
                if to := self._destination(_load_balancer(record)):
                    by_file[to, record.node].append(line(record))
            except (TypeError, ValueError) as error:  # no line is worth the control plane
                self._complain(f"{error}: {text[:100]!r}")
        for (to, node), lines in by_file.items():
            try:
                self._spool.append(to, node, lines)
            except OSError as error:  # these lines are lost, others are not
                self._complain(error)

    def _destination(self, load_balancer: str) -> Destination | None:
        late, _ = self._late.get(load_balancer, (None, 0.0))
        return self._destinations.get(load_balancer, late)

    def _complain(self, fault: object) -> None:
        if str(fault) != self._fault:
            log.warning("access log: %s", fault)
        self._fault = str(fault)


def _load_balancer(record: Record) -> str:
    choice = Choice.of(record.choice) or Entrance.of(record.entrance)
    return choice.load_balancer
