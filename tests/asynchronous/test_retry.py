"""When an event is tried again, and when it is done with."""

from dataclasses import replace

import pytest

from albatross.asynchronous.event import Condition, Event, Handling, Result
from albatross.asynchronous.retry import after, before

EVENT = Event(
    id="1",
    arn="arn:aws:lambda:us-east-1:123456789012:function:f",
    payload=b"{}",
    accepted_s=1000.0,
    due_s=1000.0,
)
FAILED = Result(function_error="Unhandled", payload=b"{}")
THROTTLED = Result(refusal="TooManyRequestsException")


@pytest.mark.parametrize(
    "handling, now_s, expected",
    [
        pytest.param(Handling(), 1000.0, None, id="a new event is tried"),
        pytest.param(Handling(), 1000.0 + 21_599, None, id="six hours by default"),
        pytest.param(Handling(), 1000.0 + 21_600, Condition.AGE_EXCEEDED, id="and then no more"),
        pytest.param(
            Handling(age_max_s=60), 1060.0, Condition.AGE_EXCEEDED, id="an age of its own"
        ),
        pytest.param(
            Handling(is_blocked=True), 1000.0, Condition.ZERO_CONCURRENCY, id="concurrency 0"
        ),
    ],
)
def test_an_event_may_be_done_with_before_it_is_tried(handling, now_s, expected):
    assert before(EVENT, handling, now_s) is expected


def follow(result: Result, handling: Handling, attempts: int) -> tuple[list[float], object]:
    """Return the waits before each further attempt, and how it ended."""
    event, now_s, waits = EVENT, EVENT.accepted_s, []
    for _ in range(attempts):
        found = after(event, result, handling, now_s, retry_wait_s=60.0)
        if not isinstance(found, Event):
            return waits, found
        waits.append(found.due_s - now_s)
        event, now_s = found, found.due_s
    return waits, event


@pytest.mark.parametrize("retries, waits", [(0, []), (1, [60.0]), (2, [60.0, 120.0])])
def test_a_function_that_fails_is_tried_again_after_one_minute_and_after_two(retries, waits):
    handling = Handling(retries_max=retries)
    assert follow(FAILED, handling, 9) == (waits, Condition.RETRIES_EXHAUSTED)


@pytest.mark.parametrize("age_s, waits", [(60, []), (90, [60.0]), (180, [60.0])])
def test_a_function_that_fails_is_not_waited_for_beyond_the_age_of_its_event(age_s, waits):
    assert follow(FAILED, Handling(age_max_s=age_s), 9) == (waits, Condition.AGE_EXCEEDED)


def test_a_throttled_event_is_tried_again_after_waits_that_double_up_to_five_minutes():
    waits, event = follow(THROTTLED, Handling(), 12)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert isinstance(event, Event)
    assert event.failures == 0


def test_throttles_do_not_count_as_retries_and_their_wait_begins_anew_after_a_failure():
    throttled = after(EVENT, THROTTLED, Handling(), 1000.0, retry_wait_s=60.0)
    assert isinstance(throttled, Event)
    failed = after(throttled, FAILED, Handling(), 1001.0, retry_wait_s=60.0)
    assert isinstance(failed, Event)
    assert (failed.failures, failed.throttles, failed.due_s) == (1, 0, 1061.0)


def test_no_wait_is_longer_than_the_event_may_live():
    handling = Handling(age_max_s=60)
    old = replace(EVENT, throttles=9)
    found = after(old, THROTTLED, handling, 1010.0, retry_wait_s=60.0)
    assert isinstance(found, Event)
    assert found.due_s == 1060.0
    assert before(found, handling, found.due_s) is Condition.AGE_EXCEEDED


def test_a_result_ends_it():
    assert after(EVENT, Result(payload=b"1"), Handling(), 1.0, retry_wait_s=60) is Condition.SUCCESS
