"""The `aws` program in process.

`awscli.clidriver` is what the program `aws` runs; in process a command takes 10 ms.
"""

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from socketserver import StreamRequestHandler, UnixStreamServer
from threading import Thread
from typing import Any

import pytest
from awscli.clidriver import create_clidriver

# Has the process that listens there do what it is asked.
_STAND_IN = """#!{python} -IS
import json, os, socket, sys

variables = {{name: value for name, value in os.environ.items() if name.startswith("AWS_")}}
with socket.socket(socket.AF_UNIX) as client:
    client.connect({path!r})
    client.sendall(json.dumps([sys.argv[1:], os.getcwd(), variables]).encode() + b"\\n")
    with client.makefile() as answer:
        status, out, err = json.load(answer)
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(status)
"""


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
        driver = create_clidriver()
        driver.session.register_component("data_loader", _models())
        return run(driver, arguments)


@cache
def _models() -> Any:
    """Return what has read the models of services: that takes most of a command's time."""
    return create_clidriver().session.get_component("data_loader")


@contextmanager
def program(folder: Path) -> Iterator[Path]:
    """Yield a directory with a program `aws` for scripts, which this process stands in for.

    Meanwhile the process does nothing else: its directory and variables are the program's.
    """

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            arguments, place, variables = json.loads(self.rfile.readline())
            answer = aws(*arguments, folder=Path(place), **variables)
            self.wfile.write(json.dumps(answer).encode())

    stand_in, path = folder / "aws", str(folder / "socket")
    stand_in.write_text(_STAND_IN.format(python=sys.executable, path=path))
    stand_in.chmod(0o755)
    with UnixStreamServer(path, Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield folder
        finally:
            server.shutdown()
