"""Conditions of a rule, from the API's documents. Source: elbv2 API, shape `RuleCondition`.

Limits and characters: ALB user guide, "Condition types for listener rules", "Quotas".
"""

import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, assert_never

from albatross.elbv2 import regexes
from albatross.model import quotas
from albatross.model.errors import ValidationError
from albatross.model.leniency import Leniency
from albatross.model.rule import (
    Condition,
    HostHeader,
    HttpHeader,
    HttpRequestMethod,
    PathPattern,
    QueryParameter,
    QueryString,
    SourceIp,
)

CONDITION_VALUES_MAX = quotas.QUOTAS[quotas.CONDITION_VALUES].default
CONDITION_WILDCARDS_MAX = quotas.QUOTAS[quotas.CONDITION_WILDCARDS].default
VALUE_CHARACTERS_MAX = 128
NAME_CHARACTERS_MAX = 40  # of a header and of a method
_CONFIGS = {
    "path-pattern": "PathPatternConfig",
    "host-header": "HostHeaderConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}
_WITH_VALUES = ("host-header", "path-pattern")  # may have `Values` outside of a configuration
_WITH_REGEX = (*_WITH_VALUES, "http-header")
_REPEATABLE = ("http-header", "query-string")
_CHARACTERS = {
    # At least one dot, and nothing but letters after the last one.
    "host-header": re.compile(r"[A-Za-z0-9.*?-]*\.[A-Za-z]+"),
    "path-pattern": re.compile(r"""[A-Za-z0-9_.$/~"'@:+&*?-]+"""),
    # AWS is silent: the values of http-header conditions may hold spaces.
    "http-header": re.compile(r"[ -~]+"),
    "query-string": re.compile(r"[!-~]+"),
}
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'+.^_`|~-]+")  # RFC 7230 token, but no wildcard
_METHOD = re.compile(r"[A-Z_-]+")
_EVERY_HOST = "255.255.255.255/32"


def to_conditions(
    documents: Sequence[Mapping[str, Any]], lenient: Collection[Leniency]
) -> tuple[Condition, ...]:
    """Return the conditions of one rule, one or more. Raises ValidationError."""
    if not documents:
        raise ValidationError("A condition must be specified")
    conditions = tuple(_to_condition(document) for document in documents)
    fields = [document["Field"] for document in documents]
    for field in fields:
        if field not in _REPEATABLE and fields.count(field) > 1:
            raise ValidationError(f"A rule can only have one '{field}' condition")
    most = quotas.MATCHES_OF_CONDITION
    if Leniency.CONDITION_VALUES not in lenient and max(map(_evaluations, conditions)) > most:
        raise ValidationError(f"A condition can only have '{most}' condition values")
    if sum(map(_evaluations, conditions)) > CONDITION_VALUES_MAX:
        raise ValidationError(f"A rule can only have '{CONDITION_VALUES_MAX}' condition values")
    if sum(map(_wildcards, conditions)) > CONDITION_WILDCARDS_MAX:
        raise ValidationError(
            f"A rule can only have '{CONDITION_WILDCARDS_MAX}' condition wildcards"
        )
    return conditions


def _to_condition(document: Mapping[str, Any]) -> Condition:
    field = document.get("Field")
    if not field:
        raise ValidationError("A condition field must be specified")
    if field not in _CONFIGS:
        raise ValidationError(f"Condition field '{field}' must be one of '[{','.join(_CONFIGS)}]'")
    _refuse_incompatible(field, document)
    config = document.get(_CONFIGS[field]) or {}
    if not config and field not in _WITH_VALUES:
        raise ValidationError(f"A '{_CONFIGS[field]}' must be specified with '{field}'")
    match field:
        case "host-header":
            return HostHeader(**_values(field, document, config))
        case "path-pattern":
            return PathPattern(**_values(field, document, config))
        case "http-header":
            name = _header_name(config)
            return HttpHeader(header_name=name, **_values(field, document, config))
        case "http-request-method":
            return HttpRequestMethod(values=_methods(config))
        case "query-string":
            return QueryString(values=_parameters(config))
        case _:
            return SourceIp(values=_blocks(config))


def _refuse_incompatible(field: str, document: Mapping[str, Any]) -> None:
    incompatible = [config for other, config in _CONFIGS.items() if other != field]
    if field not in _WITH_VALUES:
        incompatible.append("Values")
    if field not in _WITH_REGEX:
        incompatible.append("RegexValues")
    for member in incompatible:
        if document.get(member):
            raise ValidationError(f"The '{member}' field is not compatible with '{field}'")


def _values(
    field: str, document: Mapping[str, Any], config: Mapping[str, Any]
) -> dict[str, tuple[str, ...]]:
    """Return `values` or `regex_values`: of `config`, or beside it where a short form is used."""
    name = _CONFIGS[field]
    for member in ("Values", "RegexValues"):
        if document.get(member) and (config.get("Values") or config.get("RegexValues")):
            raise ValidationError(
                f"You cannot provide both {member} and '{name}' for a condition of type '{field}'"
            )
    short = document.get("Values") or ()
    if len(short) > 1:
        raise ValidationError(f"The '{field}' field contains too many values; the limit is '1'")
    values = tuple(short or config.get("Values") or ())
    expressions = tuple(document.get("RegexValues") or config.get("RegexValues") or ())
    if values and expressions:
        raise ValidationError(
            f"You cannot provide both Values and RegexValues for a condition of type '{field}'"
        )
    if not (values or expressions) or not all((*values, *expressions)):
        raise ValidationError("A condition value must be specified")
    for value in (*values, *expressions):
        _check_length(value, field)
    for value in values:
        _check_characters(value, field)
    for expression in expressions:
        regexes.check(expression, f"'{field}' value")
    return {"regex_values": expressions} if expressions else {"values": values}


def _header_name(config: Mapping[str, Any]) -> str:
    name: str = config.get("HttpHeaderName") or ""
    if not name:
        raise ValidationError("A 'HttpHeaderName' must be specified in 'HttpHeaderConfig'")
    _check_length(name, "HttpHeaderName", NAME_CHARACTERS_MAX)
    if not _HEADER_NAME.fullmatch(name):
        raise ValidationError(f"The 'HttpHeaderName' value '{name}' is not a valid header name")
    if name.lower() == "host":
        raise ValidationError(
            f"The 'HttpHeaderName' value '{name}' is not supported; use a 'host-header' condition"
        )
    return name


def _methods(config: Mapping[str, Any]) -> tuple[str, ...]:
    field = "http-request-method"
    methods = _given(config, field)
    for method in methods:
        _check_length(method, field, NAME_CHARACTERS_MAX)
        if not _METHOD.fullmatch(method):
            raise ValidationError(
                f"The '{field}' value is invalid; the allowed characters are A-Z, hyphen and "
                "underscore"
            )
    return methods


def _parameters(config: Mapping[str, Any]) -> tuple[QueryParameter, ...]:
    field = "query-string"
    parameters = []
    for pair in _given(config, field):
        key, value = pair.get("Key") or None, pair.get("Value")
        if not value:
            raise ValidationError("A 'Value' must be specified in 'QueryStringKeyValuePair'")
        for member, text in (("Key", key), ("Value", value)):
            if text is not None:
                _check_length(text, member)
                _check_characters(text, field)
        parameters.append(QueryParameter(key=key, value=value))
    return tuple(parameters)


def _blocks(config: Mapping[str, Any]) -> tuple[str, ...]:
    if config.get("IpAddressType"):
        raise ValidationError(
            "'IpAddressType' is not supported for listeners of Application Load Balancers"
        )
    blocks = _given(config, "source-ip")
    for block in blocks:
        if not _is_cidr(block) or block == _EVERY_HOST:
            raise ValidationError(f"The 'source-ip' value '{block}' is not a valid CIDR block")
    return blocks


def _is_cidr(text: str) -> bool:
    address, _, bits = text.partition("/")
    # AWS is silent: a block may have bits beyond its length; they are not looked at.
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "%" not in address and bits.isdecimal() and bits.isascii()


def _given(config: Mapping[str, Any], field: str) -> tuple[Any, ...]:
    values = tuple(config.get("Values") or ())
    if not values or not all(values):
        raise ValidationError(f"A '{field}' value must be specified")
    return values


def _check_length(text: str, what: str, limit: int = VALUE_CHARACTERS_MAX) -> None:
    if len(text) > limit:
        raise ValidationError(f"The '{what}' value is too long; the limit is '{limit}'")


def _check_characters(value: str, field: str) -> None:
    if not _CHARACTERS[field].fullmatch(value):
        raise ValidationError(f"Condition value '{value}' contains a character that is not valid")


def _evaluations(condition: Condition) -> int:
    match condition:
        case HostHeader() | PathPattern() | HttpHeader():
            return len(condition.values) + len(condition.regex_values)
        case HttpRequestMethod() | QueryString() | SourceIp():
            return len(condition.values)
        case _:
            assert_never(condition)


def _wildcards(condition: Condition) -> int:
    match condition:
        case HostHeader() | PathPattern() | HttpHeader():
            return sum(len(re.findall(r"[*?]", value)) for value in condition.values)
        case QueryString(values=parameters):
            texts = [text for one in parameters for text in (one.key or "", one.value)]
            return sum(len(re.findall(r"(?<!\\)[*?]", text)) for text in texts)
        case HttpRequestMethod() | SourceIp():
            return 0
        case _:
            assert_never(condition)
