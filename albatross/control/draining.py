"""Removes targets whose deregistration delay is over, also when that ended while nothing ran."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from albatross.elbv2.targets import remove_drained
from albatross.model import arn as arns
from albatross.model.arn import Scope
from albatross.model.errors import ServiceUnavailable
from albatross.model.snapshot import Snapshot
from albatross.model.target_group import TargetGroup
from albatross.store.store import Store

AWAY_PAUSE_S = 2.0  # after the database was away


class Draining:
    """Call `changed` after each commit, and keep `run` running. Tests pass another clock."""

    def __init__(
        self, store: Callable[[], Store], now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store = store
        self._now = now
        self._wake = asyncio.Event()
        self._looked_at: tuple[TargetGroup, ...] | None = None
        self._ends: list[tuple[Scope, datetime]] = []  # of deregistration delays, in those

    def changed(self, _revision: int = 0) -> None:
        """There may be another target that drains."""
        self._wake.set()

    async def run(self) -> None:
        """Remove targets for ever."""
        while True:
            self._wake.clear()
            try:
                next_end = await self.remove()
                pause_s = (next_end - self._now()).total_seconds() if next_end else None
            except ServiceUnavailable:  # the database is away, and the targets drain on
                pause_s = AWAY_PAUSE_S
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()

    async def remove(self) -> datetime | None:
        """Remove the targets that have drained and return when the next will have, if any."""
        snapshot, now = await self._store().snapshot(), self._now()
        if snapshot.target_groups is not self._looked_at:
            self._looked_at, self._ends = snapshot.target_groups, _ends(snapshot)
        ends = self._ends
        for scope in {scope for scope, end in ends if end <= now}:
            await self._store().write(scope, remove_drained)
        return min((end for _, end in ends if end > now), default=None)


def _ends(snapshot: Snapshot) -> list[tuple[Scope, datetime]]:
    """Return when the deregistration delays end, each with its account and Region."""
    return [
        (arns.scope_of(group.arn), target.draining_until)
        for group in snapshot.target_groups
        for target in group.targets
        if target.draining_until is not None
    ]
