"""The action of a rule, from the API's documents. Source: elbv2 API, shape `Action`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from albatross.elbv2.coverage import not_here
from albatross.model.errors import InvalidLoadBalancerAction, ValidationError
from albatross.model.rule import Action, FixedResponse, Forward, Redirect

_CONFIGS = {
    "forward": {"TargetGroupArn", "ForwardConfig"},
    "redirect": {"RedirectConfig"},
    "fixed-response": {"FixedResponseConfig"},
}
_ALL_CONFIGS = sorted(set().union(*_CONFIGS.values()))
_CONTENT_TYPES = (
    "text/html",
    "application/json",
    "application/javascript",
    "text/css",
    "text/plain",
)
# Which keywords each part of a redirect may hold. Source: shape `RedirectActionConfig`.
_KEYWORDS = {
    "Protocol": {"protocol"},
    "Host": {"host"},
    "Port": {"port"},
    "Path": {"host", "port", "path"},
    "Query": {"protocol", "host", "port", "path", "query"},
}
# AWS is silent: a redirect may not hold spaces, control characters or anything but ASCII.
_SHAPES = {
    "Protocol": "[!-~]+",
    "Host": "[!-~]+",
    "Port": r"#\{port\}|[1-9][0-9]{0,4}",
    "Path": "/[!-~]*",
    "Query": r"(?!\?)[!-~]*",
}
PORT_MAX = 65_535


def to_action(documents: Sequence[Mapping[str, Any]]) -> Action:
    """Return what `documents` say, which must be one routing action.

    Raises ValidationError, InvalidLoadBalancerAction; NotImplementedHere for an action, or a part
    of one, that this version cannot perform. That a target group exists is for associations.py.
    """
    if not documents:
        raise ValidationError("An action must be specified")
    for document in documents:
        if document["Type"] not in _CONFIGS:
            raise not_here(f"The action type '{document['Type']}'")
    if len(documents) > 1:
        raise InvalidLoadBalancerAction(
            "You must specify exactly one action of type 'forward', 'redirect' or 'fixed-response'"
        )
    document = documents[0]
    kind = document["Type"]
    for config in _ALL_CONFIGS:
        if config in document and config not in _CONFIGS[kind]:
            raise ValidationError(f"The '{config}' field is not compatible with '{kind}'")
    order = document.get("Order")
    if kind == "forward":
        return _forward(document, order)
    if kind == "redirect":
        return _redirect(_config(document, "RedirectConfig"), order)
    return _fixed_response(_config(document, "FixedResponseConfig"), order)


def _config(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    config: Mapping[str, Any] | None = document.get(name)
    if not config:
        raise ValidationError(f"A '{name}' must be specified with '{document['Type']}'")
    return config


def _forward(document: Mapping[str, Any], order: int | None) -> Forward:
    short: str | None = document.get("TargetGroupArn")
    config = document.get("ForwardConfig") or {}
    groups = config.get("TargetGroups") or []
    if len(groups) > 1:
        raise not_here("A forward action with several target groups")
    if (config.get("TargetGroupStickinessConfig") or {}).get("Enabled"):
        raise not_here("Stickiness of target groups")
    if not groups:
        groups = [{"TargetGroupArn": short}]
    arn, weight = groups[0].get("TargetGroupArn"), groups[0].get("Weight", 1)
    if not arn:
        raise ValidationError("A target group ARN must be specified")
    if short and short != arn:
        raise ValidationError(
            "You cannot specify different target groups in 'TargetGroupArn' and 'ForwardConfig'"
        )
    if not 0 <= weight <= 999:
        raise ValidationError(
            f"The target group weight '{weight}' must be between '0-999' inclusive"
        )
    if weight == 0:
        raise not_here("A forward action whose only target group has the weight 0")
    return Forward(target_group_arn=arn, weight=weight, order=order)


def _redirect(config: Mapping[str, Any], order: int | None) -> Redirect:
    for part in _KEYWORDS:
        if part in config:
            _check_redirect_part(part, config[part])
    redirect = Redirect(
        status_code=int(config["StatusCode"].removeprefix("HTTP_")),
        order=order,
        **{part.lower(): config[part] for part in _KEYWORDS if part in config},
    )
    same_address = Redirect(status_code=redirect.status_code, query=redirect.query, order=order)
    # AWS is silent: a redirect that changes neither protocol, host, port nor path is refused with
    # InvalidLoadBalancerAction.
    if redirect == same_address:
        raise InvalidLoadBalancerAction(
            "The redirect configuration is not valid because it creates a loop."
        )
    return redirect


def _check_redirect_part(part: str, value: str) -> None:
    unknown = set(re.findall(r"#\{([^}]*)\}", value)) - _KEYWORDS[part]
    if unknown:
        raise InvalidLoadBalancerAction(
            f"The redirect {part.lower()} '{value}' contains a keyword that is not valid there: "
            f"'#{{{min(unknown)}}}'"
        )
    is_shaped = re.fullmatch(_SHAPES[part], value)
    if not is_shaped or (part == "Port" and value.isdigit() and int(value) > PORT_MAX):
        raise InvalidLoadBalancerAction(f"The redirect {part.lower()} '{value}' is not valid")


def _fixed_response(config: Mapping[str, Any], order: int | None) -> FixedResponse:
    content_type = config.get("ContentType") or None
    if content_type is not None and content_type not in _CONTENT_TYPES:
        listed = ", ".join(f"'{known}'" for known in _CONTENT_TYPES)
        raise InvalidLoadBalancerAction(f"The ContentType must be one of:{listed}")
    return FixedResponse(
        status_code=int(config["StatusCode"]),
        content_type=content_type,
        message_body=config.get("MessageBody"),
        order=order,
    )
