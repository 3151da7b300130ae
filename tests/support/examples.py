"""Scripts of examples/, run as a reader would."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.aws_command import program
from tests.support.command import Server, free_port

EXAMPLES = Path(__file__).parents[2] / "examples"


def run_walkthrough(server: Server, example: str, *, seconds: float) -> str:
    """Return what the script of an example prints.

    It has `aws`, `albatross` and curl, and a port for its listener.
    """
    with TemporaryDirectory() as folder, program(Path(folder)) as programs:
        done = subprocess.run(
            ["bash", str(EXAMPLES / example / "walkthrough.sh")],
            env={
                "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HOME": folder,
                "TMPDIR": folder,
                "AWS_ENDPOINT_URL": server.url,
                "PORT": str(free_port()),
            },
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout
