"""The script of examples/https, with the real `aws`, `albatross` and curl."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import free_port, place, serving

SCRIPT = Path(__file__).parents[2] / "examples" / "https" / "walkthrough.sh"


@pytest.mark.timeout(60)
def test_curl_gets_hello_over_https_from_a_certificate_that_it_trusts() -> None:
    with place() as where, serving(where) as server:
        done = subprocess.run(
            ["bash", str(SCRIPT)],
            env={
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HOME": str(where.folder),
                "TMPDIR": str(where.folder),
                "AWS_ENDPOINT_URL": server.url,
                "PORT": str(free_port()),
            },
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "HTTP/2 200" in done.stdout
    assert done.stdout.endswith("hello")
