"""The health of a target, as DescribeTargetHealth shows it and the proxy is told it.

Source: ALB user guide, "Health checks for your target groups"; elbv2 API, shape `TargetHealth`.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetHealth:
    """A state, and for all but `healthy` the reason in AWS's code and words."""

    state: str  # initial | healthy | unhealthy | unused | draining | unavailable
    reason: str | None = None
    description: str | None = None


class HealthReader(Protocol):
    """Knows the outcome of health checks. Runtime state: it is not stored."""

    def health(self, target_group_arn: str, key: tuple[str, int | None]) -> TargetHealth | None:
        """Return what checks have found of a target; None while it has not been looked at."""
