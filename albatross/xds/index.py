"""Long lists of routes, found by literal host or by the literal start of the path. Pure.

Envoy tries the routes of a list one after the other. An index gives it, for each host and path that
rules name literally, the whole list of the routes that may match there, in their order: a request
takes the same route with and without. No list falls through to another one. Where that would be
too many lists, hosts and paths have lists of their own (`apart.py`). Where many rules need a
query, or some header, requests without it have a list without these.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from statistics import fmean

from envoy.config.route.v3.route_components_pb2 import RouteList, VirtualHost
from envoy.type.matcher.v3.http_inputs_pb2 import HttpRequestHeaderMatchInput
from xds.type.matcher.v3.matcher_pb2 import Matcher

from albatross.xds import names
from albatross.xds.apart import apart, complete
from albatross.xds.entry import A_QUERY, Entry
from albatross.xds.memo import Memo
from albatross.xds.packing import extension

ROUTES_MIN = 24  # a shorter list costs less than a look into an index
QUICK = 5  # routes that are quickly tried cost as much as another one
GROWTH_MAX = 20  # most routes in all lists of an index, for each route of the plain list
GAIN_MIN = 2  # an index pays where its lists are, on average, by so much shorter
APART_MIN = 8  # shorter lists than that cost less than a look at rules that are apart

NEEDING_MIN = 12  # fewer rules that need a query, or some header, cost less than a look for it
LOOKS_MAX = 2  # at what a request has: each may make two lists of one

ANY_HOST = "*"
ANYWHERE = ""

_PATH_INPUT = Matcher.MatcherTree(
    input=extension("path", HttpRequestHeaderMatchInput(header_name=":path"))
)
_HAS_QUERY = Matcher.MatcherList.Predicate(
    single_predicate={"input": _PATH_INPUT.input, "value_match": {"contains": "?"}}
)


Lists = dict[str, Sequence[Entry]]  # by start of the path: the longest that fits counts
Plan = dict[str, Lists]  # by host in lower case, ANY_HOST for all others


def virtual_hosts(
    name: str, entries: Sequence[Entry], memo: Memo, *, taken: Collection[str] = ()
) -> list[VirtualHost]:
    """Return the virtual hosts that have `entries` for all hosts but those `taken`.

    `memo` is of this name: a list whose entries are the same is not made again.
    """
    found = [
        _virtual_host(name if host == ANY_HOST else f"{name} {host}", host, lists, memo)
        for host, lists in plan(entries, memo, taken=taken).items()
    ]
    memo.forget_unused()
    return found


def virtual_host(host: str, entries: Sequence[Entry], memo: Memo) -> VirtualHost:
    """Return the virtual host that has `entries` for `host` alone. `memo`: as above."""
    lists: Lists = {ANYWHERE: entries}
    if not _is_short(entries):
        found = _best([{ANY_HOST: _by_path(entries, memo.inside(host))}], entries)
        lists = found[ANY_HOST]
    result = _virtual_host(host, host.lower(), lists, memo)
    memo.forget_unused()
    return result


def plan(entries: Sequence[Entry], memo: Memo, *, taken: Collection[str] = ()) -> Plan:
    """Return the lists to make of `entries`: one for all, or those of an index that pays."""
    if _is_short(entries):
        return {ANY_HOST: {ANYWHERE: entries}}
    plans: list[Plan] = [{ANY_HOST: _by_path(entries, memo.inside("all"))}]
    by_host = _by_host(entries, taken)
    if len(by_host) > 1:
        plans.append({host: {ANYWHERE: chosen} for host, chosen in by_host.items()})
        plans.append(
            {host: _by_path(own, memo.inside(f"host {host}")) for host, own in by_host.items()}
        )
    found = _best(plans, entries)
    if taken or _mean_length(found) < APART_MIN or (split := apart(entries)) is None:
        return found
    # Their routes have names of their own, given anew each time: there is nothing to remember.
    others = _by_path(split.others, Memo())
    completed = cache(lambda place: complete(entries[place]))
    lists = {
        host: _with_few(_by_path(own, Memo()), others, split.places, completed)
        for host, own in split.of_hosts.items()
    }
    lists[ANY_HOST] = others
    best = _best([lists], entries)
    if _mean_length(best) * GAIN_MIN >= _mean_length(found):
        return found
    return best | {f"*{names.ALL_RULES}": {ANYWHERE: entries}}


def _is_short(entries: Sequence[Entry]) -> bool:
    """Tell whether to try all of them costs less than a look into an index."""
    quick = sum(entry.is_quick for entry in entries)
    return len(entries) - quick + quick / QUICK < ROUTES_MIN


def _with_few(
    own: Lists, others: Lists, places: Mapping[Entry, int], completed: Callable[[int], Entry]
) -> Lists:
    """Return lists of a host, `own`, of which some are complete: those to add few of `others` to.

    Below a start that none of theirs continues, one list has all the others that may match.
    """
    starting = sorted(others)
    result = dict(own)
    for start, entries in own.items():
        after = bisect_right(starting, start)
        if after < len(starting) and starting[after].startswith(start):
            continue
        shorter = (start[:length] for length in range(len(start), -1, -1))
        more = others[next(one for one in shorter if one in others)]
        if len(entries) + len(more) <= APART_MIN:
            found = {places[entry] for entry in (*entries, *more) if entry in places}
            result[start] = [completed(place) for place in sorted(found)]
    return result


def _mean_length(found: Plan) -> float:
    return fmean(len(chosen) for lists in found.values() for chosen in lists.values())


def _best(plans: Iterable[Plan], entries: Sequence[Entry]) -> Plan:
    """Return the plan with the shortest lists, if one pays and none is too large."""
    best: Plan = {ANY_HOST: {ANYWHERE: entries}}
    length = len(entries) / GAIN_MIN
    for candidate in plans:
        lengths = [len(chosen) for lists in candidate.values() for chosen in lists.values()]
        if sum(lengths) <= GROWTH_MAX * len(entries) and fmean(lengths) <= length:
            best, length = candidate, fmean(lengths)
    return best


def _by_host(entries: Sequence[Entry], taken: Collection[str]) -> dict[str, Sequence[Entry]]:
    """Return the entries that may match for each host that is named, and for any other.

    All of them for any host, where the lists would be too long.
    """
    elsewhere: list[int] = []
    bound: defaultdict[str, list[int]] = defaultdict(list)
    for number, entry in enumerate(entries):
        named = entry.hosts
        if named is None:
            elsewhere.append(number)
        else:
            for host in named.difference(taken):
                bound[host].append(number)
    if len(bound) * len(elsewhere) > GROWTH_MAX * len(entries):
        return {ANY_HOST: entries}
    lists = {host: sorted([*bound[host], *elsewhere]) for host in sorted(bound)}
    lists[ANY_HOST] = elsewhere
    return {host: [entries[number] for number in numbers] for host, numbers in lists.items()}


def _by_path(entries: Sequence[Entry], memo: Memo) -> Lists:
    """Return the entries that may match below each literal start of a path, and elsewhere.

    All of them for anywhere, where the lists would be too long. `memo` is of this index.
    """
    starting: defaultdict[str, list[int]] = defaultdict(list)
    for number, entry in enumerate(entries):
        for start in entry.starts:
            starting[start].append(number)
    everywhere = starting.setdefault(ANYWHERE, [])
    if len(starting) * len(everywhere) > GROWTH_MAX * len(entries):
        memo.forget_unused()
        return {ANYWHERE: entries}
    lists: Lists = {}
    lengths = sorted(set(map(len, starting)))
    for start in sorted(starting):
        shorter = (starting.get(start[:n], ()) for n in lengths if n <= len(start))
        numbers = sorted(set().union(*shorter))
        lists[start] = memo.call(start, _below, [entries[number] for number in numbers], start)
    memo.forget_unused()
    return lists


def _below(entries: Iterable[Entry], start: str) -> Sequence[Entry]:
    """Return the `entries` that may match paths with this start, up to one that surely does."""
    found = []
    for entry in entries:
        if entry.may_match(start):
            found.append(entry)
            if entry.matches_below(start):
                break
    return found


def _virtual_host(name: str, host: str, lists: Lists, memo: Memo) -> VirtualHost:
    result = VirtualHost(name=name, domains=[host])
    if len(lists) == 1:
        if _need(lists[ANYWHERE]) is None:
            result.routes.extend(entry.route for entry in lists[ANYWHERE])
        else:
            result.matcher.CopyFrom(_choice(lists[ANYWHERE]).matcher)
        return result
    result.matcher.matcher_tree.CopyFrom(_PATH_INPUT)
    for start, entries in lists.items():
        found = memo.call((host, start), _choice, entries)
        if start == ANYWHERE:
            result.matcher.on_no_match.CopyFrom(found)
        else:
            result.matcher.matcher_tree.prefix_match_map.map[start].CopyFrom(found)
    return result


def _choice(
    entries: Sequence[Entry], *, looks: int = LOOKS_MAX, known: str | None = None
) -> Matcher.OnMatch:
    """Return the list of `entries`; where many need what requests may lack, one without these.

    `looks`: how many may be taken at a request. `known`: what it is known to have.
    """
    need = _need(entries, known) if looks else None
    if need is None:
        return _list(entries)
    others = [entry for entry in entries if need not in entry.needs]
    matcher = Matcher(on_no_match=_choice(others, looks=looks - 1))
    found = _choice(entries, looks=looks - 1, known=need)
    matcher.matcher_list.matchers.add(predicate=_has(need), on_match=found)
    return Matcher.OnMatch(matcher=matcher)


def _need(entries: Sequence[Entry], known: str | None = None) -> str | None:
    """Return what most of `entries` need, beside what is `known`; None: too few need the same."""
    counts = Counter(need for entry in entries for need in entry.needs if need != known)
    need = max(sorted(counts), key=lambda one: counts[one], default="")
    return need if counts[need] >= NEEDING_MIN else None


def _has(need: str) -> Matcher.MatcherList.Predicate:
    """Return whether a request has a query, or a header, whatever its value."""
    if need == A_QUERY:
        return _HAS_QUERY
    header = extension("header", HttpRequestHeaderMatchInput(header_name=need))
    anything = {"safe_regex": {"google_re2": {}, "regex": "(?s).*"}}
    return Matcher.MatcherList.Predicate(
        single_predicate={"input": header, "value_match": anything}
    )


def _list(entries: Iterable[Entry]) -> Matcher.OnMatch:
    routes = RouteList(routes=[entry.route for entry in entries])
    return Matcher.OnMatch(action=extension("routes", routes))
