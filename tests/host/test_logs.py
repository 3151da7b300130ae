"""When what functions log is written: in batches, none of which is long."""

import asyncio
from pathlib import Path

import pytest

from albatross.host.observe.logs import PENDING_MAX, Logs
from albatross.model.function import Directory
from tests.support.host import make_function


def segments(data_dir: Path) -> list[bytes]:
    return [each.read_bytes() for each in data_dir.rglob("*.log")]


@pytest.mark.parametrize("log_format", ["Text", "JSON"])
def test_much_is_written_at_once_and_does_not_pile_up(tmp_path: Path, log_format: str) -> None:
    config = {"LoggingConfig": {"LogFormat": log_format}}
    function = make_function("busy", Directory(path="/code"), extra=config)

    async def run() -> None:
        stream = Logs(tmp_path).stream(function, "1" * 32)
        for n in range(PENDING_MAX - 1):
            stream.write(b"REPORT %d\n" % n)
        assert not segments(tmp_path)
        stream.write(b"REPORT last\n")

    asyncio.run(run())
    (written,) = segments(tmp_path)
    assert written.count(b"REPORT") == PENDING_MAX
