"""The `aws` program in process.

`awscli.clidriver` is what the program `aws` runs; in process a command takes 10 ms.
"""

import contextlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from awscli.clidriver import create_clidriver


def run(driver: Any, arguments: Sequence[str]) -> tuple[int, str, str]:
    """Return exit status, output and error output of `aws ARGUMENTS`."""
    out, err = io.TextIOWrapper(io.BytesIO(), write_through=True), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = driver.main(list(arguments))
        except SystemExit as end:
            status = end.code
    raw = out.detach().getvalue()  # type: ignore[attr-defined]
    return status, raw.decode(), err.getvalue()


def aws(
    *arguments: str, url: str | None = None, folder: Path | None = None, **variables: str
) -> tuple[int, str, str]:
    """Run `aws ARGUMENTS` as one who has set `variables`, and the endpoint and a key with `url`.

    Files are looked for in `folder`.
    """
    usual = {
        "AWS_ENDPOINT_URL": url or "",
        "AWS_ACCESS_KEY_ID": "123456789012",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
    variables = {"AWS_CONFIG_FILE": "/dev/null", **(usual if url else {}), **variables}
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("AWS_") and name != "AWS_DATA_PATH":  # which the program has set
                patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        if folder:
            patch.chdir(folder)
        return run(create_clidriver(), arguments)
