"""The script of examples/canary, with the real `aws` and curl."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import free_port, place, serving

SCRIPT = Path(__file__).parents[2] / "examples" / "canary" / "walkthrough.sh"


@pytest.mark.timeout(90)
def test_a_canary_gets_its_share_and_clients_stay() -> None:
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
            timeout=80,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    counts = re.findall(r"^ *(\d+) (canary|stable)$", done.stdout, re.MULTILINE)
    (tenth, canary), (most, stable), (half, _), (rest, _), (all_, _) = counts
    assert (canary, stable) == ("canary", "stable")
    assert int(tenth) + int(most) == int(half) + int(rest) == int(all_) == 200
    assert 2 <= int(tenth) <= 45
    assert 60 <= int(half) <= 140
