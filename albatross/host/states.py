"""The states of an execution environment, and who deals with it.

What leads from one state to the next is a table; whatever is not in it is an error of the runtime's
and answered 403. Source: Lambda guide, Lambda runtime API and execution environment.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

from albatross.host.failures import InitFailure
from albatross.host.invocation import Invocation, Outcome

if TYPE_CHECKING:
    from albatross.host.environment import Environment


class State(Enum):
    """The values are what AWS's runtime interface emulator calls them in its errors."""

    INIT = "Started"
    IDLE = "Ready"
    BUSY = "Running"
    ANSWERED = "ResponseSent"
    EXITED = "Exited"


class Event(Enum):
    """The values are the states to which they were to lead, likewise."""

    NEXT = "Ready"
    ASSIGN = "Running"
    RESPONSE = "InvocationResponse"
    ERROR = "InvocationErrorResponse"
    INIT_ERROR = "InitError"


# NEXT parks the environment.
TRANSITIONS: dict[State, dict[Event, State]] = {
    State.INIT: {Event.NEXT: State.IDLE, Event.INIT_ERROR: State.EXITED},
    State.IDLE: {Event.ASSIGN: State.BUSY},
    State.BUSY: {Event.RESPONSE: State.ANSWERED, Event.ERROR: State.ANSWERED},
    State.ANSWERED: {Event.NEXT: State.IDLE},
    State.EXITED: {},
}


class InvalidTransition(Exception):
    """The runtime asked for something that its state does not allow."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(
            f"State transition from {state.value} to {event.value} failed for runtime. "
            "Error: State transition is not allowed"
        )


def after(state: State, event: Event) -> State:
    """Return the next state. Raises InvalidTransition."""
    if (found := TRANSITIONS[state].get(event)) is None:
        raise InvalidTransition(state, event)
    return found


class Runtime(Protocol):
    """Where a runtime waits for its next event: a connection to it of any kind."""

    def send_event(self, invocation: Invocation, function_arn: str, deadline_ms: int) -> None:
        """Hand the runtime its event."""


class Owner(Protocol):
    """Who owns environments: the pool of their function."""

    def ready(self, environment: Environment) -> None:
        """The environment is idle: new, or freed by an answer."""

    def gone(self, environment: Environment, failure: InitFailure | None) -> None:
        """The process has ended. `failure` is set when it never became ready."""

    def finished(self, invocation: Invocation, outcome: Outcome) -> None:
        """An invocation has ended."""

    def printed(self, environment: Environment, text: bytes) -> None:
        """The function wrote to its standard output or error."""
