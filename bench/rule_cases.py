"""Lists of rules to measure, and the request that the last rule of each takes."""

from collections.abc import Callable
from dataclasses import dataclass

from albatross.model.rule import (
    Condition,
    HostHeader,
    HttpHeader,
    HttpRequestMethod,
    PathPattern,
    QueryParameter,
    QueryString,
    SourceIp,
)

Conditions = tuple[Condition, ...]


def _prefix(n: int) -> Condition:
    return PathPattern(values=(f"/svc{n}/*",))


def _exact(n: int) -> Condition:
    return PathPattern(values=(f"/exact{n}",))


def _host(n: int) -> Condition:
    return HostHeader(values=(f"h{n}.example.com",))


def _literals(n: int) -> Conditions:
    """Return in turn a host, a start of a path, a path, and a host with a start of a path."""
    kinds: tuple[Conditions, ...] = ((_host(n),), (_prefix(n),), (_exact(n),))
    return (_host(n), _prefix(n)) if n % 4 == 0 else kinds[n % 3]


def _mixed(n: int) -> Conditions:
    """Return each kind of condition in turn; the hundredth is a path with wildcards."""
    kinds: tuple[Condition, ...] = (
        _prefix(n),
        _host(n),
        HostHeader(values=(f"*.t{n}.example.com",)),
        HttpHeader(header_name="user-agent", values=(f"*agent{n}*",)),
        QueryString(values=(QueryParameter(key="v", value=f"{n}*"),)),
        SourceIp(values=(f"10.{n % 256}.0.0/16",)),
        HttpRequestMethod(values=(f"M{n}",)),
        PathPattern(values=(f"/exact{n}",)),
        PathPattern(values=(f"*/wild{n}/*",)),
        PathPattern(values=(f"/svc{n}/*/x",)),
    )
    return (kinds[n % len(kinds)],)


def _several(n: int) -> Conditions:
    """Return regular expressions and several conditions of a kind, as many as a rule may have."""
    agent = HttpHeader(header_name="user-agent", values=(f"*agent{n}*",))
    tenant = HttpHeader(header_name="x-tenant", values=(f"t{n}",))
    version = QueryString(values=(QueryParameter(key="v", value=f"{n}*"),))
    kinds: tuple[Conditions, ...] = (
        (PathPattern(values=(f"*/wild{n}/*",)), agent, version),
        (HostHeader(values=(f"*.t{n}.example.com",)), tenant, version),
        (PathPattern(regex_values=(f"^/r{n}/[0-9]+$",)), tenant),
        (HostHeader(regex_values=(f"^r{n}[.]example[.]com$",)), agent),
        (version, QueryString(values=(QueryParameter(key=None, value=f"w{n}"),))),
        (SourceIp(values=(f"10.{n % 256}.0.0/16",)), agent, tenant),
        (HttpRequestMethod(values=(f"M{n}", "PUT")), agent),
        (agent, HttpHeader(header_name="accept", regex_values=(f"v{n}[+]json",))),
    )
    return kinds[n % len(kinds)]


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    conditions: Callable[[int], Conditions]  # of a rule by its number
    last: Callable[[int], Conditions]  # of the last rule
    path: str  # `{}` is the number of the last rule
    host: str | None = None
    forward: bool = False  # else a fixed response
    sizes: tuple[int, ...] = (1, 100, 1000)


CASES = (
    Case("path prefix", lambda n: (_prefix(n),), lambda n: (_prefix(n),), "/svc{}/x"),
    Case("literal host", lambda n: (_host(n),), lambda n: (_host(n),), "/", "h{}.example.com"),
    Case("hosts and paths, last a path", _literals, lambda n: (_prefix(n),), "/svc{}/x"),
    Case("hosts and paths, last a host", _literals, lambda n: (_host(n),), "/", "h{}.example.com"),
    Case(
        "hosts and paths, last both",
        _literals,
        lambda n: (_host(n), _prefix(n)),
        "/svc{}/x",
        "h{}.example.com",
    ),
    Case("all kinds", _mixed, _mixed, "/svc{}/a/x", sizes=(1, 100)),
    Case("all kinds, passed on", _mixed, _mixed, "/svc{}/a/x", forward=True, sizes=(1, 100)),
    Case(
        "several and expressions",
        _several,
        lambda n: (PathPattern(values=("*/last/*",)),),
        "/a/last/x",
        sizes=(1, 100),
    ),
    Case(
        "several and expressions, passed on",
        _several,
        lambda n: (PathPattern(values=("*/last/*",)),),
        "/a/last/x",
        forward=True,
        sizes=(1, 100),
    ),
)
