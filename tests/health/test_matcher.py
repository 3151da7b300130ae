import pytest

from albatross.health.matcher import codes


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        pytest.param("200", {200}, id="a code"),
        pytest.param("200,202", {200, 202}, id="a list"),
        pytest.param("200-204", {200, 201, 202, 203, 204}, id="a range"),
        pytest.param("200-201,404,0-1", {0, 1, 200, 201, 404}, id="a list with ranges"),
    ],
)
def test_a_matcher_names_codes(matcher: str, expected: set[int]) -> None:
    assert codes(matcher) == expected
