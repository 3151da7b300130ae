"""Dataclasses of `model/` as plain values (dicts, lists, text, numbers), and back by their fields.

Members of a union are tagged with their class's name: such a class may be renamed only together
with a new schema version.
"""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from albatross.model.function import Code
from albatross.model.rule import Action, Condition, Transform

T = TypeVar("T")

_TAG = "type"
_TAGGED = {cls for union in (Condition, Action, Transform, Code) for cls in get_args(union)}


def fields_of(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass, as they are, and its tag. Raises TypeError for others."""
    cls: Any = type(value)
    found = {name: getattr(value, name) for name in _names(cls)}
    if cls in _TAGGED:
        found[_TAG] = cls.__name__
    return found


def read(cls: type[T], plain: Any) -> T:
    """Return the dataclass that `plain` says. A field that it lacks has its default value; what no
    field is called is ignored. Raises TypeError, ValueError, LookupError or AttributeError for what
    is no such thing, and what the class raises.
    """
    of: Any = cls
    found: T = _reader(of)(plain)
    return found


@cache
def _names(cls: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls))


@cache
def _reader(of: Any) -> Callable[[Any], Any]:
    """Return what reads a value of the type `of`."""
    if is_dataclass(of):
        return _dataclass_reader(of)
    match get_origin(of), get_args(of):
        case origin, (item, *_) if origin is tuple:
            read_item = _reader(item)
            return lambda value: tuple(map(read_item, value))
        case origin, members if origin is UnionType:
            return _union_reader(members)
        case _, (_, item):
            return _mapping_reader(dict, _reader(item))
    if of is Any:
        return lambda value: value
    if of is datetime:
        return datetime.fromisoformat
    if issubclass(of, dict):
        return _mapping_reader(of, str)
    scalar: type[Any] = of  # which reads what is like it
    return scalar


def _union_reader(members: tuple[Any, ...]) -> Callable[[Any], Any]:
    """Of None and one other type, or of tagged classes."""
    if NoneType in members:
        (other,) = (_reader(member) for member in members if member is not NoneType)
        return lambda value: None if value is None else other(value)
    by_tag = {member.__name__: _reader(member) for member in members}
    return lambda value: by_tag[value[_TAG]](value)


def _mapping_reader(
    cls: Callable[[dict[str, Any]], Any], item: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    return lambda value: cls({str(name): item(each) for name, each in value.items()})


def _dataclass_reader(cls: Any) -> Callable[[Any], Any]:
    types = get_type_hints(cls)
    readers = [(name, _reader(types[name])) for name in _names(cls)]

    def read(value: Any) -> Any:
        return cls(**{name: reader(value[name]) for name, reader in readers if name in value})

    return read
