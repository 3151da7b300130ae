"""What is said to the author of a function whose result is no response."""

import json
import math

import pytest

from albatross.host.remedies import near
from albatross.host.response import from_result


@pytest.mark.parametrize(
    ("result", "remedy"),
    [
        pytest.param(None, "every path through the handler must return", id="null"),
        pytest.param("hello", 'an object such as {"statusCode": 200', id="text"),
        pytest.param({"statusCode": "200"}, "leave the quotes away", id="status in quotes"),
        pytest.param({"statusCode": 200, "body": {}}, "json.dumps or JSON.stringify", id="body"),
        pytest.param(
            {"statusCode": 200, "headers": {"Set-Cookie": ["a"]}},
            "turn on lambda.multi_value_headers.enabled",
            id="several values",
        ),
        pytest.param({"statusCode": 200, "headers": {"x": 1}}, "make it text", id="number"),
        pytest.param({"statusCode": 200, "x": math.nan}, 'near "', id="NaN"),
        pytest.param({"statusCode": 200, "x": math.nan}, "; JSON has no NaN", id="not JSON"),
    ],
)
def test_a_result_that_is_no_response_comes_with_a_remedy(result, remedy):
    response = from_result(json.dumps(result).encode(), multi_value=False)
    assert response.status == 502
    assert remedy in response.detail


@pytest.mark.parametrize("document", [{"statusCode": "OK"}, {"statusCode": 99}, {"statusCode": []}])
def test_what_explains_itself_has_no_remedy(document):
    response = from_result(json.dumps(document).encode(), multi_value=False)
    assert ";" not in response.detail


def test_the_place_where_text_ceases_to_be_json_is_shown_with_what_is_around():
    text = "x" * 100 + "-Infinity" + "y" * 100
    shown = "x" * 20 + "-Infinity" + "y" * 11
    assert near(text, 100) == f'near "{shown}"; JSON has no -Infinity'
    assert near("", 0) == 'near ""'
