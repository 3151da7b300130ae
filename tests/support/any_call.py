"""Strategies of hypothesis for calls of the API: sensible, nearly sensible and broken ones.

Parameters come from botocore's shapes. A value is of its member's name where earlier answers had
members of that name, so that calls refer to what there is, or was.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape
from hypothesis import strategies as st

from tests.support.wire import Message, with_body

DEPTH_MAX = 6
Pool = Mapping[str, Sequence[Any]]

ODD = [
    *("", " ", "a", "-a-", "a--b", "ä", "𝕏", "\x00", "\x7f", "\ud7ff", "\ufffe", "a\r\nb: c"),
    *("<&>]]>", "'\"`;--", "../../etc/passwd", "%00%ff", "${x}", "*", "?" * 9, "(" * 50, "[a-"),
    *("x" * 300, "é" * 5_000, "0", "-1", "1e9", "true", "null", "arn:aws:", "a:b:c:d:e:f:g"),
    "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/app/x/0123456789abcdef",
]
NUMBERS = [-(2**31), -1, 0, 1, 2, 5, 30, 80, 443, 50_000, 65_535, 65_536, 2**31 - 1]
HUGE = [2**31, 2**63 - 1, -(2**63), 2**63, 10**30]


def parameters(operation: OperationModel, pool: Pool, known: Pool) -> st.SearchStrategy[Any]:
    """Return parameters of `operation`: from `pool`, `known` values by member, and odd ones."""
    if operation.input_shape is None:
        return st.just({})
    return _structure(operation.input_shape, pool, known, 0)


def _structure(
    shape: StructureShape, pool: Pool, known: Pool, depth: int
) -> st.SearchStrategy[dict[str, Any]]:
    """Required members are left out rarely, others are there now and then."""

    @st.composite
    def build(draw: st.DrawFn) -> dict[str, Any]:
        made = {}
        for name, member in shape.members.items():
            wanted = name in shape.required_members or name in known or name in pool
            dice = draw(st.integers(0, 19))
            if (wanted and dice) or dice > 16:
                made[name] = draw(_value(name, member, pool, known, depth + 1))
        return made

    return build()


def _value(name: str, shape: Shape, pool: Pool, known: Pool, depth: int) -> st.SearchStrategy[Any]:
    match shape:
        case StructureShape():
            return _structure(shape, pool, known, depth) if depth < DEPTH_MAX else st.just({})
        case ListShape():
            item = _value(name.removesuffix("s"), shape.member, pool, known, depth + 1)
            many = st.integers(1, 3).flatmap(lambda n: st.lists(item, min_size=n, max_size=n))
            return st.one_of(many, many, st.just([]))
        case MapShape():
            key = _value(name, shape.key, pool, known, depth)
            value = _value(name, shape.value, pool, known, depth)
            return st.dictionaries(key, value, max_size=3)
        case _:
            return _scalar(name, shape, pool, known)


def _scalar(name: str, shape: Shape, pool: Pool, known: Pool) -> st.SearchStrategy[Any]:
    found = list(known.get(name, ())) + list(pool.get(name, ()))
    likely = [st.sampled_from(found)] * 6 if found else []
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
            values = list(shape.enum) if isinstance(shape, StringShape) else []
            listed = [st.sampled_from(values)] * 8 if values else []
            odd = st.one_of(st.sampled_from(ODD), st.text(st.characters(codec="utf-8")))
            return st.one_of(*likely, *listed, odd)


JSON = st.recursive(
    st.none() | st.booleans() | st.sampled_from([*NUMBERS, *HUGE]) | st.sampled_from(ODD),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(ODD), inner),
    max_leaves=5,
)


def broken(sent: Message, *, is_form: bool) -> st.SearchStrategy[Message]:
    """Return requests that resemble `sent`, with something wrong in them."""
    fields = _broken_form(sent) if is_form else _broken_json(sent)
    cut = st.integers(0, max(0, len(sent.body) - 1)).map(lambda end: sent.body[:end])
    noise = st.binary(max_size=40).map(lambda noise: sent.body + noise)
    body = st.one_of(fields, fields, fields, cut, noise)
    return body.map(lambda body: with_body(sent, body))


def _broken_form(sent: Message) -> st.SearchStrategy[bytes]:
    pairs = parse_qsl(sent.body.decode(), keep_blank_values=True)
    names = [name for name, _ in pairs] or ["Action"]
    suffix = st.sampled_from(["", ".x", ".member", ".member.1", ".member.0", ".1", ".entry.1.key"])
    name = st.tuples(st.sampled_from(names), suffix).map("".join)
    value = st.sampled_from([*ODD, *map(str, NUMBERS + HUGE)])
    more = st.lists(st.tuples(name, value), min_size=1, max_size=3)

    def change(more: list[tuple[str, str]], gone: int) -> bytes:
        kept = [pair for number, pair in enumerate(pairs) if number != gone]
        return urlencode([*kept, *more], errors="surrogatepass").encode()

    return st.builds(change, more, st.integers(0, 2 * len(names)))


def _broken_json(sent: Message) -> st.SearchStrategy[bytes]:
    try:
        document = json.loads(sent.body or b"{}")
    except ValueError:
        return st.binary(max_size=100)
    if not isinstance(document, dict) or not document:
        return JSON.map(lambda value: json.dumps(value).encode())
    return st.builds(
        lambda name, value: json.dumps({**document, name: value}).encode(),
        st.sampled_from(sorted(document)),
        JSON,
    )
