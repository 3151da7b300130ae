"""The files of a function's layers, as one directory that becomes /opt.

    layers/NAME/    in the data directory; NAME is of the packages and their order

The files are links to those of the unpacked packages, so merging costs neither space nor much time.
Source: Lambda guide, "Layer paths for each Lambda runtime": layers are merged in order, and of
several files of one name the last layer's is seen.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from albatross.model.function import Function
from albatross.model.layer import merged_name

OPT = Path("/opt")


def directory(function: Function, data_dir: Path) -> Path | None:
    """Return the directory with the layers of `function`, made if it is not there yet.

    None where it has no layers. Raises OSError.
    """
    sources = [data_dir / "code" / layer.content.digest for layer in function.layers]
    if not sources:
        return None
    target = data_dir / "layers" / merged_name(source.name for source in sources)
    if not target.is_dir():
        scratch = Path(tempfile.mkdtemp(dir=data_dir / "tmp"))
        try:
            merged = scratch / "opt"
            _make(merged)
            for source in sources:
                _add(source, merged)
            target.parent.mkdir(exist_ok=True)
            with suppress(OSError):  # another was first with the same files
                merged.rename(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    if not target.is_dir():
        raise FileNotFoundError(f"the layers of {function.name} cannot be merged into {target}")
    return target


def _add(source: Path, target: Path) -> None:
    """Put what is in `source` into `target`, over what is there.

    Never through a symbolic link of an earlier layer: that is replaced by a directory.
    """
    for entry in os.scandir(source):
        path = target / entry.name
        if entry.is_dir(follow_symlinks=False):
            if path.is_symlink() or path.is_file():
                path.unlink()
            if not path.is_dir():
                _make(path)
            _add(Path(entry.path), path)
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        try:
            os.link(entry.path, path, follow_symlinks=False)
        except OSError:  # a file system without links
            shutil.copy2(entry.path, path, follow_symlinks=False)


def _make(directory: Path) -> None:
    """Make a directory that everyone may look into, whatever the mask of this process."""
    directory.mkdir()
    directory.chmod(0o755)


def variables(function: Function, runtime: Mapping[str, str], opt: Path) -> dict[str, str]:
    """Return variables by which the runtime finds the libraries of layers in `opt`.

    `runtime`: those that it needs anyway. Source: Lambda guide, "Layer paths for each Lambda
    runtime"; a PYTHONPATH or NODE_PATH of the function's own takes the place of these.
    """
    name, found = function.runtime, {}
    if name.startswith("python") and "PYTHONPATH" not in function.environment:
        paths = [f"{opt}/python/lib/{name}/site-packages", f"{opt}/python"]
        paths += [runtime["PYTHONPATH"]] if "PYTHONPATH" in runtime else []
        found["PYTHONPATH"] = ":".join(paths)
    if "NODE_PATH" in runtime and "NODE_PATH" not in function.environment:
        found["NODE_PATH"] = runtime["NODE_PATH"].replace(f"{OPT}/", f"{opt}/")
    return found
