"""The health check settings of target groups. Source: elbv2 API, `CreateTargetGroup`; ALB user
guide, "Health checks for your target groups".
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from albatross.model.errors import ValidationError
from albatross.model.target_group import HealthCheck

HTTP_CODE_MIN, HTTP_CODE_MAX = 200, 499
GRPC_CODE_MIN, GRPC_CODE_MAX = 0, 99
PORT_MAX = 65_535
TRAFFIC_PORT = "traffic-port"
PROTOCOLS = ("HTTP", "HTTPS")

LAMBDA = HealthCheck()
_SERVER = HealthCheck(enabled=True, interval_s=30, timeout_s=5, protocol="HTTP", port=TRAFFIC_PORT)
_GRPC = replace(_SERVER, path="/AWS.ALB/healthcheck", grpc_codes="12")

# How `HealthCheck` calls what the API's members say.
_MEMBERS = {
    "HealthCheckEnabled": "enabled",
    "HealthCheckIntervalSeconds": "interval_s",
    "HealthCheckTimeoutSeconds": "timeout_s",
    "HealthyThresholdCount": "healthy_threshold",
    "UnhealthyThresholdCount": "unhealthy_threshold",
    "HealthCheckPath": "path",
    "HealthCheckProtocol": "protocol",
    "HealthCheckPort": "port",
}


def default(version: str) -> HealthCheck:
    """Return the settings of a new target group of servers with this protocol version."""
    return _GRPC if version == "GRPC" else _SERVER


def changed(current: HealthCheck, params: Mapping[str, Any], *, version: str) -> HealthCheck:
    """Return `current` with what `params` change. Raises ValidationError."""
    changes = {field: params[member] for member, field in _MEMBERS.items() if member in params}
    matcher = params.get("Matcher") or {}
    if version == "GRPC":
        changes |= _grpc_codes(matcher)
    else:
        changes |= _http_codes(matcher)
    result = replace(current, **changes)
    _check(result)
    return result


def check_server(check: HealthCheck) -> None:
    """Raise ValidationError for what a check of a server cannot be."""
    if not check.enabled:
        raise ValidationError(
            "Health check enabled must be true for target groups with target type "
            "'instance' or 'ip'"
        )
    if check.protocol not in PROTOCOLS:
        raise ValidationError(
            f"Health check protocol '{check.protocol}' must be one of [{', '.join(PROTOCOLS)}]"
        )
    port = check.port or ""
    if port != TRAFFIC_PORT and not (
        re.fullmatch("[1-9][0-9]{0,4}", port) and int(port) <= PORT_MAX
    ):
        raise ValidationError(
            f"Health check port '{port}' must be '{TRAFFIC_PORT}' or a port number "
            f"between '1-{PORT_MAX}' inclusive"
        )


def _check(check: HealthCheck) -> None:
    if check.timeout_s >= check.interval_s:
        raise ValidationError(
            f"Health check timeout '{check.timeout_s}' must be smaller than "
            f"the interval '{check.interval_s}'"
        )
    if not re.fullmatch("/[!-~]*", check.path):
        raise ValidationError(
            f"Health check path '{check.path}' must begin with a '/' character "
            "and contain visible ASCII characters only"
        )


def _http_codes(matcher: Mapping[str, Any]) -> dict[str, str]:
    # AWS is silent: a matcher of the other kind of codes than the protocol version has is refused.
    if "GrpcCode" in matcher:
        raise ValidationError("GRPC code cannot be specified unless the protocol version is GRPC")
    if "HttpCode" not in matcher:
        return {}
    _check_codes("HTTP", matcher["HttpCode"], "[0-9]{3}", HTTP_CODE_MIN, HTTP_CODE_MAX)
    return {"http_codes": matcher["HttpCode"]}


def _grpc_codes(matcher: Mapping[str, Any]) -> dict[str, str]:
    if "HttpCode" in matcher:
        raise ValidationError("HTTP code cannot be specified if the protocol version is GRPC")
    if "GrpcCode" not in matcher:
        return {}
    _check_codes("GRPC", matcher["GrpcCode"], "[0-9]{1,2}", GRPC_CODE_MIN, GRPC_CODE_MAX)
    return {"grpc_codes": matcher["GrpcCode"]}


def _check_codes(kind: str, text: str, code: str, low: int, high: int) -> None:
    """Check a matcher: codes and ranges of codes, separated by commas."""
    for part in text.split(","):
        ends = part.split("-", 1)
        if not all(re.fullmatch(code, end) for end in ends):
            raise ValidationError(f"Health check matcher {kind} code '{text}' is not valid")
        if not low <= int(ends[0]) <= int(ends[-1]) <= high:
            raise ValidationError(
                f"Health check matcher {kind} code '{text}' must be within '{low}-{high}' inclusive"
            )
