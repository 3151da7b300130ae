"""The invocation record, as AWS's guide shows it."""

import json
from dataclasses import replace

import pytest

from albatross.asynchronous.event import Condition, Event, Result
from albatross.asynchronous.record import record

ARN = "arn:aws:lambda:us-east-1:123456789012:function:my-function"
EVENT = Event(
    id="e4b46cbf",
    arn=ARN,
    payload=b'{"ORDER_IDS": ["1", "2"]}',
    accepted_s=0,
    due_s=0,
    failures=2,
)


def test_the_record_of_an_event_whose_function_failed_three_times():
    result = Result(
        version="$LATEST", payload=b'{"errorMessage": "no"}', function_error="Unhandled"
    )
    found = json.loads(record(EVENT, Condition.RETRIES_EXHAUSTED, result, 1573755365.568))
    assert found == {
        "version": "1.0",
        "timestamp": "2019-11-14T18:16:05.568Z",
        "requestContext": {
            "requestId": "e4b46cbf",
            "functionArn": f"{ARN}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"ORDER_IDS": ["1", "2"]},
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "responsePayload": {"errorMessage": "no"},
    }


def test_a_success_has_no_function_error_and_names_the_qualifier_that_was_invoked():
    event = replace(EVENT, arn=f"{ARN}:live", failures=0)
    result = Result(version="7", payload=b"12345678901234567890.10")
    text = record(event, Condition.SUCCESS, result, 0)
    found = json.loads(text)
    assert found["requestContext"]["functionArn"] == f"{ARN}:live"
    assert found["requestContext"]["approximateInvokeCount"] == 1
    assert found["responseContext"] == {"statusCode": 200, "executedVersion": "7"}
    assert b'"responsePayload":12345678901234567890.10' in text  # as the function wrote it


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(None, id="never tried"),
        pytest.param(Result(refusal="TooManyRequestsException"), id="throttled"),
    ],
)
def test_an_event_that_did_not_run_has_no_response(result):
    event = replace(EVENT, failures=0, throttles=4)
    found = json.loads(record(event, Condition.AGE_EXCEEDED, result, 0))
    assert found.keys() == {"version", "timestamp", "requestContext", "requestPayload"}
    assert found["requestContext"]["approximateInvokeCount"] == 4


def test_a_result_that_is_no_json_is_a_string():
    found = json.loads(record(EVENT, Condition.SUCCESS, Result(payload=b"{no"), 0))
    assert found["responsePayload"] == "{no"


@pytest.mark.parametrize("payload", [b'"cut \\ud83d"', b"1e999"])
def test_a_result_is_as_the_function_wrote_it(payload):
    text = record(EVENT, Condition.SUCCESS, Result(payload=payload), 0)
    assert b'"responsePayload":' + payload in text
