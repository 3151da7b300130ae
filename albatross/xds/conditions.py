"""A rule's conditions -> Envoy's RouteMatch. Source: ALB user guide, condition types for rules."""

from collections.abc import Iterable
from typing import assert_never

from envoy.config.route.v3.route_components_pb2 import HeaderMatcher, RouteMatch

from albatross.model.rule import Condition, HostHeader, PathPattern
from albatross.xds import patterns


def to_match(conditions: Iterable[Condition]) -> RouteMatch:
    """Return the match that holds when every condition holds; without any it always holds."""
    match = RouteMatch(prefix="")
    for condition in conditions:
        match condition:
            case HostHeader(values=values):
                match.headers.append(authority(values))
            case PathPattern(values=values):
                _match_path(match, values)
            case _:
                assert_never(condition)
    return match


def authority(hosts: Iterable[str]) -> HeaderMatcher:
    """Return the matcher of requests whose Host is one of `hosts` (with wildcards)."""
    regex = patterns.any_host(hosts)
    return HeaderMatcher(name=":authority", string_match={"safe_regex": {"regex": regex}})


def _match_path(match: RouteMatch, values: tuple[str, ...]) -> None:
    """Set the path of `match`. Literals and `/x/*` cost Envoy less than an expression."""
    if len(values) == 1:
        literal = values[0].removesuffix("*")
        if not set(literal) & set("*?"):
            if literal == values[0]:
                match.path = literal
            else:
                match.prefix = literal
            return
    match.safe_regex.regex = patterns.any_path(values)
