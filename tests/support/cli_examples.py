"""The examples of the AWS CLI's own documentation, which the program ships as text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import awscli
import yaml

ROOT = Path(awscli.__file__).parent / "examples"
VERSION = awscli.__version__


@dataclass
class Example:
    """One command. `outputs`: each that is shown for it; `files`: those it names, by name."""

    page: str  # create-listener, wait/target-in-service
    number: int  # on its page, from 1
    command: str  # without `aws`, as a line for a shell
    outputs: list[Any] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.page} {self.number}"


def examples(service: str) -> list[Example]:
    """Return the examples of one service in the order of their pages."""
    folder = ROOT / service
    pages = sorted(folder.rglob("*.rst"))
    return [
        example
        for page in pages
        for example in _on_page(str(page.relative_to(folder).with_suffix("")), page.read_text())
    ]


def _on_page(page: str, text: str) -> list[Example]:
    found: list[Example] = []
    said = ""
    for is_indented, block in _blocks(text):
        if not is_indented:
            said = block
        elif block.lstrip().startswith("aws "):
            command = re.sub(r"\s*\\?\s*\n\s*", " ", block.strip()).removeprefix("aws ")
            found.append(Example(page, len(found) + 1, command))
        elif found and (name := re.search(r"Contents of ``([^`]+)``", said.splitlines()[-1])):
            found[-1].files[name[1]] = block
        elif found and "output" in said.lower():
            found[-1].outputs.append(_output(block))
    return found


def _blocks(text: str) -> Iterator[tuple[bool, str]]:
    """Yield what is indented and what is not, in turns."""
    block: list[str] = []
    was_indented = False
    for line in text.splitlines():
        is_indented = line.startswith(" ")
        if line.strip() and block and is_indented != was_indented:
            yield was_indented, "\n".join(block).strip("\n")
            block = []
        if line.strip():
            was_indented = is_indented
        if line.strip() or block:
            block.append(line)
    if block:
        yield was_indented, "\n".join(block).strip("\n")


def _output(block: str) -> Any:
    """Read the JSON of an output. Some examples have commas too many, which YAML allows."""
    return yaml.safe_load(block.expandtabs())
