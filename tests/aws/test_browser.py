"""A web page that is open in a browser of this machine cannot use the API."""

import pytest

from albatross.aws.browser import refusal


@pytest.mark.parametrize(
    ("headers", "is_loopback", "refused"),
    [
        pytest.param({"host": "127.0.0.1:4566"}, True, False, id="the SDK's usual endpoint"),
        pytest.param({"host": "localhost:4566"}, True, False, id="localhost"),
        pytest.param({"host": "aws.localhost:4566"}, True, False, id="a name below localhost"),
        pytest.param({"host": "[::1]:4566"}, True, False, id="IPv6"),
        pytest.param({}, True, False, id="no Host"),
        pytest.param({"host": "evil.example:4566"}, True, True, id="a name made to lead here"),
        pytest.param({"host": "build-7:4566"}, False, False, id="a name, served to a network"),
        pytest.param(
            {"host": "127.0.0.1:4566", "origin": "http://evil.example"}, True, True, id="a page"
        ),
        pytest.param(
            {"host": "127.0.0.1:4566", "sec-fetch-site": "cross-site"}, True, True, id="an image"
        ),
        pytest.param(
            {"host": "127.0.0.1:4566", "sec-fetch-site": "none"}, True, False, id="an address typed"
        ),
        pytest.param(
            {"host": "build-7", "origin": "null"}, False, True, id="a page without a site"
        ),
    ],
)
def test_what_comes_from_a_web_page_is_refused(headers, is_loopback, refused):
    assert (refusal(headers, is_loopback=is_loopback) is not None) == refused
