"""What a data directory says of itself: by which layout it is kept, and for which database.

    version.json    {"version": 1, "store_id": "..."}

Packages and keys of no resource are removed, so a directory must never be used with a database
other than its own.
"""

import json
from pathlib import Path
from typing import Any

from albatross.store import durable
from albatross.store.engine import UnusableData

VERSION = 1  # of packages/, code/, certificates/, ca/, trust/ and the like
FILE = "version.json"


def require_known(directory: Path) -> None:
    """Raise UnusableData where a newer Albatross has written `directory`."""
    version = _read(directory).get("version", VERSION)
    if type(version) is not int or version > VERSION:
        raise UnusableData(
            f"the data directory {directory} was written by a newer Albatross (version {version} "
            f"in {FILE}, this one knows {VERSION}): run that version, or choose another with "
            "--data-dir"
        )


def bind(directory: Path, store_id: str) -> None:
    """Note that `directory` belongs to that database. Raises UnusableData if to another one."""
    known = _read(directory).get("store_id", store_id)
    if known != store_id:
        raise UnusableData(
            f"the data directory {directory} belongs to another database, for which it keeps "
            "packages and keys: name that database with --database (without it: state.db in the "
            f"directory), or choose another directory with --data-dir. Without {FILE} there, the "
            "directory goes over to this database, and what it keeps for the other is removed"
        )
    text = json.dumps({"version": VERSION, "store_id": store_id}).encode() + b"\n"
    path = directory / FILE
    if not path.exists() or path.read_bytes() != text:
        durable.replace(path, text)


def _read(directory: Path) -> dict[str, Any]:
    path = directory / FILE
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UnusableData(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise UnusableData(f"{path} cannot be read: it is no object")
    return document
