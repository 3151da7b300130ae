"""The script of examples/versions, with the real `aws` and curl."""

import re

import pytest

from tests.support.examples import run_walkthrough


@pytest.mark.timeout(90)
def test_a_new_version_gets_a_tenth_then_everything() -> None:
    printed = run_walkthrough("versions", seconds=80)
    found = re.findall(r"^ *(\d+) (hello|good day) from version (\d)$", printed, re.MULTILINE)
    (first, tenth, most, last) = found
    assert first == ("200", "hello", "1")
    assert tenth[1:] == ("good day", "2")
    assert most[1:] == ("hello", "1")
    assert 2 <= int(tenth[0]) <= 45
    assert int(tenth[0]) + int(most[0]) == 200
    assert last == ("200", "good day", "2")
