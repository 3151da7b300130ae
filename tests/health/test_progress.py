"""The state machine of a target: what follows from checks that pass and fail."""

from typing import Any

import pytest

from albatross.health.outcome import Fault, Outcome, of_grpc, of_http
from albatross.health.progress import Progress
from albatross.model.target_group import HealthCheck

CHECK = HealthCheck(healthy_threshold=3, unhealthy_threshold=2)
OUTCOMES = {
    "p": Outcome(200),
    "f": of_http(502, "200"),
    "t": Outcome(fault=Fault.TIMEOUT),
    "c": Outcome(fault=Fault.CONNECTION),
    "b": Outcome(fault=Fault.BAD_ANSWER),
    "i": Outcome(fault=Fault.INTERNAL),
    "g": of_grpc(0, "12"),
}


def after(outcomes: str, check: HealthCheck = CHECK) -> Progress:
    progress = Progress()
    for letter in outcomes:
        progress = progress.begin().end(OUTCOMES[letter], check)
    return progress


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        pytest.param("p", "healthy", id="the first success is enough for a new target"),
        pytest.param("fp", "healthy", id="also after a failure"),
        pytest.param("f", "initial", id="one failure of a new target is not enough"),
        pytest.param("ff", "unhealthy", id="a new target fails at the threshold"),
        pytest.param("pf", "healthy", id="one failure of a healthy target"),
        pytest.param("pff", "unhealthy", id="as many failures as the threshold"),
        pytest.param("pfpf", "healthy", id="only failures in a row count"),
        pytest.param("ptf", "unhealthy", id="failures of different kinds add up"),
        pytest.param("ffpp", "unhealthy", id="fewer successes than the threshold"),
        pytest.param("ffppp", "healthy", id="as many successes as the threshold"),
        pytest.param("ffppfp", "unhealthy", id="only successes in a row count"),
        pytest.param("ffpppf", "healthy", id="failures count from the change on"),
        pytest.param("ffpppff", "unhealthy", id="and back again"),
    ],
)
def test_thresholds_decide_when_the_state_changes(outcomes: str, state: str) -> None:
    assert after(outcomes).health.state == state


@pytest.mark.parametrize(
    ("outcomes", "shown"),
    [
        pytest.param(
            "",
            ("initial", "Elb.RegistrationInProgress", "Target registration is in progress"),
            id="before the first check",
        ),
        pytest.param(
            "f",
            ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress"),
            id="while the first checks are made",
        ),
        pytest.param("p", ("healthy", None, None), id="healthy, without a reason"),
        pytest.param("pf", ("healthy", None, None), id="healthy with a failure"),
        pytest.param(
            "ff",
            (
                "unhealthy",
                "Target.ResponseCodeMismatch",
                "Health checks failed with these codes: [502]",
            ),
            id="another code",
        ),
        pytest.param(
            "gg",
            (
                "unhealthy",
                "Target.ResponseCodeMismatch",
                "Health checks failed with these codes: [0]",
            ),
            id="another gRPC code",
        ),
        pytest.param(
            "tt", ("unhealthy", "Target.Timeout", "Request timed out"), id="no answer in time"
        ),
        pytest.param(
            "cc",
            ("unhealthy", "Target.FailedHealthChecks", "Health checks failed"),
            id="no connection",
        ),
        pytest.param(
            "bb",
            ("unhealthy", "Target.FailedHealthChecks", "Health checks failed"),
            id="an answer that is none",
        ),
        pytest.param(
            "ii",
            ("unhealthy", "Elb.InternalError", "Health checks failed due to an internal error"),
            id="a fault of the load balancer's",
        ),
        pytest.param(
            "fft", ("unhealthy", "Target.Timeout", "Request timed out"), id="the last failure"
        ),
        pytest.param(
            "ttp",
            ("unhealthy", "Target.Timeout", "Request timed out"),
            id="the last failure also after a success",
        ),
    ],
)
def test_health_is_told_in_the_words_of_aws(outcomes: str, shown: tuple[Any, ...]) -> None:
    health = after(outcomes).health
    assert (health.state, health.reason, health.description) == shown


def test_a_first_check_that_has_begun_is_told_from_registration() -> None:
    assert Progress().begin().health.reason == "Elb.InitialHealthChecking"


def test_a_restart_keeps_the_state_and_forgets_what_was_counted() -> None:
    assert after("pf").restart().end(OUTCOMES["f"], CHECK).health.state == "healthy"
    assert after("ffpp").restart().end(OUTCOMES["p"], CHECK).health.state == "unhealthy"


@pytest.mark.parametrize("threshold", [2, 10])
def test_every_threshold_of_the_api_is_met_exactly(threshold: int) -> None:
    check = HealthCheck(healthy_threshold=threshold, unhealthy_threshold=threshold)
    down = "p" + "f" * threshold
    assert after(down[:-1], check).health.state == "healthy"
    assert after(down, check).health.state == "unhealthy"
    assert after(down + "p" * (threshold - 1), check).health.state == "unhealthy"
    assert after(down + "p" * threshold, check).health.state == "healthy"
