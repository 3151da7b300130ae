"""What an asynchronous invocation is made of.

Source: Lambda guide, "Invoking a Lambda function asynchronously" and its sub-pages.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from albatross.model import event_invoke


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An accepted event on its way to a function. Times are seconds since the epoch."""

    id: str  # the request id of every attempt
    arn: str  # of the function as invoked, maybe qualified
    payload: bytes = field(repr=False)
    client_context: str | None = field(default=None, repr=False)  # the JSON text
    accepted_s: float
    due_s: float  # of the next attempt
    failures: int = 0  # attempts that ended with an error of the function
    throttles: int = 0  # attempts since then for which the function did not run

    @property
    def function_arn(self) -> str:
        """The ARN without a qualifier."""
        return ":".join(self.arn.split(":")[:7])


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """What is configured for a function's events. Destinations are ARNs."""

    retries_max: int = event_invoke.RETRIES_MAX
    age_max_s: int = event_invoke.AGE_S_MAX
    on_success: str | None = None
    on_failure: str | None = None
    dead_letter_queue: str | None = None
    is_blocked: bool = False  # reserved concurrency 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an attempt ended. `refusal` says why the function did not run, None where it did."""

    version: str = ""
    payload: bytes = field(default=b"", repr=False)
    function_error: str | None = None
    refusal: str | None = None


class Condition(StrEnum):
    """Why an event is done with, in the words of invocation records."""

    SUCCESS = "Success"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_CONCURRENCY = "ZeroReservedConcurrency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """An event that reached nobody: it failed, or its record could not be delivered."""

    id: str
    arn: str
    at_s: float
    condition: str
    destination: str | None  # of its record, where it was to have one
    reason: str  # why it is here, for people
    payload: bytes = field(repr=False)
    record: bytes = field(repr=False)  # what its destination would have got
