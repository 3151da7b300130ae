"""Dead letters in the queue's database. Each function works within its caller's transaction."""

import sqlite3
from dataclasses import asdict, astuple, dataclass, fields
from typing import NamedTuple

from albatross.asynchronous.event import Letter

LETTERS_MAX = 10_000  # the oldest go
LETTERS_BYTES_MAX = 256 * 1024 * 1024
PAGE_LETTERS_MAX, PAGE_BYTES_MAX = 1_000, 8 * 1024 * 1024

SCHEMA = """
create table if not exists letters (
    id text primary key, arn text not null, at_s real not null, condition text not null,
    destination text, reason text not null, payload blob not null, record blob not null
);
create index if not exists letters_by_time on letters (at_s);
"""
_NAMES = [one.name for one in fields(Letter)]
_COLUMNS = ", ".join(_NAMES)
_MARKS = ", ".join("?" * len(_NAMES))
_CHOSEN = (
    "(:id = '' or id = :id) and "
    "(:function in ('', arn) or instr(arn || ':', ':function:' || :function || ':'))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which letters are meant. Empty members choose all."""

    id: str = ""
    function: str = ""  # a name, whatever account and Region, or an ARN


class Page(NamedTuple):
    """Letters, and what to give to `place` for those after them: "" when there are none."""

    letters: list[Letter]
    next: str


Place = tuple[float, int]  # time and number of a row: those after it are meant
ALL = Chosen()


def keep(connection: sqlite3.Connection, letters: list[Letter]) -> None:
    """Keep more dead letters; the oldest make room."""
    if not letters:
        return
    connection.executemany(
        f"insert or replace into letters ({_COLUMNS}) values ({_MARKS})",
        [astuple(letter) for letter in letters],
    )
    connection.execute(
        "delete from letters where rowid in (select rowid from (select rowid, "
        "row_number() over newest as place, "
        "sum(length(payload) + length(record)) over newest as bytes "
        "from letters window newest as (order by at_s desc, rowid desc)) "
        "where place > ? or bytes > ?)",
        (LETTERS_MAX, LETTERS_BYTES_MAX),
    )


def place(after: str) -> Place:
    """Return what a page has named `next`; the beginning for "". Raises ValueError."""
    at_s, _, number = (after or "0,0").partition(",")
    if int(number) >= 1 << 63:
        raise ValueError(f"{number} is no number of a row")
    return float(at_s), int(number)


def page(connection: sqlite3.Connection, chosen: Chosen, after: Place) -> Page:
    """Return the oldest of what is chosen, of what comes after `after`."""
    rows = connection.execute(
        f"select rowid, {_COLUMNS} from letters where {_CHOSEN} "
        "and (at_s, rowid) > (:at_s, :number) order by at_s, rowid",
        asdict(chosen) | {"at_s": after[0], "number": after[1]},
    )
    letters: list[Letter] = []
    size = last = 0
    for number, *values in rows:
        if len(letters) >= PAGE_LETTERS_MAX or size >= PAGE_BYTES_MAX:
            rows.close()
            return Page(letters, f"{letters[-1].at_s!r},{last}")
        letters.append(Letter(**dict(zip(_NAMES, values, strict=True))))
        size += len(letters[-1].payload) + len(letters[-1].record)
        last = number
    return Page(letters, "")


def delete(connection: sqlite3.Connection, chosen: Chosen) -> list[str]:
    """Forget what is chosen. Return the ids."""
    found = connection.execute(f"select id from letters where {_CHOSEN}", asdict(chosen)).fetchall()
    connection.execute(f"delete from letters where {_CHOSEN}", asdict(chosen))
    return [id_ for (id_,) in found]


def replay(
    connection: sqlite3.Connection, chosen: Chosen, now_s: float
) -> list[tuple[str, str, int]]:
    """Put new events in place of what is chosen. Return id, ARN and bytes of each."""
    found = connection.execute(
        f"select id, arn, length(payload) from letters where {_CHOSEN}", asdict(chosen)
    ).fetchall()
    connection.execute(
        "insert or replace into events "
        "(id, arn, payload, accepted_s, due_s, failures, throttles) "
        f"select id, arn, payload, :now_s, :now_s, 0, 0 from letters where {_CHOSEN}",
        asdict(chosen) | {"now_s": now_s},
    )
    connection.execute(f"delete from letters where {_CHOSEN}", asdict(chosen))
    return found
