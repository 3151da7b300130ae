"""Transforms of a rule, from the API's documents. Source: elbv2 API, shape `RuleTransform`; ALB
user guide, "Transforms for listener rules".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from albatross.elbv2 import regexes
from albatross.model.errors import ValidationError
from albatross.model.rule import HostHeaderRewrite, Transform, UrlRewrite

CHARACTERS_MAX = 1024  # of an expression and of a replacement
_KINDS: Mapping[str, tuple[str, type[Transform]]] = {
    "host-header-rewrite": ("HostHeaderRewriteConfig", HostHeaderRewrite),
    "url-rewrite": ("UrlRewriteConfig", UrlRewrite),
}


def to_transforms(documents: Sequence[Mapping[str, Any]]) -> tuple[Transform, ...]:
    """Return the transforms of one rule, at most one of a kind. Raises ValidationError."""
    kinds = [document["Type"] for document in documents]
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise ValidationError(f"A rule can only have one '{kind}' transform")
    return tuple(_to_transform(document) for document in documents)


def _to_transform(document: Mapping[str, Any]) -> Transform:
    kind = document["Type"]
    name, cls = _KINDS[kind]
    for other, _ in _KINDS.values():
        if other in document and other != name:
            raise ValidationError(f"The '{other}' field is not compatible with '{kind}'")
    rewrites = (document.get(name) or {}).get("Rewrites") or ()
    if not rewrites:
        raise ValidationError(f"A '{name}' must be specified with '{kind}'")
    if len(rewrites) > 1:
        raise ValidationError(f"A '{kind}' transform can only have one rewrite")
    regex, replace = rewrites[0]["Regex"], rewrites[0]["Replace"]
    # AWS is silent: a transform may have an empty replacement, but no empty expression.
    if not regex:
        raise ValidationError("A 'Regex' must be specified in 'RewriteConfig'")
    for member, text in (("Regex", regex), ("Replace", replace)):
        if len(text) > CHARACTERS_MAX:
            raise ValidationError(
                f"The '{member}' value is too long; the limit is '{CHARACTERS_MAX}'"
            )
    regexes.check(regex, "transform expression")
    return cls(regex=regex, replace=replace)
