"""Filter patterns: text, JSON and space-delimited ones. Pure.

Source: CloudWatch Logs guide, "Filter pattern syntax for metric filters, subscription filters,
filter log events, and Live Tail".
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from albatross.logs import filter_columns, filter_json
from albatross.logs.filter_values import BadPattern, regex

Matcher = Callable[[str], bool]

_TERM = re.compile(
    r"""\s*(?P<sign>[?-]?)(?:
        "(?P<quoted>(?:[^"\\]|\\.)*)"
      | %(?P<regex>(?:[^%\\]|\\.)*)%
      | (?P<word>[^\s"%]+)
    )(?=\s|$)""",
    re.VERBOSE,
)
__all__ = ["BadPattern", "Matcher", "compiled", "values"]


@lru_cache(maxsize=128)
def compiled(pattern: str) -> Matcher:
    """Return what tells whether a message matches `pattern`. Raises BadPattern."""
    text = pattern.strip()
    if text.startswith("{"):
        try:
            return filter_json.compiled(text)
        except RecursionError:
            raise BadPattern("it has too many parentheses within each other") from None
    if text.startswith("["):
        return filter_columns.compiled(text)
    return _terms(text)


def values(pattern: str, message: str) -> dict[str, str]:
    """Return what `pattern` names in a `message` that matches it; terms name nothing."""
    text = pattern.strip()
    if text.startswith("{"):
        return filter_json.values(text, message)
    return filter_columns.values(text, message) if text.startswith("[") else {}


def _terms(text: str) -> Matcher:
    by_sign: dict[str, list[Matcher]] = {"": [], "?": [], "-": []}
    at = 0
    while at < len(text):
        match = _TERM.match(text, at)
        if match is None:
            raise BadPattern(f"a term that ends nowhere, at '{text[at : at + 20].strip()}'")
        by_sign[match["sign"]].append(_term(match))
        at = match.end()
    wanted, optional, unwanted = by_sign[""], by_sign["?"], by_sign["-"]
    if optional and not wanted and not unwanted:
        return lambda message: _any(optional, message)
    # The guide: optional terms beside others have no effect.
    return lambda message: all(term(message) for term in wanted) and not _any(unwanted, message)


def _any(terms: Iterable[Matcher], message: str) -> bool:
    return any(term(message) for term in terms)


def _term(match: "re.Match[str]") -> Matcher:
    if match["regex"] is not None:
        return regex(match["regex"])
    word = match["word"]
    if word is None:
        word = re.sub(r"\\(.)", r"\1", match["quoted"])
    # AWS is silent: a term of a filter pattern matches within words, too.
    return lambda message: word in message
