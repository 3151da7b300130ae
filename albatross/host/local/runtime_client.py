"""AWS's runtime client for Python, and boto3, for interpreters other than our own.

Over the channel (host/channel.py) the client needs nothing compiled: then what is installed beside
us, copied and byte-compiled, serves any Python that its packages allow, without a network. One
compiled part, the encoder of results, is fetched afterwards and used by environments that start
later. Else all of it is installed by the interpreter's pip, once for all servers of a user.
"""

import fcntl
import hashlib
import importlib
import logging
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

from albatross.host.local.interpreters import Interpreter

log = logging.getLogger(__name__)

_CLIENT = "awslambdaric"
_SHARED = (
    *(_CLIENT, "simplejson", "snapshot-restore-py", "boto3", "botocore", "s3transfer", "jmespath"),
    *("python-dateutil", "six", "urllib3"),
)
_ENCODER = "simplejson"
_INSTALL_S = 180
_running: set[subprocess.Popen[str]] = set()
_tried: set[Path] = set()  # clients for which an encoder was looked for


def _metadata() -> ModuleType:
    """Return `importlib.metadata`: 3 MB that hosts of one Python do without."""
    return importlib.import_module("importlib.metadata")


class NotInstalled(Exception):
    """The client is missing and cannot be installed; the message names the remedy."""


def cache_directory() -> Path:
    """Return where clients are kept: the user's cache directory, `albatross/runtimes` in it."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root, "albatross", "runtimes")


def packages(interpreter: Interpreter, cache: Path, *, compiled: bool) -> Path:
    """Return a directory with the client for `interpreter`, made now if need be.

    With `compiled`, its module that speaks HTTP is there, too. Raises NotInstalled. May take long.
    """
    name = f"python{'.'.join(map(str, interpreter.version))}"
    shared = not compiled and all(_allows(each, interpreter) for each in _SHARED)
    target = (
        cache / f"{name}-{_CLIENT}-{_metadata().version(_CLIENT)}{_shared_mark() if shared else ''}"
    )
    if not target.is_dir():
        with _alone(target):
            if not target.is_dir():
                (_share if shared else _install)(interpreter, target)
    if shared and target not in _tried:
        _tried.add(target)
        threading.Thread(target=_add_encoder, args=(interpreter, target), daemon=True).start()
    return target


def stop() -> None:
    """End the installations that are running."""
    for process in list(_running):
        process.kill()


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Keep other servers and threads from making `target` meanwhile."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target.with_name(f"{target.name}.lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise NotInstalled(
            f"{target.parent} cannot be written ({error}): make it writable, or name another "
            "directory in the variable XDG_CACHE_HOME"
        ) from error


def _shared_mark() -> str:
    """Return a mark of what is installed beside us, and of where: links lead there."""
    found = map(_metadata().distribution, _SHARED)
    facts = [f"{each.locate_file('')} {each.version}" for each in found]
    return "-" + hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]


def _allows(package: str, interpreter: Interpreter) -> bool:
    """Tell whether the package that is installed beside us runs on `interpreter`."""
    try:
        wanted = _metadata().distribution(package).metadata["Requires-Python"] or ""
    except ImportError:  # there is no such package
        return False
    from packaging.specifiers import SpecifierSet  # only now, as `_metadata`

    return SpecifierSet(wanted).contains(".".join(map(str, interpreter.version)) + ".99")


def _share(interpreter: Interpreter, target: Path) -> None:
    """Make `target` of what is installed beside us, with byte code: functions may not write."""
    partial = _fresh(target)
    for package in _SHARED:
        for top in _tops(package):
            _copy(top, partial / top.name)
    _run([interpreter.path, "-m", "compileall", "-q", "-j1", str(partial)])
    _finish(partial, target)


def _copy(source: Path, target: Path) -> None:
    """Copy code, and link to data, of which boto3 has 28 MB."""
    if source.is_dir() and any(source.rglob("*.py")):
        target.mkdir()
        for each in source.iterdir():
            if each.name != "__pycache__" and each.suffix != ".so":
                _copy(each, target / each.name)
    elif source.suffix == ".py":
        shutil.copy2(source, target)
    else:
        target.symlink_to(source)


def _tops(package: str) -> set[Path]:
    """Return the directories and modules of an installed package, without its metadata."""
    found = _metadata().distribution(package)
    tops = {Path(file).parts[0] for file in found.files or () if file.suffix == ".py"}
    tops = {top for top in tops if not top.startswith((".", "__")) and top != "bin"}
    return {Path(str(found.locate_file(top))) for top in tops}


def _install(interpreter: Interpreter, target: Path) -> None:
    log.info("installing the Lambda runtime client for %s into %s", interpreter.path, target)
    partial = _fresh(target)
    wanted = _CLIENT
    if _allows(_CLIENT, interpreter):
        wanted = f"{_CLIENT}=={_metadata().version(_CLIENT)}"
    output = _pip(interpreter, partial, [wanted, "boto3"])
    if output is not None:
        shutil.rmtree(partial, ignore_errors=True)
        major, minor, *_ = interpreter.version
        raise NotInstalled(
            f"Python {major}.{minor} needs the package {_CLIENT}, and pip could not install it "
            f"({output or 'it was ended'}). With a network and pip there, the next request tries "
            f"again. By hand: {interpreter.path} -m pip install --target {target} {wanted} boto3"
        )
    _finish(partial, target)


def _add_encoder(interpreter: Interpreter, target: Path) -> None:
    """Add the compiled encoder to a shared client, if it is missing and there is one to be had."""
    own = target.with_name(f"{target.name}-{_ENCODER}")
    package = f"{_ENCODER}=={_metadata().version(_ENCODER)}"
    try:
        with _alone(own):
            if any(target.glob(f"{_ENCODER}/*.so")):
                return
            partial = _fresh(own)
            why = _pip(interpreter, partial, ["--no-deps", "--only-binary", ":all:", package])
            for module in partial.glob(f"{_ENCODER}/*.so"):
                module.chmod(0o755)
                module.replace(target / _ENCODER / module.name)
            shutil.rmtree(partial, ignore_errors=True)
    except NotInstalled as error:
        why = str(error)
    if why is not None:
        log.info("%s runs without the faster encoder of results: %s", interpreter.path, why)


def _pip(interpreter: Interpreter, target: Path, packages: list[str]) -> str | None:
    """Install into `target`. Returns None, or the last line of what pip has to complain of."""
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--retries", "1"]
    command = [interpreter.path, "-m", "pip", "install", *options, "--target", str(target)]
    return _run([*command, *packages])


def _run(command: list[str]) -> str | None:
    """Run a program to its end. Returns None, or the last line that it printed when it failed."""
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except OSError as error:
        return str(error)
    _running.add(process)
    try:
        output, _ = process.communicate(timeout=_INSTALL_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return f"it took longer than {_INSTALL_S} seconds"
    finally:
        _running.discard(process)
    if process.returncode == 0:
        return None
    return next((line for line in reversed(output.splitlines()) if line.strip()), "")


def _fresh(target: Path) -> Path:
    """Return a new directory beside `target`, which we make `_alone`: what others left is old."""
    for old in target.parent.glob(f"{target.name}.[0-9]*"):
        shutil.rmtree(old, ignore_errors=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    partial.mkdir(mode=0o755)
    return partial


def _finish(partial: Path, target: Path) -> None:
    """Let functions of other users read everything, and put it in place at once."""
    for path in partial.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    with suppress(FileExistsError):
        partial.replace(target)
