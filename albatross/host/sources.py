"""Notice that the source files of a directory have changed, before the next request runs.

The tree is looked at when a request comes, but never for more than a tenth of the time: a look that
took 0.2 ms is good for 2 ms. No watcher, nothing platform-specific, and no event that arrives late.
"""

import os
import re
from collections import deque
from collections.abc import Callable
from pathlib import Path

_CODE = "pyi?|[cm]?jsx?|[cm]?tsx?|sh|so|node|wasm"
_SETTINGS = "json|toml|ya?ml|ini|cfg|conf|properties|env|pem"
_TEXTS = "html|css|j2|jinja2?|mustache|hbs|ejs|tmpl|sql|graphql|gql|proto|xml|xsd"
# A runtime of the function's own, variables, and what tells that something has been installed.
_NAMES = r"bootstrap|\.env|requirements\.txt"
_SOURCE = re.compile(rf".*\.({_CODE}|{_SETTINGS}|{_TEXTS})|{_NAMES}", re.DOTALL)
SKIPPED = frozenset(["node_modules", "__pycache__", "venv", "site-packages", "dist-info"])
_RUN_DIRECTORY = re.compile("albatross-[0-9a-f]{8}")  # of a server, where code lies in /tmp
FILES_MAX, DIRECTORIES_MAX = 5000, 5000  # that are looked at, the uppermost first
_SHARE = 10

Fingerprint = frozenset[tuple[str, int, int]]


class Sources:
    """The source files below `directory`, and below links in it. Hidden and installed ones are not.

    What a function may write as it works, such as a log or a database, is no source.
    """

    def __init__(self, directory: Path, clock: Callable[[], float]) -> None:
        self.directory = directory
        self._clock = clock
        self._next_look_s = 0.0
        self._seen = self.fingerprint()

    def fingerprint(self) -> Fingerprint:
        """Return path, size and time of change of every source file."""
        files: list[tuple[str, int, int]] = []
        links: set[tuple[int, int]] = set()  # device and inode of directories that they lead to
        ahead = deque([str(self.directory)])
        for _ in range(DIRECTORIES_MAX):
            if not ahead or len(files) >= FILES_MAX:
                break
            ahead += _look_into(ahead.popleft(), files, links)
        return frozenset(files)

    def changed(self, *, now: bool = False) -> bool:
        """Tell whether a file changed since the last time this said so. `now`: look in any case."""
        started_s = self._clock()
        if started_s < self._next_look_s and not now:
            return False
        seen = self.fingerprint()
        ended_s = self._clock()
        self._next_look_s = ended_s + (ended_s - started_s) * _SHARE
        if seen == self._seen:
            return False
        self._seen = seen
        return True


def _look_into(
    directory: str, files: list[tuple[str, int, int]], links: set[tuple[int, int]]
) -> list[str]:
    """Add the source files of `directory` to `files`; return which directories in it to look at."""
    try:
        entries = list(os.scandir(directory))
    except OSError:  # removed in between
        return []
    inner = []
    for entry in entries:
        name = entry.name
        if name.startswith(".") and name != ".env":
            continue
        try:
            if entry.is_dir():
                is_own = name not in SKIPPED and not _RUN_DIRECTORY.fullmatch(name)
                if is_own and _is_new(entry, links):
                    inner.append(entry.path)
            elif _SOURCE.fullmatch(name):
                stat = entry.stat()
                files.append((entry.path, stat.st_size, stat.st_mtime_ns))
        except OSError:
            continue
    return inner


def _is_new(entry: "os.DirEntry[str]", links: set[tuple[int, int]]) -> bool:
    """Tell whether to look into a directory: not again into one that another link has led to."""
    if not entry.is_symlink():
        return True
    stat = entry.stat()
    identity = (stat.st_dev, stat.st_ino)
    if identity in links:
        return False
    links.add(identity)
    return True
