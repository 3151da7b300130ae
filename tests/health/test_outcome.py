import pytest

from albatross.health.outcome import Fault, Outcome, of_grpc, of_http


@pytest.mark.parametrize(
    ("outcome", "expected", "logged"),
    [
        pytest.param(of_http(200, "200"), Outcome(200), None, id="a code that is wanted"),
        pytest.param(of_http(404, "200-299,404"), Outcome(404), None, id="any of several"),
        pytest.param(
            of_http(301, "200"), Outcome(301, Fault.CODE), "ResponseCodeMismatch", id="another code"
        ),
        pytest.param(
            of_http(503, "200"), Outcome(503, Fault.SERVER_ERROR), "TargetError", id="a 5xx"
        ),
        pytest.param(of_grpc(12, "12"), Outcome(12), None, id="a gRPC status"),
        pytest.param(of_grpc(0, "0-99"), Outcome(0), None, id="a gRPC status in a range"),
        pytest.param(
            of_grpc(14, "12"),
            Outcome(14, Fault.GRPC_CODE),
            "GRPCUnexpectedStatus",
            id="another gRPC status",
        ),
        pytest.param(
            of_grpc(None, "12"),
            Outcome(None, Fault.GRPC_NO_CODE),
            "GRPCStatusHeaderEmpty",
            id="no gRPC status",
        ),
    ],
)
def test_an_answer_passes_when_the_matcher_names_its_code(
    outcome: Outcome, expected: Outcome, logged: str | None
) -> None:
    assert outcome == expected
    assert (outcome.fault.logged if outcome.fault else None) == logged


def test_faults_with_the_same_words_are_not_the_same() -> None:
    assert len(Fault) == 8
