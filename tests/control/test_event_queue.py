"""Asynchronous invocations, wired."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from albatross.config import Config
from albatross.control import event_queue
from albatross.control.event_queue import AsyncInvocations


def test_destinations_that_do_not_answer_keep_no_thread_from_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    monkeypatch.setattr(event_queue.delivery.Sender, "send", lambda *_: answered.wait())

    async def run() -> None:
        nobody: Any = None
        invocations = AsyncInvocations(Config(data_dir=str(tmp_path)), nobody, nobody)
        sending = [asyncio.ensure_future(invocations._deliver(nobody)) for _ in range(64)]
        await asyncio.sleep(0)
        try:
            await asyncio.wait_for(asyncio.to_thread(lambda: None), 5)
        finally:
            answered.set()
        await asyncio.gather(*sending)
        await invocations.queue.close()

    asyncio.run(run())
