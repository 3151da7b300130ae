"""Slow start: a new target's share of requests grows until it is like that of the others. Pure.

Source: ALB user guide, "Edit target group attributes" (slow start mode).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import ceil
from types import MappingProxyType

from albatross.health.routing import Key

WEIGHT_FULL = 100
# AWS is silent: the share of a target in slow start grows in steps of 5 %.
STEP = 5


@dataclass(frozen=True, slots=True)
class SlowStart:
    """Where the targets of a group are. `at` gives what follows; times are seconds."""

    past: frozenset[Key] = frozenset()  # healthy, with their full share
    begun: Mapping[Key, float] = field(default_factory=lambda: MappingProxyType({}))  # when
    known: frozenset[Key] = frozenset()  # registered
    exempt: frozenset[Key] = frozenset()  # never healthy yet, and nobody was past when they came

    def at(
        self, now_s: float, registered: Collection[Key], healthy: Collection[Key], duration_s: int
    ) -> "SlowStart":
        """Return what has become of the targets by `now_s`. Duration 0: there is no slow start.

        Who becomes healthy begins only where another target is past its slow start; so do not those
        that came when there was none, even if some of them become healthy before others.
        """
        now, usable = frozenset(registered), frozenset(healthy)
        begun = {key: began for key, began in self.begun.items() if key in usable}
        over = {key for key, began in begun.items() if now_s - began >= duration_s}
        past = (self.past & usable) | over
        exempt = (self.exempt & now) | (now - self.known if not past else frozenset())
        new = usable - past - begun.keys()
        full = new if not past or not duration_s else new & exempt
        return SlowStart(
            past=past | full,
            begun=MappingProxyType(
                {key: began for key, began in begun.items() if key not in over}
                | {key: now_s for key in new - full}
            ),
            known=now,
            exempt=exempt - usable,
        )

    def weights(self, now_s: float, duration_s: int) -> dict[Key, int]:
        """Return the weights of the targets in slow start; all others have WEIGHT_FULL."""
        return {
            key: min(WEIGHT_FULL, max(1, ceil(_share(now_s - began, duration_s) / STEP)) * STEP)
            for key, began in self.begun.items()
        }

    def next_s(self, now_s: float, duration_s: int) -> float | None:
        """Return how many seconds after `now_s` a weight will be another one, None if none will."""
        step_s = duration_s * STEP / WEIGHT_FULL
        return min(
            (step_s - (now_s - began) % step_s for began in self.begun.values()), default=None
        )


def _share(elapsed_s: float, duration_s: int) -> float:
    return WEIGHT_FULL * elapsed_s / duration_s
