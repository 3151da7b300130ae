"""Space-delimited filter patterns: `[ip, user, ..., status = 4*, bytes > 1000]`. Pure."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from albatross.logs.filter_values import BadPattern, comparison

_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|\[([^\]]*)\]|(\S+)')
_WORD_AFTER_BRACKETS = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_COLUMN = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|%(?:[^%\\]|\\.)*%|[^,"%])*""")
_CONDITION = re.compile(
    r"""\s*(?P<open>\(?)\s*(?P<name>[\w$@.-]*?)\s*(?P<operator>!=|<=|>=|=|<|>)\s*(?:
        "(?P<quoted>(?:[^"\\]|\\.)*)" | %(?P<regex>(?:[^%\\]|\\.)*)% | (?P<word>[^\s&|()"%]+)
    )\s*\)?\s*""",
    re.VERBOSE,
)
_JOINT = re.compile(r"&&|\|\|")
_NAME = re.compile(r"\(?\s*\$?([\w@.-]+)")
_REST = "..."

Test = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Columns:
    """What the first words must be, and, after a number of others, the last ones.

    `after`: None where there are no others in between.
    """

    before: list[str]
    after: list[str] | None


def compiled(text: str) -> Callable[[str], bool]:
    """Return what tells whether the words of a message match. Raises BadPattern."""
    columns = _parsed(text)
    before = [_column(each) for each in columns.before]
    after = [_column(each) for each in columns.after] if columns.after is not None else None

    def matches(message: str) -> bool:
        words = _words(message)
        if after is None:
            return len(words) == len(before) and _all(before, words)
        if len(words) < len(before) + len(after):
            return False
        return _all(before, words) and _all(after, words[len(words) - len(after) :])

    return matches


def values(text: str, message: str) -> dict[str, str]:
    """Return the words of a message that matches: by `$` and a column's name, or its number."""
    columns, words = _parsed(text), _words(message)
    names = [_name(each) for each in columns.before]
    if columns.after is not None:
        others = len(words) - len(names) - len(columns.after)
        names += [""] * others + [_name(each) for each in columns.after]
    return {
        f"${name or number}": word
        for number, (name, word) in enumerate(zip(names, words, strict=True), start=1)
    }


def _parsed(text: str) -> _Columns:
    if not text.endswith("]"):
        raise BadPattern("']' is missing")
    inner = text[1:-1]
    if not inner.strip():  # CloudWatch Logs API, `TestMetricFilter`: any words, without names
        return _Columns([], [])
    columns = _columns(inner)
    if columns.count(_REST) > 1:
        raise BadPattern("... may be there once")
    if _REST not in columns:
        return _Columns(columns, None)
    place = columns.index(_REST)
    return _Columns(columns[:place], columns[place + 1 :])


def _name(column: str) -> str:
    """Return the name of a column without its conditions, "" where it has none."""
    match = _NAME.match(column)
    return match[1] if match is not None else ""


def _all(tests: list[Test], words: list[str]) -> bool:
    return all(test(word) for test, word in zip(tests, words, strict=False))


def _words(message: str) -> list[str]:
    """Return the words of a message; what is in quotes or brackets is one."""
    words, at = [], 0
    last = message.rfind("]")  # beyond it, each bracket would be looked for to the end in vain
    while match := (_WORD if at <= last else _WORD_AFTER_BRACKETS).search(message, at):
        words.append("".join(filter(None, match.groups())))
        at = match.end()
    return words


def _columns(text: str) -> list[str]:
    columns, at = [], 0
    while True:
        match = _COLUMN.match(text, at)
        assert match is not None  # it may match nothing
        columns.append(match[0].strip())
        at = match.end()
        if at == len(text):
            return columns
        if text[at] != ",":
            raise BadPattern(f"a quote or % without its end, at '{text[at : at + 20]}'")
        at += 1


def _column(text: str) -> Test:
    """Return the test of one column; one that has a name only takes any word."""
    if not any(operator in text for operator in "=<>"):
        if re.search(r"\s", text):
            raise BadPattern(f"columns are separated by commas: '{text}'")
        return lambda word: True
    alternatives: list[list[Test]] = [[]]
    at = 0
    while True:
        match = _CONDITION.match(text, at)
        if match is None:
            raise BadPattern(f"a condition such as status = 404 was expected, at '{text[at:]}'")
        kind = next(k for k in ("quoted", "regex", "word") if match[k] is not None)
        alternatives[-1].append(comparison(match["operator"], match[kind], kind))
        at = match.end()
        if at == len(text):
            break
        joint = _JOINT.match(text, at)
        if joint is None:
            raise BadPattern(f"&& or || was expected, at '{text[at:]}'")
        if joint[0] == "||":
            alternatives.append([])
        at = joint.end()
    return lambda word: any(all(test(word) for test in tests) for tests in alternatives)
