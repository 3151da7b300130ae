"""The command line and the bootstrap file."""

import subprocess
from pathlib import Path

from albatross.xds import bootstrap


def test_envoy_accepts_its_bootstrap_file(tmp_path: Path) -> None:
    argv = bootstrap.command(tmp_path, concurrency=2, drain_s=30, log_level="error")
    result = subprocess.run([*argv, "--mode", "validate"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""


def test_the_command_is_the_binary_itself_with_what_was_asked_for(tmp_path: Path) -> None:
    argv = bootstrap.command(tmp_path, concurrency=2, drain_s=30, log_level="error")
    assert Path(argv[0]).read_bytes()[:4] == b"\x7fELF"
    assert argv[argv.index("--concurrency") + 1] == "2"
    assert argv[argv.index("--drain-time-s") + 1] == "30"
    assert argv[argv.index("--log-level") + 1] == "error"
