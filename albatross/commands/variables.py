"""Environment variables of a function, from options and files."""

import re

from albatross.setting import ConfigError

_VARIABLE = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")  # Lambda API, `EnvironmentVariableName`
_COMMENT = re.compile(r"\s+#.*")
_QUOTED = {
    "'": re.compile(r"'([^']*)'\s*(?:#.*)?"),
    '"': re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?'),
}
_ESCAPE = re.compile(r'\\([nrt"\\$])')
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


def read(path: str) -> dict[str, str]:
    """Return the variables in the file `path`. Raises ConfigError."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigError(f"--env-file {path}: cannot be read: {reason}.") from error
    variables = {}
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ")
        if text and not text.startswith("#"):
            ((key, value),) = parse(text, f"{path}:{number}").items()
            variables[key] = _unquoted(value, f"{path}:{number}")
    return variables


def parse(text: str, place: str) -> dict[str, str]:
    """Return the variable in `KEY=VALUE`. Raises ConfigError, which names `place`."""
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not _VARIABLE.fullmatch(key):
        # Not the text itself: it may be a secret whose line has lost its name.
        raise ConfigError(
            f"{place} must be KEY=VALUE, with a KEY of at least two letters, digits or _ that "
            "starts with a letter."
        )
    return {key: value}


def _unquoted(value: str, place: str) -> str:
    """Return what the text behind `=` means.

    In single quotes everything is itself; in double quotes \\n, \\t, \\" and \\\\ stand for
    others. Without quotes a comment begins at a # behind a space. Raises ConfigError.
    """
    if not value.lstrip().startswith(("'", '"')):
        return _COMMENT.sub("", value).strip()
    value = value.strip()
    match = _QUOTED[value[0]].fullmatch(value)
    if match is None:
        raise ConfigError(
            f"{place}: the value begins with a quote and must end with the same; only a comment "
            "may follow."
        )
    text: str = match[1]
    return text if value[0] == "'" else _ESCAPE.sub(lambda found: _ESCAPED[found[1]], text)
