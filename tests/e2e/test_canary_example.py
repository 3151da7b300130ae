"""The script of examples/canary, with the real `aws` and curl."""

import re

import pytest

from tests.support.examples import run_walkthrough


@pytest.mark.timeout(90)
def test_a_canary_gets_its_share_and_clients_stay() -> None:
    printed = run_walkthrough("canary", seconds=80)
    counts = re.findall(r"^ *(\d+) (canary|stable)$", printed, re.MULTILINE)
    (tenth, canary), (most, stable), (half, _), (rest, _), (all_, _) = counts
    assert (canary, stable) == ("canary", "stable")
    assert int(tenth) + int(most) == int(half) + int(rest) == int(all_) == 200
    assert 2 <= int(tenth) <= 45
    assert 60 <= int(half) <= 140
