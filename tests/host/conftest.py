from pathlib import Path

import pytest

from tests.support.node import Runtime


@pytest.fixture
def run(tmp_path: Path) -> Runtime:
    """The Node.js runtime in a process of its own."""
    return Runtime(tmp_path)
