"""The documentation is true: what it names exists, what it shows runs, what is made is current."""

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import orjson
import pytest
from botocore import xform_name

import albatross.aws.errors  # noqa: F401  its errors count too
from albatross import acm, cli, config, elbv2, logs, sts
from albatross.control import trust_material
from albatross.host.event import Request, to_event
from albatross.host.response import ERROR_STATUS, from_result
from albatross.model.errors import AwsError
from albatross.pages import coverage, deviations
from albatross.pages.behaviours import BEHAVIOURS, LATER

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "albatross"
DOCS = ROOT / "docs"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(DOCS.glob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
    ROOT / "changes" / "README.md",
]
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
README = (ROOT / "README.md").read_text()
each_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def page(name: str) -> str:
    return (DOCS / name).read_text()


def blocks(text: str, *languages: str) -> Iterator[str]:
    """Yield the fenced blocks of these languages, lines that are continued joined."""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        if language in languages:
            yield block.replace("\\\n", " ")


def commands(path: Path, name: str) -> list[list[str]]:
    """Return the words of each command `name` that a page shows in a block or between backticks."""
    text = path.read_text()
    lines = [line for block in blocks(text, "bash", "console", "") for line in block.splitlines()]
    lines += re.findall(r"^ {4}(\S.*)", text, re.MULTILINE)
    lines += re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)
    found = []
    for line in lines:
        for call in re.findall(rf"(?:^|\$ |\$\(|bin/|&& )({name} [a-z][^\n]*)", line):
            try:
                found.append(shlex.split(call, comments=True))
            except ValueError:  # a quotation goes on in the next line
                found.append(call.split())
    return found


# Links, commands, examples


@each_page
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


@each_page
def test_commands_of_albatross_exist_with_their_options(path: Path) -> None:
    for _, command, *words in commands(path, "albatross"):
        assert command in cli.cli.commands, command
        options = {name for each in cli.cli.commands[command].params for name in each.opts}
        used = {word.partition("=")[0] for word in words if word.startswith("-")}
        assert used <= options | {"--help"}, (command, used)


@each_page
def test_targets_of_make_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {words[1] for words in commands(path, "make")} <= targets


@each_page
def test_commands_of_aws_are_operations_that_are_there(path: Path) -> None:
    known = {
        "acm": acm.OPERATIONS,
        "logs": logs.OPERATIONS,
        "elbv2": [*elbv2.OPERATIONS, *trust_material.OPERATIONS],
        "lambda": coverage.SERVED["lambda"],
        "sts": sts.OPERATIONS,
    }
    session = botocore.session.get_session()
    for _, *words in commands(path, "aws"):
        service, command = words[:2]
        if (service, command) == ("logs", "tail"):  # of the aws command itself, on FilterLogEvents
            continue
        names = {xform_name(name, "-"): name for name in known[service]}
        assert command in names, command
        model = session.get_service_model(service).operation_model(names[command])
        assert model.input_shape is not None
        options = {f"--{xform_name(member, '-')}" for member in model.input_shape.members}
        used = {word for word in words if word.startswith("--")}
        assert used <= options | {"--query", "--output", "--zip-file"}, (command, used)


@each_page
def test_options_between_backticks_exist(path: Path) -> None:
    options = {
        name
        for command in cli.cli.commands.values()
        for each in command.params
        for name in each.opts
    }
    named = re.findall(r"`(--[a-z][a-z-]+)[^`]*`", path.read_text())
    assert set(named) <= options | {"--help"}


def test_the_handler_of_the_readme_answers_as_the_readme_says() -> None:
    (source,) = blocks(README, "python")
    module: dict[str, object] = {}
    exec(compile(source, "README.md", "exec"), module)
    (path,) = re.findall(r"^curl 'http://127.0.0.1:8080([^']+)'$", README, re.MULTILINE)
    headers = [(b"host", b"127.0.0.1:8080")]
    event = to_event(Request("GET", path, headers, b""), "arn", multi_value=False)
    result = module["handler"](event, None)  # type: ignore[operator]
    response = from_result(orjson.dumps(result), multi_value=False)
    assert response.status == 200
    assert f"The answer is `{response.body.decode()}`" in README


# Generated pages, and lists


def test_the_page_of_deviations_is_what_is_generated() -> None:
    assert page("deviations.md") == deviations.page(), "run: make docs"


def test_every_behaviour_that_is_done_names_a_test_file() -> None:
    for behaviours in BEHAVIOURS.values():
        for behaviour, proof in behaviours.items():
            assert proof == LATER or (ROOT / "tests" / proof).is_file(), behaviour


def test_the_page_of_dependencies_lists_those_of_the_project() -> None:
    rows = re.findall(r"^\| ([a-z0-9-]+) \| ([<>=]\S+) \|", page("dependencies.md"), re.MULTILINE)
    assert [name + versions for name, versions in rows] == PYPROJECT["project"]["dependencies"]


def test_the_index_lists_every_page() -> None:
    linked = set(re.findall(r"\]\(([^)]+)\)", page("index.md")))
    assert {path.name for path in DOCS.glob("*.md")} - {"index.md"} <= linked


def test_every_code_of_the_api_that_can_be_answered_is_explained_and_no_other() -> None:
    sources = [path.read_text() for path in PACKAGE.rglob("*.py")]
    raised = {
        cls.code
        for cls in every_subclass(AwsError)
        if any(re.search(rf"(?<!class )\b{cls.__name__}[(,)\]]", source) for source in sources)
    }
    explained = rows_after("## What the API answers")
    assert explained == sorted(explained)
    assert set(explained) == raised


def every_subclass(cls: type[AwsError]) -> Iterator[type[AwsError]]:
    for subclass in cls.__subclasses__():
        yield subclass
        yield from every_subclass(subclass)


def test_error_reasons_are_explained_with_their_status() -> None:
    text = page("errors.md")
    rows = re.findall(r"^\| (Lambda\w+) \| (\d+) \|", text, re.MULTILINE)
    assert rows
    assert all(ERROR_STATUS[reason] == int(status) for reason, status in rows)


def rows_after(title: str) -> list[str]:
    section = page("errors.md").partition(title)[2]
    return re.findall(r"^\| ([A-Z]\w+) \|", section, re.MULTILINE)


def test_settings_that_pages_name_exist() -> None:
    settings = {setting.name for setting in config.settings()}
    for path in PAGES:
        named = re.findall(r"setting `([a-z0-9_]+)", path.read_text())
        assert set(named) <= settings, path


# ARCHITECTURE.md


def test_the_architecture_is_short() -> None:
    assert len(ARCHITECTURE.splitlines()) < 200


def passages() -> list[str]:
    """Return the list items, table rows and paragraphs."""
    return re.split(r"\n(?=\d+\. |- |\| |\n)", ARCHITECTURE)


def test_files_and_folders_of_the_architecture_exist() -> None:
    in_the_data_directory = {"packages/", "code/", "logs/", "runtimes/"}
    named = set(re.findall(r"`([\w/]+(?:\.(?:py|mjs|lua)|/))`", ARCHITECTURE))
    for name in named - in_the_data_directory - {"albatross/"}:
        assert (PACKAGE / name).exists(), name


def test_functions_of_the_architecture_are_in_the_files_named_with_them() -> None:
    count = 0
    for passage in passages():
        files = re.findall(r"`([\w/]+\.(?:py|lua))`", passage)
        defined = set().union(*(definitions(PACKAGE / name) for name in files))
        named = re.findall(r"`(\w+)\(\)`", passage)
        assert set(named) <= defined, passage
        count += len(named)
    assert count > 20


def definitions(path: Path) -> set[str]:
    source = path.read_text()
    if path.suffix == ".lua":
        return set(re.findall(r"function (\w+)", source))
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in ast.walk(ast.parse(source)) if isinstance(node, functions)}


def test_the_layers_of_the_architecture_are_those_that_are_checked() -> None:
    (contract,) = (each for each in contracts() if each["type"] == "layers")
    (block,) = blocks(ARCHITECTURE, "")
    assert block.splitlines() == [layer.replace("albatross.", "") for layer in contract["layers"]]


def contracts() -> list[dict[str, list[str]]]:
    found: list[dict[str, list[str]]] = PYPROJECT["tool"]["importlinter"]["contracts"]
    return found
