"""Matchers: the codes that make a check pass. Source: elbv2 API, shape `Matcher`."""

from functools import cache


@cache
def codes(matcher: str) -> frozenset[int]:
    """Return the codes that `matcher` names, such as "200,202" or "200-299,404"."""
    found: set[int] = set()
    for part in matcher.split(","):
        low, _, high = part.partition("-")
        found.update(range(int(low), int(high or low) + 1))
    return frozenset(found)
