"""The benchmark: `make bench`, or `python bench/bench.py [--write] [--only PART]`. Linux, with wrk.

Nothing here fails because of a number: each target is printed with whether it is met.
"""

import argparse
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import footprint
import health
import lambda_path
import many
import neighbours
import offline
import proxy
import report
import rules
import storage
import times
import wrk

import changes

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_HEAD = """# Benchmarks

Written by `python bench/bench.py --write`; `make bench` measures again and prints the same tables.
Load comes from `wrk` on the same machine and takes part of its processor time, as it does for
whatever is compared: look at ratios first.

Measured on {machine}.
"""


def parts(
    rounds: int, duration_s: float, functions: int
) -> dict[str, Callable[[], report.Section]]:
    return {
        "lambda": lambda: lambda_path.measure(rounds, duration_s),
        "offline": lambda: offline.measure(rounds, duration_s),
        "neighbours": lambda: neighbours.measure(rounds, max(duration_s, 3.0)),
        "proxy": lambda: proxy.measure(rounds, duration_s),
        "rules": lambda: rules.measure(rounds),
        "changes": changes.measure,
        "store": storage.measure,
        "times": times.measure,
        "memory": footprint.measure,
        "many": lambda: many.measure(functions),
        "health": health.measure,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--seconds", type=float, default=2.0, help="of load, each time")
    parser.add_argument("--only", action="append", choices=list(parts(0, 0, 0)), metavar="PART")
    parser.add_argument("--functions", type=int, default=many.FUNCTIONS, help="of the part many")
    parser.add_argument("--write", action="store_true", help=f"write it into {PAGE.name}")
    arguments = parser.parse_args()
    wrk.require()
    begun_s = time.monotonic()
    head = _HEAD.format(machine=report.machine())
    _say(head)
    page = PAGE.read_text()
    for name, measure in parts(arguments.rounds, arguments.seconds, arguments.functions).items():
        if arguments.only is None or name in arguments.only:
            section = measure().text()
            _say(section)
            page = _with_section(page, section)
    if arguments.write:
        PAGE.write_text(head + page[page.index("\n## ") :])
    _say(f"The benchmark took {time.monotonic() - begun_s:.0f} s.")


def _with_section(page: str, section: str) -> str:
    """Return `page` with `section` in the place of the one with its title, or at its end."""
    title = section.partition("\n")[0]
    first, *others = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    if not any(other.startswith(f"{title}\n") for other in others):
        return f"{page.rstrip()}\n\n{section}"
    kept = (f"{section}\n" if other.startswith(f"{title}\n") else other for other in others)
    return "".join([first, *kept]).rstrip() + "\n"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
