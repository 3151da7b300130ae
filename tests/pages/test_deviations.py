"""Which comments become deviations, and how they read."""

from pathlib import Path

import pytest

from albatross.pages import deviations
from albatross.pages.deviations import Deviation

# Put together here, so that this file has no marked comment of its own.
DIFFERS, SILENT = "differs from AWS", "AWS is silent"


def found(folder: Path, name: str, source: str) -> list[Deviation]:
    (folder / name).write_text(source)
    return deviations.find(folder)


@pytest.mark.parametrize(
    ("source", "text", "constants"),
    [
        pytest.param(
            f"# {SILENT}: a limit is 5.\nLIMIT = 5\n", "A limit is 5.", ("LIMIT",), id="constant"
        ),
        pytest.param(
            f"# {SILENT}: a and b\nA, _B_2: int = 1, 2\n",
            "A and b.",
            ("A", "_B_2"),
            id="two of them",
        ),
        pytest.param(f"X = 5  # {SILENT}: 5.\n", "5.", ("X",), id="at the end of the line"),
        pytest.param(
            f"    # {SILENT}: it goes\n    # on here.\n    return\n",
            "It goes on here.",
            (),
            id="lines",
        ),
        pytest.param(f"# {SILENT}: one.\n\nLIMIT = 5\n", "One.", (), id="not next to the constant"),
        pytest.param(f"# {SILENT}: no code follows", "No code follows.", (), id="end of file"),
    ],
)
def test_a_marked_comment_is_a_deviation(
    tmp_path: Path, source: str, text: str, constants: tuple[str, ...]
) -> None:
    assert found(tmp_path, "a.py", source) == [Deviation(SILENT, text, "a.py", constants)]


def test_marked_comments_in_a_row_are_two_deviations(tmp_path: Path) -> None:
    source = f"# {SILENT}: one\n# goes on.\n# {DIFFERS}: two.\nLIMIT = 5\n"
    assert found(tmp_path, "a.py", source) == [
        Deviation(SILENT, "One goes on.", "a.py", ("LIMIT",)),
        Deviation(DIFFERS, "Two.", "a.py", ("LIMIT",)),
    ]


@pytest.mark.parametrize(
    ("name", "sign"), [("a.py", "#"), ("a.lua", "--"), ("a.mjs", "//")], ids=lambda value: value
)
def test_every_language_of_ours_is_read(tmp_path: Path, name: str, sign: str) -> None:
    (deviation,) = found(tmp_path, name, f"local x = 1 {sign} {DIFFERS}: so it is.\n")
    assert (deviation.kind, deviation.text) == (DIFFERS, "So it is.")


def test_other_comments_and_files_are_not_read(tmp_path: Path) -> None:
    assert not found(tmp_path, "a.py", "# AWS is loud: no.\nLIMIT = 5\n")
    assert not found(tmp_path, "a.txt", f"# {SILENT}: no.\n")


def test_every_area_of_the_page_has_its_sentences() -> None:
    page = deviations.page()
    for deviation in deviations.find(deviations.PACKAGE):
        assert f"- {deviation.text} (`{deviation.path}`" in page
