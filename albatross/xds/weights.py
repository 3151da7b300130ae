"""A forward action with several target groups, or with stickiness: which group a request gets.

The script chooses (`lua/request.lua`): the group that the client's cookie names, else one by
weight. It says so in a header, and Envoy takes the rule's route for that group. The last route of
the rule, for requests without a choice, leads nowhere.

Source: ALB user guide, "Action types for listener rules", sticky sessions and weighted groups.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from hashlib import sha384

from envoy.config.route.v3.route_components_pb2 import Route

from albatross.model.rule import Action, Forward, Rule
from albatross.xds import names

_APPEND = "APPEND_IF_EXISTS_OR_ADD"
# differs from AWS: the cookies AWSALBTG and AWSALBTGCORS are not encrypted. They hold a digest of
# the target group's ARN and the time.
_COOKIES = (names.STICKY_COOKIE, names.STICKY_CORS_COOKIE)


def is_choice(action: Forward) -> bool:
    """Tell whether the target group is for the script to choose."""
    weights = [group.weight for group in action.target_groups]
    return len(weights) > 1 or action.is_sticky or not any(weights)


def token(target_group_arn: str) -> str:
    """Return the name of a target group in cookies, 64 characters of Base64."""
    return b64encode(sha384(target_group_arn.encode()).digest()).decode()


def choose(route: Route, action: Forward) -> dict[str, str]:
    """Let the script choose on `route`, and return its parameters.

    Where all weights are 0 it chooses for clients with a cookie only.
    """
    # AWS is silent: where all weights are 0 the answer is 503; clients stay with their group also
    # when its weight has become 0.
    route.route.cluster = names.NO_CLUSTER
    weights = " ".join(f"{token(group.arn)}={group.weight}" for group in action.target_groups)
    sticky = {"sticky_s": str(action.stickiness_s)} if action.is_sticky else {}
    return {"action": "forward", "groups": weights, **sticky}


def alternatives(rules: Iterable[Rule]) -> Iterator[tuple[Rule, Action]]:
    """Yield each of `rules` with its action; before a choice, a forward to each of its groups."""
    for rule in rules:
        if isinstance(rule.action, Forward) and is_choice(rule.action):
            for arn in rule.action.target_group_arns:
                yield rule, Forward.to(arn)
        yield rule, rule.action


def take(route: Route, action: Action, *, among: Action) -> None:
    """Limit `route`, which does `action`, to requests for which its group was chosen `among`."""
    assert isinstance(action, Forward) and isinstance(among, Forward)
    chosen = {"exact": token(action.target_groups[0].arn)}
    route.match.headers.add(name=names.GROUP_HEADER, string_match=chosen)
    if among.is_sticky:
        for key in _COOKIES:
            value = f"%DYNAMIC_METADATA({names.METADATA}:{key})%"
            line = {"header": {"key": "set-cookie", "value": value}, "append_action": _APPEND}
            route.response_headers_to_add.add(**line)
