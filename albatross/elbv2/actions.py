"""The action of a rule, from the API's documents. Source: elbv2 API, shape `Action`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from albatross.elbv2.coverage import not_here
from albatross.model.errors import InvalidLoadBalancerAction, TooManyActions, ValidationError
from albatross.model.rule import (
    STICKINESS_S_MAX,
    TARGET_GROUPS_MAX,
    WEIGHT_MAX,
    Action,
    FixedResponse,
    Forward,
    Redirect,
    WeightedTargetGroup,
)

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

    Raises ValidationError, InvalidLoadBalancerAction, TooManyActions; NotImplementedHere for an
    action that this version cannot perform. That a target group exists is for associations.py.
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
    groups = config.get("TargetGroups") or [{"TargetGroupArn": short}]
    if not all(group.get("TargetGroupArn") for group in groups):
        raise ValidationError("A target group ARN must be specified")
    if short and [short] != [group["TargetGroupArn"] for group in groups]:
        raise ValidationError(
            "You cannot specify different target groups in 'TargetGroupArn' and 'ForwardConfig'"
        )
    if len(groups) > TARGET_GROUPS_MAX:
        # AWS is silent: a sixth target group in an action is refused with TooManyActions.
        raise TooManyActions(f"An action can only have '{TARGET_GROUPS_MAX}' target groups")
    stickiness = config.get("TargetGroupStickinessConfig") or {}
    is_sticky, stickiness_s = stickiness.get("Enabled", False), stickiness.get("DurationSeconds")
    _check_stickiness(is_sticky, stickiness_s)
    forward = Forward(
        target_groups=tuple(_weighted(group, len(groups)) for group in groups),
        is_sticky=is_sticky,
        stickiness_s=stickiness_s,
        order=order,
    )
    if len(set(forward.target_group_arns)) < len(groups):
        raise ValidationError("A target group can only be specified once in an action")
    return forward


def _weighted(group: Mapping[str, Any], among: int) -> WeightedTargetGroup:
    weight = group.get("Weight")
    if weight is None:
        if among > 1:
            raise ValidationError("A weight must be specified for each target group")
        weight = 1
    if not 0 <= weight <= WEIGHT_MAX:
        raise ValidationError(
            f"The target group weight '{weight}' must be between '0-{WEIGHT_MAX}' inclusive"
        )
    return WeightedTargetGroup(arn=group["TargetGroupArn"], weight=weight)


def _check_stickiness(is_sticky: bool, stickiness_s: int | None) -> None:
    if stickiness_s is None:
        if is_sticky:
            raise ValidationError(
                "'DurationSeconds' must be specified to enable stickiness of target groups"
            )
    elif not 1 <= stickiness_s <= STICKINESS_S_MAX:
        raise ValidationError(
            f"The stickiness duration '{stickiness_s}' must be between '1-{STICKINESS_S_MAX}' "
            "inclusive"
        )


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
