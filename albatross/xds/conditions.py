"""A rule's conditions -> Envoy's RouteMatch. Source: ALB user guide, condition types for rules."""

import re
from collections.abc import Iterable
from ipaddress import ip_network
from typing import assert_never

from envoy.config.route.v3.route_components_pb2 import HeaderMatcher, RouteMatch

from albatross.model.rule import (
    Condition,
    HostHeader,
    HttpHeader,
    HttpRequestMethod,
    PathPattern,
    QueryString,
    SourceIp,
)
from albatross.xds import names, patterns

# What Envoy writes or removes before it chooses a route -> where the client's own is kept.
# differs from AWS: http-header conditions on `Expect: 100-continue`, Keep-Alive, Proxy-Connection,
# TE but `trailers`, Transfer-Encoding, and Upgrade but to WebSocket hold for no request: the proxy
# has taken these headers out before it looks at rules. So has it an empty
# Connection, Referer or X-Forwarded-Proto.
_KEPT_HEADERS = {
    "connection": names.CONNECTION_HEADER,
    "referer": names.REFERER_HEADER,
    "x-forwarded-proto": names.FORWARDED_PROTO_HEADER,
}
# Envoy's and ours by the time a route is chosen, whatever a client has sent.
_NOBODYS_HEADERS = ("x-envoy-external-address", "x-envoy-internal")
_HAS_QUERY = HeaderMatcher(name=":path", string_match={"contains": "?"})


def to_match(conditions: Iterable[Condition]) -> RouteMatch:
    """Return the match that holds when every condition holds; without any it always holds."""
    match = RouteMatch(prefix="")
    for condition in conditions:
        match condition:
            case HostHeader():
                match.headers.extend(authorities((condition,)))
            case PathPattern():
                _match_path(match, condition)
            case HttpHeader(header_name=name):
                match.headers.append(_value(kept(name), condition))
            case HttpRequestMethod(values=methods):
                match.headers.append(_method(methods))
            case QueryString(values=parameters):
                if _HAS_QUERY not in match.headers:
                    match.headers.append(_HAS_QUERY)
                match.headers.append(_header(":path", patterns.any_query(parameters)))
            case SourceIp(values=blocks):
                _match_address(match, blocks)
            case _:
                assert_never(condition)
    match.headers.sort(key=_cost)
    return match


def _cost(header: HeaderMatcher) -> tuple[bool, bool]:
    """Return by what matchers are to be ordered: one that does not hold spares those after it.

    Headers of requests' own are often absent.
    """
    return header.string_match.HasField("safe_regex"), header.name.startswith(":")


def authorities(hosts: tuple[HostHeader, ...]) -> list[HeaderMatcher]:
    """Return matchers, one of which holds for requests whose Host one of `hosts` holds for."""
    return [_header(":authority", expression) for expression in patterns.any_of_hosts(hosts)]


def _header(name: str, regex: str) -> HeaderMatcher:
    """Return the matcher of requests in which one line of the header matches `regex`."""
    return HeaderMatcher(name=name, string_match={"safe_regex": {"regex": regex}})


def kept(name: str) -> str:
    """Return the name under which the client's own header of this name is when routes are chosen.

    No client can send those of `names.INTERNAL_HEADER_PREFIX`, so a name with it that nobody uses
    is that of a header which no request has.
    """
    lower = name.lower()
    if lower in _NOBODYS_HEADERS or lower.startswith(names.INTERNAL_HEADER_PREFIX):
        return names.NO_HEADER
    return _KEPT_HEADERS.get(lower, name)


def _value(name: str, condition: HttpHeader) -> HeaderMatcher:
    """Return the matcher of a header. Literals, `x*` and `*x` cost less than an expression."""
    if len(condition.values) == 1 and not condition.regex_values:
        value = condition.values[0]
        literal = value.strip("*")
        if literal and not set(literal) & set("*?"):
            kind = {
                literal: "exact",
                f"{literal}*": "prefix",
                f"*{literal}": "suffix",
            }.get(value)
            if kind:
                return HeaderMatcher(name=name, string_match={kind: literal, "ignore_case": True})
    return _header(name, patterns.any_header(condition))


def _method(methods: tuple[str, ...]) -> HeaderMatcher:
    """Return the matcher of these methods. A single one costs Envoy less than an expression."""
    if len(methods) == 1:
        return HeaderMatcher(name=":method", string_match={"exact": methods[0]})
    return _header(":method", "|".join(map(re.escape, methods)))


def _match_path(match: RouteMatch, paths: PathPattern) -> None:
    """Set the path of `match`. Literals and `/x/*` cost Envoy less than an expression."""
    if len(paths.values) == 1:
        literal = paths.values[0].removesuffix("*")
        if not set(literal) & set("*?"):
            if literal == paths.values[0]:
                match.path = literal
            else:
                match.prefix = literal
            return
    match.safe_regex.regex = patterns.any_path(paths)


def _match_address(match: RouteMatch, blocks: Iterable[str]) -> None:
    networks = [ip_network(block, strict=False) for block in blocks]
    ranges = [
        {
            "address_prefix": str(network.network_address),
            "prefix_len": {"value": network.prefixlen},
        }
        for network in networks
    ]
    match.filter_state.add(key=names.CLIENT_ADDRESS_STATE, address_match={"ranges": ranges})
