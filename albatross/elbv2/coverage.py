"""What AWS's API has and this version does not: refused by name, never ignored."""

from albatross.model.errors import NotImplementedHere


def not_here(what: str) -> NotImplementedHere:
    """Return the error for `what`, the subject of a sentence in the singular."""
    return NotImplementedHere(
        f"{what} is not implemented in this version of Albatross; docs/coverage.md says what is"
    )
