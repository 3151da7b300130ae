"""What a function has printed, as `albatross run` shows it: for its author, not for a log. Pure.

Left out is what tells of the platform only: Lambda's own lines, a runtime's advice, and calls of
the runtime in stack traces. An error that Node.js's runtime logs as one line of JSON gets several.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

_PLATFORM = ("START RequestId: ", "END RequestId: ", "REPORT RequestId: ")
_ADVICE = "\tLAMBDA_WARNING: Unhandled exception. "  # of AWS's runtime client for Python
_NODE_ERROR = re.compile(
    r"\S+Z\t\S+\tERROR\t(Invoke Error|Uncaught Exception|Unhandled Promise Rejection) \t(\{.*\})"
)
_NODE_OWN = re.compile(r"^\s+at .*(/albatross/host/node/|\bnode:internal/)")
_PYTHON_FRAME = re.compile(r'^(\s*)File "([^"]+)", line \d+')
_PYTHON_OWN = (
    *("<frozen importlib", "<frozen runpy>", "/importlib/__init__.py"),
    *("/awslambdaric/", "/albatross/host/python/"),
)
_SAID = ("errorType", "errorMessage", "stack", "reason", "promise")  # of an error's members


def printed(text: str) -> list[str]:
    """Return the lines to show for `text`, whole lines that a function or its runtime wrote."""
    lines = text.replace("\xa0", " ").splitlines()  # runtimes indent with those
    kept = [line for line in lines if not line.startswith(_PLATFORM) and _ADVICE not in line]
    return list(_without_own_calls(each for line in kept for each in _node_error(line)))


def trace(error: Mapping[str, Any]) -> list[str]:
    """Return the lines of the stack trace in an error document."""
    found = error.get("stackTrace") or error.get("trace")
    if not isinstance(found, list):
        return []
    lines = [line for part in found for line in str(part).splitlines()]
    return list(_without_own_calls(lines))


def _node_error(line: str) -> Iterable[str]:
    """Yield the lines of an error that is logged as JSON; any other line as it is."""
    match = _NODE_ERROR.fullmatch(line)
    try:
        error = orjson.loads(match[2]) if match else None
    except orjson.JSONDecodeError:
        error = None
    if match is None or not isinstance(error, dict):
        yield line
        return
    yield f"[ERROR] {match[1]}"
    reason = error.get("reason")
    stack = (reason if isinstance(reason, dict) else error).get("stack")
    yield from map(str, stack if isinstance(stack, list) else [error.get("errorMessage")])
    others = {name: value for name, value in error.items() if name not in _SAID}
    if others:
        yield orjson.dumps(others).decode()


def _without_own_calls(lines: Iterable[str]) -> Iterator[str]:
    """Leave out calls of the runtime and of what loads modules, which no author can change."""
    indent: int | None = None  # of a call that is left out: the code below it goes too
    for line in lines:
        frame = _PYTHON_FRAME.match(line)
        if indent is not None and not frame and line.startswith(" " * (indent + 1)):
            continue
        is_own = frame is not None and any(part in frame[2] for part in _PYTHON_OWN)
        indent = len(frame[1]) if frame and is_own else None
        if not is_own and not _NODE_OWN.match(line):
            yield line
