"""Links that end by themselves. The clock is the test's."""

from urllib.parse import urlsplit

import pytest

from albatross.control.signed_links import LIFETIME_S, Links

DIGEST = "a" * 64
NOW = 1_000_000.5


@pytest.fixture
def now():
    return [NOW]


@pytest.fixture
def links(now):
    return Links(lambda: "http://api:1", clock=lambda: now[0])


def test_a_link_leads_to_its_content_until_it_expires(links, now):
    link = links.to("/content", DIGEST)
    assert link.startswith("http://api:1/content?sha256=aaaa")
    query = urlsplit(link).query
    assert links.digest("/content", query) == DIGEST
    now[0] += LIFETIME_S - 1
    assert links.digest("/content", query) == DIGEST
    now[0] += 2
    assert links.digest("/content", query) is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda query: "", id="no query"),
        pytest.param(lambda query: query.replace("sha256=a", "sha256=b"), id="another content"),
        pytest.param(lambda query: query.replace("expires=1", "expires=9"), id="more time"),
        pytest.param(lambda query: query.replace("expires=1", "expires=x"), id="no time"),
        pytest.param(lambda query: query.partition("&signature")[0], id="no signature"),
        pytest.param(lambda query: query + "\u00e9", id="more than the signature"),
    ],
)
def test_nothing_else_leads_anywhere(links, change):
    query = urlsplit(links.to("/content", DIGEST)).query
    assert links.digest("/content", change(query)) is None
    assert links.digest("/other", query) is None
    assert Links(lambda: "http://api:1", clock=lambda: NOW).digest("/content", query) is None
