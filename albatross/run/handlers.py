"""Which handler the TARGET of `albatross run` means, and the runtime that fits it."""

import ast
import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from albatross.setting import ConfigError

CANDIDATES = ("app.py", "lambda_function.py", "index.mjs", "index.js", "main.py")
BOOTSTRAP = "bootstrap"  # a runtime of the function's own
PROVIDED = "provided.al2023"
FUNCTIONS = ("handler", "lambda_handler")
_EXTENSIONS = (".py", ".mjs", ".js", ".cjs")
_FORMS = "TARGET is a file, a directory, or MODULE.FUNCTION, for example app.handler."
_NAMED_MAX = 3  # functions that a message names
_NODE_S = 10  # how long `node --version` may take


class NoHandler(ConfigError):
    """TARGET names no handler. The message says what was looked for."""


@dataclass(frozen=True, slots=True)
class Handler:
    """A function's code and entry point. `name` is Lambda's `Handler`: `app.handler`."""

    directory: str
    name: str
    runtime: str


def find(target: str) -> Handler:
    """Return the handler that `target` means: a directory, a file, or `module.function`.

    Raises NoHandler.
    """
    if not target:
        raise NoHandler(f"TARGET is empty. {_FORMS}")
    if os.path.isdir(target):
        return _in_directory(target)
    if os.path.isfile(target):
        return _in_file(target)
    return _named(target)


def _in_directory(directory: str) -> Handler:
    if not os.access(directory, os.R_OK | os.X_OK):
        raise NoHandler(f"{directory}: cannot be read: {os.strerror(errno.EACCES)}.")
    for name in CANDIDATES:
        path = os.path.join(directory, name)
        if os.path.isfile(path) and (function := _function_of(path)):
            return _handler(path, function)
    if os.path.isfile(os.path.join(directory, BOOTSTRAP)):
        return _in_file(os.path.join(directory, BOOTSTRAP))
    raise NoHandler(
        f"{directory} has no handler. Looked for {_any_of(CANDIDATES)} with a function "
        f"{_any_of(FUNCTIONS)}. Name the function: albatross run MODULE.FUNCTION"
    )


def _in_file(path: str) -> Handler:
    if os.path.basename(path) == BOOTSTRAP:
        if not os.access(path, os.X_OK):
            raise NoHandler(f"{path} is not executable: chmod +x {path}")
        return Handler(os.path.dirname(os.path.abspath(path)), BOOTSTRAP, PROVIDED)
    if os.path.splitext(path)[1] not in _EXTENSIONS:
        raise NoHandler(
            f"{path} is neither Python nor JavaScript ({', '.join(_EXTENSIONS)}). "
            "Other languages: compile them first, or deploy the function with `albatross serve`."
        )
    if function := _function_of(path):
        return _handler(path, function)
    stem = os.path.splitext(path)[0]
    there = _functions(path)
    raise NoHandler(
        f"{path} has no function {_any_of(FUNCTIONS)}. "
        f"{'Is it one of these?' if len(there) > 1 else 'Name the one it has:'} "
        + " or ".join(f"albatross run {stem}.{name}" for name in there or ("FUNCTION",))
    )


def _named(target: str) -> Handler:
    """`app.handler`, `src/app.handler`: a file; `package.module.handler`: one in a package."""
    stem, dot, function = target.rpartition(".")
    folder, _, module = stem.rpartition("/")
    if not (dot and module and function.isidentifier()):
        raise NoHandler(f"{target}: no such file or directory. {_FORMS}")
    if "." + function in _EXTENSIONS:
        raise NoHandler(f"{target}: no such file. {_FORMS}")
    paths = [os.path.join(folder, module.replace(".", "/") + end) for end in _EXTENSIONS]
    for path in filter(os.path.isfile, paths):
        return Handler(os.path.abspath(folder), f"{module}.{function}", _runtime(path))
    raise NoHandler(f"{target}: no such handler. Looked for {_any_of(paths)}. {_FORMS}")


def _handler(path: str, function: str) -> Handler:
    folder, name = os.path.split(os.path.abspath(path))
    module = os.path.splitext(name)[0]
    if "." in module:
        raise NoHandler(f"{path}: a module's name cannot hold a dot. Rename the file.")
    return Handler(folder, f"{module}.{function}", _runtime(path))


def _function_of(path: str) -> str | None:
    """Return which of `FUNCTIONS` the file defines, without running it."""
    source = _source(path)
    names = _python_names(source, path) if path.endswith(".py") else _exports(source)
    return next((name for name in FUNCTIONS if name in names), None)


def _functions(path: str) -> list[str]:
    """Return functions of the Python file that can be handlers: public, of two arguments."""
    if not path.endswith(".py"):
        return []
    return [
        node.name
        for node in ast.parse(_source(path)).body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and len(node.args.posonlyargs + node.args.args) == 2
    ][:_NAMED_MAX]


def _source(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError as error:
        raise NoHandler(f"{path}: cannot be read: {error.strerror}.") from None


def _python_names(source: str, path: str) -> set[str]:
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        raise NoHandler(f"{path}:{error.lineno}: {error.msg}") from None
    names = set()
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names.update(alias.asname or alias.name for alias in aliases)
            case ast.Assign(targets=targets):
                names.update(target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return names


def _exports(source: str) -> set[str]:
    """Return which of `FUNCTIONS` a JavaScript module seems to export."""
    exported = r"(?:export\b[^;=]*?|exports\s*\.\s*|module\.exports\s*=\s*\{{[^}}]*?)\b{}\b"
    return {name for name in FUNCTIONS if re.search(exported.format(name), source)}


def _runtime(path: str) -> str:
    """Return the name of the runtime that is installed here for the file `path`."""
    if path.endswith(".py"):
        return f"python{sys.version_info.major}.{sys.version_info.minor}"
    node = shutil.which("node")
    if node is None:
        raise NoHandler(f"{path} needs Node.js, and there is no `node` on PATH. Install it.")
    printed = subprocess.run(
        [node, "--version"], stdout=subprocess.PIPE, text=True, timeout=_NODE_S, check=True
    ).stdout
    return f"nodejs{printed.removeprefix('v').partition('.')[0]}.x"


def _any_of(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
