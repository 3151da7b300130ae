"""Layers: how they are merged, and that functions of every runtime find them."""

import base64
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from albatross.host.local import layers
from albatross.model.function import Package, UsedLayer
from tests.support.host import PYTHON, RunningHost, make_function, running_host
from tests.support.namespaces import HAS_MOUNTS
from tests.support.tools import needs

# A file is its text; a link begins with an arrow.
Files = dict[str, str]


def lay(data: Path, name: str, files: Files) -> UsedLayer:
    """Put a layer where the store unpacks packages to."""
    digest = hashlib.sha256(f"{name} {files}".encode()).digest()
    content = Package(sha256=base64.b64encode(digest).decode(), size=1)
    root = data / "code" / content.digest
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("->"):
            (root / path).symlink_to(text[2:])
        else:
            (root / path).write_text(text)
            (root / path).chmod(0o755)
    arn = f"arn:aws:lambda:us-east-1:123456789012:layer:{name}:1"
    return UsedLayer(arn=arn, content=content)


def merge(data: Path, *of: Files) -> Path:
    (data / "tmp").mkdir(exist_ok=True)
    code = Package(sha256="AAAA", size=1)
    used = tuple(lay(data, f"layer{number}", files) for number, files in enumerate(of))
    merged = layers.directory(make_function("fn", code, layers=used), data)
    assert merged is not None
    return merged


def seen(root: Path) -> Files:
    return {
        str(path.relative_to(root)): f"->{os.readlink(path)}"
        if path.is_symlink()
        else path.read_text()
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        pytest.param([{"a": "1"}], {"a": "1"}, id="one"),
        pytest.param(
            [{"lib/a": "1", "lib/b": "1"}, {"lib/b": "2", "lib/c": "2"}],
            {"lib/a": "1", "lib/b": "2", "lib/c": "2"},
            id="the last counts",
        ),
        pytest.param([{"x": "1"}, {"x/y": "2"}], {"x/y": "2"}, id="directory over file"),
        pytest.param([{"x/y": "1"}, {"x": "2"}], {"x": "2"}, id="file over directory"),
        pytest.param(
            [{"real/a": "1", "x": "->real"}, {"x/b": "2"}],
            {"real/a": "1", "x/b": "2"},
            id="directory over link",
        ),
        pytest.param([{"a": "1"}, {"a": "->b", "b": "2"}], {"a": "->b", "b": "2"}, id="link"),
    ],
)
def test_layers_are_merged_in_order(tmp_path: Path, of: list[Files], expected: Files) -> None:
    merged = merge(tmp_path, *of)
    assert seen(merged) == expected
    assert all(path.stat().st_mode & stat.S_IXUSR for path in merged.rglob("*") if path.is_file())


def test_a_link_of_one_layer_leads_no_other_out(tmp_path: Path) -> None:
    first = {"d/e/f": "", "out": "->d/e/../.."}
    merged = merge(tmp_path, first, {"d": "->."}, {"out/evil": "1"})
    assert (merged / "out" / "evil").resolve().is_relative_to(merged)
    assert not list((tmp_path / "layers").glob("evil"))


def test_the_same_layers_are_merged_once_and_another_order_is_another_directory(
    tmp_path: Path,
) -> None:
    one, two = {"a": "1"}, {"a": "2"}
    first = merge(tmp_path, one, two)
    inode = first.stat().st_ino
    assert merge(tmp_path, one, two).stat().st_ino == inode
    assert merge(tmp_path, two, one) != first
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_function_without_layers_has_no_directory_of_them(tmp_path: Path) -> None:
    function = make_function("fn", Package(sha256="AAAA", size=1))
    assert layers.directory(function, tmp_path) is None


LOOK = """
import json, os, sys
import inlayer
def handler(event, context):
    try:
        open(os.path.join(os.path.dirname(inlayer.__file__), "new"), "w")
        writable = True
    except OSError:
        writable = False
    found = {
        "value": inlayer.value, "root": os.environ["LAMBDA_TASK_ROOT"], "cwd": os.getcwd(),
        "file": __file__, "from": inlayer.__file__, "path": os.environ["PATH"],
        "libraries": os.environ["LD_LIBRARY_PATH"], "writable": writable,
        "tool": os.popen("tool").read(),
    }
    return found
"""
LAYER: Files = {
    "python/inlayer.py": "value = 'any version'",
    f"python/lib/{PYTHON}/site-packages/inlayer.py": "value = 'this version'",
    "bin/tool": "#!/bin/sh\necho tool\n",
    "nodejs/node_modules/inlayer/index.js": "exports.value = 'node'",
    "bootstrap": """#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while true; do
  head=$(curl -s -D - -o /dev/null $api/next | tr -d '\\r')
  id=$(echo "$head" | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //Ip')
  curl -s -o /dev/null -d "\\"$0 $LAMBDA_TASK_ROOT\\"" $api/$id/response
done
""",
}


@pytest.fixture(scope="module")
def host() -> Iterator[RunningHost]:
    with running_host() as host:
        yield host


def deploy(host: RunningHost, name: str, source: str, **changes: Any) -> None:
    data = host.directory / "data"
    (data / "tmp").mkdir(parents=True, exist_ok=True)
    file = changes.pop("file", "app.py")
    package = host.package(name, source, file=file)
    host.put(make_function(name, package, layers=(lay(data, "layer", LAYER),), **changes))


def result(host: RunningHost, name: str) -> Any:
    invoked = host.invoke(name, {})
    assert invoked.function_error is None, invoked.payload
    return json.loads(invoked.payload)


def test_a_python_function_finds_layers_in_opt_and_its_code_in_var_task(host: RunningHost) -> None:
    deploy(host, "python", LOOK)
    found = result(host, "python")
    assert found["value"] == "this version"
    assert found["tool"] == "tool\n"
    assert not found["writable"]
    root, opt = found["root"], found["path"].rpartition(":")[2].removesuffix("/bin")
    assert found["cwd"] == root
    assert found["file"] == f"{root}/app.py"
    assert found["from"] == f"{opt}/python/lib/{PYTHON}/site-packages/inlayer.py"
    assert found["libraries"].endswith(f"{root}:{root}/lib:{opt}/lib")
    if HAS_MOUNTS and Path("/opt").is_dir():
        assert (root, opt) == ("/var/task", "/opt")


def test_a_python_path_of_the_functions_own_takes_the_place_of_layers(host: RunningHost) -> None:
    deploy(host, "own", LOOK, environment={"PYTHONPATH": "/nowhere"})
    invoked = host.invoke("own", {})
    assert b"No module named 'inlayer'" in invoked.payload


def test_a_nodejs_function_finds_layers(host: RunningHost) -> None:
    source = "exports.handler = async () => [require('inlayer').value, __filename]"
    deploy(host, "node", source, file="app.js", runtime="nodejs20.x")
    value, file = result(host, "node")
    assert value == "node"
    assert file.endswith("/app.js")


def test_a_bootstrap_may_be_in_a_layer_and_that_of_the_code_comes_first(host: RunningHost) -> None:
    deploy(host, "provided", "", file="any", runtime="provided.al2023")
    program, root = result(host, "provided").split(" ")
    assert program.endswith("/bootstrap")
    assert not program.startswith(root)
    deploy(host, "both", LAYER["bootstrap"], file="bootstrap", runtime="provided.al2023")
    program, root = result(host, "both").split(" ")
    assert program == f"{root}/bootstrap"


def test_other_layers_are_seen_by_the_next_invocation(host: RunningHost) -> None:
    deploy(host, "changing", LOOK)
    assert result(host, "changing")["value"] == "this version"
    data = host.directory / "data"
    newer = lay(data, "newer", {"python/inlayer.py": "value = 'newer'", "bin/tool": ""})
    host.put(make_function("changing", host.functions["changing"].code, layers=(newer,)))
    assert result(host, "changing")["value"] == "newer"


def test_layers_that_cannot_be_merged_fail_the_invocation(host: RunningHost) -> None:
    gone = UsedLayer(
        arn="arn:aws:lambda:us-east-1:123456789012:layer:gone:1",
        content=Package(sha256=base64.b64encode(bytes(32)).decode(), size=1),
    )
    host.put(make_function("gone", host.package("gone", LOOK), layers=(gone,)))
    invoked = host.invoke("gone", {})
    assert invoked.function_error == "Unhandled"


def test_without_mount_namespaces_variables_say_where_layers_are(tmp_path: Path) -> None:
    function = make_function("fn", Package(sha256="AAAA", size=1))
    site = f"{tmp_path}/python/lib/{PYTHON}/site-packages:{tmp_path}/python"
    assert layers.variables(function, {}, tmp_path) == {"PYTHONPATH": site}
    client = {"PYTHONPATH": "/client"}
    assert layers.variables(function, client, tmp_path) == {"PYTHONPATH": f"{site}:/client"}
    node = make_function("fn", Package(sha256="AAAA", size=1), runtime="nodejs22.x")
    given = {"NODE_PATH": "/opt/nodejs/node_modules:/var/task"}
    expected = {"NODE_PATH": f"{tmp_path}/nodejs/node_modules:/var/task"}
    assert layers.variables(node, given, tmp_path) == expected


@pytest.mark.skipif(not HAS_MOUNTS, reason="/opt needs a mount namespace")
@pytest.mark.parametrize(
    "level", ["none", "user", pytest.param("bwrap", marks=needs("bwrap", "bubblewrap"))]
)
def test_layers_are_found_at_every_level_of_isolation(level: str) -> None:
    if level == "user" and os.getuid() != 0:
        pytest.skip("only root can change user ids")
    with running_host(isolation=level) as host:
        deploy(host, "python", LOOK)
        found = result(host, "python")
        assert (found["value"], found["root"]) == ("this version", "/var/task")
