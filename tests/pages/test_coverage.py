"""docs/coverage.md says what the tables of operations say."""

from pathlib import Path

from albatross.pages import coverage

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"


def test_the_page_is_what_is_generated():
    assert PAGE.read_text() == coverage.page(), (
        "run: python -m albatross.pages.coverage > docs/coverage.md"
    )


def test_every_operation_of_lambda_that_is_missing_has_a_reason():
    rows = PAGE.read_text().partition("## AWS Lambda")[2].partition("\n## ")[0].splitlines()
    words = [row.strip("| ").split(" | ")[1] for row in rows[6:] if row.startswith("| ")]
    assert len(words) > 80
    assert {word.partition(":")[0] for word in words} <= {"done", "partly", "not yet"}
    assert "not yet" not in words
