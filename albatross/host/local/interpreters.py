"""Pythons and Node.js of this machine: the one that a runtime's name asks for, or the nearest.

They are looked for on PATH and where version managers keep what they install: pyenv, uv, asdf and
mise; nvm, fnm, volta and n. A version manager's stand-in on PATH is asked for the real program.
"""

import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path

log = logging.getLogger(__name__)

_PROBE_S = 10
_PYTHON_MIN, _NODE_MIN = (3, 8), (16,)
_NUMBERS = re.compile(r"\d+(?:\.\d+)*")

# Patterns below a directory that a variable names, with its default.
_PYTHONS = (
    ("PYENV_ROOT", "~/.pyenv", "versions/3.*/bin/python3"),
    ("UV_PYTHON_INSTALL_DIR", "~/.local/share/uv/python", "cpython-3.*/bin/python3"),
    ("ASDF_DATA_DIR", "~/.asdf", "installs/python/3.*/bin/python3"),
    ("MISE_DATA_DIR", "~/.local/share/mise", "installs/python/3.*/bin/python3"),
)
_NODES = (
    ("NVM_DIR", "~/.nvm", "versions/node/v*/bin/node"),
    ("FNM_DIR", "~/.local/share/fnm", "node-versions/v*/installation/bin/node"),
    ("FNM_DIR", "~/Library/Application Support/fnm", "node-versions/v*/installation/bin/node"),
    ("VOLTA_HOME", "~/.volta", "tools/image/node/*/bin/node"),
    ("N_PREFIX", "/usr/local", "n/versions/node/*/bin/node"),
    ("ASDF_DATA_DIR", "~/.asdf", "installs/nodejs/*/bin/node"),
    ("MISE_DATA_DIR", "~/.local/share/mise", "installs/node/*/bin/node"),
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An executable and its version: (3, 12) of Python, (20,) of Node.js."""

    path: str
    version: tuple[int, ...]


_found: dict[str, Interpreter] = {}  # by runtime


def python(name: str) -> Interpreter | None:
    """Return the Python for the runtime `name`, `pythonX.Y`, or None. May take a second."""
    return _remembered(name, _find_python)


def node(name: str) -> Interpreter | None:
    """Return the Node.js for the runtime `name`, `nodejsX.x`, or None. May take a second."""
    return _remembered(name, _find_node)


def forget() -> None:
    """Look for everything again."""
    _found.clear()


def _remembered(name: str, find: Callable[[str], Interpreter | None]) -> Interpreter | None:
    """Return what was found before, if it is still there, else what is found now."""
    before = _found.get(name)
    if before is not None and os.path.exists(before.path):
        return before
    now = find(name)
    if now is not None:
        _found[name] = now
    return now


def _find_python(name: str) -> Interpreter | None:
    own = Interpreter(sys.executable, sys.version_info[:2])
    wanted = _numbers(name) or (3,)
    names = ["python3", "python", *(f"python3.{minor}" for minor in range(_PYTHON_MIN[1], 20))]
    found = chain([own], _on_path(names), _installed(_PYTHONS, digits=2))
    probe = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"
    chosen = _nearest(wanted, found, _PYTHON_MIN, ("-c", probe))
    return _warned(name, wanted, chosen, "Python")


def _find_node(name: str) -> Interpreter | None:
    wanted = _numbers(name)[:1] or (0,)  # `nodejs` alone was the first of them
    found = chain(_on_path(["node", "nodejs"]), _installed(_NODES, digits=1))
    probe = "process.versions.node.split('.')[0] + ' ' + process.execPath"
    return _warned(name, wanted, _nearest(wanted, found, _NODE_MIN, ("-p", probe)), "Node.js")


@lru_cache(maxsize=64)
def takes(path: str, flag: str) -> bool:
    """Tell whether the Node.js at `path` knows the command line flag."""
    done = subprocess.run(
        [path, flag, "-e", "0"], capture_output=True, timeout=_PROBE_S, check=False
    )
    return done.returncode == 0


def _warned(
    name: str, wanted: tuple[int, ...], chosen: Interpreter | None, kind: str
) -> Interpreter | None:
    # differs from AWS: a Python or Node.js that is not installed is replaced by the nearest one
    # that is, with a warning in the log.
    if chosen is not None and chosen.version != wanted:
        version = ".".join(map(str, chosen.version))
        log.warning(
            "%s is not installed here: its functions run on %s %s (%s) instead",
            *(name, kind, version, chosen.path),
        )
    return chosen


def _nearest(
    wanted: tuple[int, ...],
    candidates: Iterator[Interpreter],
    least: tuple[int, ...],
    probe: tuple[str, ...],
) -> Interpreter | None:
    """Return the first that runs, by its distance from `wanted`; the newer of two as far.

    None is asked for its version once that very version is found: each takes a start of its own.
    """

    def confirmed(candidate: Interpreter) -> Interpreter | None:
        if candidate.path == sys.executable:
            return candidate
        probed = _probed(candidate.path, probe)
        return probed if probed is not None and probed.version == candidate.version else None

    def distance(candidate: Interpreter) -> tuple[int, ...]:
        there, here = (_scale(version) for version in (wanted, candidate.version))
        return abs(there - here), -here

    known: list[Interpreter] = []
    for candidate in candidates:
        if not candidate.version:  # its name does not tell
            probed = _probed(candidate.path, probe)
            if probed is None:
                continue
            candidate = probed
        if candidate.version >= least:
            if candidate.version == wanted and (found := confirmed(candidate)):
                return found
            known.append(candidate)
    by_distance = map(confirmed, sorted(known, key=distance))
    return next((found for found in by_distance if found), None)


def _scale(version: tuple[int, ...]) -> int:
    major, minor, *_ = (*version, 0)
    return major * 100 + minor


def _on_path(names: Sequence[str]) -> Iterator[Interpreter]:
    for name in names:
        if path := shutil.which(name):
            version = _numbers(name)
            yield Interpreter(path, version if len(version) > 1 else ())


def _installed(patterns: Sequence[tuple[str, str, str]], *, digits: int) -> Iterator[Interpreter]:
    """Yield what version managers have installed, of each version the latest release first."""
    for variable, default, pattern in patterns:
        root = Path(os.environ.get(variable) or default).expanduser()
        found = [(_numbers(str(path.relative_to(root))), path) for path in root.glob(pattern)]
        for version, path in sorted(found, reverse=True):
            yield Interpreter(str(path), version[:digits])


def _numbers(text: str) -> tuple[int, ...]:
    """Return the first version number in `text`, () where there is none."""
    found = _NUMBERS.search(text)
    return tuple(map(int, found.group().split("."))) if found else ()


def _probed(path: str, probe: tuple[str, ...]) -> Interpreter | None:
    """Ask the program what it really is; None when it does not run."""
    try:
        done = subprocess.run(
            [path, *probe], capture_output=True, text=True, timeout=_PROBE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version, _, real = done.stdout.strip().partition(" ")
    if done.returncode != 0 or not real:
        return None
    return Interpreter(real, _numbers(version))
