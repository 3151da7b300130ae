"""Log files in the making: plain lines in a spool, compressed under their names when due.

A file of the spool has the path that it will have below the logs' directory, so that what a killed
process leaves is completed by the next one.
"""

import gzip
import logging
import os
import secrets
import shutil
import string
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from albatross.telemetry.destination import Destination

_RANDOM = string.ascii_lowercase + string.digits
_RANDOM_LENGTH = 8

log = logging.getLogger(__name__)


class Spool:
    """The open log files of one server: one for each load balancer and node in an interval."""

    def __init__(self, spool_dir: Path, logs_dir: Path, *, interval_s: int) -> None:
        self._spool_dir = spool_dir
        self._logs_dir = logs_dir
        self._interval_s = interval_s
        self._end_s = 0  # of the interval, in seconds of the epoch
        self._open: dict[tuple[Destination, str], Path] = {}  # by destination and node

    def append(self, destination: Destination, node: str, lines: Iterable[str]) -> None:
        """Add `lines` to the file of the interval in which `finish_due` was last called."""
        path = self._open.get((destination, node))
        if path is None:
            end = datetime.fromtimestamp(self._end_s, UTC)
            random = "".join(secrets.choice(_RANDOM) for _ in range(_RANDOM_LENGTH))
            path = self._spool_dir / destination.log_file(end, node, random)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open[destination, node] = path
        with path.open("a", encoding="ascii") as file:
            file.writelines(f"{one}\n" for one in lines)

    def finish_due(self, now_s: float) -> None:
        """Complete the files of an interval that is over at `now_s`, seconds of the epoch."""
        if now_s >= self._end_s:
            self._end_s = (int(now_s) // self._interval_s + 1) * self._interval_s
            self.finish()

    def finish(self) -> None:
        """Complete every file there is, also those of processes before this one.

        Raises OSError, after all others are complete, where one could not be: it stays for later.
        """
        self._open.clear()
        fault: OSError | None = None
        for path in sorted(self._spool_dir.rglob("*.log.gz")):
            try:
                _complete(path, self._logs_dir / path.relative_to(self._spool_dir))
            except OSError as error:
                fault = error
        if fault:
            raise fault

    def write_test_file(self, destination: Destination, now_s: float) -> None:
        """Write the object that AWS writes when access logs are turned on, unless it is there."""
        path = self._logs_dir / destination.test_file
        if path.exists():
            return
        at = datetime.fromtimestamp(now_s, UTC).isoformat(timespec="milliseconds")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Access logs of {destination.load_balancer} are on since {at}\n")


def _complete(source: Path, to: Path) -> None:
    """Compress `source` as `to` and remove it. A file is there whole or not at all."""
    to.parent.mkdir(parents=True, exist_ok=True)
    unfinished = to.with_name(f".{to.name}")
    with source.open("rb") as plain, gzip.open(unfinished, "wb", compresslevel=6) as packed:
        shutil.copyfileobj(plain, packed)
    os.replace(unfinished, to)
    source.unlink()
