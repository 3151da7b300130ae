"""A route of a list, and for which requests it may match. Pure."""

import re
from dataclasses import dataclass
from functools import cached_property

from envoy.config.route.v3.route_components_pb2 import Route

from albatross.model.rule import Condition, HostHeader, HttpHeader, PathPattern, QueryString
from albatross.xds import conditions

A_QUERY = "?"

_ANYWHERE = ""
_COMMON_HEADERS = frozenset({"accept", "accept-encoding", "accept-language", "host", "user-agent"})
_LITERAL_HOST = re.compile(r"[A-Za-z0-9._-]+")
_WILDCARD = re.compile(r"[*?]")


@dataclass(frozen=True, eq=False)
class Entry:
    """A route, which matches only where all of `conditions` hold.

    `is_certain`: it does match wherever they hold.
    """

    route: Route
    conditions: tuple[Condition, ...]
    is_certain: bool = True

    @cached_property
    def hosts(self) -> frozenset[str] | None:
        """The only hosts for which the route may match, in lower case; None: not known."""
        for condition in self.conditions:
            if isinstance(condition, HostHeader) and not condition.regex_values:
                literal = all(map(_LITERAL_HOST.fullmatch, condition.values))
                return frozenset(map(str.lower, condition.values)) if literal else None
        return None

    @cached_property
    def starts(self) -> frozenset[str]:
        """Starts of paths, one of which each path has for which the route may match."""
        for condition in self.conditions:
            if isinstance(condition, PathPattern) and not condition.regex_values:
                values = condition.values
                return frozenset(_WILDCARD.split(value, maxsplit=1)[0] for value in values)
        return frozenset({_ANYWHERE})

    @cached_property
    def needs(self) -> frozenset[str]:
        """What a request must have for a match: A_QUERY, and headers, in lower case.

        Without headers that nearly all requests have.
        """
        found = set()
        for condition in self.conditions:
            if isinstance(condition, QueryString):
                found.add(A_QUERY)
            elif isinstance(condition, HttpHeader):
                found.add(conditions.kept(condition.header_name).lower())
        return frozenset(found - _COMMON_HEADERS)

    @cached_property
    def is_quick(self) -> bool:
        """Whether Envoy compares one text, of the path, to know whether the route matches."""
        match = self.route.match
        is_literal = match.WhichOneof("path_specifier") in ("path", "prefix")
        return is_literal and not match.headers and not match.filter_state

    def may_match(self, start: str) -> bool:
        """Tell whether the route may match a path with this start, one of `starts` of some entry.

        A path without wildcards is all of it: paths with a longer start are other ones.
        """
        for condition in self.conditions:
            if isinstance(condition, PathPattern) and not condition.regex_values:
                return any(
                    start.startswith(_WILDCARD.split(value, maxsplit=1)[0])
                    and (len(value) >= len(start) or _WILDCARD.search(value) is not None)
                    for value in condition.values
                )
        return True

    def matches_below(self, start: str) -> bool:
        """Tell whether the route surely matches every path with this start."""
        return self.is_certain and all(_covers(one, start) for one in self.conditions)


def _covers(condition: Condition, start: str) -> bool:
    """Tell whether `condition` surely holds for every path with this start."""
    return isinstance(condition, PathPattern) and any(
        value.endswith("*") and not _WILDCARD.search(value[:-1]) and start.startswith(value[:-1])
        for value in condition.values
    )
