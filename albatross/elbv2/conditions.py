"""Conditions of a rule, from the API's documents. Source: elbv2 API, shape `RuleCondition`.

Limits and characters: ALB user guide, "Condition types for listener rules", "Quotas".
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from albatross.elbv2.coverage import not_here
from albatross.elbv2.limits import CONDITION_VALUES_MAX, CONDITION_WILDCARDS_MAX
from albatross.model.errors import ValidationError
from albatross.model.rule import Condition, HostHeader, PathPattern

VALUE_CHARACTERS_MAX = 128
_FIELDS = (
    "path-pattern",
    "host-header",
    "http-header",
    "http-request-method",
    "query-string",
    "source-ip",
)
_CONFIGS = {
    "host-header": "HostHeaderConfig",
    "path-pattern": "PathPatternConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}
_PATTERNS = {
    # At least one dot, and nothing but letters after the last one.
    "host-header": re.compile(r"[A-Za-z0-9.*?-]*\.[A-Za-z]+"),
    "path-pattern": re.compile(r"""[A-Za-z0-9_.$/~"'@:+&*?-]+"""),
}


def to_conditions(documents: Sequence[Mapping[str, Any]]) -> tuple[Condition, ...]:
    """Return the conditions of one rule, one or more.

    Raises ValidationError; NotImplementedHere for a condition that this version cannot enforce.
    """
    if not documents:
        raise ValidationError("A condition must be specified")
    conditions = tuple(_to_condition(document) for document in documents)
    for document in documents:
        field = document["Field"]
        if sum(other["Field"] == field for other in documents) > 1:
            raise ValidationError(f"A rule can only have one '{field}' condition")
    values = [value for condition in conditions for value in condition.values]
    if len(values) > CONDITION_VALUES_MAX:
        raise ValidationError(
            f"A rule can only have '{CONDITION_VALUES_MAX}' condition values and regex values"
        )
    if sum(value.count("*") + value.count("?") for value in values) > CONDITION_WILDCARDS_MAX:
        raise ValidationError(
            f"A rule can only have '{CONDITION_WILDCARDS_MAX}' condition wildcards"
        )
    return conditions


def _to_condition(document: Mapping[str, Any]) -> Condition:
    field = document.get("Field")
    if not field:
        raise ValidationError("A condition field must be specified")
    if field not in _FIELDS:
        raise ValidationError(f"Condition field '{field}' must be one of '[{','.join(_FIELDS)}]'")
    if field not in _PATTERNS:
        raise not_here(f"The condition field '{field}'")
    for other in _CONFIGS.values():
        if other in document and other != _CONFIGS[field]:
            raise ValidationError(f"The '{other}' field is not compatible with '{field}'")
    values = _values(field, document)
    for value in values:
        _check_value(field, value)
    return HostHeader(values=values) if field == "host-header" else PathPattern(values=values)


def _values(field: str, document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the values, which stand in `Values` (one) or in the field's own configuration."""
    name = _CONFIGS[field]
    config = document.get(name) or {}
    short = document.get("Values") or ()
    if document.get("RegexValues") or config.get("RegexValues"):
        raise not_here(f"A regular expression in a '{field}' condition")
    if short and config:
        raise ValidationError(
            f"You cannot provide both Values and '{name}' for a condition of type '{field}'"
        )
    if len(short) > 1:
        raise ValidationError(
            f"The '{field}' field contains too many values; the limit is '1'; use '{name}'"
        )
    values = tuple(short or config.get("Values") or ())
    if not values or not all(values):
        raise ValidationError("A condition value must be specified")
    return values


def _check_value(field: str, value: str) -> None:
    if len(value) > VALUE_CHARACTERS_MAX:
        raise ValidationError(
            f"The '{field}' value is too long; the limit is '{VALUE_CHARACTERS_MAX}'"
        )
    if not _PATTERNS[field].fullmatch(value):
        raise ValidationError(f"Condition value '{value}' contains a character that is not valid")
