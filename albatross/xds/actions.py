"""A rule's action -> what an Envoy route does. Source: ALB user guide, rule action types.

What a route cannot say in Envoy's own terms it says in `parameters`, which `lua/request.lua` reads.
"""

from typing import assert_never

from envoy.config.route.v3.route_components_pb2 import RetryPolicy, Route

from albatross.model import pages
from albatross.model.rule import Action, FixedResponse, Forward, Redirect
from albatross.xds import names, target_group, weights
from albatross.xds.access_log import error_reasons
from albatross.xds.packing import packed
from albatross.xds.tenant import Groups

OVERWRITE = "OVERWRITE_IF_EXISTS_OR_ADD"
ADD_IF_ABSENT = "ADD_IF_ABSENT"

# AWS is silent: a fixed response with a body and without ContentType is text/plain.
DEFAULT_CONTENT_TYPE = "text/plain"
# AWS is silent: fixed responses of text types are sent with charset=utf-8, others without.
TEXT_SUFFIX = "; charset=utf-8"
# AWS is silent: a fixed response with 204 has no body.
_NO_CONTENT = 204
# By so much the Lambda host is ahead of Envoy in ending a request at its idle timeout.
BACKSTOP_MS = 250
# Without an idle timeout for functions Envoy still ends a silent upload, after the longest
# function timeout (900 s) and a cold start have passed.
# AWS is silent: with `lambda_idle_timeout = "ignore"` a client may wait 960 s for its function.
_SILENCE_S_MAX = 960
# The Lambda host's socket takes connections even while the host is replaced. Where it takes none,
# because very many wait, nothing has been sent to it, and the request waits for about two seconds.
UNTIL_REPLACED = RetryPolicy(
    retry_on="connect-failure",
    num_retries={"value": 20},
    retry_back_off={
        "base_interval": {"nanos": 25_000_000},
        "max_interval": {"nanos": 200_000_000},
    },
)


def perform(
    route: Route, action: Action, groups: Groups, *, idle_timeout_s: int, lambda_idle_timeout: bool
) -> dict[str, str]:
    """Set what `route` does and return the script's parameters for it.

    Without `lambda_idle_timeout` a request may wait for its function however long that takes.
    """
    match action:
        case Forward(target_group_arns=arns):
            if weights.is_choice(action):
                return weights.choose(route, action)
            group = groups.by_arn[arns[0]]
            if group.target_type == "lambda":
                _invoke(route, group.arn, idle_timeout_s if lambda_idle_timeout else None)
            else:
                target_group.send_to_servers(
                    route, group, idle_timeout_s=idle_timeout_s, cookie_key=groups.cookie_key
                )
            return {"action": "forward", **target_group.parameters(group)}
        case FixedResponse():
            return _answer(route, action)
        case Redirect():
            return _redirect(route, action)
        case _:
            assert_never(action)


def header(name: str, value: str, append_action: str) -> dict[str, object]:
    """Return a header to add to requests or responses, in the form message constructors take."""
    return {"header": {"key": name, "value": value}, "append_action": append_action}


def _invoke(route: Route, target_group_arn: str, idle_timeout_s: int | None) -> None:
    route.route.cluster = names.LAMBDA_CLUSTER
    # The host alone may tell an error reason: another target's header of this name is its own.
    route.typed_per_filter_config[names.ERROR_FILTER].CopyFrom(packed(error_reasons()))
    route.route.timeout.FromSeconds(0)  # none on the whole answer
    route.route.retry_policy.CopyFrom(UNTIL_REPLACED)
    if idle_timeout_s is None:
        route.route.idle_timeout.FromSeconds(_SILENCE_S_MAX)
    else:
        route.route.idle_timeout.FromMilliseconds(idle_timeout_s * 1000 + BACKSTOP_MS)
    route.request_headers_to_add.add(
        **header(names.TARGET_GROUP_HEADER, target_group_arn, OVERWRITE)
    )


def _answer(route: Route, action: FixedResponse) -> dict[str, str]:
    route.direct_response.status = action.status_code
    if action.message_body and action.status_code != _NO_CONTENT:
        route.direct_response.body.inline_string = action.message_body
        content_type = _in_full(action.content_type or DEFAULT_CONTENT_TYPE)
        route.response_headers_to_add.add(**header("content-type", content_type, OVERWRITE))
    return {"action": "fixed-response"}


def headers_without_body(action: Action) -> dict[str, str]:
    """Return the headers that tell of the body of a fixed response without one; else none.

    Of its own answers that have no body Envoy takes the type out that a route adds, and to HEAD
    they would say that there is one in chunks.
    """
    if (
        not isinstance(action, FixedResponse)
        or action.message_body
        or action.status_code == _NO_CONTENT
    ):
        return {}
    length = {"content-length": "0"}
    if not action.content_type:
        return length
    return {"content-type": _in_full(action.content_type), **length}


def _in_full(content_type: str) -> str:
    return content_type + (TEXT_SUFFIX if content_type.startswith("text/") else "")


def _redirect(route: Route, action: Redirect) -> dict[str, str]:
    # The script answers. If it failed, Envoy would answer with this status and a Location
    # that leads back to the request's own URL.
    route.direct_response.status = 500
    return {
        "action": "redirect",
        "redirect_status": str(action.status_code),
        "redirect_protocol": action.protocol.lower(),
        "redirect_host": action.host,
        "redirect_port": action.port,
        "redirect_path": action.path,
        "redirect_query": action.query,
        # AWS is silent: the body of a redirect is the load balancer's page of 301 or 302.
        "redirect_page": pages.page(action.status_code),
    }
