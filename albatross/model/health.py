"""The health of a target, as DescribeTargetHealth shows it and the proxy is told it.

Source: ALB user guide, "Health checks for your target groups"; elbv2 API, shape `TargetHealth`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from albatross.model.target_group import Target, TargetGroup

# Reason -> state, and the words for people.
REASONS: Mapping[str, tuple[str, str]] = {
    "Elb.RegistrationInProgress": ("initial", "Target registration is in progress"),
    "Elb.InitialHealthChecking": ("initial", "Initial health checks in progress"),
    "Target.ResponseCodeMismatch": ("unhealthy", "Health checks failed with these codes: [{code}]"),
    # AWS is silent: a check that times out is described as "Request timed out", also where it was
    # the connection; an example of AWS's says "Connection to target timed out".
    "Target.Timeout": ("unhealthy", "Request timed out"),
    "Target.FailedHealthChecks": ("unhealthy", "Health checks failed"),
    "Elb.InternalError": ("unhealthy", "Health checks failed due to an internal error"),
    "Target.NotRegistered": ("unused", "Target is not registered to the target group"),
    "Target.NotInUse": (
        "unused",
        "Target group is not configured to receive traffic from the load balancer",
    ),
    # differs from AWS: an instance that stops, an address that a load balancer has and a target in
    # a zone that the load balancer is not in are never `unused` (Target.InvalidState,
    # Target.IpUnusable, Target.NotInUse), but `unhealthy` where nobody answers. None is
    # `unavailable` for an internal error (Elb.InternalError): it is `unhealthy`.
    "Target.InvalidState": ("unused", "Target is in the stopped state"),
    "Target.IpUnusable": (
        "unused",
        "The IP address cannot be used as a target, as it is in use by a load balancer",
    ),
    "Target.DeregistrationInProgress": ("draining", "Target deregistration is in progress"),
    "Target.HealthCheckDisabled": (
        "unavailable",
        "Health checks are not enabled for this target",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetHealth:
    """A state, and for all but `healthy` the reason in AWS's code and words."""

    state: str  # initial | healthy | unhealthy | unused | draining | unavailable
    reason: str | None = None
    description: str | None = None


HEALTHY = TargetHealth(state="healthy")


def because(reason: str, *, code: int | None = None) -> TargetHealth:
    """Return the health that has `reason`. `code`, for the description, is the target's answer."""
    state, description = REASONS[reason]
    return TargetHealth(state=state, reason=reason, description=description.format(code=code))


def shown(
    group: TargetGroup, target: Target, found: TargetHealth | None, *, used: bool, now: datetime
) -> TargetHealth:
    """Return the health of `target`, one of `group`'s.

    `found`: what checks have found; `used`: a load balancer forwards to the group.
    """
    if target.draining_until is not None:
        ended = target.draining_until <= now
        return because("Target.NotRegistered" if ended else "Target.DeregistrationInProgress")
    # AWS is silent: a function whose target group no rule uses is `unused`, health checks or not.
    if not used:
        return because("Target.NotInUse")
    if not group.health_check.enabled:
        return because("Target.HealthCheckDisabled")
    return found or because("Elb.RegistrationInProgress")


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """Whether a target fails more requests than others, and gets fewer for it."""

    is_anomalous: bool = False
    is_mitigated: bool = False


class HealthReader(Protocol):
    """Knows the outcome of health checks, and how targets do. Runtime state: it is not stored."""

    def health(self, target_group_arn: str, key: tuple[str, int | None]) -> TargetHealth | None:
        """Return what checks have found of a target; None while it has not been looked at.

        Any thread may ask.
        """

    def anomaly(self, target_group_arn: str, key: tuple[str, int | None]) -> Anomaly:
        """Return how a target does. Any thread may ask."""


class NothingChecked:
    """The HealthReader of a server without health checks."""

    def health(self, _target_group_arn: str, _key: tuple[str, int | None]) -> TargetHealth | None:
        return None

    def anomaly(self, _target_group_arn: str, _key: tuple[str, int | None]) -> Anomaly:
        return Anomaly()


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheckRecord:
    """One check, as a health check log tells it. Source: ALB user guide, "Health check logs"."""

    type: str  # http | https | h2 | grpc | lambda
    time: datetime  # when it began
    latency_s: float
    target_address: str  # address:port, or a function's ARN
    target_group_arn: str
    target_group_name: str
    passed: bool
    status_code: int | None  # of HTTP or gRPC; None without an answer
    reason_code: str | None  # None where it passed
