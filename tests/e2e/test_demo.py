"""`make demo`: what a newcomer sees first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import free_port

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(60)
def test_the_demo_shows_requests_and_ends():
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    port = str(free_port())
    shown = subprocess.run(
        [ROOT / "examples" / "demo"],
        env={**os.environ, "PATH": path, "PORT": port, "DEMO_ONCE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"$ curl -i 'http://127.0.0.1:{port}/hello?name=albatross'\n" in shown
    assert shown.count("HTTP/1.1 200 OK") == 3
    assert '"path": "/orders/7"' in shown, "the event that went in"
    assert "HEAD / 200 " in shown, "the server's own line"
