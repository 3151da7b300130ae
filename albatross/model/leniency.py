"""What is taken here although AWS refuses it, each under a name. docs/strict.md lists them.

The setting `strict` turns them off, all but those that the setting `lenient` names.
"""

from enum import StrEnum


class Leniency(StrEnum):
    """The names, as the setting `lenient` has them."""

    LAMBDA_PROTOCOL = "lambda-protocol"  # CreateTargetGroup with Protocol, for functions
    LOOPBACK_TARGETS = "loopback-targets"  # addresses of this machine as targets
    CONDITION_VALUES = "condition-values"  # five values in one condition
    MISSING_VERSION = "missing-version"  # a Query request without Version
    CAPACITY = "capacity"  # a reservation without a quota for it
    RETIRED_RUNTIMES = "retired-runtimes"  # those that AWS has no longer, or not yet


def names(text: str) -> list[str]:
    """Return the names in the setting `lenient`, which separates them by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def fault(text: str) -> str | None:
    """Return what is wrong with the setting `lenient` as a sentence, None where nothing is."""
    for name in names(text):
        if name not in list(Leniency):
            return f"has no leniency {name!r}. There are: {', '.join(Leniency)}."
    return None


def allowed(*, strict: bool, kept: str = "") -> frozenset[Leniency]:
    """Return the leniencies in force: all, or under `strict` those that are `kept`."""
    return frozenset(map(Leniency, names(kept))) if strict else frozenset(Leniency)
