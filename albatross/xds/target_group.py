"""A target group -> what a route to it does, and what the scripts must know of it.

Source: ALB user guide, "Target groups" (protocol versions, sticky sessions).
"""

from hashlib import sha256
from hmac import digest

from envoy.config.route.v3.route_components_pb2 import FilterConfig, Route
from envoy.extensions.filters.http.lua.v3.lua_pb2 import LuaPerRoute

from albatross.model import attributes
from albatross.model.target_group import Target, TargetGroup
from albatross.xds import names
from albatross.xds.cluster import address_of
from albatross.xds.packing import packed

OVERWRITE = "OVERWRITE_IF_EXISTS_OR_ADD"
_TOKEN_DIGITS = 56  # of the 64 hexadecimal ones that are derived for each target


def parameters(group: TargetGroup) -> dict[str, str]:
    """Return what the script of requests must know of `group`."""
    kind = "lambda" if group.target_type == "lambda" else "server"
    return {"kind": kind, "version": group.version}


def send_to_servers(
    route: Route, group: TargetGroup, *, idle_timeout_s: int, cookie_key: bytes
) -> None:
    """Have `route` send requests to the instances or addresses of `group`."""
    route.route.cluster = names.cluster(group.arn)
    route.route.timeout.FromSeconds(0)  # none on the whole answer
    route.route.idle_timeout.FromSeconds(idle_timeout_s)
    route.request_headers_to_remove.extend((names.CONNECTION_HEADER, names.TARGET_GROUP_HEADER))
    off = packed(FilterConfig(disabled=True))
    route.typed_per_filter_config[names.BODY_LIMIT_FILTER].CopyFrom(off)
    if attributes.get(group, "stickiness.enabled") == "true":
        _stick(route, group, cookie_key)


def answer_grpc(route: Route) -> None:
    """Have the load balancer's own answers on `route` be gRPC's where the call is."""
    script = packed(LuaPerRoute(name=names.GRPC_FILTER))
    route.typed_per_filter_config[names.GRPC_FILTER].CopyFrom(script)


# differs from AWS: cookies of applications work with weighted target groups, too.
def _stick(route: Route, group: TargetGroup, cookie_key: bytes) -> None:
    """Have lua/stickiness.lua choose targets by cookies and set them."""
    route.response_headers_to_add.add(
        header={"key": names.TARGET_HEADER, "value": "%UPSTREAM_HOST%"}, append_action=OVERWRITE
    )
    kind = attributes.get(group, "stickiness.type")
    prefix = "stickiness.app_cookie" if kind == "app_cookie" else "stickiness.lb_cookie"
    settings = {
        "kind": kind,
        "duration": attributes.get(group, f"{prefix}.duration_seconds"),
        "cookie": attributes.get(group, "stickiness.app_cookie.cookie_name"),
        "targets": "\n".join(
            _token(cookie_key, group, target)
            for target in group.targets
            if target.draining_until is None
        ),
    }
    text = "\n".join(f"{key}={value}" for key, value in sorted(settings.items()))
    config = LuaPerRoute(name=names.STICKINESS_FILTER)
    config.filter_context.update(settings | {"id": sha256(text.encode()).hexdigest()[:16]})
    route.typed_per_filter_config[names.STICKINESS_FILTER].CopyFrom(packed(config))


def _token(cookie_key: bytes, group: TargetGroup, target: Target) -> str:
    """Return a target's address after what stands for it in cookies, and what hides their age.

    Neither tells the address to anyone without the key, and only targets of the group have one.
    """
    # differs from AWS: the key of the cookies of sticky sessions does not change.
    host, port = address_of(target)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    secret = digest(cookie_key, f"{group.arn} {address}".encode(), "sha256").hex()
    return f"{secret[:_TOKEN_DIGITS]} {secret[_TOKEN_DIGITS:]} {address}"
