"""Wildcards of conditions -> RE2 expressions, which Envoy matches against a whole value."""

import re
from collections.abc import Iterable


def wildcard(pattern: str, any_character: str) -> str:
    """Return `pattern` as RE2, where `*` is any number of `any_character` and `?` exactly one."""
    wild = {"*": f"{any_character}*", "?": any_character}
    return "".join(wild.get(c) or re.escape(c) for c in pattern)


def any_host(patterns: Iterable[str]) -> str:
    """Return the expression of authorities with one of the host `patterns`: any case, any port."""
    # AWS is silent: host-header conditions do not look at a port in Host.
    return f"(?i)(?:{'|'.join(wildcard(pattern, '[^:]') for pattern in patterns)})(?::[0-9]*)?"


def any_path(patterns: Iterable[str]) -> str:
    """Return the expression of paths that match one of `patterns`; case counts."""
    return f"(?s)(?:{'|'.join(wildcard(pattern, '.') for pattern in patterns)})"
