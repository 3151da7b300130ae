"""Where log groups are below the data directory."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from albatross.model.arn import Scope

ROOT = "logs"  # in the data directory
_PLAIN_LENGTH_MAX = 180  # of a directory; a longer name is cut and gets its hash


def scope_directory(root: Path, scope: Scope) -> Path:
    """Return the directory of the groups of an account and Region."""
    return root / scope.account / scope.region


def group_directory(root: Path, scope: Scope, name: str) -> Path:
    """Return the directory of the group `name`, of the characters that CloudWatch takes."""
    plain = name.replace("/", "+").replace(".", "%2E", 1 if name.startswith(".") else 0)
    if len(plain) > _PLAIN_LENGTH_MAX:
        plain = f"{plain[:_PLAIN_LENGTH_MAX]}~{hashlib.sha256(name.encode()).hexdigest()[:32]}"
    return scope_directory(root, scope) / plain


def scopes(root: Path) -> Iterator[Scope]:
    """Yield each account and Region that has had a group."""
    for account in _directories(root):
        for region in _directories(root / account):
            yield Scope(account, region)


def group_directories(root: Path, scope: Scope) -> list[Path]:
    """Return the directories of all groups of an account and Region."""
    directory = scope_directory(root, scope)
    return [directory / name for name in _directories(directory)]


def _directories(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    except FileNotFoundError:
        return []
