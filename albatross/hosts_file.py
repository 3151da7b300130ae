"""Lines for a hosts file, so that every program finds load balancers by their names.

Browsers and curl resolve names below `localhost` themselves; the system's resolver may not.
"""

import os
import tempfile
from collections.abc import Iterable

BEGIN = "# albatross: begin (kept current by the server; changes in here are lost)"
END = "# albatross: end"


def lines(names: Iterable[tuple[str, str]]) -> list[str]:
    """Return a line for each pair of DNS name and address."""
    return [f"{address} {name}" for name, address in names]


def render(text: str, entries: Iterable[str]) -> str:
    """Return the hosts file `text` with `entries` between our marks; without any, without marks."""
    before, found, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END) if found else ("", "", "")
    if (
        found and not ended
    ):  # someone took the second mark: what follows the first is not ours to delete
        before, after = before + rest.lstrip("\n"), ""
    before, after = before.rstrip("\n"), after.strip("\n")
    entries = list(entries)
    block = "\n".join([BEGIN, *entries, END]) if entries else ""
    return "".join(part + "\n" for part in (before, block, after) if part)


def update(path: str, entries: Iterable[str]) -> bool:
    """Put `entries` into the file at `path`. Return whether it changed. Raises OSError."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except FileNotFoundError:
        text = ""
    wanted = render(text, entries)
    if wanted == text or (not text and not wanted):
        return False
    _replace(path, wanted)
    return True


def _replace(path: str, text: str) -> None:
    """Atomic where the file can be replaced; in place where it is a mount (in a container)."""
    data = text.encode(errors="surrogateescape")
    path = os.path.realpath(path)
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".hosts-", dir=os.path.dirname(path))
    except PermissionError:
        _write_in_place(path, data)
        return
    except OSError as error:  # it names the temporary file
        raise OSError(error.errno, error.strerror, path) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        if os.path.exists(path):
            status = os.stat(path)
            os.chmod(temporary, status.st_mode & 0o777)
            os.chown(temporary, status.st_uid, status.st_gid)
        else:
            os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        _write_in_place(path, data)


def _write_in_place(path: str, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.write(data)
        file.truncate()
