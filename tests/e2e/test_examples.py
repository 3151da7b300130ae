"""The scripts of examples/, with `aws`, `albatross` and curl."""

import re
from collections.abc import Iterator

import pytest

from tests.support.command import Server, place, serving
from tests.support.examples import run_walkthrough

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with place() as where, serving(where) as server:
        yield server


def test_a_canary_gets_its_share_and_clients_stay(server: Server) -> None:
    printed = run_walkthrough(server, "canary", seconds=80)
    counts = re.findall(r"^ *(\d+) (canary|stable)$", printed, re.MULTILINE)
    (tenth, canary), (most, stable), (half, _), (rest, _), (all_, _) = counts
    assert (canary, stable) == ("canary", "stable")
    assert int(tenth) + int(most) == int(half) + int(rest) == int(all_) == 200
    assert 2 <= int(tenth) <= 45
    assert 60 <= int(half) <= 140


def test_a_new_version_gets_a_tenth_then_everything(server: Server) -> None:
    printed = run_walkthrough(server, "versions", seconds=80)
    found = re.findall(r"^ *(\d+) (hello|good day) from version (\d)$", printed, re.MULTILINE)
    (first, tenth, most, last) = found
    assert first == ("200", "hello", "1")
    assert tenth[1:] == ("good day", "2")
    assert most[1:] == ("hello", "1")
    assert 2 <= int(tenth[0]) <= 45
    assert int(tenth[0]) + int(most[0]) == 200
    assert last == ("200", "good day", "2")


def test_curl_gets_hello_over_https_from_a_certificate_that_it_trusts(server: Server) -> None:
    printed = run_walkthrough(server, "https", seconds=50)
    assert "HTTP/2 200" in printed
    assert printed.endswith("hello")
