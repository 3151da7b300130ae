"""A target group and its targets. Source: elbv2 API, `CreateTargetGroup`, `RegisterTargets`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """How targets are checked. Defaults are those of a Lambda target group."""

    enabled: bool = False
    interval_s: int = 35  # 5..300
    timeout_s: int = 30  # 2..120
    healthy_threshold: int = 5  # 2..10
    unhealthy_threshold: int = 2  # 2..10
    path: str = "/"
    http_codes: str = "200"  # matcher: codes and ranges, comma separated


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One registered target. For a Lambda target group `id` is the function's ARN."""

    id: str
    availability_zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGroup:
    """Where a rule sends requests. `attributes` holds what a user has set."""

    kind: ClassVar[str] = "target-group"

    arn: str
    name: str
    target_type: str  # lambda; instance and ip follow
    health_check: HealthCheck = HealthCheck()
    targets: tuple[Target, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def multi_value_headers(self) -> bool:
        return self.attributes.get("lambda.multi_value_headers.enabled") == "true"

    @property
    def parent(self) -> str | None:
        return None
