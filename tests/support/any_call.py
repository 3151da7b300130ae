"""Strategies of hypothesis for calls of the API: sensible, nearly sensible and broken ones.

Parameters come from botocore's shapes. They refer to members of earlier answers by name, so that
calls are about what there is, or was. What is drawn depends on no answer: `resolve` and
`Damage.done_to` make a request of it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape
from hypothesis import strategies as st

from tests.support.wire import Message, with_body

DEPTH_MAX = 6
REFERRED = re.compile("(Arn|Id|Name|Marker|Version|Token|Resource)s?$")  # members of answers
Pool = Mapping[str, Sequence[Any]]

ODD: list[Any] = [
    *(
        "",
        " ",
        "a",
        "-a-",
        "a--b",
        "ä",
        "\U0001d54f",
        "\x00",
        "\x7f",
        "\ud7ff",
        "\ufffe",
        "a\r\nb: c",
    ),
    *("<&>]]>", "'\"`;--", "../../etc/passwd", "%00%ff", "${x}", "*", "?" * 9, "(" * 50, "[a-"),
    *("x" * 300, "é" * 5_000, "0", "-1", "1e9", "true", "null", "arn:aws:", "a:b:c:d:e:f:g"),
    "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/x/0123456789abcdef",
]
NUMBERS = [-(2**31), -1, 0, 1, 2, 5, 30, 80, 443, 50_000, 65_535, 65_536, 2**31 - 1]
HUGE = [2**31, 2**63 - 1, -(2**63), 2**63, 10**30]


@dataclass(frozen=True)
class Reference:
    """Stands for one of the values that members called `name` have had."""

    name: str
    number: int


def resolve(value: Any, pool: Pool) -> Any:
    """Return `value` with what references stand for: an odd text where there is nothing yet."""
    match value:
        case Reference(name=name, number=number):
            found = pool.get(name) or [""]
            return found[number % len(found)]
        case dict():
            return {resolve(key, pool): resolve(item, pool) for key, item in value.items()}
        case list():
            return [resolve(item, pool) for item in value]
        case _:
            return value


@dataclass(frozen=True)
class Sense:
    """What makes calls sensible: `values` by member, whole `structures` by shape, whole `calls`."""

    values: Pool
    structures: Pool
    calls: Pool


def parameters(operation: OperationModel, sense: Sense) -> st.SearchStrategy[Any]:
    """Return parameters of `operation`, with references: two of three calls make some sense."""
    shape = operation.input_shape
    if shape is None:
        return st.just({})
    tame, wild = (_Maker(sense, tame=tame).structure(shape, 0) for tame in (True, False))
    whole = sense.calls.get(operation.name)
    return st.one_of(st.sampled_from(whole) if whole else tame, tame, wild)


@dataclass(frozen=True)
class _Maker:
    """Makes strategies of shapes. A tame one keeps to what makes sense, another need not."""

    sense: Sense
    tame: bool

    def structure(self, shape: StructureShape, depth: int) -> st.SearchStrategy[dict[str, Any]]:
        @st.composite
        def build(draw: st.DrawFn) -> dict[str, Any]:
            made = {}
            for name, member in shape.members.items():
                if draw(st.integers(0, 19)) < self._chances(shape, name, member):
                    made[name] = draw(self._value(name, member, depth + 1))
            return made

        return build()

    def _chances(self, shape: StructureShape, name: str, member: Shape) -> int:
        """Return in how many of 20 cases a member is there."""
        if member.serialization.get("location") == "uri":
            return 20
        if name in shape.required_members:
            return 20 if self.tame else 18
        if self.tame:
            return 13 if name in self.sense.values else 1
        return 12 if name in self.sense.values else 3

    def _value(self, name: str, shape: Shape, depth: int) -> st.SearchStrategy[Any]:
        match shape:
            case StructureShape():
                whole = self.sense.structures.get(shape.name)
                if whole and self.tame:
                    return st.sampled_from(whole)
                return self.structure(shape, depth) if depth < DEPTH_MAX else st.just({})
            case ListShape():
                item = self._value(name.removesuffix("s"), shape.member, depth + 1)
                sizes = st.sampled_from([1, 1, 2, 3] if self.tame else [0, 1, 2, 3])
                return sizes.flatmap(lambda n: st.lists(item, min_size=n, max_size=n))
            case MapShape():
                key = self._value(name, shape.key, depth)
                return st.dictionaries(key, self._value(name, shape.value, depth), max_size=3)
            case _:
                return self._scalar(name, shape)

    def _scalar(self, name: str, shape: Shape) -> st.SearchStrategy[Any]:
        known = self.sense.values.get(name)
        likely = [st.sampled_from(known)] * 4 if known else []
        match shape.type_name:
            case "integer" | "long":
                low, high = shape.metadata.get("min", 1), shape.metadata.get("max", 1_000)
                odd = [st.integers(low, high), *([] if self.tame else [st.sampled_from(NUMBERS)])]
            case "float" | "double":
                odd = [st.floats(allow_nan=False, allow_infinity=False)]
            case "boolean":
                odd = [st.booleans()]
            case "timestamp":
                odd = [st.datetimes().map(lambda moment: moment.replace(microsecond=0))]
            case "blob":
                odd = [st.binary(max_size=50)]
            case _:
                if REFERRED.search(name):
                    likely += [st.builds(Reference, st.just(name), st.integers(0, 99))] * 4
                if isinstance(shape, StringShape) and shape.enum:
                    likely += [st.sampled_from(list(shape.enum))] * 4
                odd = [st.sampled_from(ODD), st.text(st.characters(codec="utf-8"))]
        return st.one_of(*likely) if self.tame and likely else st.one_of(*likely, *odd)


JSON = st.recursive(
    st.none() | st.booleans() | st.sampled_from([*NUMBERS, *HUGE]) | st.sampled_from(ODD),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(ODD), inner),
    max_leaves=5,
)
_SUFFIXES = ("", ".x", ".member", ".member.1", ".member.0", ".1", ".entry.1.key")


@dataclass(frozen=True)
class Damage:
    """What is wrong with a request: `kind` says where, the rest says what is put there."""

    kind: str  # field | cut | noise
    place: int
    suffix: str
    text: str
    value: Any
    noise: bytes

    def done_to(self, sent: Message, *, is_form: bool) -> Message:
        """Return `sent`, no longer what it was."""
        body = sent.body
        match self.kind:
            case "cut":
                body = body[: self.place % (len(body) + 1)]
            case "noise":
                body = body + self.noise
            case _:
                body = self._in_form(body) if is_form else self._in_json(body)
        return with_body(sent, body)

    def _in_form(self, body: bytes) -> bytes:
        """Put a field beside one that is there, or in its place."""
        pairs = parse_qsl(body.decode(), keep_blank_values=True)
        name, _ = pairs[self.place % len(pairs)]
        kept = [pair for pair in pairs if pair[0] != name or self.place % 2]
        return urlencode([*kept, (name + self.suffix, self.text)]).encode()

    def _in_json(self, body: bytes) -> bytes:
        """Put another value in the place of one, at the top or one level below."""
        document = json.loads(body) if body[:1] == b"{" else None
        if not document:
            return json.dumps(self.value).encode()
        names = sorted(document)
        name = names[self.place % len(names)]
        below = document[name]
        if isinstance(below, dict) and below and self.place % 3:
            document[name] = {**below, sorted(below)[self.place % len(below)]: self.value}
        else:
            document[name] = self.value
        return json.dumps(document).encode()


DAMAGES = st.builds(
    Damage,
    kind=st.sampled_from(["field", "field", "field", "cut", "noise"]),
    place=st.integers(0, 9_999),
    suffix=st.sampled_from(_SUFFIXES),
    text=st.sampled_from([*ODD, *map(str, NUMBERS + HUGE)]),
    value=JSON,
    noise=st.binary(max_size=40),
)
