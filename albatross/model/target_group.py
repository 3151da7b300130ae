"""A target group and its targets. Source: elbv2 API, `CreateTargetGroup`, `RegisterTargets`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

ALL_ZONES = "all"  # the Availability Zone of functions, and of addresses beyond the VPC


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """How targets are checked. Defaults are those of a Lambda target group.

    `protocol` and `port` are None for Lambda, whose checks are invocations.
    """

    enabled: bool = False
    interval_s: int = 35  # 5..300
    timeout_s: int = 30  # 2..120
    healthy_threshold: int = 5  # 2..10
    # AWS is silent: for a Lambda target group UnhealthyThresholdCount is 2; one page of AWS says 5.
    unhealthy_threshold: int = 2  # 2..10
    path: str = "/"
    http_codes: str = "200"  # matcher: codes and ranges, comma separated
    grpc_codes: str | None = None  # matcher of a GRPC target group, 0-99
    protocol: str | None = None  # HTTP | HTTPS
    port: str | None = None  # a number, or traffic-port


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One registered target. `id` is a function's ARN, an IP address, or an instance's id.

    `address` is where an instance was when it was registered. `draining_until` is set once it is
    deregistered: until then requests in flight may finish.
    """

    id: str
    port: int | None = None  # None for Lambda
    address: str | None = None
    availability_zone: str | None = None
    draining_until: datetime | None = None

    @property
    def key(self) -> tuple[str, int | None]:
        """What tells targets of a group apart."""
        return self.id, self.port

    @property
    def host(self) -> str:
        """The IP address of an instance or an address."""
        return self.address or self.id

    def has_drained(self, now: datetime) -> bool:
        """Tell whether the target is deregistered and its deregistration delay is over."""
        return self.draining_until is not None and self.draining_until <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGroup:
    """Where a rule sends requests. `attributes` holds what a user has set."""

    kind: ClassVar[str] = "target-group"

    arn: str
    name: str
    target_type: str  # lambda | instance | ip
    protocol: str | None = None  # HTTP | HTTPS; None for Lambda, as the next three
    protocol_version: str | None = None  # HTTP1 | HTTP2 | GRPC
    port: int | None = None
    vpc_id: str | None = None
    ip_address_type: str = "ipv4"
    health_check: HealthCheck = HealthCheck()
    targets: tuple[Target, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """The protocol version of requests to targets: HTTP1 | HTTP2 | GRPC."""
        return self.protocol_version or "HTTP1"

    @property
    def multi_value_headers(self) -> bool:
        return self.attributes.get("lambda.multi_value_headers.enabled") == "true"

    @property
    def parent(self) -> str | None:
        return None
