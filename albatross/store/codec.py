"""Resources as JSON documents, and back.

Members of a union are tagged with their class's name: a class of `model/` may be renamed only
together with a new schema version.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Protocol

from cattrs import Converter
from cattrs.preconf.orjson import make_converter
from cattrs.strategies import configure_tagged_union

from albatross.model.certificate import Certificate
from albatross.model.code_signing import CodeSigningConfig
from albatross.model.function import Code, Function, Package, Secrets
from albatross.model.layer import Layer, LayerVersion, merged_name
from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.rule import Action, Condition, Forward, Rule, Transform
from albatross.model.target_group import TargetGroup
from albatross.model.trust_store import TrustStore
from albatross.model.version import Alias, Numbers, Version

WITH_PACKAGES = (Function.kind, Version.kind, LayerVersion.kind)  # resources that need packages
CACHED_MAX = 10_000  # decoded documents


class Resource(Protocol):
    """What every resource of `model/` has."""

    @property
    def kind(self) -> str: ...
    @property
    def arn(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def parent(self) -> str | None: ...


CLASSES: dict[str, type[Any]] = {
    cls.kind: cls
    for cls in (
        *(LoadBalancer, Listener, Rule, TargetGroup, Certificate, TrustStore),
        *(Function, Version, Alias, Numbers, CodeSigningConfig, Layer, LayerVersion),
    )
}


def _converter() -> Converter:
    converter = make_converter()
    _read_forward_to_one(converter)
    for union in (Condition, Action, Transform, Code):
        configure_tagged_union(union, converter, tag_name="type")
    converter.register_unstructure_hook(Secrets, dict)
    converter.register_structure_hook(Secrets, lambda value, _: Secrets(value))
    return converter


def _read_forward_to_one(converter: Converter) -> None:
    """Read forward actions also as they were written while they had one target group."""
    structure = converter.get_structure_hook(Forward)

    def read(document: dict[str, Any], cls: type[Forward]) -> Forward:
        if arn := document.get("target_group_arn"):
            group = {"arn": arn, "weight": document.get("weight", 1)}
            document = {"target_groups": [group], "order": document.get("order")}
        forward: Forward = structure(document, cls)
        return forward

    converter.register_structure_hook(Forward, read)


_CONVERTER = _converter()


def encode(resource: Resource) -> str:
    """Return the JSON document of `resource`. Equal resources have equal documents."""
    return _CONVERTER.dumps(resource).decode()  # type: ignore[attr-defined, no-any-return]


@lru_cache(maxsize=CACHED_MAX)
def decode(kind: str, document: str) -> Any:
    """Return the resource that `document` says, which is immutable and therefore shared."""
    return _CONVERTER.loads(document, CLASSES[kind])  # type: ignore[attr-defined]


def packages(resource: Resource) -> Iterator[Package]:
    """Yield each package that a resource needs."""
    match resource:
        case Version():
            yield from packages(resource.function)
        case LayerVersion():
            yield resource.content
        case Function():
            if isinstance(resource.code, Package):
                yield resource.code
            yield from (layer.content for layer in resource.layers)


def merged_layers(resource: Resource) -> str | None:
    """Return the name of the directory of merged layers that a resource needs, if any."""
    match resource:
        case Version():
            return merged_layers(resource.function)
        case Function() if resource.layers:
            return merged_name(layer.content.digest for layer in resource.layers)
    return None
