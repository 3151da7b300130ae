"""Lists of rules that name a host, apart from those of all other rules. Pure.

The lists of a host would otherwise have, for each start of a path, the rules that look at paths: as
many as there are hosts times paths. Each list of a host ends with a route that stands for the rules
that look at no host, and names of routes say for which paths one of these may come first: then
`lua/request.lua`, own_or_other, has Envoy look there, and takes the route whose rule comes first.

Below starts of paths where few of these rules can match, a list of a host has them itself, and the
names of its routes say that no other may come first: nothing is left to look for.

The script can have Envoy look but once. Where it must do so anyway, since rules see a request
otherwise than it was sent, it looks into a third list, of all rules.
"""

import os.path
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from envoy.config.route.v3.route_components_pb2 import Route

from albatross.model.request_record import NO_CHOICE
from albatross.model.rule import HostHeader
from albatross.xds import names, patterns, weights
from albatross.xds.entry import Entry

STARTS_MAX = 8  # of paths, in one name
_ALL_PATHS = "/"
_IN_NAME = re.compile(r"/[!-+\--~]*")  # visible, and no comma


@dataclass(frozen=True, slots=True)
class Apart:
    """Lists of each host that is named, and one for all others.

    `places`: of their entries among those that they were made of.
    """

    of_hosts: Mapping[str, Sequence[Entry]]
    others: Sequence[Entry]
    places: Mapping[Entry, int]


def apart(entries: Sequence[Entry]) -> Apart | None:
    """Return `entries`, apart by whether they name a host.

    None where a rule cannot tell hosts from `names.NO_HOST`, which stands for none.
    """
    own: defaultdict[str, list[tuple[int, Entry]]] = defaultdict(list)
    wild: list[tuple[re.Pattern[str], int, Entry]] = []
    chosen, others = list[tuple[int, Entry]](), dict[Entry, int]()
    before = _Starts()
    for number, entry in enumerate(entries):
        named = entry.hosts
        conditions = [one for one in entry.conditions if isinstance(one, HostHeader)]
        if weights.is_taken(entry.route):
            chosen.append((number, entry))
        elif not entry.is_certain:
            return None
        elif named is not None:
            for host in named:
                own[host].append((number, before.noted_on(entry)))
        elif conditions:
            if conditions[0].regex_values:  # it may be none of Python's
                return None
            expression = re.compile(patterns.any_host(conditions))
            if expression.fullmatch(names.NO_HOST):
                return None
            wild.append((expression, number, before.noted_on(entry)))
        else:
            for start in entry.starts:
                before.add(start)
        if named is None:
            others[_renamed(entry, names.other_route(entry.route.name))] = number
    lists, places = dict[str, Sequence[Entry]](), dict(others)
    for host in sorted(own):
        matching = [(n, entry) for expression, n, entry in wild if expression.fullmatch(host)]
        found = sorted([*chosen, *own[host], *matching], key=lambda item: item[0])
        lists[host] = [*(entry for _, entry in found), _LEADING_APART]
        places.update((entry, number) for number, entry in found)
    return Apart(lists, list(others), places)


def complete(entry: Entry) -> Entry:
    """Return `entry` for a list that leaves nothing to look for."""
    if weights.is_taken(entry.route):
        return entry
    return _renamed(entry, names.apart_route(entry.route.name, ()))


class _Starts:
    """Few starts of paths: every path with a start that was added has one of them."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}  # by their first two characters

    def add(self, start: str) -> None:
        kind = start[:2]
        known = self._kinds.get(kind, start)
        self._kinds[kind] = os.path.commonprefix([known, start])  # noqa: RUF071

    def noted_on(self, entry: Entry) -> Entry:
        """Return `entry`, whose route's name says so where others may come before it."""
        kinds = sorted(self._kinds.values())
        if len(kinds) > STARTS_MAX or not all(map(_IN_NAME.fullmatch, kinds)):
            kinds = [_ALL_PATHS]
        return _renamed(entry, names.apart_route(entry.route.name, kinds))


def _renamed(entry: Entry, name: str) -> Entry:
    route = Route()
    route.CopyFrom(entry.route)
    route.name = name
    return replace(entry, route=route)


_LEADING_APART = Entry(
    Route(
        name=names.apart_route(names.route(NO_CHOICE, {}), [_ALL_PATHS]),
        match={"prefix": ""},
        direct_response={"status": 500},  # if the script failed
    ),
    (),
)
