"""What the service model says of every parameter of every operation is checked, in AWS's words."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape

MODEL = ServiceModel(Loader().load_service_model("elbv2", "service-2"), "elbv2")
_OF_TYPE = {
    "string": "x",
    "integer": 1,
    "long": 1,
    "boolean": True,
    "timestamp": "2026-01-01T00:00:00Z",
}
# By pattern, a value that it does not take; all are written for one line of simple characters.
_NO_MATCH = "\u20ac"


def smallest(shape: Shape) -> Any:
    """Return a value of `shape` with what is required and nothing else."""
    limits = shape.metadata
    match shape:
        case StructureShape():
            names = shape.required_members or list(shape.members)[:1]  # a form has no empty ones
            return {name: smallest(shape.members[name]) for name in names}
        case ListShape():
            return [smallest(shape.member)]
        case MapShape():
            return {"a": "b"}
        case StringShape() if shape.enum:
            return shape.enum[0]
        case _ if "pattern" in limits:
            return _matching(limits["pattern"])
        case _:
            least = limits.get("min")
            return least if shape.type_name == "integer" and least else _OF_TYPE[shape.type_name]


def _matching(pattern: str) -> str:
    for start, value in (
        ("^(2|4|5)", "200"),
        ("^(HTTPS?", "HTTP"),
        ("^(ipam-pool-)", "ipam-pool-1"),
        ("^(ipv4pool-coip-)", "ipv4pool-coip-1"),
    ):
        if pattern.startswith(start):
            return value
    return "a"


def broken(shape: Shape, path: str) -> Iterator[tuple[Any, str, str]]:
    """Yield values that break one constraint of `shape` or within it, the place, and the words."""
    limits = shape.metadata
    is_number = shape.type_name in ("integer", "long")
    if isinstance(shape, StringShape) and shape.enum:
        yield _NO_MATCH, path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
    if "pattern" in limits:
        yield _NO_MATCH, path, f"regular expression pattern: {limits['pattern']}"
    for limit, beyond, words in (("max", 1, "less"), ("min", -1, "greater")):
        if limit not in limits or limits[limit] == 0:
            continue
        bound = limits[limit]
        measure = "value" if is_number else "length"
        words = f"Member must have {measure} {words} than or equal to {bound}"
        yield _of_size(shape, bound + beyond), path, words
    yield from _within(shape, path)


def _of_size(shape: Shape, size: int) -> Any:
    match shape:
        case StringShape():
            return "a" * size
        case ListShape():
            return [smallest(shape.member)] * size
        case _:
            return size


def _within(shape: Shape, path: str) -> Iterator[tuple[Any, str, str]]:
    match shape:
        case StructureShape():
            whole = smallest(shape)
            for name in shape.required_members:
                others = [other for other in shape.members if other != name]
                some = {other: smallest(shape.members[other]) for other in others[:1]}
                yield (
                    some | {key: whole[key] for key in whole if key != name},
                    _join(path, name),
                    "Member must not be null",
                )
            for name, member in shape.members.items():
                for value, place, words in broken(member, _join(path, name)):
                    yield {**whole, name: value}, place, words
        case ListShape() if isinstance(shape.member, StructureShape):
            for value, place, words in broken(shape.member, f"{path}.1.member"):
                yield [value], place, words
        case ListShape():
            for value, place, words in broken(shape.member, path):
                yield [value], place, words


def _join(path: str, name: str) -> str:
    name = name[:1].lower() + name[1:]
    return f"{path}.{name}" if path else name


@pytest.mark.parametrize("operation", MODEL.operation_names)
def test_every_constraint_of_the_model_holds(world, operation):
    shape = MODEL.operation_model(operation).input_shape
    for params, place, words in broken(shape, ""):
        status, code, message = world.refusal(xform_name(operation), params)
        assert (status, code) == (400, "ValidationError"), (params, message)
        assert f"at '{place}' failed to satisfy constraint" in message, (params, message)
        assert words in message, (params, message)
