"""The load balancer's own pages. Those of 502 and 503 are known from AWS; others look alike."""

import pytest

from albatross.model import pages


@pytest.mark.parametrize(
    ("status", "title", "length"),
    [
        pytest.param(502, "502 Bad Gateway", 122, id="502, as seen in AWS"),
        pytest.param(503, "503 Service Temporarily Unavailable", 162, id="503, as seen in AWS"),
        (301, "301 Moved Permanently", 134),
        (302, "302 Found", 110),
        (400, "400 Bad Request", 122),
        (401, "401 Authorization Required", 144),
        (403, "403 Forbidden", 118),
        (405, "405 Not Allowed", 122),
        (413, "413 Request Entity Too Large", 148),
        (414, "414 Request-URI Too Large", 142),
        (500, "500 Internal Server Error", 142),
        (501, "501 Not Implemented", 130),
        (504, "504 Gateway Time-out", 132),
        (505, "505 HTTP Version Not Supported", 152),
    ],
)
def test_a_page_has_title_and_length(status: int, title: str, length: int) -> None:
    page = pages.page(status)
    assert page == (
        f"<html>\r\n<head><title>{title}</title></head>\r\n"
        f"<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )
    assert len(page) == length


@pytest.mark.parametrize("status", [463, 464, 507, 561, 562])
def test_a_status_of_the_load_balancer_alone_has_a_page_with_its_number(status: int) -> None:
    assert f"<h1>{status}" in pages.page(status)
