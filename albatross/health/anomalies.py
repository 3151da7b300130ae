"""Anomalies: targets that fail more of their requests than the others, and get fewer for it. Pure.

Source: ALB user guide, "Edit target group attributes" (weighted random, anomaly mitigation).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from albatross.health.routing import Key
from albatross.health.slow_start import WEIGHT_FULL

PERIOD_S = 5  # between two looks, as in AWS
HEALTHY_MIN = 3  # targets, for there to be anomalies
# AWS is silent: a target is anomalous when, of at least 5 requests, it has failed 10 % more than
# the other targets of the group together.
REQUESTS_MIN = 5
EXCESS = 0.1
# AWS is silent: an anomalous target's weight is halved at each look, down to 5 %, and doubled again
# when its requests succeed.
WEIGHT_MIN = 5


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests of a target: answered with a 5XX or not at all, and all of them."""

    failed: int = 0
    total: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.failed + other.failed, self.total + other.total)

    def __sub__(self, other: "Counts") -> "Counts":
        return Counts(self.failed - other.failed, self.total - other.total)

    def since(self, before: "Counts") -> "Counts":
        """Return what has been counted since `before`; all of it where counting began anew."""
        if self.total < before.total or self.failed < before.failed:
            return self
        return self - before

    @property
    def ratio(self) -> float:
        """Which part has failed."""
        return self.failed / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a target does. `new` is what has been counted since it was last judged."""

    anomalous: bool = False
    weight: int = WEIGHT_FULL
    seen: Counts = Counts()
    new: Counts = Counts()


@dataclass(frozen=True, slots=True)
class Anomalies:
    """How the targets of a group do, those in the proxy alone."""

    standings: Mapping[Key, Standing] = field(default_factory=lambda: MappingProxyType({}))

    def look(
        self, counts: Mapping[Key, Counts], healthy: Collection[Key], *, mitigates: bool
    ) -> "Anomalies":
        """Return how the targets do by what was counted since they began, `counts`.

        Too few healthy targets: all are normal. `mitigates`: weights follow.
        """
        if len(healthy) < HEALTHY_MIN:
            return Anomalies(
                MappingProxyType({key: Standing(seen=one) for key, one in counts.items()})
            )
        fresh = {}
        for key, seen in counts.items():
            known = self.standings.get(key)
            new = known.new + seen.since(known.seen) if known else Counts()
            fresh[key] = new
        whole = sum(fresh.values(), Counts())
        return Anomalies(
            MappingProxyType(
                {
                    key: self._judged(key, seen, fresh[key], whole - fresh[key], mitigates)
                    for key, seen in counts.items()
                }
            )
        )

    def weights(self) -> dict[Key, int]:
        """Return the weights of the targets that have not WEIGHT_FULL."""
        return {key: one.weight for key, one in self.standings.items() if one.weight < WEIGHT_FULL}

    def _judged(
        self, key: Key, seen: Counts, new: Counts, others: Counts, mitigates: bool
    ) -> Standing:
        known = self.standings.get(key, Standing())
        weight = known.weight if mitigates else WEIGHT_FULL
        if new.total < REQUESTS_MIN:
            return Standing(known.anomalous, weight, seen, new)
        anomalous = new.ratio >= others.ratio + EXCESS
        if mitigates:
            weight = max(WEIGHT_MIN, weight // 2) if anomalous else min(WEIGHT_FULL, weight * 2)
        return Standing(anomalous, weight, seen)
