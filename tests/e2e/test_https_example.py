"""The script of examples/https, with the real `aws`, `albatross` and curl."""

import pytest

from tests.support.examples import run_walkthrough


@pytest.mark.timeout(60)
def test_curl_gets_hello_over_https_from_a_certificate_that_it_trusts() -> None:
    printed = run_walkthrough("https", seconds=50)
    assert "HTTP/2 200" in printed
    assert printed.endswith("hello")
