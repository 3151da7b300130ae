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
REFERRED = re.compile("(Arn|Id|Name|Marker|Version|Token)s?$")  # members of answers
Pool = Mapping[str, Sequence[Any]]

ODD = [
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


def parameters(operation: OperationModel, known: Pool) -> st.SearchStrategy[Any]:
    """Return parameters of `operation` with references, `known` values by member, and odd ones."""
    if operation.input_shape is None:
        return st.just({})
    return _structure(operation.input_shape, known, 0)


def _structure(shape: StructureShape, known: Pool, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Required members are left out rarely, others are there now and then."""

    @st.composite
    def build(draw: st.DrawFn) -> dict[str, Any]:
        made = {}
        for name, member in shape.members.items():
            wanted = name in shape.required_members or name in known
            dice = draw(st.integers(0, 19))
            in_path = member.serialization.get("location") == "uri"
            if in_path or (wanted and dice) or dice > 16:
                made[name] = draw(_value(name, member, known, depth + 1))
        return made

    return build()


def _value(name: str, shape: Shape, known: Pool, depth: int) -> st.SearchStrategy[Any]:
    match shape:
        case StructureShape():
            return _structure(shape, known, depth) if depth < DEPTH_MAX else st.just({})
        case ListShape():
            item = _value(name.removesuffix("s"), shape.member, known, depth + 1)
            many = st.integers(1, 3).flatmap(lambda n: st.lists(item, min_size=n, max_size=n))
            return st.one_of(many, many, st.just([]))
        case MapShape():
            key = _value(name, shape.key, known, depth)
            return st.dictionaries(key, _value(name, shape.value, known, depth), max_size=3)
        case _:
            return _scalar(name, shape, known)


def _scalar(name: str, shape: Shape, known: Pool) -> st.SearchStrategy[Any]:
    likely = [st.sampled_from(known[name])] * 4 if name in known else []
    match shape.type_name:
        case "integer" | "long":
            low, high = shape.metadata.get("min", 1), shape.metadata.get("max", 1_000)
            return st.one_of(*likely, st.integers(low, high), st.sampled_from(NUMBERS))
        case "float" | "double":
            return st.floats(allow_nan=False, allow_infinity=False)
        case "boolean":
            return st.booleans()
        case "timestamp":
            return st.datetimes().map(lambda moment: moment.replace(microsecond=0))
        case "blob":
            return st.one_of(*likely, st.binary(max_size=50))
        case _:
            if REFERRED.search(name):
                likely += [st.builds(Reference, st.just(name), st.integers(0, 99))] * 4
            values = list(shape.enum) if isinstance(shape, StringShape) else []
            listed = [st.sampled_from(values)] * 8 if values else []
            odd = st.one_of(st.sampled_from(ODD), st.text(st.characters(codec="utf-8")))
            return st.one_of(*likely, *listed, odd)


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
