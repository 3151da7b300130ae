"""JSON filter patterns: `{ ($.level = "ERROR" || $.status >= 500) && $.user NOT EXISTS }`. Pure."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from albatross.logs.filter_values import OPERATORS, BadPattern, comparison

_ABSENT = object()
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<mark>[{}()]|&&|\|\|)
      | (?P<selector>\$(?:\.?\[\s*(?:\d+|\*|'[^']*'|"[^"]*")\s*\]|\.[^\s.\[\]=!<>(){}&|"'%]+)*)
      | (?P<operator>!=|<=|>=|=|<|>)
      | "(?P<quoted>(?:[^"\\]|\\.)*)"
      | %(?P<regex>(?:[^%\\]|\\.)*)%
      | (?P<word>[^\s{}()&|=!<>"%]+)
    )""",
    re.VERBOSE,
)
_STEP = re.compile(r"""\.?\[\s*(?:(\d+|\*)|'([^']*)'|"([^"]*)")\s*\]|\.([^.\[\]]+)""")

Test = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def compiled(text: str) -> Callable[[str], bool]:
    """Return what tells whether a message is a JSON object that matches. Raises BadPattern."""
    test = _Parser(text).whole()

    def matches(message: str) -> bool:
        if "{" not in message:
            return False
        try:
            document = orjson.loads(message)
        except orjson.JSONDecodeError:
            return False
        return test(document)

    return matches


def values(text: str, message: str) -> dict[str, str]:
    """Return what a document that matches has where the pattern's selectors lead."""
    document = orjson.loads(message)
    selectors = [token.text for token in _tokens(text) if token.kind == "selector"]
    found = {selector: _first(document, _steps(selector)) for selector in selectors}
    return {selector: value for selector, value in found.items() if value is not None}


def _first(document: Any, steps: list[str | int]) -> str | None:
    scalars = (value for value in _values(document, steps) if _is_scalar(value))
    return next(map(_shown, scalars), None)


class _Parser:
    """Recursive descent: alternatives of conjunctions of conditions and parentheses."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    def whole(self) -> Test:
        self._expect("{")
        test = self._either()
        self._expect("}")
        if self._at < len(self._tokens):
            raise BadPattern("there is something after }")
        return test

    def _either(self) -> Test:
        tests = [self._both()]
        while self._take("mark", "||"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda doc: any(test(doc) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._take("mark", "&&"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda doc: all(test(doc) for test in tests)

    def _one(self) -> Test:
        if self._take("mark", "("):
            test = self._either()
            self._expect(")")
            return test
        token = self._next()
        if token.kind != "selector":
            raise BadPattern(f"a selector such as $.level was expected, not '{token.text}'")
        return self._condition(_steps(token.text))

    def _condition(self, steps: list[str | int]) -> Test:
        token = self._next()
        if token.kind == "word":
            return self._state(steps, token.text.upper())
        if token.kind != "operator":
            raise BadPattern(f"one of {' '.join(OPERATORS)} was expected, not '{token.text}'")
        operand = self._next()
        if operand.kind not in ("quoted", "regex", "word"):
            raise BadPattern(f"a value was expected, not '{operand.text}'")
        compare = comparison(token.text, operand.text, operand.kind)
        return lambda doc: any(
            compare(_shown(value)) for value in _values(doc, steps) if _is_scalar(value)
        )

    def _state(self, steps: list[str | int], word: str) -> Test:
        rest = self._next().text.upper()
        if (word, rest) == ("NOT", "EXISTS"):
            return lambda doc: not any(value is not _ABSENT for value in _values(doc, steps))
        known = {"NULL": None, "TRUE": True, "FALSE": False}
        if word != "IS" or rest not in known:
            raise BadPattern(f"'{word} {rest}' is none of IS NULL, IS TRUE, IS FALSE, NOT EXISTS")
        wanted = known[rest]
        return lambda doc: any(value is wanted for value in _values(doc, steps))

    def _next(self) -> _Token:
        if self._at == len(self._tokens):
            raise BadPattern("it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, kind: str, text: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at] == _Token(kind, text)
        self._at += found
        return found

    def _expect(self, mark: str) -> None:
        if not self._take("mark", mark):
            raise BadPattern(f"'{mark}' is missing")


def _tokens(text: str) -> Iterator[_Token]:
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise BadPattern(f"it cannot be read from '{text[at : at + 20].strip()}' on")
        found = match[match.lastgroup]
        if match.lastgroup == "quoted":
            found = re.sub(r"\\(.)", r"\1", found)
        yield _Token(match.lastgroup, found)
        at = match.end()


def _steps(selector: str) -> list[str | int]:
    """Return the way to a value: names, numbers, and * for each element."""
    steps: list[str | int] = []
    for index, single, double, name in _STEP.findall(selector):
        steps.append(int(index) if index.isdigit() else index or single or double or name)
    return steps


def _values(document: Any, steps: list[str | int]) -> Iterator[Any]:
    """Yield what is at the end of the way; nothing, or _ABSENT, where nothing is."""
    if not steps:
        yield document
        return
    step, *rest = steps
    match step, document:
        case "*", list():
            for item in document:
                yield from _values(item, rest)
        case "*", dict() if "*" not in document:
            for item in document.values():
                yield from _values(item, rest)
        case int(), list() if step < len(document):
            yield from _values(document[step], rest)
        case _, dict() if str(step) in document:
            yield from _values(document[str(step)], rest)
        case _:
            yield _ABSENT


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
