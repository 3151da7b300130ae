"""When an event is tried again, and when it is done with. Pure.

Source: Lambda guide, "How Lambda handles errors and retries with asynchronous invocation".
"""

from dataclasses import replace

from albatross.asynchronous.event import Condition, Event, Handling, Result

BACK_OFF_S, BACK_OFF_S_MAX = 1.0, 300.0  # after an attempt for which the function did not run


def before(event: Event, handling: Handling, now_s: float) -> Condition | None:
    """Return why `event` is done with without another attempt, or None."""
    if handling.is_blocked:
        return Condition.ZERO_CONCURRENCY
    if now_s >= event.accepted_s + handling.age_max_s:
        return Condition.AGE_EXCEEDED
    return None


def after(
    event: Event, result: Result, handling: Handling, now_s: float, *, retry_wait_s: float
) -> Condition | Event:
    """Return why `event` is done with after an attempt, or the event as it is tried again.

    `retry_wait_s`: the wait after the function's first error; after the second it is twice that.
    """
    expires_s = event.accepted_s + handling.age_max_s
    if result.refusal is not None:
        wait_s = min(BACK_OFF_S * 2.0 ** min(event.throttles, 30), BACK_OFF_S_MAX)
        again = replace(event, throttles=event.throttles + 1)
    elif result.function_error is not None:
        again = replace(event, failures=event.failures + 1, throttles=0)
        if again.failures > handling.retries_max:
            return Condition.RETRIES_EXHAUSTED
        wait_s = retry_wait_s * again.failures
        if now_s + wait_s >= expires_s:
            return Condition.AGE_EXCEEDED  # at once, with what the function has answered
    else:
        return Condition.SUCCESS
    return replace(again, due_s=min(now_s + wait_s, expires_s))  # then it is told that it expired
