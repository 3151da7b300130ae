"""Access logs of a server as files of a bucket: turned on, and read line by line."""

import gzip
from pathlib import Path

from tests.support.athena import fields
from tests.support.stack import Front, Stack

BUCKET, PREFIX = "my-logs", "web/blue"


class Logs:
    """The lines of one server's log files."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.folder: Path = stack.server.place.data / "s3"
        self._read: dict[Path, list[str]] = {}  # no file changes once it has its name

    def files(self) -> list[Path]:
        found = self.folder.rglob("*.log.gz")
        return sorted(path for path in found if not path.name.startswith("."))  # yet to be named

    def lines(self) -> list[str]:
        for path in self.files():
            if path not in self._read:
                self._read[path] = gzip.decompress(path.read_bytes()).decode("ascii").splitlines()
        return [line for path in sorted(self._read) for line in self._read[path]]

    def of(self, front: Front) -> dict[int, dict[str, str]]:
        """Return the columns of a load balancer's lines, by the port of the client."""
        elb = front.balancer.partition("loadbalancer/")[2]
        found = [fields(line) for line in self.lines() if f" {elb} " in line]
        return {int(each["client_port"]): each for each in found}


def turn_on(front: Front) -> None:
    front.set(
        access_logs__s3__enabled="true",
        access_logs__s3__bucket=BUCKET,
        access_logs__s3__prefix=PREFIX,
    )
