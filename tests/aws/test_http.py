"""The server's URL as a client calls it."""

import pytest

from albatross.aws.http import HOST, own_url


@pytest.mark.parametrize(
    ("host", "url"),
    [
        pytest.param("albatross:4566", "http://albatross:4566", id="name and port"),
        pytest.param("127.0.0.1", "http://127.0.0.1", id="address"),
        pytest.param("[::1]:4566", "http://[::1]:4566", id="IPv6"),
        pytest.param("", "http://default", id="none"),
        pytest.param("a/b", "http://default", id="path"),
        pytest.param("user@a", "http://default", id="user"),
        pytest.param("a\r\nb", "http://default", id="two lines"),
    ],
)
def test_the_url_is_that_of_the_request(host, url):
    token = HOST.set(host)
    try:
        assert own_url("http://default") == url
    finally:
        HOST.reset(token)
