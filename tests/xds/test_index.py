"""An index changes nothing but the time that it takes to find a route."""

import random
import re

import pytest
from envoy.config.route.v3.route_components_pb2 import Route

from albatross.model.rule import (
    Condition,
    FixedResponse,
    HostHeader,
    HttpRequestMethod,
    PathPattern,
)
from albatross.xds import index
from albatross.xds.entry import Entry
from albatross.xds.index import ANY_HOST, ANYWHERE, Plan
from tests.support.envoy import Balancer, Proxy

HOSTS = ["a.com", "b.com", "A.com", "c.b.com", "*.com", "?.com", "*", "d-e_f.com"]
PATHS = [
    *("/", "/*", "/a", "/a*", "/a/*", "/a/b/*", "/a/b", "/ab/*", "*/b/*", "/a/?/c", "*", "/a/b*c"),
    *(f"/svc{n}/*" for n in range(12)),
]
ASKED_HOSTS = ["a.com", "B.com", "c.b.com", "x.com", "d-e_f.com", "other", "a.com:80", "b.com:"]
ASKED_PATHS = ["/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/c", "/a/bxc", "/ab/x", "/abc", "/svc1/x"]
ASKED_PATHS += ["/svc10/x", "/svc1", "/x/b/y", "/a/x/c", "/z", "/a?b=/a/b/", "/svc11/?x"]


def some_conditions(random_: random.Random) -> tuple[Condition, ...]:
    def some(values: list[str]) -> tuple[str, ...]:
        return tuple(random_.sample(values, random_.choice([1, 1, 1, 2])))

    found: list[Condition] = []
    kind = random_.random()
    if kind < 0.6:
        found.append(PathPattern(values=some(PATHS)))
    if kind > 0.45:
        found.append(HostHeader(values=some(HOSTS)))
    if kind < 0.05 or kind > 0.95:
        found.append(HttpRequestMethod(values=("PUT",)))
    return tuple(found)


def some_rules(seed: int, most: int) -> list[tuple[Condition, ...]]:
    random_ = random.Random(seed)
    count = random_.randint(index.ROUTES_MIN, most)
    return [*(some_conditions(random_) for _ in range(count)), ()]


def matches(pattern: str, text: str) -> bool:
    parts = ({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch("".join(parts), text) is not None


def holds(condition: Condition, host: str, path: str) -> bool:
    if isinstance(condition, PathPattern):
        return any(matches(value, path.partition("?")[0]) for value in condition.values)
    if isinstance(condition, HostHeader):
        bare = host.partition(":")[0].lower()
        return any(matches(value.lower(), bare) for value in condition.values)
    return False  # another method


def first(entries: list[Entry], host: str, path: str) -> str:
    return next(
        entry.route.name
        for entry in entries
        if all(holds(condition, host, path) for condition in entry.conditions)
    )


def looked_up(plan: Plan, host: str, path: str) -> str:
    """Find a route as Envoy does: the host, then the longest start of the path, then in turn."""
    lists = plan.get(host.partition(":")[0].lower(), plan[ANY_HOST])
    start = max((one for one in lists if path.startswith(one)), key=len, default=ANYWHERE)
    return first(list(lists[start]), host, path)


@pytest.mark.parametrize("seed", range(150))
def test_the_same_route_is_taken_with_and_without(seed: int) -> None:
    rules = some_rules(seed, 120)
    entries = [Entry(Route(name=str(n)), conditions) for n, conditions in enumerate(rules)]
    by_path = {ANY_HOST: index._by_path(entries)}
    by_host = index._by_host(entries, ())
    plans: list[Plan] = [
        index.plan(entries),
        by_path,
        {host: {ANYWHERE: chosen} for host, chosen in by_host.items()},
        {host: index._by_path(chosen) for host, chosen in by_host.items()},
    ]
    for host in ASKED_HOSTS:
        for path in ASKED_PATHS:
            expected = first(entries, host, path)
            for plan in plans:
                assert looked_up(plan, host, path) == expected, (host, path)


@pytest.mark.parametrize("seed", range(4))
def test_the_proxy_takes_the_same_route(proxy: Proxy, seed: int) -> None:
    random_ = random.Random(seed)
    literal: list[tuple[Condition, ...]] = [
        (PathPattern(values=(f"/svc{n}/*",)),) for n in range(30 if seed % 2 else 0)
    ] or [(HostHeader(values=(f"h{n}.com",)),) for n in range(120)]
    rules = [*some_rules(seed, index.ROUTES_MIN)[:8], *literal]
    random_.shuffle(rules)
    rules = [conditions for conditions in rules if conditions]
    entries = [Entry(Route(name=str(n)), one) for n, one in enumerate([*rules, ()])]
    assert index.plan(entries) != {ANY_HOST: {ANYWHERE: entries}}
    answers = [FixedResponse(status_code=200, message_body=str(n)) for n in range(len(entries))]
    proxy.serve(Balancer(rules=list(zip(rules, answers, strict=False)), default=answers[-1]))
    for host in [*ASKED_HOSTS, "h3.com", "H4.com:8080"]:
        for path in [*ASKED_PATHS, "/svc1/../svc2/x", "/%61/b/c"]:
            plain = {"/svc1/../svc2/x": "/svc2/x", "/%61/b/c": "/a/b/c"}.get(path, path)
            answer = proxy.get(path, host=host)
            assert answer.body.decode() == first(entries, host, plain), (host, path)


def entries_of(*conditions: tuple[Condition, ...]) -> list[Entry]:
    return [Entry(Route(name=str(n)), one) for n, one in enumerate([*conditions, ()])]


def test_a_short_list_stays_as_it_is() -> None:
    entries = entries_of(*[(PathPattern(values=(f"/{n}/*",)),) for n in range(5)])
    assert index.plan(entries) == {ANY_HOST: {ANYWHERE: entries}}


def test_an_index_that_would_grow_too_large_is_not_made() -> None:
    hosts = [(HostHeader(values=(f"h{n}.com",)),) for n in range(300)]
    paths = [(PathPattern(values=(f"/{n}/*",)),) for n in range(300)]
    entries = entries_of(*hosts, *paths)
    assert index.plan(entries) == {ANY_HOST: {ANYWHERE: entries}}


def test_a_route_that_may_not_match_ends_no_list() -> None:
    rules = [(PathPattern(values=(f"/{n}/*",)),) for n in range(30)]
    entries = entries_of(*rules)
    entries[3] = Entry(entries[3].route, entries[3].conditions, is_certain=False)
    lists = index.plan(entries)[ANY_HOST]
    assert [entry.route.name for entry in lists["/3/"]] == ["3", "30"]
    assert [entry.route.name for entry in lists["/4/"]] == ["4"]
