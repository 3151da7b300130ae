"""The Node.js runtime, loading: where handlers and packages are found, what is said of faults."""

import json
from pathlib import Path

import pytest

from tests.support.node import EXIT_NO_MORE_EVENTS, Runtime
from tests.support.node import pytestmark as pytestmark


@pytest.mark.parametrize(
    ("handler", "files"),
    [
        pytest.param("index.handler", {"index.js": "exports.handler = async () => 1"}, id="js"),
        pytest.param("index.handler", {"index.cjs": "exports.handler = async () => 1"}, id="cjs"),
        pytest.param(
            "index.handler", {"index.mjs": "export const handler = async () => 1"}, id="mjs"
        ),
        pytest.param(
            "index.handler",
            {
                "package.json": '{"type": "module"}',
                "index.js": "export const handler = await (async () => async () => 1)()",
            },
            id="js-in-a-module-package-with-top-level-await",
        ),
        pytest.param(
            "src/deep/app.handler",
            {
                "package.json": '{"type": "module"}',
                "src/deep/app.js": "export const handler = async () => 1",
            },
            id="package-json-above",
        ),
        pytest.param(
            "src/app.handler",
            {
                "package.json": '{"type": "module"}',
                "src/package.json": "{}",
                "src/app.js": "exports.handler = async () => 1",
            },
            id="the-nearest-package-json-counts",
        ),
        pytest.param(
            "index.api.v1.handler",
            {"index.js": "exports.api = { v1: { handler: async () => 1 } }"},
            id="nested-export",
        ),
        pytest.param(
            "index.handler",
            {"index.js": "require('./index.helper')(exports)", "index.helper.js": "module.exports "
             "= (e) => { e.handler = async () => 1 }"},
            id="own-modules",
        ),
        pytest.param(
            "pkg.handler",
            {"node_modules/pkg/index.js": "exports.handler = async () => 1"},
            id="a-package-in-node-modules",
        ),
        pytest.param("url-shortener.handler", {"url-shortener.js": "exports.handler = () => "
                     "Promise.resolve(1)"}, id="dash-in-the-name-and-a-plain-promise"),
    ],
)  # fmt: skip
def test_handler_is_found(run: Runtime, handler: str, files: dict[str, str]) -> None:
    result = run(files, handler=handler)
    assert result.results == [1]
    assert result.exit_code == EXIT_NO_MORE_EVENTS


@pytest.mark.parametrize(
    ("handler", "files", "error_type", "message"),
    [
        pytest.param(
            "index.handler", {}, "Runtime.ImportModuleError",
            "Error: Cannot find module 'index'\nRequire stack:\n- /var/runtime/index.mjs",
            id="no-file",
        ),
        pytest.param(
            "index.handler", {"index.js": "require('leftpad')"}, "Runtime.ImportModuleError",
            "Error: Cannot find module 'leftpad'\nRequire stack:\n- {root}/index.js"
            "\n- /var/runtime/index.mjs",
            id="missing-dependency",
        ),
        pytest.param(
            "index.handler", {"index.js": "exports.Handler = 1"}, "Runtime.HandlerNotFound",
            "index.handler is undefined or not exported", id="not-exported",
        ),
        pytest.param(
            "index.a.b", {"index.js": "exports.b = 1"}, "Runtime.HandlerNotFound",
            "index.a.b is undefined or not exported", id="not-exported-nested",
        ),
        pytest.param(
            "index.handler", {"index.js": "exports.handler = 1"}, "Runtime.HandlerNotFound",
            "index.handler is not a function", id="not-a-function",
        ),
        pytest.param(
            "index.handler", {"index.mjs": "export default { handler: async () => 1 }"},
            "Runtime.HandlerNotFound", "index.handler is undefined or not exported",
            id="default-export-before-node-24",
        ),
        pytest.param("index", {}, "Runtime.MalformedHandlerName", "Bad handler", id="no-dot"),
        pytest.param(
            "../x.handler", {}, "Runtime.MalformedHandlerName",
            "'../x.handler' is not a valid handler name: it must not contain '..'.", id="parent",
        ),
        pytest.param(
            "index.handler", {"index.js": "exports.handler = async ( =>"},
            "Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected token '=>'", id="syntax-cjs",
        ),
        pytest.param(
            "index.handler", {"index.mjs": "export const = 1"},
            "Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected token '='", id="syntax-mjs",
        ),
        pytest.param(
            "index.handler", {"index.js": "throw new RangeError('no')"}, "RangeError", "no",
            id="module-throws",
        ),
        pytest.param(
            "index.handler", {"index.mjs": "throw 'text'"}, "string", "text", id="throws-a-string"
        ),
    ],
)  # fmt: skip
def test_failure_of_init_is_reported(
    run: Runtime, handler: str, files: dict[str, str], error_type: str, message: str
) -> None:
    result = run(files, handler=handler)
    assert result.init_error["errorType"] == error_type
    assert result.init_error["errorMessage"] == message.format(root=run.task_root)
    assert isinstance(result.init_error["trace"], list)
    assert result.posts[0].headers["Lambda-Runtime-Function-Error-Type"] == error_type
    assert result.posts[0].headers["Content-Type"] == "application/json"
    assert "Z\tundefined\tERROR\tUncaught Exception \t{" in result.posts[0].printed
    assert result.exit_code == 129


def test_syntax_error_shows_its_place(run: Runtime) -> None:
    result = run({"index.js": "const a = 1;\nexports.handler = async ( =>"})
    assert f"{run.task_root}/index.js:2" in result.init_error["trace"]


def test_syntax_error_in_an_imported_module_shows_its_place(run: Runtime) -> None:
    files = {
        "index.mjs": "import { a } from './lib/a.mjs'; export const handler = a",
        "lib/a.mjs": "export * from '../b.mjs'; // import './gone.mjs'",
        "b.mjs": "export const a = async () => 1;\nexport const = 1",
    }
    trace = run(files).init_error["trace"]
    assert trace[:2] == [f"file://{run.task_root}/b.mjs:2", "export const = 1"]
    assert "SyntaxError: Unexpected token '='" in trace


def test_unhandled_rejection_during_init_is_an_init_error(run: Runtime) -> None:
    source = """await new Promise((resolve) => {
      Promise.reject(new Error('no')); setTimeout(resolve, 1e4);
    })"""
    result = run({"index.mjs": source})
    assert result.init_error["errorType"] == "Runtime.UnhandledPromiseRejection"
    assert result.init_error["errorMessage"] == "Error: no"
    assert result.exit_code == 128


@pytest.mark.parametrize(
    ("package", "where"),
    [
        pytest.param({"index.mjs": "export const one = 1"}, "layer/node_modules", id="a module"),
        pytest.param({"index.js": "exports.one = 1"}, "layer/node_modules", id="commonjs"),
        pytest.param({"index.js": "exports.one = 1"}, "layer", id="a folder of another name"),
    ],
)
def test_es_modules_are_imported_from_node_path(
    run: Runtime, tmp_path: Path, package: dict[str, str], where: str
) -> None:
    ((name, text),) = package.items()
    files = {
        "index.mjs": "import { one } from 'pkg'; export const handler = async () => one",
        f"{where}/pkg/{name}": text,
        f"{where}/pkg/package.json": json.dumps(
            {"name": "pkg", "exports": {"import": f"./{name}", "require": f"./{name}"}}
        ),
    }
    env = {"NODE_PATH": f"/nowhere:{tmp_path / where}"}
    assert run(files, env=env).results == [1]
    missing = run({"index.mjs": "import 'nothing'"}, env=env).init_error
    assert missing["errorType"] == "Error"
    assert "Cannot find package 'nothing' imported from" in missing["errorMessage"]


def test_commonjs_imports_es_modules_from_node_path(run: Runtime, tmp_path: Path) -> None:
    files = {
        "index.js": "exports.handler = async () => (await import('pkg')).one",
        "layer/node_modules/pkg/index.mjs": "export const one = 1",
        "layer/node_modules/pkg/package.json": '{"name": "pkg", "exports": "./index.mjs"}',
    }
    env = {"NODE_PATH": f"{tmp_path}/layer/node_modules"}
    assert run(files, env=env).results == [1]


def test_es_modules_are_imported_from_folders_of_the_function(run: Runtime, tmp_path: Path) -> None:
    files = {
        "index.mjs": "import { one } from 'lib/one.mjs'; export const handler = async () => one",
        "lib/one.mjs": "export const one = 1",
    }
    assert run(files, env={"NODE_PATH": str(tmp_path)}).results == [1]
