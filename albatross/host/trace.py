"""The tracing header that a function gets with an invocation. Pure, but for the time of new ones.

Source: Lambda guide, Runtime API, Lambda-Runtime-Trace-Id.
"""

import re
import time

_ROOT = re.compile(r"(?:^|;)\s*Root=([^;\s]+)")
_SAMPLED = re.compile(r"(?:^|;)\s*Sampled=([01])\b")
_SEPARATORS = re.compile(r"[;\s]")  # where there are none, the header is a root and no more


def handed_on(given: str, invocation_id: str) -> str:
    """Return `Root=...;Parent=...;Sampled=...` for an invocation that came with the header `given`.

    The root is the given one, else a new one; the parent is the invocation itself.
    """
    # AWS is silent: the trace id that Lambda hands to a function has the Root of X-Amzn-Trace-Id,
    # a Parent of its own, and is sampled only where the caller says so.
    parent = f"{invocation_id[:8]}{invocation_id[-8:]}"
    if len(given) > 5 and given.startswith("Root=") and not _SEPARATORS.search(given):
        return f"{given};Parent={parent};Sampled=0"
    root, sampled = _ROOT.search(given), _SAMPLED.search(given)
    return (
        f"Root={root[1] if root else new_root(invocation_id)};"
        f"Parent={parent};Sampled={sampled[1] if sampled else 0}"
    )


def new_root(invocation_id: str) -> str:
    """Return a trace id with the time of now, made of an id that is random."""
    return f"1-{int(time.time()):08x}-{invocation_id.replace('-', '')[:24]}"
