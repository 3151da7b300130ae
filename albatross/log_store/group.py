"""What a log group is, besides its events: the file `group.json` in its directory."""

import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

FILE = "group.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A log group. `deleted`: when streams were deleted, by name: what came before is gone."""

    name: str
    created_ms: int
    retention_days: int | None = None
    group_class: str = "STANDARD"
    is_protected: bool = False  # from being deleted
    tags: Mapping[str, str] = field(default_factory=dict)
    deleted: Mapping[str, int] = field(default_factory=dict)
    metric_filters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by name


def load(directory: Path) -> Group | None:
    """Return the group in `directory`, None where there is none."""
    try:
        return Group(**orjson.loads((directory / FILE).read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return None


def save(directory: Path, group: Group) -> None:
    """Replace what is known of a group, all of it or nothing."""
    partial = directory / f".{FILE}.{secrets.token_hex(4)}"
    partial.write_bytes(orjson.dumps(asdict(group)))
    partial.replace(directory / FILE)


def create(directory: Path, group: Group) -> bool:
    """Make a group; False where it is there already. Whoever is first has made it."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = directory / f".{FILE}.{secrets.token_hex(4)}"
    partial.write_bytes(orjson.dumps(asdict(group)))
    try:
        os.link(partial, directory / FILE)
    except FileExistsError:
        return False
    finally:
        partial.unlink()
    return True


def delete(directory: Path) -> None:
    """End a group with all of its events. Its name is free at once."""
    gone = directory.with_name(f".{secrets.token_hex(8)}")
    directory.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
