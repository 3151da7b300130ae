"""A route of a list, and for which requests it may match. Pure."""

import re
from dataclasses import dataclass

from envoy.config.route.v3.route_components_pb2 import Route

from albatross.model.rule import Condition, HostHeader, HttpHeader, PathPattern, QueryString
from albatross.xds import conditions

A_QUERY = "?"

_ANYWHERE = ""
_COMMON_HEADERS = frozenset({"accept", "accept-encoding", "accept-language", "host", "user-agent"})
_LITERAL_HOST = re.compile(r"[A-Za-z0-9._-]+")
_WILDCARD = re.compile(r"[*?]")


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A route, which matches only where all of `conditions` hold.

    `is_certain`: it does match wherever they hold.
    """

    route: Route
    conditions: tuple[Condition, ...]
    is_certain: bool = True


def may_match(entry: Entry, start: str) -> bool:
    """Tell whether `entry` may match a path with this start, of which it names some start.

    A path without wildcards is all of it: paths with a longer start are other ones.
    """
    for condition in entry.conditions:
        if isinstance(condition, PathPattern) and not condition.regex_values:
            return any(
                start.startswith(_WILDCARD.split(value, maxsplit=1)[0])
                and (len(value) >= len(start) or _WILDCARD.search(value) is not None)
                for value in condition.values
            )
    return True


def covers(condition: Condition, start: str) -> bool:
    """Tell whether `condition` surely holds for every path with this start."""
    return isinstance(condition, PathPattern) and any(
        value.endswith("*") and not _WILDCARD.search(value[:-1]) and start.startswith(value[:-1])
        for value in condition.values
    )


def hosts(entry: Entry) -> set[str] | None:
    """Return the only hosts for which `entry` may match, in lower case; None: not known."""
    for condition in entry.conditions:
        if isinstance(condition, HostHeader) and not condition.regex_values:
            literal = all(map(_LITERAL_HOST.fullmatch, condition.values))
            return {value.lower() for value in condition.values} if literal else None
    return None


def starts(entry: Entry) -> set[str]:
    """Return starts of paths, one of which each path has for which `entry` may match."""
    for condition in entry.conditions:
        if isinstance(condition, PathPattern) and not condition.regex_values:
            return {_WILDCARD.split(value, maxsplit=1)[0] for value in condition.values}
    return {_ANYWHERE}


def needs(entry: Entry) -> set[str]:
    """Return what a request must have for `entry` to match: A_QUERY, and headers, in lower case.

    Without headers that nearly all requests have.
    """
    found = set()
    for condition in entry.conditions:
        if isinstance(condition, QueryString):
            found.add(A_QUERY)
        elif isinstance(condition, HttpHeader):
            found.add(conditions.kept(condition.header_name).lower())
    return found - _COMMON_HEADERS
