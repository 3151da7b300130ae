"""A forward action with several target groups, or with stickiness: which group a request gets.

The script chooses (`lua/request.lua`): the group that the client's cookie names, else one by
weight. It says so in a header, and Envoy takes the rule's route for that group. The last route of
the rule, for requests without a choice, leads nowhere.

Source: ALB user guide, "Action types for listener rules", sticky sessions and weighted groups.
"""

import json
from collections.abc import Iterable
from hashlib import sha256
from hmac import digest

from envoy.config.route.v3.route_components_pb2 import Route

from albatross.model.rule import Forward, Rule, WeightedTargetGroup
from albatross.xds import names, transforms

_APPEND = "APPEND_IF_EXISTS_OR_ADD"
_COOKIES = (names.STICKY_COOKIE, names.STICKY_CORS_COOKIE)
_TOKEN_DIGITS = 52  # of the 64 hexadecimal ones that are derived for each group


def is_choice(action: Forward) -> bool:
    """Tell whether the target group is for the script to choose."""
    weights = [group.weight for group in action.target_groups]
    return len(weights) > 1 or action.is_sticky or not any(weights)


def choose(route: Route, action: Forward) -> dict[str, str]:
    """Let `route` lead nowhere but to a choice, and return the script's parameters."""
    # AWS is silent: where all weights are 0 the answer is 503; clients stay with their group also
    # when its weight has become 0.
    route.route.cluster = names.NO_CLUSTER
    sticky = {"sticky_s": str(action.stickiness_s)} if action.is_sticky else {}
    return {"action": "forward", **sticky}


def take(route: Route, rule: Rule, group: WeightedTargetGroup, cookie_key: bytes) -> dict[str, str]:
    """Let `route` be for requests for which `group` was chosen, and return how the script does it.

    The script looks at the rule's conditions before, and Envoy at nothing but the choice: by then
    the request may have been changed.
    """
    assert isinstance(rule.action, Forward)
    choice = f"{rule.arn} {group.arn}"
    del route.match.headers[:]
    del route.match.filter_state[:]
    route.match.prefix = ""
    route.match.headers.add(name=names.GROUP_HEADER, string_match={"exact": choice})
    if rule.action.is_sticky:
        for key in _COOKIES:
            value = f"%DYNAMIC_METADATA({names.METADATA}:{key})%"
            line = {"header": {"key": "set-cookie", "value": value}, "append_action": _APPEND}
            route.response_headers_to_add.add(**line)
    transforms.restore_path(route)
    secret = digest(cookie_key, group.arn.encode(), "sha256").hex()
    return {
        "choice": choice,
        "weight": str(group.weight),
        # Neither tells the group to anyone without the key.
        "token": secret[:_TOKEN_DIGITS],
        "mask": secret[_TOKEN_DIGITS:],
    }


def is_taken(route: Route) -> bool:
    """Tell whether `route` is for one of the groups to choose from."""
    return any(header.name == names.GROUP_HEADER for header in route.match.headers)


def prepare(route: Route, taken: Iterable[Route], choices: list[dict[str, str]]) -> dict[str, str]:
    """Hand `choices`, the parameters of the routes `taken`, to the script on the one without a
    choice, and turn off there what one of those turns off: Envoy goes by it first.

    Returns the parameter by which the script knows them: it reads them once.
    """
    groups = route.metadata.filter_metadata[names.LUA_FILTER].get_or_create_list("groups")
    groups.extend(choices)
    for other in taken:
        if names.BODY_LIMIT_FILTER in other.typed_per_filter_config:
            off = other.typed_per_filter_config[names.BODY_LIMIT_FILTER]
            route.typed_per_filter_config[names.BODY_LIMIT_FILTER].CopyFrom(off)
    return {"groups": sha256(json.dumps(choices).encode()).hexdigest()[:16]}
