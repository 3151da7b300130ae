"""Which command runs a function of a named runtime on this machine.

A `pythonX.Y` or `nodejsN.x` runs on the interpreter of that name where one is found (PATH, pyenv,
uv, nvm), else on the nearest one there is, with a warning that names both. Python functions run on
AWS's own runtime client; for an interpreter other than ours it is installed once, into the data
directory, by that interpreter's pip.
"""

import logging
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from albatross.model.function import Function

log = logging.getLogger(__name__)

PYTHON_RUNTIME = Path(__file__).parent / "python" / "runtime.py"
NODE_BOOTSTRAP = Path(__file__).parent / "node" / "bootstrap.mjs"
_PROBE_S = 10
_INSTALL_S = 120
_OWN_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


class Unavailable(Exception):
    """Nothing on this machine can run the runtime; the message names what is missing."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A command line, what its environment needs besides Lambda's variables, what it must read.

    With `channel`, the number of the descriptor of its channel (host/channel.py) is appended to the
    command.
    """

    command: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)
    reads: tuple[Path, ...] = ()
    channel: bool = False


def find(function: Function, task_root: Path, cache: Path, *, channels: bool = True) -> Runtime:
    """Return how to run `function` from `task_root`. Raises Unavailable. May take long."""
    name = function.runtime
    if name.startswith("python"):
        return _python(name, function.handler, cache, channels)
    if name.startswith("nodejs"):
        return replace(_node(name), channel=channels)
    if name.startswith("provided"):
        bootstrap = task_root / "bootstrap"
        if not os.access(bootstrap, os.X_OK):
            raise Unavailable(
                "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
            )
        return Runtime((str(bootstrap),))
    raise Unavailable(
        f"the runtime {name} cannot be run here: "
        "Albatross runs functions of python*, nodejs* and provided.*"
    )


def _python(name: str, handler: str, cache: Path, channels: bool) -> Runtime:
    interpreter, packages = _interpreter(name, cache)
    variables = {"PYTHONPATH": str(packages)} if packages else {}
    reads = (*_homes(interpreter), *([packages] if packages else []))
    if not channels:
        return Runtime((interpreter, "-m", "awslambdaric", handler), variables, reads)
    command = (interpreter, str(PYTHON_RUNTIME), handler)
    return Runtime(command, variables, reads, channel=True)


@lru_cache(maxsize=64)
def _interpreter(name: str, cache: Path) -> tuple[str, Path | None]:
    """Return the interpreter for `name` and the directory of its runtime client, if any."""
    if name == _OWN_PYTHON:
        return sys.executable, None
    wanted = name.removeprefix("python")
    for candidate in _pythons(wanted):
        if (
            _output([candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
            != wanted
        ):
            continue
        packages = _client(candidate, cache / name)
        if packages is not None:
            return candidate, packages
    # differs from AWS: a Python or Node.js that is not installed is replaced by the nearest one
    # that is, with a warning in the log.
    log.warning("%s is not installed here: its functions run on %s instead", name, _OWN_PYTHON)
    return sys.executable, None


def _pythons(wanted: str) -> list[str]:
    home = Path.home()
    found = [shutil.which(f"python{wanted}")]
    found += map(str, sorted(home.glob(f".pyenv/versions/{wanted}.*/bin/python{wanted}")))
    found += map(
        str, sorted(home.glob(f".local/share/uv/python/cpython-{wanted}.*/bin/python{wanted}"))
    )
    return [path for path in found if path]


def _client(interpreter: str, target: Path) -> Path | None:
    """Install AWS's runtime client (and boto3, which Lambda has) for `interpreter`, once."""
    if target.is_dir():
        return target
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    packages = [f"awslambdaric=={version('awslambdaric')}", "boto3"]
    log.info("installing the Lambda runtime client for %s into %s", interpreter, target)
    command = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        subprocess.run(
            [*command, "--target", str(partial), *packages],
            check=True,
            capture_output=True,
            text=True,
            timeout=_INSTALL_S,
        )
        partial.replace(target)
    except subprocess.CalledProcessError as error:
        log.warning(
            "%s: pip install of %s failed: %s", interpreter, packages[0], error.stderr.strip()
        )
        shutil.rmtree(partial, ignore_errors=True)
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("%s: pip install of %s failed: %s", interpreter, packages[0], error)
        shutil.rmtree(partial, ignore_errors=True)
    return target if target.is_dir() else None


@lru_cache(maxsize=64)
def _node(name: str) -> Runtime:
    major = name.removeprefix("nodejs").partition(".")[0]
    nearest: tuple[str, str] | None = None
    for candidate in _nodes(major):
        found = (_output([candidate, "--version"]) or "").removeprefix("v")
        if found.partition(".")[0] == major:
            return Runtime((candidate, str(NODE_BOOTSTRAP)), reads=_homes(candidate))
        if found and nearest is None:
            nearest = candidate, found
    if nearest is None:
        raise Unavailable(f"the runtime {name} needs Node.js, and there is no `node` on PATH")
    log.warning("Node.js %s is not installed here: %s functions run on %s", major, name, nearest[1])
    return Runtime((nearest[0], str(NODE_BOOTSTRAP)), reads=_homes(nearest[0]))


def _nodes(major: str) -> list[str]:
    found = [shutil.which("node"), shutil.which("nodejs")]
    found += map(str, sorted(Path.home().glob(f".nvm/versions/node/v{major}.*/bin/node")))
    return [path for path in found if path]


def _homes(executable: str) -> tuple[Path, ...]:
    """Return the directories an interpreter is read from, and those of this package."""
    real = Path(executable).resolve().parent.parent
    package = Path(__file__).parents[2]
    return (Path(executable).parent.parent, real, Path(sys.prefix), Path(sys.base_prefix), package)


def _output(command: list[str]) -> str | None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROBE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
