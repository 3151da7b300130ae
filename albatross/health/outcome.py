"""What one check found. Pure.

Source: ALB user guide, "Health checks for your target groups", "Health check logs".
"""

from dataclasses import dataclass
from enum import Enum

from albatross.health.matcher import codes
from albatross.model.health import TargetHealth, because


class Fault(Enum):
    """Why a check failed: the reason of DescribeTargetHealth, and that of the health check log."""

    CODE = ("Target.ResponseCodeMismatch", "ResponseCodeMismatch")
    SERVER_ERROR = ("Target.ResponseCodeMismatch", "TargetError")  # a code of 500 or more
    # AWS is silent: a health check log says GRPCUnexpectedStatus of a gRPC status that the matcher
    # does not name.
    GRPC_CODE = ("Target.ResponseCodeMismatch", "GRPCUnexpectedStatus")
    GRPC_NO_CODE = ("Target.FailedHealthChecks", "GRPCStatusHeaderEmpty")
    TIMEOUT = ("Target.Timeout", "TimedOut")
    # AWS is silent: a health check log says ConnectionReset of every connection that failed, also
    # where the target refused it or TLS could not be agreed on.
    CONNECTION = ("Target.FailedHealthChecks", "ConnectionReset")
    # AWS is silent: an answer that is not HTTP, and a function that fails or whose result is no
    # response, have the reason Target.FailedHealthChecks, in a health check log TargetError.
    BAD_ANSWER = ("Target.FailedHealthChecks", "TargetError")
    INTERNAL = ("Elb.InternalError", "InternalError")

    def __init__(self, reason: str, logged: str) -> None:
        self.reason = reason
        self.logged = logged


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a check ended: passed where `fault` is None. `code` is what the target answered."""

    code: int | None = None
    fault: Fault | None = None

    @property
    def health(self) -> TargetHealth:
        """The health of a target that is unhealthy because of this outcome."""
        assert self.fault is not None
        return because(self.fault.reason, code=self.code)


def of_http(status: int, matcher: str) -> Outcome:
    """Return the outcome of an answer with an HTTP status code."""
    if status in codes(matcher):
        return Outcome(status)
    return Outcome(status, Fault.SERVER_ERROR if status >= 500 else Fault.CODE)


def of_grpc(status: int | None, matcher: str) -> Outcome:
    """Return the outcome of an answer to a gRPC call; None: it had no gRPC status."""
    if status is None:
        return Outcome(None, Fault.GRPC_NO_CODE)
    return Outcome(status, None if status in codes(matcher) else Fault.GRPC_CODE)
