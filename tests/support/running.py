"""`albatross run` as a user starts it."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.command import Place, free_port


class Running:
    """`albatross run`, whose output goes to a file."""

    def __init__(self, process: subprocess.Popen[str], port: int, output: Path) -> None:
        self.process = process
        self.port = port
        self._output = output

    def printed(self) -> str:
        return self._output.read_text()

    def events(self) -> list[dict[str, Any]]:
        """What `--json` has printed so far."""
        lines = self.printed().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]


@contextmanager
def running(where: Place, *arguments: str) -> Iterator[Running]:
    """Run it, and have it end at SIGTERM without an error and without a file of its own left."""
    port = free_port()
    output = where.folder / "output"
    with output.open("w") as file:
        process = where.start("run", *arguments, "--port", str(port), stdout=file, stderr=file)
    try:
        yield Running(process, port, output)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        status = process.wait(15)
    assert (status, where.run_directories()) == (0, [])
