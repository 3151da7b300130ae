"""What docs/deviations.md tells its readers."""

from pathlib import Path

_PAGE = Path(__file__).parents[2] / "docs" / "deviations.md"


def told(*words: str) -> bool:
    """Whether one sentence of the page has all these words."""
    return any(all(word in line for word in words) for line in _PAGE.read_text().splitlines())
