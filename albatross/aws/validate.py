"""What the service model says of a value beyond its type, in the words of AWS's own validators.

botocore's validator knows neither maxima nor enumerations nor patterns, hence this one.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from albatross.aws.errors import ValidationException
from albatross.model.errors import ValidationError

_NOT_NULL = "Member must not be null"
_SHOWN_MAX = 1_024  # characters of a value in a message
# Lambda does not check these with its model but later, with words of its own.
_CHECKED_LATER = frozenset({"runtime"})


def validate(shape: StructureShape | None, params: Mapping[str, Any], *, is_query: bool) -> None:
    """Raise ValidationError (Query APIs) or ValidationException where `params` breaks the model."""
    found = list(_structure(shape, params, "")) if shape is not None else []
    if found:
        errors = "error" if len(found) == 1 else "errors"
        message = f"{len(found)} validation {errors} detected: {'; '.join(found)}"
        raise ValidationError(message) if is_query else ValidationException(message)


def _structure(shape: StructureShape, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name in shape.required_members:
        if name not in value:
            yield _failure("null", _join(path, name), _NOT_NULL)
    for name, member in shape.members.items():
        if name in value:
            yield from _value(member, value[name], _join(path, name))


def _value(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if path in _CHECKED_LATER:
        return
    for constraint in _broken(shape, value):
        yield _failure(_shown(shape, value), path, constraint)
    match shape:
        case StructureShape():
            yield from _structure(shape, value, path)
        case ListShape() if isinstance(shape.member, StructureShape | ListShape | MapShape):
            for number, item in enumerate(value, 1):
                yield from _value(shape.member, item, f"{path}.{number}.member")
        case ListShape():
            if any(_broken(shape.member, item) for item in value):
                constraint = f"Member must satisfy constraint: [{_all_constraints(shape.member)}]"
                yield _failure(_shown(shape, value), path, constraint)
        case MapShape():
            yield from _map(shape, value, path)


def _map(shape: MapShape, value: Mapping[str, Any], path: str) -> Iterator[str]:
    if any(_broken(shape.key, key) for key in value):
        constraint = f"Map keys must satisfy constraint: [{_all_constraints(shape.key)}]"
        yield _failure(_shown(shape, value), path, constraint)
    if isinstance(shape.value, StructureShape | ListShape | MapShape):
        for key, item in value.items():
            yield from _value(shape.value, item, f"{path}.{key}.member")
    elif any(_broken(shape.value, item) for item in value.values()):
        constraint = f"Map value must satisfy constraint: [{_all_constraints(shape.value)}]"
        yield _failure(_shown(shape, value), path, constraint)


def _broken(shape: Shape, value: Any) -> list[str]:
    """Return the constraints of `shape` that `value` breaks, in AWS's words."""
    broken = []
    limits = shape.metadata
    measure, size = _size(shape, value)
    if _enum_of(shape) and value not in _enum_of(shape):
        broken.append(_enum(_enum_of(shape)))
    if size is not None and size > limits.get("max", size):
        broken.append(_limit(measure, "less", limits["max"]))
    if size is not None and size < limits.get("min", size):
        broken.append(_limit(measure, "greater", limits["min"]))
    if "pattern" in limits and not pattern(limits["pattern"]).fullmatch(value):
        broken.append(_regex(limits["pattern"]))
    return broken


def _all_constraints(shape: Shape) -> str:
    """Return every constraint of `shape`, as AWS lists them for the items of a list."""
    limits = shape.metadata
    measure, _ = _size(shape, None)
    constraints = [_enum(_enum_of(shape))] if _enum_of(shape) else []
    if "max" in limits:
        constraints.append(_limit(measure, "less", limits["max"]))
    if "min" in limits:
        constraints.append(_limit(measure, "greater", limits["min"]))
    if "pattern" in limits:
        constraints.append(_regex(limits["pattern"]))
    return ", ".join([*constraints, _NOT_NULL])


def _size(shape: Shape, value: Any) -> tuple[str, float | None]:
    """Return what `min` and `max` of `shape` measure, and how much of it `value` has."""
    if shape.type_name in ("integer", "long", "float", "double"):
        return "value", value
    if shape.type_name in ("string", "list", "map", "blob"):
        return "length", None if value is None else len(value)
    return "", None


def _limit(measure: str, comparison: str, limit: float) -> str:
    return f"Member must have {measure} {comparison} than or equal to {limit}"


def _enum_of(shape: Shape) -> list[str]:
    """Return the values that a string may have; empty where it may be any."""
    return list(shape.enum) if isinstance(shape, StringShape) else []


def _enum(values: list[str]) -> str:
    return f"Member must satisfy enum value set: [{', '.join(values)}]"


def _regex(pattern: str) -> str:
    return f"Member must satisfy regular expression pattern: {pattern}"


@cache
def pattern(text: str) -> re.Pattern[str]:
    r"""Compile a pattern of the model, which is written for Java.

    `re` knows no Unicode categories. The models use them in one way only: `\p{L}\p{Z}\p{N}_` in a
    character class, that is `\w` and the separators. Nor does it take a range that begins with
    `\w`: the hyphen is meant.
    """
    separators = " \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
    known = text.replace(r"\p{L}\p{Z}\p{N}_", rf"\w{separators}")
    return re.compile(known.replace(r"[\w-_", r"[\w\-_"))


def _shown(shape: Shape, value: Any) -> str | None:
    """Return `value` as messages show it; None for what must not be shown."""
    if _is_sensitive(shape):
        return None
    return f"'{_text(value)[:_SHOWN_MAX]}'"


def _is_sensitive(shape: Shape) -> bool:
    match shape:
        case ListShape():
            return _is_sensitive(shape.member)
        case MapShape():
            return bool(shape.metadata.get("sensitive")) or _is_sensitive(shape.value)
        case StructureShape():
            return True  # it may hold what is
        case _:
            return bool(shape.metadata.get("sensitive")) or shape.type_name == "blob"


def _text(value: Any) -> str:
    match value:
        case list():
            return f"[{', '.join(map(_text, value))}]"
        case dict():
            return "{" + ", ".join(f"{key}={_text(item)}" for key, item in value.items()) + "}"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def _failure(shown: str | None, path: str, constraint: str) -> str:
    value = "Value" if shown is None else f"Value {shown}"
    return f"{value} at '{path}' failed to satisfy constraint: {constraint}"


def _join(path: str, name: str) -> str:
    """Members are named with a small first letter: `actions`, `kMSKeyArn`."""
    name = name[:1].lower() + name[1:]
    return f"{path}.{name}" if path else name
