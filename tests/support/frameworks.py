"""Functions that are built with other people's frameworks, behind a load balancer.

Their applications are in `tests/functions` (Python) and `tests/node` (Node.js); all have the same
routes, so that one table of requests fits them all.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.envoy import Answer
from tests.support.stack import Front, Stack, forward, request

TESTS = Path(__file__).parents[1]
NODE = TESTS / "node"
PYTHON = f"python3.{sys.version_info.minor}"
INSTALL_S = 240


@dataclass(frozen=True)
class Application:
    """A file of one of the folders, and the name of its handler."""

    file: str
    handler: str

    def create(self, stack: Stack, **variables: str) -> str:
        """Return the ARN of its function, which any load balancer may invoke."""
        module, _, suffix = self.file.partition(".")
        is_python = suffix == "py"
        code = _zip(TESTS / "functions" / self.file) if is_python else _node_zip(NODE / self.file)
        name = stack.name()
        arn: str = stack.functions.create_function(
            FunctionName=name,
            Runtime=PYTHON if is_python else "nodejs22.x",
            Handler=f"{module}.{self.handler}",
            Role="arn:aws:iam::123456789012:role/any",
            Code={"ZipFile": code},
            Timeout=15,
            MemorySize=512,
            Environment={"Variables": variables},
        )["FunctionArn"]
        stack.functions.add_permission(
            FunctionName=name,
            StatementId="elb",
            Action="lambda:InvokeFunction",
            Principal="elasticloadbalancing.amazonaws.com",
        )
        return arn


def front(stack: Stack, function: str, *, multi: bool) -> Front:
    return stack.front(forward(stack.group(multi_value=multi, function=function)))


def ask(
    front: Front,
    line: str,
    *lines: str,
    body: str | bytes | None = None,
    host: str = "shop.example",
) -> Answer:
    return front.send(request(line, *lines, body=body, host=host), head=line.startswith("HEAD"))


def all_of(answer: Answer, name: str) -> list[str]:
    return [value for key, value in answer.headers if key.lower() == name]


def json_of(answer: Answer) -> Any:
    assert answer.status == 200, answer
    return json.loads(answer.body)


def _node_modules() -> Path:
    """Return the packages that the lock file names, installed once. Skips where that cannot be."""
    installed = NODE / "node_modules"
    mark = installed / ".package-lock.json"
    lock = NODE / "package-lock.json"
    if mark.exists() and mark.stat().st_mtime >= lock.stat().st_mtime:
        return installed
    if shutil.which("npm") is None:
        _skip("npm is not on the PATH")
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    done = subprocess.run(
        command, cwd=NODE, capture_output=True, text=True, timeout=INSTALL_S, check=False
    )
    if done.returncode != 0:
        _skip(f"npm ci failed: {done.stderr.strip()[-500:]}")
    mark.touch()
    return installed


def _skip(reason: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _zip(*files: Path) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        for file in files:
            package.write(file, file.relative_to(files[0].parent))
    return archive.getvalue()


def _node_zip(file: Path) -> bytes:
    """Return a package of `file` and of what Node.js needs of the installed packages."""
    installed = _node_modules().rglob("*")
    return _zip(file, *(each for each in installed if each.is_file() and _is_used(each)))


def _is_used(file: Path) -> bool:
    return file.suffix in (".js", ".cjs", ".mjs", ".json") and not {"dist-es", ".bin"} & {
        *file.parts
    }
