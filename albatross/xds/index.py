"""Long lists of routes, found by literal host or by the literal start of the path. Pure.

Envoy tries the routes of a list one after the other. An index gives it, for each host and path that
rules name literally, the whole list of the routes that may match there, in their order: a request
takes the same route with and without. No list falls through to another one. Where that would be
too many lists, hosts and paths have lists of their own (`apart.py`). Where many rules need a
query, requests without one have a list without these.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from statistics import mean

from envoy.config.route.v3.route_components_pb2 import RouteList, VirtualHost
from envoy.type.matcher.v3.http_inputs_pb2 import HttpRequestHeaderMatchInput
from xds.type.matcher.v3.matcher_pb2 import Matcher

from albatross.xds import names
from albatross.xds.apart import apart
from albatross.xds.entry import Entry, covers, hosts, may_match, needs_query, starts
from albatross.xds.packing import extension

ROUTES_MIN = 24  # a shorter list costs less than a look into an index
GROWTH_MAX = 20  # most routes in all lists of an index, for each route of the plain list
GAIN_MIN = 2  # an index pays where its lists are, on average, by so much shorter
APART_MIN = 8  # shorter lists than that cost less than a look at rules that are apart

QUERIES_MIN = 12  # fewer rules that need a query cost less than a look for one

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
    name: str, entries: Sequence[Entry], *, taken: Collection[str] = ()
) -> list[VirtualHost]:
    """Return the virtual hosts that have `entries` for all hosts but those `taken`."""
    return [
        _virtual_host(name if host == ANY_HOST else f"{name} {host}", host, lists)
        for host, lists in plan(entries, taken=taken).items()
    ]


def virtual_host(host: str, entries: Sequence[Entry]) -> VirtualHost:
    """Return the virtual host that has `entries` for `host` alone."""
    found = _best([{ANY_HOST: _by_path(entries)}], entries)
    return _virtual_host(host, host.lower(), found[ANY_HOST])


def plan(entries: Sequence[Entry], *, taken: Collection[str] = ()) -> Plan:
    """Return the lists to make of `entries`: one for all, or those of an index that pays."""
    plans: list[Plan] = [{ANY_HOST: _by_path(entries)}]
    by_host = _by_host(entries, taken)
    if len(by_host) > 1:
        plans.append({host: {ANYWHERE: chosen} for host, chosen in by_host.items()})
        plans.append({host: _by_path(chosen) for host, chosen in by_host.items()})
    found = _best(plans, entries)
    if taken or _mean_length(found) < APART_MIN or (split := apart(entries)) is None:
        return found
    of_hosts, others = split
    lists = {host: _by_path(own) for host, own in of_hosts.items()} | {ANY_HOST: _by_path(others)}
    best = _best([lists], entries)
    if _mean_length(best) * GAIN_MIN >= _mean_length(found):
        return found
    return best | {f"*{names.ALL_RULES}": {ANYWHERE: entries}}


def _mean_length(found: Plan) -> float:
    return mean(len(chosen) for lists in found.values() for chosen in lists.values())


def _best(plans: Iterable[Plan], entries: Sequence[Entry]) -> Plan:
    """Return the plan with the shortest lists, if one pays and none is too large."""
    best: Plan = {ANY_HOST: {ANYWHERE: entries}}
    if len(entries) < ROUTES_MIN:
        return best
    length = len(entries) / GAIN_MIN
    for candidate in plans:
        lengths = [len(chosen) for lists in candidate.values() for chosen in lists.values()]
        if sum(lengths) <= GROWTH_MAX * len(entries) and mean(lengths) <= length:
            best, length = candidate, mean(lengths)
    return best


def _by_host(entries: Sequence[Entry], taken: Collection[str]) -> dict[str, Sequence[Entry]]:
    """Return the entries that may match for each host that is named, and for any other.

    All of them for any host, where the lists would be too long.
    """
    elsewhere: list[int] = []
    bound: defaultdict[str, list[int]] = defaultdict(list)
    for number, entry in enumerate(entries):
        named = hosts(entry)
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


def _by_path(entries: Sequence[Entry]) -> Lists:
    """Return the entries that may match below each literal start of a path, and elsewhere.

    All of them for anywhere, where the lists would be too long.
    """
    starting: defaultdict[str, list[int]] = defaultdict(list)
    for number, entry in enumerate(entries):
        for start in starts(entry):
            starting[start].append(number)
    everywhere = starting.setdefault(ANYWHERE, [])
    if len(starting) * len(everywhere) > GROWTH_MAX * len(entries):
        return {ANYWHERE: entries}
    lists: Lists = {}
    for start in sorted(starting):
        shorter = (starting.get(start[:length], ()) for length in range(len(start) + 1))
        numbers = sorted({number for numbers in shorter for number in numbers})
        chosen = [entries[number] for number in numbers if may_match(entries[number], start)]
        lists[start] = _reached(chosen, start)
    return lists


def _reached(entries: Sequence[Entry], start: str) -> Sequence[Entry]:
    """Return `entries` up to the first that matches all paths with this start."""
    for number, entry in enumerate(entries, 1):
        if entry.is_certain and all(covers(one, start) for one in entry.conditions):
            return entries[:number]
    return entries


def _virtual_host(name: str, host: str, lists: Lists) -> VirtualHost:
    result = VirtualHost(name=name, domains=[host])
    if len(lists) == 1:
        found = _choice(lists[ANYWHERE])
        if found.HasField("matcher"):
            result.matcher.CopyFrom(found.matcher)
        else:
            result.routes.extend(entry.route for entry in lists[ANYWHERE])
        return result
    result.matcher.matcher_tree.CopyFrom(_PATH_INPUT)
    for start, entries in lists.items():
        if start == ANYWHERE:
            result.matcher.on_no_match.CopyFrom(_choice(entries))
        else:
            result.matcher.matcher_tree.prefix_match_map.map[start].CopyFrom(_choice(entries))
    return result


def _choice(entries: Sequence[Entry]) -> Matcher.OnMatch:
    """Return the list of `entries`; and where many of them need a query, one without these."""
    queryless = [entry for entry in entries if not needs_query(entry)]
    if len(entries) - len(queryless) < QUERIES_MIN:
        return _list(entries)
    matcher = Matcher(on_no_match=_list(queryless))
    matcher.matcher_list.matchers.add(predicate=_HAS_QUERY, on_match=_list(entries))
    return Matcher.OnMatch(matcher=matcher)


def _list(entries: Iterable[Entry]) -> Matcher.OnMatch:
    routes = RouteList(routes=[entry.route for entry in entries])
    return Matcher.OnMatch(action=extension("routes", routes))
