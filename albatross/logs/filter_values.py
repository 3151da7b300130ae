"""Comparisons that JSON and space-delimited patterns share. Pure."""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

import re2  # type: ignore[import-untyped]

OPERATORS = ("!=", "<=", ">=", "=", "<", ">")
_ORDER: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}
# The guide names the characters that a regular expression may have: no parentheses, for one.
_NOT_IN_REGEX = re.compile(r"[^A-Za-z0-9:_#=@/;,\-^$?\[\]{}|\\*+.%\s]")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


class BadPattern(Exception):
    """A filter pattern that cannot be understood. The message says why."""


def regex(text: str) -> Callable[[str], bool]:
    """Return what tells whether a text has a part that matches. Raises BadPattern."""
    if (bad := _NOT_IN_REGEX.search(text)) is not None:
        raise BadPattern(f"a regular expression cannot have {bad[0]}")
    options = re2.Options()
    options.log_errors = False
    try:
        expression = re2.compile(text.replace(r"\%", "%"), options=options)
    except re2.error as error:
        raise BadPattern(f"the regular expression %{text}% cannot be read: {error}") from None
    return lambda value: expression.search(value) is not None


def number(text: object) -> Decimal | None:
    """Return the number that `text` is, None for anything else."""
    if isinstance(text, bool) or not isinstance(text, int | float | str):
        return None
    shown = str(text)
    if not _NUMBER.fullmatch(shown):
        return None
    try:
        return Decimal(shown)
    except InvalidOperation:
        return None


def comparison(operator: str, operand: str, kind: str) -> Callable[[str], bool]:
    """Return `value OPERATOR operand` for texts. `kind` of the operand: word, quoted or regex.

    A star in the operand stands for any characters. Raises BadPattern.
    """
    if operator in _ORDER:
        bound = number(operand)
        if bound is None or kind == "regex":
            raise BadPattern(f"{operator} compares numbers, and '{operand}' is none")
        compare = _ORDER[operator]

        def ordered(value: str) -> bool:
            found = number(value)
            return found is not None and compare(found, bound)

        return ordered
    equal = _equality(operand, kind)
    return equal if operator == "=" else lambda value: not equal(value)


def _equality(operand: str, kind: str) -> Callable[[str], bool]:
    if kind == "regex":
        return regex(operand)
    if "*" in operand:
        parts = map(re.escape, operand.split("*"))
        expression = re2.compile(f"(?s){'.*'.join(parts)}")
        return lambda value: expression.fullmatch(value) is not None
    wanted = number(operand) if kind == "word" else None
    if wanted is not None:
        return lambda value: value == operand or number(value) == wanted
    return lambda value: value == operand
