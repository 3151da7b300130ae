"""From what a user sets to the `Config`: flags, variables, a file.

A flag wins over an `ALBATROSS_*` variable, that over `albatross.toml`, that over the default.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field
from typing import Any, get_origin

from albatross.config import ENVIRONMENT_PREFIX, Config, settings
from albatross.setting import ConfigError, is_address

FILE_NAME = "albatross.toml"
_OTHER_VARIABLES = {"ALBATROSS_CONFIG", "ALBATROSS_ENDPOINT"}  # options of the command line
_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    dict: "names and whole numbers, as in NAME=200,OTHER=300 or a table",
}
_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def load(
    flags: Mapping[str, object], environ: Mapping[str, str], file: str | None = None
) -> Config:
    """Return the settings: flags (None: not given) over `environ` over a file over the defaults.

    `file` must exist; without it `albatross.toml` of the current directory counts if it is there.
    Raises ConfigError.
    """
    values = _from_file(file or FILE_NAME, required=file is not None)
    values |= _from_environment(environ)
    for setting in settings():
        if (given := flags.get(setting.name)) is not None:
            values[setting.name] = _value(setting, given, "--" + setting.name.replace("_", "-"))
    for key in ("auth", "data_dir", "hosts_file", "logs_dir", "opt_dir"):
        if values.get(key):
            values[key] = os.path.abspath(os.path.expanduser(values[key]))
    return Config(**values)


def _from_file(path: str, *, required: bool) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        if required:
            raise ConfigError(
                f"{path}: no such file. Name an existing one with --config."
            ) from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigError(f"{path}: cannot be read: {reason}.") from error
    import tomllib  # only when there is a file

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    known = {setting.name: setting for setting in settings()}
    values = {}
    for key, value in table.items():
        place = f"{path}:{_line_of([key], text)}"
        if key in _TABLES:
            try:
                values[key] = _TABLES[key](value)
            except ValueError as error:
                line = _line_of([key, *_named(str(error), value)], text)
                raise ConfigError(f"{path}:{line}: {key}: {error}") from None
            continue
        if key not in known:
            raise ConfigError(f"{place}: there is no setting {key!r}.{_did_you_mean(key, known)}")
        values[key] = _value(known[key], value, f"{place}: {key}")
    return values


def _line_of(keys: Sequence[str], text: str) -> int:
    """Return the number, from 1, of the line in which the TOML `text` sets the last of `keys`.

    Each is a key in the table of the one before.
    """
    text, found = re.sub("#.*", "", text), 0  # what comments say is not set
    for depth, key in enumerate(keys):
        before = r"(?<![\w-])" if depth else "^[ \t]*[\\[\"']*"
        match = re.compile(rf"{before}{re.escape(key)}(?![\w-])", re.MULTILINE).search(text, found)
        found = match.end() if match else found
    return text.count("\n", 0, found) + 1


def _named(fault: str, table: object) -> list[str]:
    """Return the key of `table`, and below it, of which `fault` tells."""
    if not isinstance(table, dict):
        return []
    words = re.split(r"[\s,]|: |:$", fault.replace("'", " "))
    key = next((key for key in table if key in words), None)
    return [] if key is None else [key, *_named(fault, table[key])]


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what variables set. Unknown ones pass unless they look like a slip.

    Others make variables with our prefix: Kubernetes does for a service named `albatross`.
    """
    known = {ENVIRONMENT_PREFIX + setting.name.upper(): setting for setting in settings()}
    values = {}
    for variable, text in environ.items():
        if variable in known:
            values[known[variable].name] = _value(known[variable], text, variable)
        elif variable.startswith(ENVIRONMENT_PREFIX) and variable not in _OTHER_VARIABLES:
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            if hint := _did_you_mean(name, {setting.name for setting in known.values()}):
                raise ConfigError(f"{variable}: there is no such setting.{hint}")
    return values


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # only for an error

    close = get_close_matches(word, known, n=1, cutoff=0.7)
    return f" Did you mean {close[0]}?" if close else ""


def _value(setting: "Field[Any]", given: object, place: str) -> Any:
    """Return `given` (text, or a TOML value) as the setting's type, checked. Raises ConfigError."""
    kind = get_origin(setting.type) or setting.type
    assert isinstance(kind, type)
    try:
        value = _parse(kind, given)
    except (ValueError, KeyError):
        raise ConfigError(f"{place} must be {_KINDS[kind]}, not {given!r}.") from None
    check = setting.metadata["check"]
    # An empty text stands for "not set" where that is the default.
    if check and not (value == "" and setting.default == "") and (fault := check(value)):
        end = "" if fault.endswith(".") else f", not {given!r}."
        raise ConfigError(f"{place} {fault}{end}")
    return value


def _parse(kind: type, given: object) -> Any:
    if isinstance(given, str) and kind is dict:
        pairs = (pair.partition("=") for pair in given.split(",") if pair.strip())
        return {name.strip(): int(value) for name, _, value in pairs}
    if isinstance(given, str):
        return _WORDS[given.lower()] if kind is bool else kind(given)
    if kind is float and type(given) is int:
        return float(given)
    if type(given) is not kind:
        raise ValueError
    return given


def _instances(table: object) -> dict[str, str]:
    """Return the table of instances, checked. Raises ValueError."""
    if not isinstance(table, dict):
        raise ValueError("it must be a table: [instances]")
    for id_, address in table.items():
        if not re.fullmatch("i-[0-9a-f]+", id_):
            raise ValueError(f"{id_!r} is not the id of an instance.")
        if fault := is_address(str(address)):
            raise ValueError(f"{id_} {fault}, not {address!r}.")
    return table


def _remote_functions(table: object) -> Any:
    """Return the table of functions that run elsewhere, checked. Raises ValueError."""
    from albatross.model import remote  # only when there are some

    try:
        remote.parse(table)
    except ValueError as error:
        raise ValueError(f"{error}.") from None
    return table


_TABLES: Mapping[str, Callable[[object], Any]] = {
    "instances": _instances,
    "remote_functions": _remote_functions,
}
