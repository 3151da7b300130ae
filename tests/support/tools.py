"""Programs of the system that some tests need."""

import os
import shutil

import pytest


def needs(program: str, package: str) -> pytest.MarkDecorator:
    """Skip where `program` is missing, with the Debian package to install; never on CI."""
    missing = shutil.which(program) is None and not os.environ.get("CI")
    return pytest.mark.skipif(
        missing, reason=f"{program} is missing (Debian: apt install {package})"
    )
