"""What functions run on is found, and installed, ahead of their first request."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from albatross.host.local import runtimes
from albatross.host.local.processes import Options, Processes
from albatross.model.function import Directory
from tests.support.host import make_function


class Owner:
    """Learns that an environment has ended."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    def gone(self, *_: object) -> None:
        self.over.set()

    def printed(self, *_: object) -> None:
        pass


def test_installing_a_runtime_keeps_no_other_function_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = threading.Event()

    def find(function: Any, *_: object, **__: object) -> runtimes.Runtime:
        if function.runtime == "python3.9":
            installed.wait(30)
        raise runtimes.Unavailable(function.runtime)

    monkeypatch.setattr(runtimes, "find", find)

    async def start() -> None:
        processes = Processes(tmp_path, tmp_path / "run", environments_max=9, options=Options())
        await processes.open()
        code = Directory(path=str(tmp_path))
        for number in range(40):
            processes.look_ahead(make_function(f"f{number}", code, runtime="python3.9"))
        owner: Any = Owner()
        processes.start(make_function("other", code), owner, init_limit_s=None)
        try:
            await asyncio.wait_for(owner.over.wait(), 10)
        finally:
            installed.set()
            await processes.close()

    asyncio.run(start())
