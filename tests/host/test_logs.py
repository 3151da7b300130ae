"""When what functions log is written: in batches, none of which is long."""

import asyncio
from pathlib import Path

import pytest

from albatross.host.observe.logs import PENDING_MAX, Logs
from albatross.model.function import Directory
from tests.support.host import make_function


@pytest.mark.parametrize("log_format", ["Text", "JSON"])
def test_much_is_written_at_once_and_does_not_pile_up(tmp_path: Path, log_format: str) -> None:
    async def run() -> None:
        function = make_function(
            "busy", Directory(path="/code"), extra={"LoggingConfig": {"LogFormat": log_format}}
        )
        stream = Logs(tmp_path).stream(function, "1" * 32)

        for n in range(PENDING_MAX - 1):
            stream.write(b"REPORT %d\n" % n)
        assert not list(tmp_path.rglob("*.log"))
        stream.write(b"REPORT last\n")

        (segment,) = tmp_path.rglob("*.log")
        assert segment.read_bytes().count(b"REPORT") == PENDING_MAX
        assert not stream.pending

    asyncio.run(run())
