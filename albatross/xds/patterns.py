"""Values of conditions -> RE2 expressions, which Envoy matches against a whole value."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import re2  # type: ignore[import-untyped]

from albatross.model.rule import HostHeader, HttpHeader, PathPattern, QueryParameter
from albatross.xds import names

_KEY_ENDS, _VALUE_ENDS = "=&", "&"
_KB = 1024
# Envoy has 8 MB for an expression when compiled, and refuses the whole table for a larger one.
_JOINED_BYTES_MAX = 6 * 1024 * _KB
_SURE = 3  # so many conditions on hosts fit whatever they are
# What the API takes (elbv2/regexes.py). Older versions took more, some of it unknown to Envoy.
_EXPRESSION_BYTES_MAX = 128 * _KB
_NOTHING = r"[^\x00-\xFF]"
_WILD_OR_ESCAPED = re.compile(r"\\[*?]|.", re.DOTALL)
# A quotation, an escape, a class, the beginning of a group, any other character.
_TOKEN = re.compile(
    r"\\Q.*?(?:\\E|$)|\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^]\\])*\]|\(\?P?<\w+>|\(\??|."
)


def wildcard(pattern: str, any_character: str) -> str:
    """Return `pattern` as RE2, where `*` is any number of `any_character` and `?` exactly one."""
    wild = {"*": f"{any_character}*", "?": any_character}
    return "".join(wild.get(c) or re.escape(c) for c in pattern)


def any_host(conditions: Iterable[HostHeader]) -> str:
    """Return the expression of authorities for which one of `conditions` holds.

    Any case, any port; but a regular expression sees the end of an authority with a port only
    where the script has taken the port away. What may stand at the end is the script's.
    """
    # AWS is silent: host-header conditions do not look at a port in Host.
    choices = []
    for condition in conditions:
        choices += [wildcard(value, "[^:]") for value in condition.values]
        choices += [_found(expression) for expression in condition.regex_values]
    return f"(?i)(?:{'|'.join(choices)})(?::[0-9]*)?{names.ALL_RULES}?"


@lru_cache(maxsize=64)
def any_of_hosts(conditions: tuple[HostHeader, ...]) -> tuple[str, ...]:
    """Return the expressions of `any_host` for parts of `conditions`, few that Envoy can take."""
    expression = any_host(conditions)
    if len(conditions) <= _SURE or _compiles(expression, _JOINED_BYTES_MAX):
        return (expression,)
    half = len(conditions) // 2
    return (*any_of_hosts(conditions[:half]), *any_of_hosts(conditions[half:]))


@lru_cache(maxsize=64)
def any_of(expressions: Sequence[str]) -> tuple[str, ...]:
    """Return expressions, few that Envoy can take, one of which holds where one of these does."""
    joined = "|".join(f"(?:{each})" for each in expressions)
    if len(expressions) <= _SURE or _compiles(joined, _JOINED_BYTES_MAX):
        return (joined,) if joined else ()
    half = len(expressions) // 2
    return (*any_of(expressions[:half]), *any_of(expressions[half:]))


@lru_cache(maxsize=1024)
def is_known(expression: str) -> bool:
    """Tell whether Envoy knows a rule's `expression`, also where others stand beside it."""
    return _compiles(expression, _EXPRESSION_BYTES_MAX)


def _compiles(expression: str, bytes_max: int) -> bool:
    options = re2.Options()
    options.max_mem = bytes_max
    options.encoding = re2.Options.Encoding.LATIN1  # as Envoy: no character is above \xFF
    options.log_errors = False
    try:
        re2.compile(expression.encode(), options)
    except re2.error:
        return False
    return True


def any_path(paths: PathPattern) -> str:
    """Return the expression of paths for which `paths` holds; case counts."""
    return f"(?s)(?:{_any(paths.values, paths.regex_values)})"


def any_header(header: HttpHeader) -> str:
    """Return the expression of a header line's values for which `header` holds; any case."""
    return f"(?is)(?:{_any(header.values, header.regex_values)})"


def any_query(parameters: Iterable[QueryParameter]) -> str:
    """Return the expression of paths with a query that has one of `parameters`; any case."""
    choices = "|".join(map(_parameter, parameters))
    return f"(?is)[^?]*\\?(?:.*&)?(?:{choices})(?:&.*)?"


def _any(values: Iterable[str], expressions: Iterable[str]) -> str:
    return "|".join([*(wildcard(value, ".") for value in values), *map(_found, expressions)])


def _found(expression: str) -> str:
    """Return the RE2 of whole values in which `expression` finds something."""
    # AWS is silent: a regular expression may match any part of a value, unless it has anchors. It
    # counts case in a path, but not in a host or a header.
    if not is_known(expression):
        return _NOTHING  # or Envoy would refuse all rules of the table
    return f"(?s:.*)(?:{without_groups(expression)})(?s:.*)"


def without_groups(expression: str) -> str:
    """Return `expression` with groups that capture nothing: names of groups are taken once only."""
    tokens = _TOKEN.findall(closed(expression))
    return "".join("(?:" if _is_group(token) else token for token in tokens)


def group_count(expression: str) -> int:
    """Return how many groups of `expression` capture something."""
    return sum(map(_is_group, _TOKEN.findall(expression)))


def closed(expression: str) -> str:
    """Return `expression` with an end to its last quotation (`\\Q`), so that more may follow."""
    last = _TOKEN.findall(expression)[-1]
    is_open = last.startswith(r"\Q") and not last.endswith(r"\E")
    return rf"{expression}\E" if is_open else expression


def _is_group(token: str) -> bool:
    return token == "(" or token.startswith(("(?P<", "(?<"))


def _parameter(parameter: QueryParameter) -> str:
    value = _in_query(parameter.value, _VALUE_ENDS)
    # AWS is silent: a parameter without `=` has an empty value.
    if set(parameter.value) == {"*"}:
        return "[^&]+" if _has_any_key(parameter) else f"{_key(parameter)}(?:={value})?"
    return f"{_key(parameter)}={value}"


def _key(parameter: QueryParameter) -> str:
    return "[^=&]*" if _has_any_key(parameter) else _in_query(parameter.key or "", _KEY_ENDS)


def _has_any_key(parameter: QueryParameter) -> bool:
    """Tell whether every key will do. Between two `&` there is no parameter, though."""
    return not parameter.key or set(parameter.key) == {"*"}


# AWS is silent: conditions on the query hold for what was sent and for what that is when decoded.
def _in_query(pattern: str, separators: str) -> str:
    """Return `pattern` as RE2, each of its characters escaped or not, none a bare separator.

    In `pattern` a backslash takes the meaning from a wildcard.
    """
    wild = {"*": f"[^{separators}]*", "?": f"(?:%[0-9a-f]{{2}}|[^{separators}])"}
    tokens = _WILD_OR_ESCAPED.findall(pattern)
    return "".join(wild.get(token) or _character(token[-1], separators) for token in tokens)


def _character(character: str, separators: str) -> str:
    """Return `character` as RE2, as it is or escaped. A letter has an escape for each case."""
    escaped = "|".join(f"%{ord(one):02x}" for one in sorted({character.lower(), character.upper()}))
    return escaped if character in separators else f"(?:{re.escape(character)}|{escaped})"
