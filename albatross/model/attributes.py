"""Attributes of load balancers, target groups and listeners: keys, defaults, allowed values.

Source: elbv2 API, shapes `LoadBalancerAttribute`, `TargetGroupAttribute`, `ListenerAttribute`; ALB
user guide, "Edit attributes", "HTTP header modification". A resource holds only what a user has
set; whoever needs a value asks `get`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.target_group import TargetGroup

WEEK_S = 604_800
TARGETS_MAX = 1000  # per target group of instances or addresses
TEXT_MAX = 1024
ALL_TEXT = re.compile(r"[^\x00-\x1f\x7f]*")
HEADER_VALUE = re.compile(r"[A-Za-z0-9 _:;.,\\/'?!(){}\[\]@<>=\-+*#&`|~^%]*")
COOKIE_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]*")  # RFC 6265: a token
# AWS is silent: headers that say where a request goes or ends may not be written by attributes.
_FRAMING = "host|connection|content-length|transfer-encoding|upgrade|te|trailer|keep-alive|expect"
HEADER_NAME = re.compile(rf"(?!(?i:{_FRAMING}|x-albatross-.*)\Z)[A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class OneOf:
    """The value is one of `values`."""

    values: tuple[str, ...]

    def complaint(self, key: str, value: str) -> str | None:
        """Return what is wrong with `value` in AWS's words, None where nothing is."""
        if value in self.values:
            return None
        return f"'{key}' value '{value}' must be one of [{', '.join(self.values)}]"


@dataclass(frozen=True, slots=True)
class Between:
    """The value is a whole number from `low` to `high`, or the word `word`."""

    low: int
    high: int
    word: str | None = None

    def complaint(self, key: str, value: str) -> str | None:
        """Return what is wrong with `value` in AWS's words, None where nothing is."""
        if value == self.word:
            return None
        if re.fullmatch("[0-9]{1,9}", value) and self.low <= int(value) <= self.high:
            return None
        other = f" or be '{self.word}'" if self.word else ""
        return f"'{key}' value '{value}' must be between '{self.low}-{self.high}' inclusive{other}"


@dataclass(frozen=True, slots=True)
class Text:
    """The value is text of at most `TEXT_MAX` characters, all of which `pattern` knows."""

    pattern: re.Pattern[str] = ALL_TEXT
    reserved_prefix: str | None = None

    def complaint(self, key: str, value: str) -> str | None:
        """Return what is wrong with `value`, None where nothing is."""
        if len(value) > TEXT_MAX:
            return f"'{key}' value cannot be longer than '{TEXT_MAX}' characters"
        if not self.pattern.fullmatch(value):
            return f"'{key}' value '{value}' contains a character that is not valid"
        if self.reserved_prefix and value.startswith(self.reserved_prefix):
            return f"'{key}' value '{value}' cannot begin with '{self.reserved_prefix}'"
        return None


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a key means when nobody has set it, and what it may be set to."""

    default: str
    check: OneOf | Between | Text


_BOOLEAN = OneOf(("true", "false"))
_OFF = Attribute("false", _BOOLEAN)
_ON = Attribute("true", _BOOLEAN)
_ANY_TEXT = Attribute("", Text())


def _logs(name: str) -> dict[str, Attribute]:
    """Return the three attributes of one kind of log."""
    return {
        f"{name}.s3.enabled": _OFF,
        f"{name}.s3.bucket": _ANY_TEXT,
        f"{name}.s3.prefix": _ANY_TEXT,
    }


# differs from AWS: load balancers keep and show every attribute, but those of connection logs and
# health check logs, `waf.fail_open.enabled`, `ipv6.deny_all_igw_traffic`,
# `load_balancing.cross_zone.enabled` and `zonal_shift.config.enabled` have no effect.
LOAD_BALANCER: Mapping[str, Attribute] = {
    **_logs("access_logs"),
    "idle_timeout.timeout_seconds": Attribute("60", Between(1, 4000)),
    "deletion_protection.enabled": _OFF,
    "routing.http2.enabled": _ON,
    "routing.http.drop_invalid_header_fields.enabled": _OFF,
    "routing.http.xff_client_port.enabled": _OFF,
    "routing.http.preserve_host_header.enabled": _OFF,
    "routing.http.xff_header_processing.mode": Attribute(
        "append", OneOf(("append", "preserve", "remove"))
    ),
    "load_balancing.cross_zone.enabled": _ON,
    "routing.http.desync_mitigation_mode": Attribute(
        "defensive", OneOf(("monitor", "defensive", "strictest"))
    ),
    "client_keep_alive.seconds": Attribute("3600", Between(60, WEEK_S)),
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": _OFF,
    "waf.fail_open.enabled": _OFF,
    "ipv6.deny_all_igw_traffic": _OFF,  # of an internal load balancer: true
    "zonal_shift.config.enabled": _OFF,
    **_logs("connection_logs"),
    **_logs("health_check_logs"),
}

# AWS is silent: a Lambda target group has only the attribute `lambda.multi_value_headers.enabled`.
LAMBDA_TARGET_GROUP: Mapping[str, Attribute] = {"lambda.multi_value_headers.enabled": _OFF}

_HEALTHY = "target_group_health"
_COOKIE_DURATION = Attribute("86400", Between(1, WEEK_S))
_PERCENTAGE = Attribute("off", Between(1, 100, "off"))

# The attributes of target groups of instances and addresses.
# differs from AWS: of the attributes of target groups, `load_balancing.cross_zone.enabled`,
# `target_group_health.dns_failover.*` and `waf.http2.traffic_inspection_behavior` are kept and
# shown, but have no effect: there is one zone, and no DNS to fail over.
SERVER_TARGET_GROUP: Mapping[str, Attribute] = {
    "deregistration_delay.timeout_seconds": Attribute("300", Between(0, 3600)),
    "load_balancing.algorithm.type": Attribute(
        "round_robin", OneOf(("round_robin", "least_outstanding_requests", "weighted_random"))
    ),
    "load_balancing.algorithm.anomaly_mitigation": Attribute("off", OneOf(("on", "off"))),
    "load_balancing.cross_zone.enabled": Attribute(
        "use_load_balancer_configuration",
        OneOf(("true", "false", "use_load_balancer_configuration")),
    ),
    "slow_start.duration_seconds": Attribute("0", Between(30, 900, "0")),
    "stickiness.enabled": _OFF,
    "stickiness.type": Attribute("lb_cookie", OneOf(("lb_cookie", "app_cookie"))),
    "stickiness.lb_cookie.duration_seconds": _COOKIE_DURATION,
    "stickiness.app_cookie.cookie_name": Attribute("", Text(COOKIE_NAME, "AWSALB")),
    "stickiness.app_cookie.duration_seconds": _COOKIE_DURATION,
    f"{_HEALTHY}.dns_failover.minimum_healthy_targets.count": Attribute(
        "1", Between(1, TARGETS_MAX, "off")
    ),
    f"{_HEALTHY}.dns_failover.minimum_healthy_targets.percentage": _PERCENTAGE,
    f"{_HEALTHY}.unhealthy_state_routing.minimum_healthy_targets.count": Attribute(
        "1", Between(1, TARGETS_MAX)
    ),
    f"{_HEALTHY}.unhealthy_state_routing.minimum_healthy_targets.percentage": _PERCENTAGE,
    # AWS is silent: `waf.http2.traffic_inspection_behavior` is `inspect_immediately` by default.
    "waf.http2.traffic_inspection_behavior": Attribute(
        "inspect_immediately", OneOf(("inspect_immediately", "inspect_after_sufficient_data"))
    ),
}

TARGET_GROUP: Mapping[str, Attribute] = {**LAMBDA_TARGET_GROUP, **SERVER_TARGET_GROUP}

# The response headers that a listener may set, by the key of the attribute.
RESPONSE_HEADERS: Mapping[str, str] = {
    f"routing.http.response.{name.replace('-', '_').lower()}.header_value": name
    for name in (
        "Strict-Transport-Security",
        "Access-Control-Allow-Origin",
        "Access-Control-Allow-Methods",
        "Access-Control-Allow-Headers",
        "Access-Control-Allow-Credentials",
        "Access-Control-Expose-Headers",
        "Access-Control-Max-Age",
        "Content-Security-Policy",
        "X-Content-Type-Options",
        "X-Frame-Options",
    )
}

HTTP_LISTENER: Mapping[str, Attribute] = {
    "routing.http.response.server.enabled": _ON,
    **{key: Attribute("", Text(HEADER_VALUE)) for key in RESPONSE_HEADERS},
}

# Request headers that only HTTPS listeners write, and which may be given other names.
LISTENER: Mapping[str, Attribute] = {
    **HTTP_LISTENER,
    **{
        f"routing.http.request.{name.replace('-', '_').lower()}.header_name": Attribute(
            name, Text(HEADER_NAME)
        )
        for name in (
            "X-Amzn-Mtls-Clientcert-Serial-Number",
            "X-Amzn-Mtls-Clientcert-Issuer",
            "X-Amzn-Mtls-Clientcert-Subject",
            "X-Amzn-Mtls-Clientcert-Validity",
            "X-Amzn-Mtls-Clientcert-Leaf",
            "X-Amzn-Mtls-Clientcert",
            "X-Amzn-Tls-Version",
            "X-Amzn-Tls-Cipher-Suite",
        )
    },
}


def supported(resource: LoadBalancer | TargetGroup | Listener) -> Mapping[str, Attribute]:
    """Return the attributes that `resource` has, in the order in which they are described."""
    match resource:
        case LoadBalancer():
            return LOAD_BALANCER
        case TargetGroup():
            return LAMBDA_TARGET_GROUP if resource.target_type == "lambda" else SERVER_TARGET_GROUP
        case Listener():
            return LISTENER if resource.protocol == "HTTPS" else HTTP_LISTENER


def get(resource: LoadBalancer | TargetGroup | Listener, key: str) -> str:
    """Return the value of the attribute `key`: what was set, else (or where empty) its default."""
    default = supported(resource)[key].default
    if (
        key == "ipv6.deny_all_igw_traffic"
        and isinstance(resource, LoadBalancer)
        and resource.scheme == "internal"
    ):
        default = "true"
    return resource.attributes.get(key) or default
