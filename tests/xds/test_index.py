"""An index changes nothing but the time that it takes to find a route."""

import random
import re
from collections.abc import Iterable
from functools import cache

import pytest
from envoy.config.route.v3.route_components_pb2 import Route
from xds.type.matcher.v3.matcher_pb2 import Matcher

from albatross.model.request_record import NO_CHOICE, Choice
from albatross.model.rule import (
    Condition,
    FixedResponse,
    Forward,
    HostHeader,
    HttpHeader,
    HttpRequestMethod,
    PathPattern,
    QueryParameter,
    QueryString,
    WeightedTargetGroup,
)
from albatross.xds import conditions, index, names
from albatross.xds.entry import Entry
from albatross.xds.index import ANY_HOST, ANYWHERE, Plan
from albatross.xds.memo import Memo
from tests.support.envoy import TARGET_GROUP, Balancer, Proxy

HOSTS = ["a.com", "b.com", "A.com", "c.b.com", "*.com", "?.com", "*", "d-e_f.com"]
PATHS = [
    *("/", "/*", "/a", "/a*", "/a/*", "/a/b/*", "/a/b", "/ab/*", "*/b/*", "/a/?/c", "*", "/a/b*c"),
    *(f"/svc{n}/*" for n in range(12)),
]
LAST = 1_000_000  # the default rule's priority
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


@cache
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


def first(entries: Iterable[Entry], host: str, path: str) -> str:
    return next(
        entry.route.name
        for entry in entries
        if all(holds(condition, host, path) for condition in entry.conditions)
    )


def order(name: str) -> int:
    """Return the priority in a route's name."""
    choice = Choice(*name.split(" ")[: len(Choice._fields)])
    return int(choice.priority) or LAST


def chosen(plan: Plan, host: str, path: str) -> str:
    """Find a route as Envoy does: the host, then the longest start of the path, then in turn."""
    lists = plan.get(host.partition(":")[0].lower(), plan[ANY_HOST])
    start = max((one for one in lists if path.startswith(one)), key=len, default=ANYWHERE)
    return first(lists[start], host, path)


def looked_up(plan: Plan, host: str, path: str) -> int:
    """Find a route as Envoy and the script do, and return its priority."""
    name = chosen(plan, host, path)
    if name.endswith("+"):
        starts = name.split(" ")[-2].split(",")
        if any(path.startswith(start) for start in starts):
            return min(order(name), order(chosen(plan, names.NO_HOST, path)))
        assert Choice.of(name)  # else it is the one that stands for others
    return order(name)


def entries_of(rules: Iterable[tuple[Condition, ...]]) -> list[Entry]:
    """Return routes for `rules` and a default rule, with the names that the product gives them."""
    entries = [Entry(Route(name=name_of(n)), one) for n, one in enumerate(rules, 1)]
    return [*entries, Entry(Route(name=name_of(0)), ())]


def name_of(priority: int) -> str:
    return names.route(NO_CHOICE._replace(load_balancer="lb", priority=str(priority)), {})


@pytest.mark.parametrize("seed", range(150))
def test_the_same_route_is_taken_with_and_without(seed: int) -> None:
    entries = entries_of(some_rules(seed, 120)[:-1])
    by_path = {ANY_HOST: index._by_path(entries, Memo())}
    by_host = index._by_host(entries, ())
    plans: list[Plan] = [
        index.plan(entries, Memo()),
        by_path,
        {host: {ANYWHERE: chosen} for host, chosen in by_host.items()},
        {host: index._by_path(chosen, Memo()) for host, chosen in by_host.items()},
    ]
    for host in ASKED_HOSTS:
        for path in ASKED_PATHS:
            expected = order(first(entries, host, path))
            for plan in plans:
                assert looked_up(plan, host, path) == expected, (host, path)


@pytest.mark.parametrize("seed", range(20))
def test_an_index_is_the_same_with_what_is_remembered_of_other_rules(seed: int) -> None:
    random_, memo = random.Random(seed), Memo()
    pool = entries_of(some_rules(seed, 120) if seed % 2 else mixture(seed, 60))
    for _ in range(6):
        entries = [one for one in pool if random_.random() < 0.8]
        remembered = index.virtual_hosts("any", entries, memo)
        assert remembered == index.virtual_hosts("any", entries, Memo())


def test_a_rule_more_makes_no_list_anew_but_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made, make, memo = list[object](), index._choice, Memo()

    def note(entries: list[Entry]) -> object:
        made.append(entries)
        return make(entries)

    monkeypatch.setattr(index, "_choice", note)
    *rules, default = entries_of([(PathPattern(values=(f"/{n}/*",)),) for n in range(50)])
    index.virtual_hosts("any", [*rules[:-1], default], memo)
    before = len(made)
    index.virtual_hosts("any", [*rules, default], memo)
    assert (before, made[before:]) == (50, [[rules[-1]]])


@pytest.mark.parametrize("seed", range(4))
def test_the_proxy_takes_the_same_route(proxy: Proxy, seed: int) -> None:
    random_ = random.Random(seed)
    literal: list[tuple[Condition, ...]] = [
        (PathPattern(values=(f"/svc{n}/*",)),) for n in range(30 if seed % 2 else 0)
    ] or [(HostHeader(values=(f"h{n}.com",)),) for n in range(120)]
    rules = [*some_rules(seed, index.ROUTES_MIN)[:8], *literal]
    random_.shuffle(rules)
    rules = [conditions for conditions in rules if conditions]
    entries = entries_of(rules)
    assert index.plan(entries, Memo()) != {ANY_HOST: {ANYWHERE: entries}}
    serve(proxy, entries)
    for host in [*ASKED_HOSTS, "h3.com", "H4.com:8080"]:
        for path in [*ASKED_PATHS, "/svc1/../svc2/x", "/%61/b/c"]:
            plain = {"/svc1/../svc2/x": "/svc2/x", "/%61/b/c": "/a/b/c"}.get(path, path)
            answer = proxy.get(path, host=host)
            assert answer.body.decode() == first(entries, host, plain), (host, path)


def serve(proxy: Proxy, entries: list[Entry]) -> None:
    """Have each of `entries` answer with its name."""
    answers = [FixedResponse(status_code=200, message_body=one.route.name) for one in entries]
    rules = [entry.conditions for entry in entries[:-1]]
    proxy.serve(Balancer(rules=list(zip(rules, answers, strict=False)), default=answers[-1]))


def mixture(seed: int, most: int) -> list[tuple[Condition, ...]]:
    """Return rules of hosts, of paths, of both and of neither, in any order."""
    random_ = random.Random(seed)
    host = [HostHeader(values=(f"h{n}.com",)) for n in range(random_.randint(30, most))]
    prefix = [PathPattern(values=(f"/svc{n}/*",)) for n in range(random_.randint(30, most))]
    exact = [PathPattern(values=(f"/svc{n}/x",)) for n in range(random_.randint(0, most))]
    rules: list[tuple[Condition, ...]] = [(one,) for one in (*host, *prefix, *exact)]
    rules += [(one, random_.choice([*prefix, *exact])) for one in random_.sample(host, 20)]
    rules += [
        (HostHeader(values=("*.com",)), random_.choice(prefix)),
        (HostHeader(values=("H1.com", "h?.com")), PathPattern(values=("/any*",))),
        (HttpRequestMethod(values=("PUT",)),),
        (PathPattern(values=("*/z",)),),
        *(some_conditions(random_) for _ in range(random_.randint(0, 8))),
    ]
    random_.shuffle(rules)
    return [one for one in rules if one]


MIXED_HOSTS = ["h0.com", "H1.com:80", "h7.com", "h29.com", "h99.com", "other.com", "a.com", "x"]
MIXED_PATHS = ["/", "/svc0/x", "/svc7/x", "/svc7/y", "/svc29/x?a", "/svc29/z", "/any", "/a/b/c"]


@pytest.mark.parametrize("seed", range(60))
def test_a_mixture_of_hosts_and_paths_takes_the_same_route_with_and_without(seed: int) -> None:
    entries = entries_of(mixture(seed, 80))
    plan = index.plan(entries, Memo())
    for host in MIXED_HOSTS:
        for path in MIXED_PATHS:
            assert looked_up(plan, host, path) == order(first(entries, host, path)), (host, path)


@pytest.mark.parametrize("seed", range(3))
def test_the_proxy_takes_the_same_route_of_a_mixture(proxy: Proxy, seed: int) -> None:
    entries = entries_of(mixture(seed, 80))
    assert f"*{names.ALL_RULES}" in index.plan(entries, Memo())
    unescaped = {"/x/../svc7/x": "/svc7/x", "/svc7/%79": "/svc7/y", "/svc%37/y%2f": "/svc7/y%2f"}
    serve(proxy, entries)
    for host in MIXED_HOSTS:
        for path in [*MIXED_PATHS, "/x/../svc7/x", "/svc7/%79", "/svc%37/y%2f"]:
            plain = unescaped.get(path, path)
            answer = proxy.get(path, host=host)
            expected = first(entries, host, plain)
            assert answer.body.decode() == expected, (host, path)


@pytest.mark.parametrize("regex", [r"^h7\.com\z", r"\Qh7.com\E", r"^h[[:digit:]]\.com$"])
def test_a_mixture_may_have_expressions_that_are_none_of_pythons(proxy: Proxy, regex: str) -> None:
    rules = [(HostHeader(regex_values=(regex,)), PathPattern(values=("/svc7/z",)))]
    entries = entries_of(rules + mixture(0, 80))
    serve(proxy, entries)
    assert proxy.get("/svc7/z", host="h7.com").body.decode() == entries[0].route.name
    assert proxy.get("/svc7/z", host="h7.org").body.decode() != entries[0].route.name


@pytest.mark.parametrize("host", ["h7.com,other", "other,h7.com", "h7.com:80,h8.com"])
def test_the_first_of_several_hosts_counts_in_a_mixture(proxy: Proxy, host: str) -> None:
    entries = entries_of(mixture(1, 80))
    serve(proxy, entries)
    for path in MIXED_PATHS:
        answer = proxy.get(path, host=host)
        assert answer.body.decode() == first(entries, host.partition(",")[0], path), path


@pytest.mark.parametrize(
    ("host", "path"),
    [
        pytest.param("h99.com", "/y", id="of a host"),
        pytest.param("x.com", "/svc99/y", id="of a path"),
        pytest.param("h98.com", "/svc99/y", id="of a path, for a host with other rules"),
        pytest.param("h98.com:80", "/%73vc99/../svc99/y", id="the same, escaped"),
    ],
)
def test_groups_are_chosen_in_a_mixture(proxy: Proxy, host: str, path: str) -> None:
    groups = tuple(WeightedTargetGroup(arn=TARGET_GROUP, weight=weight) for weight in (1, 2))
    nobody = FixedResponse(status_code=500)
    pairs = [
        ((condition,), Forward(target_groups=groups) if n == 99 else nobody)
        for n in range(100)
        for condition in (PathPattern(values=(f"/svc{n}/*",)), HostHeader(values=(f"h{n}.com",)))
        if not (n == 98 and isinstance(condition, HostHeader))
    ]
    own = (HostHeader(values=("h98.com",)), PathPattern(values=("/own/*",)))
    proxy.serve(Balancer(rules=[(own, nobody), *pairs], default=nobody))
    received = proxy.get(path, host=host).received
    assert received.request == f"GET {path} HTTP/1.1"
    assert received.header("host") == host.removesuffix(":80")
    assert received.header("x-albatross-group") is None


@pytest.mark.parametrize(
    ("host", "path", "is_complete"),
    [
        pytest.param("h7.com", "/svc7/x", True, id="few others below the start"),
        pytest.param("h7.com", "/svc8/x", False, id="no rule of the host's there"),
        pytest.param("h8.com", "/svc8/x", False, id="others below starts that continue it"),
        pytest.param("h9.com", "/svc9/x", False, id="many others below the start"),
    ],
)
def test_nothing_is_looked_for_where_a_list_of_a_host_has_all(
    host: str, path: str, is_complete: bool
) -> None:
    def of_host(n: int, path: str) -> tuple[Condition, ...]:
        return HostHeader(values=(f"h{n}.com",)), PathPattern(values=(path,))

    hosts = [(HostHeader(values=(f"h{n}.com",)),) for n in range(10, 100)]
    paths = [(PathPattern(values=(f"/svc{n}/*",)),) for n in range(100)]
    methods = [
        (HttpRequestMethod(values=(f"M{n}",)), PathPattern(values=("/svc9/*",)))
        for n in range(index.APART_MIN)
    ]
    own = [of_host(7, "/svc7/*"), of_host(8, "/svc*"), of_host(9, "/svc9/*")]
    entries = entries_of([*methods, *hosts, *own, *paths])
    plan = index.plan(entries, Memo())
    assert f"*{names.ALL_RULES}" in plan
    name = chosen(plan, host, path)
    assert name.endswith("+")
    assert (name.split(" ")[-2] == "-") == is_complete
    assert looked_up(plan, host, path) == order(first(entries, host, path))


def test_a_mixture_grows_by_no_more_than_its_rules() -> None:
    hosts = [(HostHeader(values=(f"h{n}.com",)),) for n in range(500)]
    paths = [(PathPattern(values=(f"/{n}/*",)),) for n in range(500)]
    entries = entries_of(rule for pair in zip(hosts, paths, strict=True) for rule in pair)
    lengths = [len(one) for lists in index.plan(entries, Memo()).values() for one in lists.values()]
    assert sum(lengths) < 4 * len(entries)


def test_a_short_list_stays_as_it_is() -> None:
    entries = entries_of([(PathPattern(values=(f"/{n}/*",)),) for n in range(5)])
    assert index.plan(entries, Memo()) == {ANY_HOST: {ANYWHERE: entries}}


def test_literal_paths_are_tried_in_turn_up_to_a_longer_list() -> None:
    def has_index(count: int, *others: Condition) -> bool:
        rules = [(PathPattern(values=(f"/{n}/*",)), *others) for n in range(count)]
        entries = [Entry(Route(match=conditions.to_match(rule)), rule) for rule in rules]
        return index.virtual_host("a.com", entries, Memo()).HasField("matcher")

    few, many = index.ROUTES_MIN, index.QUICK * index.ROUTES_MIN
    assert [has_index(few), has_index(many)] == [False, True]
    assert has_index(few, HttpRequestMethod(values=("PUT",)))


def test_an_index_that_would_grow_too_large_is_not_made() -> None:
    some = [(PathPattern(values=(f"/{n}/*",)),) for n in range(300)]
    none = [(HttpRequestMethod(values=(f"M{n}",)),) for n in range(300)]
    entries = entries_of([*some, *none])
    assert index.plan(entries, Memo()) == {ANY_HOST: {ANYWHERE: entries}}


def test_a_route_that_may_not_match_ends_no_list() -> None:
    rules = [(PathPattern(values=(f"/{n}/*",)),) for n in range(30)]
    entries = entries_of(rules)
    entries[3] = Entry(entries[3].route, entries[3].conditions, is_certain=False)
    lists = index.plan(entries, Memo())[ANY_HOST]
    assert list(lists["/3/"]) == [entries[3], entries[30]]
    assert list(lists["/4/"]) == [entries[4]]


QUERIED = (QueryString(values=(QueryParameter(key="v", value="*"),)),)


@pytest.mark.parametrize("paths", ["", "/svc"], ids=["a plain list", "below starts of paths"])
def test_rules_that_need_a_query_are_tried_where_there_is_one(proxy: Proxy, paths: str) -> None:
    """Each second rule wants one; the last one of all takes the request else."""

    def conditions(n: int) -> tuple[Condition, ...]:
        path = (PathPattern(values=(f"{paths}{n}/*",)),) if paths else ()
        tenant = (HttpRequestMethod(values=(f"M{n}",)),)
        return (*path, *tenant, *(QUERIED if n % 2 else ()))

    rules = [conditions(n) for n in range(2 * index.NEEDING_MIN)]
    common: list[tuple[Condition, ...]] = [
        (*((PathPattern(values=("/q/*",)),) if one else ()), *QUERIED)
        for one in range(index.NEEDING_MIN)
    ]
    answers = [FixedResponse(status_code=200 + n) for n in range(len(rules))]
    last = [FixedResponse(status_code=299)] * len(common)
    proxy.serve(
        Balancer(
            rules=list(zip([*rules, *common], [*answers, *last], strict=True)),
            default=FixedResponse(status_code=404),
        )
    )

    def status(method: str, target: str) -> int:
        return proxy.send(f"{method} {target} HTTP/1.1\r\nHost: a.com\r\n\r\n").status

    for n in (0, 1, 8, 9):
        path = f"{paths}{n}/x" if paths else "/x"
        wants = n % 2 == 1
        assert status(f"M{n}", path) == (404 if wants else 200 + n)
        assert status(f"M{n}", f"{path}?") == (404 if wants else 200 + n)
        assert status(f"M{n}", f"{path}?w=1") == (404 if wants else 200 + n)
        assert status(f"M{n}", f"{path}?v=1") == 200 + n
        assert status(f"M{n}", f"/%2e{path}?v=1") == 200 + n
        assert status(f"M{n}", f"/%2e{path}") == (404 if wants else 200 + n)
    assert [status("GET", target) for target in ("/y", "/y?v=", "/q/?v")] == [404, 299, 299]


def test_a_list_with_few_rules_that_need_a_query_stays_one_list() -> None:
    few, many = (
        index.virtual_host("a.com", [Entry(Route(), QUERIED)] * n, Memo())
        for n in (index.NEEDING_MIN - 1, index.NEEDING_MIN)
    )
    assert (len(few.routes), few.HasField("matcher")) == (index.NEEDING_MIN - 1, False)
    assert (len(many.routes), many.HasField("matcher")) == (0, True)


def test_rules_that_need_a_header_are_tried_where_there_is_one(proxy: Proxy) -> None:
    """A list without them changes nothing, whatever the header holds."""

    def condition(value: str) -> tuple[Condition, ...]:
        return (HttpHeader(header_name="X-Tenant", values=(value,)),)

    wanted = [(condition("t3"), 203), (condition("?"), 204), (condition("*"), 205)]
    others = [(condition(f"o{n}"), 500) for n in range(index.NEEDING_MIN)]
    queried = [(QUERIED, 206) for _ in range(index.NEEDING_MIN)]
    lines = ["x-tenant: t3", "X-TENANT: T3", "x-tenant: z", "x-tenant:", "x-tenant: \xff", "y: t3"]
    lines += ["x-tenant: zz\r\nx-tenant: t3"]

    def statuses(rules: list[tuple[tuple[Condition, ...], int]]) -> list[int]:
        answers = [(conditions, FixedResponse(status_code=code)) for conditions, code in rules]
        proxy.serve(Balancer(rules=answers, default=FixedResponse(status_code=404)))
        requests = [
            f"GET {target} HTTP/1.1\r\nHost: a.com\r\n{line}\r\n\r\n".encode("latin-1")
            for target in ("/", "/?v=1", "/%2e/?w", "/./")
            for line in lines
        ]
        return [proxy.send(request).status for request in requests]

    found = statuses([*others, *wanted, *queried])
    assert found == statuses([*wanted, *queried[:1]])
    assert set(found) == {203, 204, 205, 206, 404}


@pytest.mark.parametrize(
    ("conditions", "needed"),
    [
        pytest.param(
            (HttpHeader(header_name="X-A", values=("*",)), *QUERIED), {"x-a", "?"}, id="two"
        ),
        pytest.param((HttpHeader(header_name="User-Agent", values=("x",)),), set(), id="common"),
        pytest.param((PathPattern(values=("/?",)),), set(), id="a path"),
        pytest.param((), set(), id="nothing"),
    ],
)
def test_what_rules_need(conditions: tuple[Condition, ...], needed: set[str]) -> None:
    assert Entry(Route(), conditions).needs == needed


def test_no_request_is_looked_at_more_than_twice() -> None:
    def entry(n: int) -> Entry:
        return Entry(Route(), (HttpHeader(header_name=f"x-{n % 4}", values=("a",)),))

    def looks(found: Matcher.OnMatch) -> int:
        if not found.HasField("matcher"):
            return 0
        (one,) = found.matcher.matcher_list.matchers
        return 1 + max(looks(one.on_match), looks(found.matcher.on_no_match))

    entries = [entry(n) for n in range(4 * index.NEEDING_MIN)]
    assert looks(index._choice(entries)) == index.LOOKS_MAX
