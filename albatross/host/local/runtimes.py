"""Which command runs a function of a named runtime on this machine.

`interpreters.py` finds the Python or Node.js for it. Python functions run on AWS's own runtime
client, which `runtime_client.py` provides for interpreters other than ours. What AWS runs otherwise
(Java, .NET, Ruby, Go) has no runtime here: its functions can be created, and their invocations say
so.
"""

import errno
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from albatross.host.local import interpreters, layers, mounts, runtime_client
from albatross.host.local.runtime_client import NotInstalled
from albatross.model.function import Directory, Function

PYTHON_RUNTIME = Path(__file__).parents[1] / "python" / "runtime.py"
RUNTIME_DIR = str(mounts.RUNTIME_DIR)
NODE_BOOTSTRAP = Path(__file__).parents[1] / "node" / "bootstrap.mjs"
_NODE_EXPERIMENTS = {  # which Lambda turns off, in which runtimes
    "experimental-require-module": ("nodejs20.x", "nodejs22.x", "nodejs24.x"),
    "experimental-detect-module": ("nodejs22.x", "nodejs24.x"),
}
_FORK_ERRORS = {
    errno.ENOEXEC: "exec format error",
    errno.EACCES: "permission denied",
    errno.ENOENT: "no such file or directory",
}
_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
_READ_EARLY = ("PYTHON", "LD_", "LANG", "LC_", "MALLOC_", "GLIBC_")  # starts of variables
# What Lambda's own runtimes do before they hand over to a wrapper script.
_WRAP = """
[ -f "$0" ] || { echo "$0: does not exist"; exit 127; }
[ -x "$0" ] || { echo "$0: is not an executable"; exit 126; }
exec "$0" "$@"
"""


class Unavailable(Exception):
    """Nothing on this machine can run the runtime; the message names what is missing."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A command line, variables that go before the function's own, what it must read.

    The handler it reads from _HANDLER. With `channel` it is told of a channel (host/channel.py).
    `forks`: a fork of a process that runs it will do (host/local/template.py).
    """

    command: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)
    reads: tuple[Path, ...] = ()
    channel: bool = False
    forks: bool = False


def find(
    function: Function,
    task_root: Path,
    cache: Path | None = None,
    *,
    channels: bool = True,
    opt: Path | None = None,
) -> Runtime:
    """Return how to run `function` from `task_root`, with `opt` as its /opt.

    Raises Unavailable. May take long: a runtime client may have to be made, below `cache`.
    """
    name = function.runtime
    if name.startswith("python"):
        found = _python(function, cache or runtime_client.cache_directory(), channels)
        return replace(found, forks=channels and _may_fork(found, function, task_root, opt))
    if name.startswith("nodejs"):
        return _node(function, channels)
    if name.startswith("provided"):
        return _provided(task_root, opt)
    raise Unavailable(
        f"the runtime {name} cannot be run here: Albatross runs functions of python*, nodejs* and "
        "provided.*. What brings its own Runtime API client runs as provided.al2023, with an "
        "executable file `bootstrap` that starts it"
    )


def wrapped(command: list[str], function: Function, task_root: Path, opt: Path | None) -> list[str]:
    """Return `command`, handed to the function's wrapper script if it has one.

    Source: Lambda guide, "Modifying the runtime environment". The script's path is how Lambda calls
    it; `task_root` and `opt` are how the function finds /var/task and /opt here.
    """
    script = function.environment.get(_WRAPPER)
    if not script or function.runtime.startswith("provided"):
        return command
    for place, here in ((mounts.TASK_ROOT, task_root), (layers.OPT, opt)):
        if here is not None and Path(script).is_relative_to(place):
            script = str(here / Path(script).relative_to(place))
    return ["/bin/sh", "-c", _WRAP, script, *command]


def not_started(error: Exception) -> str:
    """Say why a process could not be started, in Lambda's words where it has some."""
    if isinstance(error, OSError) and error.errno in _FORK_ERRORS and error.filename:
        path = Path(error.filename)
        if path.parent.name == "extensions":
            seen = layers.OPT / "extensions" / path.name
        else:
            seen = path if path.parent == layers.OPT else Path("/var/task", path.name)
        return f"fork/exec {seen}: {_FORK_ERRORS[error.errno]}"
    return str(error)


def _python(function: Function, cache: Path, channels: bool) -> Runtime:
    name = function.runtime
    interpreter = interpreters.python(name)
    if interpreter is None:
        raise Unavailable(f"the runtime {name} needs Python, and there is none on PATH")
    own = function.environment.get("PYTHONPATH", RUNTIME_DIR)
    variables, reads = {"PYTHONPATH": own}, _homes(interpreter.path)
    if interpreter.version != sys.version_info[:2]:
        try:
            packages = runtime_client.packages(interpreter, cache, compiled=not channels)
        except NotInstalled as error:
            raise Unavailable(f"the runtime {name}: {error}") from error
        variables = {"PYTHONPATH": f"{own}:{packages}"}
        reads = (*reads, packages)
    fresh: tuple[str, ...] = ()
    if isinstance(function.code, Directory):
        # The tree is the user's: leave no byte code in it. And trust none: its time stamp has
        # whole seconds, an edit may come within one.
        variables["PYTHONDONTWRITEBYTECODE"] = "1"
        fresh = ("-X", "fresh")
    command = (interpreter.path, *fresh, str(PYTHON_RUNTIME))
    return Runtime(command, variables, reads, channel=channels)


def _may_fork(runtime: Runtime, function: Function, task_root: Path, opt: Path | None) -> bool:
    """Tell whether nothing is asked of an interpreter that it, or the linker, has to know early."""
    if runtime.command[0] != sys.executable or opt is not None:
        return False
    given = function.environment
    if _WRAPPER in given or any(name.startswith(_READ_EARLY) for name in given):
        return False
    try:
        return not any(".so" in name or name == "lib" for name in os.listdir(task_root))
    except OSError:
        return False  # its start will say so


def _node(function: Function, channels: bool) -> Runtime:
    name = function.runtime
    interpreter = interpreters.node(name)
    if interpreter is None:
        raise Unavailable(
            f"the runtime {name} needs Node.js 16 or newer, and there is no `node` on PATH"
        )
    # differs from AWS: the AWS SDK for JavaScript is not there unless the function's package or a
    # layer has it.
    major = name.removeprefix("nodejs").partition(".")[0]
    layers = f"/opt/nodejs/node{major}/node_modules:/opt/nodejs/node_modules"
    path = f"{layers}:{RUNTIME_DIR}/node_modules:{RUNTIME_DIR}:/var/task"
    return Runtime(
        (interpreter.path, *_node_flags(interpreter.path, function), str(NODE_BOOTSTRAP)),
        {"NODE_PATH": function.environment.get("NODE_PATH", path)},
        _homes(interpreter.path),
        channel=channels,
    )


def _node_flags(path: str, function: Function) -> list[str]:
    """Return the flags that turn off what Lambda turns off, unless the function wants it.

    Source: Lambda guide, "Building Lambda functions with Node.js", experimental features.
    """
    wanted = function.environment.get("NODE_OPTIONS", "").split()
    return [
        f"--no-{feature}"
        for feature, names in _NODE_EXPERIMENTS.items()
        if function.runtime in names
        and f"--{feature}" not in wanted
        and interpreters.takes(path, f"--no-{feature}")
    ]


def _provided(task_root: Path, opt: Path | None) -> Runtime:
    for root, seen in ((task_root, mounts.TASK_ROOT), (opt, layers.OPT)):
        if root is None or not (bootstrap := root / "bootstrap").is_file():
            continue
        if not os.access(bootstrap, os.X_OK):
            raise Unavailable(f"fork/exec {seen}/bootstrap: {_FORK_ERRORS[errno.EACCES]}")
        return Runtime((str(bootstrap),))
    raise Unavailable("Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]")


def _homes(executable: str) -> tuple[Path, ...]:
    """Return the directories an interpreter is read from, and those of this package."""
    real = Path(executable).resolve().parent.parent
    package = Path(__file__).parents[3]
    return (Path(executable).parent.parent, real, Path(sys.prefix), Path(sys.base_prefix), package)
