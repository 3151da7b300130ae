"""The state machine of one target: from the outcomes of its checks to its health. Pure.

Source: ALB user guide, "Health checks for your target groups".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

from albatross.health.outcome import Outcome
from albatross.model.health import HEALTHY, TargetHealth, because
from albatross.model.target_group import HealthCheck


class Phase(Enum):
    REGISTERING = auto()  # no check has begun
    CHECKING = auto()
    HEALTHY = auto()
    UNHEALTHY = auto()


class Event(Enum):
    BEGIN = auto()  # a check begins
    PASS = auto()
    FAIL = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """To the phase `to`, once an event has come `times` in a row."""

    to: Phase
    times: Callable[[HealthCheck], int]


def _once(_: HealthCheck) -> int:
    return 1


def _healthy_threshold(check: HealthCheck) -> int:
    return check.healthy_threshold


def _unhealthy_threshold(check: HealthCheck) -> int:
    return check.unhealthy_threshold


# What is not here changes nothing but the count of events in a row.
TRANSITIONS: Mapping[Phase, Mapping[Event, Step]] = {
    Phase.REGISTERING: {Event.BEGIN: Step(Phase.CHECKING, _once)},
    Phase.CHECKING: {
        # The first success makes a new target healthy, whatever HealthyThresholdCount says.
        Event.PASS: Step(Phase.HEALTHY, _once),
        # AWS is silent: a new target stays `initial` until UnhealthyThresholdCount checks in a row
        # have failed.
        Event.FAIL: Step(Phase.UNHEALTHY, _unhealthy_threshold),
    },
    Phase.HEALTHY: {Event.FAIL: Step(Phase.UNHEALTHY, _unhealthy_threshold)},
    Phase.UNHEALTHY: {Event.PASS: Step(Phase.HEALTHY, _healthy_threshold)},
}


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a target is. `row` events like the last one have come since the phase began."""

    phase: Phase = Phase.REGISTERING
    last: Event = Event.BEGIN
    row: int = 0
    failure: Outcome | None = None  # the last one

    def begin(self) -> "Progress":
        """Return what follows when a check begins."""
        return self._after(Event.BEGIN, HealthCheck()) if self.phase is Phase.REGISTERING else self

    def end(self, outcome: Outcome, check: HealthCheck) -> "Progress":
        """Return what follows from the outcome of a check."""
        if outcome.fault is None:
            return self._after(Event.PASS, check)
        return replace(self, failure=outcome)._after(Event.FAIL, check)

    def restart(self) -> "Progress":
        """Return the same phase with nothing counted: what is checked has changed."""
        return replace(self, row=0)

    @property
    def health(self) -> TargetHealth:
        match self.phase:
            case Phase.REGISTERING:
                return because("Elb.RegistrationInProgress")
            case Phase.CHECKING:
                return because("Elb.InitialHealthChecking")
            case Phase.HEALTHY:
                return HEALTHY
            case Phase.UNHEALTHY:
                assert self.failure is not None
                return self.failure.health

    def _after(self, event: Event, check: HealthCheck) -> "Progress":
        row = self.row + 1 if event is self.last else 1
        step = TRANSITIONS[self.phase].get(event)
        if step is not None and row >= step.times(check):
            return replace(self, phase=step.to, last=event, row=0)
        return replace(self, last=event, row=row)
