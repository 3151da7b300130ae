"""Which targets are anomalous, and what weight that leaves them."""

from collections.abc import Mapping

import pytest

from albatross.health.anomalies import Anomalies, Counts, Standing

KEYS = [("a", 80), ("b", 80), ("c", 80)]


def total(**of: tuple[int, int]) -> dict[tuple[str, int | None], Counts]:
    return {(name, 80): Counts(*counts) for name, counts in of.items()}


def looked(
    *counts: Mapping[tuple[str, int | None], Counts], healthy: int = 3, mitigates: bool = True
) -> Anomalies:
    """Return what is known after looks at all that was counted until each."""
    state = Anomalies()
    for one in (total(a=(0, 0), b=(0, 0), c=(0, 0)), *counts):
        state = state.look(one, KEYS[:healthy], mitigates=mitigates)
    return state


def anomalous(state: Anomalies) -> set[str]:
    return {name for (name, _), one in state.standings.items() if one.anomalous}


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        pytest.param(total(a=(0, 9), b=(0, 9), c=(0, 9)), set(), id="none fails"),
        pytest.param(total(a=(9, 9), b=(0, 9), c=(0, 9)), {"a"}, id="one fails"),
        pytest.param(total(a=(9, 9), b=(9, 9), c=(9, 9)), set(), id="all fail"),
        pytest.param(total(a=(2, 20), b=(0, 20), c=(0, 20)), {"a"}, id="10 % more"),
        pytest.param(total(a=(1, 20), b=(0, 20), c=(0, 20)), set(), id="5 % more"),
        pytest.param(total(a=(4, 4), b=(0, 9), c=(0, 9)), set(), id="too few requests"),
        pytest.param(total(a=(0, 0), b=(0, 9), c=(9, 9)), {"c"}, id="one without requests"),
    ],
)
def test_a_target_that_fails_more_than_the_others_is_anomalous(
    counts: Mapping[tuple[str, int | None], Counts], expected: set[str]
) -> None:
    assert anomalous(looked(counts)) == expected


def test_with_less_than_three_healthy_targets_all_are_normal() -> None:
    failing = total(a=(9, 9), b=(0, 9), c=(0, 9))
    assert anomalous(looked(failing, healthy=2)) == set()
    assert looked(failing).look(failing, KEYS[:2], mitigates=True).weights() == {}


def test_its_weight_is_halved_at_each_look_down_to_5_percent() -> None:
    rounds = [total(a=(9 * n, 9 * n), b=(0, 9 * n), c=(0, 9 * n)) for n in range(1, 8)]
    weights = [looked(*rounds[:n]).weights() for n in range(1, 8)]
    assert weights == [{("a", 80): weight} for weight in (50, 25, 12, 6, 5, 5, 5)]


def test_its_weight_is_doubled_when_its_requests_succeed() -> None:
    failed = total(a=(9, 9), b=(0, 9), c=(0, 9)), total(a=(18, 18), b=(0, 18), c=(0, 18))
    well = [total(a=(18, 18 + 9 * n), b=(0, 18 + 9 * n), c=(0, 18 + 9 * n)) for n in (1, 2)]
    assert looked(*failed, well[0]).weights() == {("a", 80): 50}
    assert looked(*failed, *well).weights() == {}
    assert anomalous(looked(*failed, well[0])) == set()


def test_few_requests_are_added_up_until_they_tell_something() -> None:
    failed = total(a=(9, 9), b=(0, 9), c=(0, 9))
    some = total(a=(9, 12), b=(0, 18), c=(0, 18))
    more = total(a=(9, 14), b=(0, 27), c=(0, 27))
    assert anomalous(looked(failed, some)) == {"a"}
    assert looked(failed, some).weights() == {("a", 80): 50}
    assert anomalous(looked(failed, some, more)) == set()


def test_without_mitigation_weights_stay() -> None:
    state = looked(total(a=(9, 9), b=(0, 9), c=(0, 9)), mitigates=False)
    assert anomalous(state) == {"a"}
    assert state.weights() == {}


def test_counting_that_begins_anew_is_no_success() -> None:
    state = looked(total(a=(90, 90), b=(0, 90), c=(0, 90)), total(a=(9, 9), b=(0, 9), c=(0, 9)))
    assert state.standings["a", 80] == Standing(anomalous=True, weight=25, seen=Counts(9, 9))
