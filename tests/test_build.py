"""What is built of Albatross: with the module that a C compiler makes, or without."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULE = "albatross/xds/native/ordinary"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a wheel is built from."""
    copy = tmp_path_factory.mktemp("sources")
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "albatross", copy / "albatross", ignore=shutil.ignore_patterns("*.so"))
    return copy


def build(sources: Path, compiler: str, to: Path) -> tuple[str, set[str]]:
    """Build a wheel. Return its name and the names of its files."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    environment = os.environ | {"CC": compiler}
    command += ["--directory", str(to)]
    subprocess.run(command, cwd=sources, env=environment, check=True, capture_output=True)
    (wheel,) = to.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        return wheel.name, set(files.namelist())


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler: install gcc")
def test_a_wheel_with_the_module_is_for_this_platform_and_any_python(
    sources: Path, tmp_path: Path
) -> None:
    name, files = build(sources, "cc -Werror", tmp_path)
    assert f"{MODULE}.so" in files
    assert "-py3-none-" in name
    assert not name.endswith("-any.whl")


def test_a_compiler_that_fails_prevents_nothing(sources: Path, tmp_path: Path) -> None:
    name, files = build(sources, "false", tmp_path)
    assert f"{MODULE}.so" not in files
    assert f"{MODULE}.c" in files
    assert name.endswith("-py3-none-any.whl")
