"""Resources as JSON documents, and back."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Protocol

import orjson

from albatross.model import plain
from albatross.model.certificate import Certificate
from albatross.model.code_signing import CodeSigningConfig
from albatross.model.function import Function, Package
from albatross.model.layer import Layer, LayerVersion, merged_name
from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.rule import Rule
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


def encode(resource: Resource) -> str:
    """Return the JSON document of `resource`. Equal resources have equal documents."""
    return orjson.dumps(
        resource, default=plain.fields_of, option=orjson.OPT_PASSTHROUGH_DATACLASS
    ).decode()


@lru_cache(maxsize=CACHED_MAX)
def decode(kind: str, document: str) -> Any:
    """Return the resource that `document` says, which is immutable and therefore shared."""
    read = orjson.loads(document)
    if kind == Rule.kind and (arn := read["action"].get("target_group_arn")):
        read["action"] = _forward_to_one(arn, read["action"])
    return plain.read(CLASSES[kind], read)


def _forward_to_one(arn: str, action: dict[str, Any]) -> dict[str, Any]:
    """Return a forward action that was written while it had one target group."""
    group = {"arn": arn, "weight": action.get("weight", 1)}
    return {"type": "Forward", "target_groups": [group], "order": action.get("order")}


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
