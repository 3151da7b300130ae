"""What the TARGET of `albatross run` may be."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from albatross.run import handlers
from albatross.run.handlers import Handler, NoHandler

PYTHON = f"python3.{sys.version_info.minor}"
node = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


@pytest.mark.parametrize(
    ("file", "target", "folder", "name"),
    [
        pytest.param("app.py", "app.py", "", "app.handler", id="a file"),
        pytest.param("src/app.py", "src/app.py", "src", "app.handler", id="a file elsewhere"),
        pytest.param("app.py", "app.handler", "", "app.handler", id="module and function"),
        pytest.param("src/app.py", "src/app.run", "src", "app.run", id="with a path"),
        pytest.param("pkg/app.py", "pkg.app.run", "", "pkg.app.run", id="in a package"),
        pytest.param("src/app.py", "src", "src", "app.handler", id="a directory"),
        pytest.param(
            "src/main.py", "src/", "src", "main.handler", id="a directory's last candidate"
        ),
        pytest.param("lambda_function.py", ".", "", "lambda_function.handler", id="here"),
    ],
)
def test_python_targets(project, file, target, folder, name):
    write(file, "def handler(event, context): ...\n")
    assert handlers.find(target) == Handler(str(project / folder), name, PYTHON)


@node
@pytest.mark.parametrize(
    ("file", "target"),
    [("index.mjs", "index.mjs"), ("index.js", "index.handler"), ("index.mjs", ".")],
)
def test_node_targets(project, file, target):
    write(file, "export const handler = async () => ({statusCode: 200})\n")
    version = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, text=True, check=True)
    runtime = f"nodejs{version.stdout[1:].partition('.')[0]}.x"
    assert handlers.find(target) == Handler(str(project), "index.handler", runtime)


@pytest.mark.parametrize(
    ("source", "function"),
    [
        pytest.param("def handler(e, c): ...", "handler", id="def"),
        pytest.param("async def handler(e, c): ...", "handler", id="async def"),
        pytest.param("def lambda_handler(e, c): ...", "lambda_handler", id="lambda_handler"),
        pytest.param("handler = Mangum(app)", "handler", id="assigned"),
        pytest.param("handler: Any = Mangum(app)", "handler", id="assigned with a type"),
        pytest.param("from web import main as handler", "handler", id="imported"),
        pytest.param("def lambda_handler(e, c): ...\nhandler = 1", "handler", id="both"),
    ],
)
def test_how_python_may_define_the_function(source, function):
    write("app.py", source)
    assert handlers.find("app.py").name == f"app.{function}"


@node
@pytest.mark.parametrize(
    "source",
    [
        "export const handler = async (event) => ({})",
        "export async function handler(event) {}",
        "const handler = 1; export { handler };",
        "export { main as handler } from './main.mjs'",
        "exports.handler = async () => ({})",
        "module.exports.handler = () => {}",
        "module.exports = { handler: main }",
        "module.exports = {\n  other,\n  handler,\n}",
    ],
)
def test_how_javascript_may_export_the_function(source):
    write("index.mjs", source)
    assert handlers.find("index.mjs").name == "index.handler"


@pytest.mark.parametrize(
    ("files", "target", "message"),
    [
        pytest.param(
            {},
            "app.handler",
            "app.handler: no such handler. Looked for app.py, app.mjs, app.js or app.cjs. TARGET "
            "is a file, a directory, or MODULE.FUNCTION, for example app.handler.",
            id="no module",
        ),
        pytest.param({}, "src/app.py", "src/app.py: no such file.", id="no file"),
        pytest.param({}, "", "TARGET is empty.", id="empty"),
        pytest.param({}, "app", "app: no such file or directory.", id="nothing of that name"),
        pytest.param(
            {"src/util.py": ""},
            "src",
            "src has no handler. Looked for app.py, lambda_function.py, index.mjs, index.js "
            "or main.py with a function handler or lambda_handler.",
            id="an empty directory",
        ),
        pytest.param(
            {"app.py": "def main(): ..."},
            "app.py",
            "app.py has no function handler or lambda_handler. Name the one it has: "
            "albatross run app.FUNCTION",
            id="a file without one",
        ),
        pytest.param(
            {"app.py": "def main(event, context): ...\ndef util(): ..."},
            "app.py",
            "app.py has no function handler or lambda_handler. Name the one it has: "
            "albatross run app.main",
            id="a file with another one",
        ),
        pytest.param(
            {"src/app.py": "def get(event, context): ...\ndef put(event, context): ..."},
            "src/app.py",
            "src/app.py has no function handler or lambda_handler. Is it one of these? "
            "albatross run src/app.get or albatross run src/app.put",
            id="a file with others",
        ),
        pytest.param({"app.py": "\ndef ("}, "app.py", "app.py:2: ", id="a syntax error"),
        pytest.param(
            {"index.ts": "export const handler = 1"},
            "index.ts",
            "index.ts is neither Python nor JavaScript (.py, .mjs, .js, .cjs).",
            id="another language",
        ),
        pytest.param(
            {"my.app.py": "def handler(): ..."},
            "my.app.py",
            "my.app.py: a module's name cannot hold a dot. Rename the file.",
            id="a dot in the name",
        ),
    ],
)
def test_what_does_not_fit_is_explained(files, target, message):
    for path, text in files.items():
        write(path, text)
    with pytest.raises(NoHandler) as caught:
        handlers.find(target)
    assert str(caught.value).startswith(message)


def test_node_is_asked_for_where_it_is_missing(monkeypatch):
    write("index.mjs", "export const handler = 1")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NoHandler, match=r"needs Node\.js"):
        handlers.find("index.mjs")


def test_what_cannot_be_read_is_said(monkeypatch, tmp_path):
    write("src/app.py", "def handler(event, context): ...")

    def refuse(path, *arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", refuse)  # the tests' user may be root, who may read all
        with pytest.raises(NoHandler, match=r"^src/app\.py: cannot be read: Permission denied\.$"):
            handlers.find("src/app.py")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(NoHandler, match=r"^src: cannot be read: Permission denied\.$"):
        handlers.find("src")
