"""Environment variables of a function, from options and files."""

import re

from albatross.config import ConfigError

_VARIABLE = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")  # Lambda API, `EnvironmentVariableName`


def read(path: str) -> dict[str, str]:
    """Return the variables in the file `path`. Raises ConfigError."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--env-file {path}: cannot be read: {error}") from error
    variables = {}
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ")
        if text and not text.startswith("#"):
            ((key, value),) = parse(text, f"{path}:{number}").items()
            variables[key] = _unquoted(value.strip())
    return variables


def parse(text: str, place: str) -> dict[str, str]:
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not _VARIABLE.fullmatch(key):
        # Not the text itself: it may be a secret whose line has lost its name.
        raise ConfigError(
            f"{place} must be KEY=VALUE, with a KEY of at least two letters, digits or _ that "
            "starts with a letter."
        )
    return {key: value}


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value
