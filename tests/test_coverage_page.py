"""docs/coverage.md says what the tables of operations say."""

from pathlib import Path

from albatross import coverage

PAGE = Path(__file__).parent.parent / "docs" / "coverage.md"


def test_the_page_is_what_is_generated():
    assert PAGE.read_text() == coverage.page(), (
        "run: python -m albatross.coverage > docs/coverage.md"
    )
