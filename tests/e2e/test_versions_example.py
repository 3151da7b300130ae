"""The script of examples/versions, with the real `aws` and curl."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import free_port, place, serving

SCRIPT = Path(__file__).parents[2] / "examples" / "versions" / "walkthrough.sh"


@pytest.mark.timeout(90)
def test_a_new_version_gets_a_tenth_then_everything() -> None:
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
    found = re.findall(r"^ *(\d+) (hello|good day) from version (\d)$", done.stdout, re.MULTILINE)
    (first, tenth, most, last) = found
    assert first == ("200", "hello", "1")
    assert tenth[1:] == ("good day", "2")
    assert most[1:] == ("hello", "1")
    assert 2 <= int(tenth[0]) <= 45
    assert int(tenth[0]) + int(most[0]) == 200
    assert last == ("200", "good day", "2")
