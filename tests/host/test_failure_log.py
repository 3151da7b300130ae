"""The server's log tells of failed requests, within measure."""

import logging

from albatross.host.observe.failure_log import LINES_PER_S_MAX, FailureLog


def test_a_failed_request_is_one_line_and_a_flood_is_counted(caplog):
    now_s = 0.0
    failures = FailureLog(lambda: now_s)
    with caplog.at_level(logging.WARNING, "albatross.requests"):
        for _ in range(LINES_PER_S_MAX + 7):
            failures.tell("GET", "/a\nb", 502, "LambdaUnhandled", "ValueError: no\nno")
        now_s = 1.5
        failures.tell("GET", "/" + "x" * 5_000, 200, None, "headers: ignored")
    *many, count, last = [record.getMessage() for record in caplog.records]
    assert many == ["GET /a b 502 LambdaUnhandled: ValueError: no no"] * LINES_PER_S_MAX
    assert count == "7 more requests failed that are not told of"
    assert last == f"GET /{'x' * 199}... 200 headers: ignored"
