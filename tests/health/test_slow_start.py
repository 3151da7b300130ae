"""Who is in slow start, and with which share."""

import pytest

from albatross.health.slow_start import SlowStart

A, B, C = ("a", 80), ("b", 80), ("c", 80)
DURATION_S = 100


def follow(*steps: tuple[float, str, str], duration_s: int = DURATION_S) -> dict[str, int]:
    """Return the weights after steps of (time, registered, healthy) by name."""
    state = SlowStart()
    for now_s, registered, healthy in steps:
        state = state.at(
            now_s, [(name, 80) for name in registered], [(name, 80) for name in healthy], duration_s
        )
    return {name: weight for (name, _), weight in state.weights(steps[-1][0], duration_s).items()}


@pytest.mark.parametrize(
    ("steps", "weights"),
    [
        pytest.param([(0, "a", "a")], {}, id="the first target has its full share"),
        pytest.param([(0, "ab", "ab")], {}, id="so have those that come together"),
        pytest.param(
            [(0, "abc", ""), (1, "abc", "a"), (2, "abc", "abc")],
            {},
            id="also when they become healthy one after another",
        ),
        pytest.param([(0, "a", "a"), (9, "ab", "a"), (10, "ab", "ab")], {"b": 5}, id="a later one"),
        pytest.param([(0, "a", "a"), (10, "ab", "ab"), (60, "ab", "ab")], {"b": 50}, id="half way"),
        pytest.param([(0, "a", "a"), (10, "ab", "ab"), (61, "ab", "ab")], {"b": 55}, id="linear"),
        pytest.param([(0, "a", "a"), (10, "ab", "ab"), (109, "ab", "ab")], {"b": 100}, id="nearly"),
        pytest.param([(0, "a", "a"), (10, "ab", "ab"), (110, "ab", "ab")], {}, id="over"),
        pytest.param(
            [(0, "a", "a"), (10, "ab", "ab"), (20, "ab", "a")], {}, id="unhealthy: it leaves"
        ),
        pytest.param(
            [(0, "a", "a"), (10, "ab", "ab"), (20, "ab", "a"), (50, "ab", "ab")],
            {"b": 5},
            id="healthy again: from the start",
        ),
        pytest.param(
            [(0, "a", "a"), (10, "ab", "ab"), (20, "a", "a"), (50, "ab", "ab")],
            {"b": 5},
            id="registered again: from the start",
        ),
        pytest.param(
            [(0, "ab", "ab"), (10, "ab", "b"), (20, "ab", "ab")],
            {"a": 5},
            id="one of the first that comes back",
        ),
    ],
)
def test_who_begins_where_another_target_is_past_it(
    steps: list[tuple[float, str, str]], weights: dict[str, int]
) -> None:
    assert follow(*steps) == weights


def test_who_comes_while_nobody_is_past_has_its_full_share() -> None:
    steps = [(0, "a", "a"), (10, "ab", "ab"), (20, "ab", "b"), (30, "abc", "bc")]
    assert follow(*steps) == {"b": 20}


def test_targets_there_when_it_is_turned_on_are_past_it() -> None:
    state = SlowStart().at(0, [A, B], [A, B], 0).at(5, [A, B, C], [A, B, C], DURATION_S)
    assert state.weights(5, DURATION_S) == {C: 5}


def test_turned_off_it_is_over() -> None:
    state = SlowStart().at(0, [A], [A], DURATION_S).at(5, [A, B], [A, B], DURATION_S)
    assert state.weights(5, DURATION_S) == {B: 5}
    assert state.at(6, [A, B], [A, B], 0).weights(6, 0) == {}


def test_the_next_step_is_a_twentieth_away() -> None:
    state = SlowStart().at(0, [A], [A], DURATION_S).at(10, [A, B], [A, B], DURATION_S)
    assert state.next_s(10, DURATION_S) == 5
    assert state.next_s(13, DURATION_S) == 2
    assert SlowStart().next_s(0, DURATION_S) is None
